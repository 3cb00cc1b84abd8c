// The formulas of acot_core.experiments.views.octant and .disk, evaluated in the browser; a test holds one
// against the other. Vectors are arrays of three numbers, sequences arrays of vectors.

export const RADIUS = Math.SQRT2
const C = 1 / Math.sqrt(3)
const E1 = [-Math.SQRT1_2, Math.SQRT1_2, 0]
const E2 = [-1 / Math.sqrt(6), -1 / Math.sqrt(6), 2 / Math.sqrt(6)]

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
export const unit = (a) => {
  const length = Math.hypot(a[0], a[1], a[2]) || 1
  return [a[0] / length, a[1] / length, a[2] / length]
}
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
]
export const lift = (p) => (p[0] + p[1] + p[2] < 0 ? [-p[0], -p[1], -p[2]] : p)

// A unit vector, taken up to sign, on Lambert's disk about (1, 1, 1)/sqrt(3): [u, v].
export function toDisk(point) {
  const p = lift(point)
  const scale = Math.sqrt(2 / (1 + C * (p[0] + p[1] + p[2])))
  return [scale * dot(p, E1), scale * dot(p, E2)]
}

// The unit vector of the hemisphere at a place of the disk; places outside go to the rim.
export function toSphere(place) {
  let [u, v] = place
  const radius = Math.hypot(u, v)
  if (radius > RADIUS) { u *= RADIUS / radius; v *= RADIUS / radius }
  const square = Math.min(u * u + v * v, 2)
  const h = (1 - square / 2) * C, w = Math.sqrt(1 - square / 4)
  return [0, 1, 2].map((i) => h + w * (u * E1[i] + v * E2[i]))
}

// The nearest point of the octant: negative coordinates become a little more than nothing.
export const intoOctant = (p) => unit(p.map((x) => Math.max(x, 1e-3)))

// T: where the plan sends each frame on average.
export function imagesOf(plan, negatives) {
  return plan.map((row) => {
    const image = [0, 0, 0]
    let mass = 0
    row.forEach((share, j) => {
      if (!share) { return }
      mass += share
      for (let i = 0; i < 3; i++) { image[i] += share * negatives[j][i] }
    })
    return mass > 0 ? image.map((x) => x / mass) : image
  })
}

// All that the objective of one sequence needs: frames, images, mean square norms, weights.
export function problem(frames, plan, negatives, weights) {
  const images = imagesOf(plan, negatives)
  const n = frames.length
  const frameNorm = frames.reduce((sum, x) => sum + dot(x, x), 0) / n
  let imageNorm = 0
  plan.forEach((row) => row.forEach((share, j) => { imageNorm += share * dot(negatives[j], negatives[j]) }))
  return {frames, images, frameNorm, imageNorm, ...weights}
}

// Energy of each frame in the line along p (k = 1) or in the plane normal to it (k = 2).
export function energiesAt(p, frames, k) {
  return frames.map((x) => { const a = dot(p, x); return k === 1 ? a * a : dot(x, x) - a * a })
}

// Terms of Eq. (10), unweighted, and the value of Eq. (13) that is minimised.
export function termsAt(p, problem) {
  const {frames, images, frameNorm, imageNorm, k, beta1, beta2, eta} = problem
  const n = frames.length
  const energies = energiesAt(p, frames, k)
  let inside = 0, together = 0, order = 0
  for (let t = 0; t < n; t++) {
    const ab = dot(p, frames[t]) * dot(p, images[t])
    inside += energies[t]
    together += k === 1 ? ab : dot(frames[t], images[t]) - ab
    if (t + 1 < n) { order += Math.max(0, energies[t] + eta - energies[t + 1]) }
  }
  const contrast = (inside - 2 * together) / n + imageNorm
  const distortion = frameNorm - inside / n
  order = n > 1 ? order / (n - 1) : 0
  return {contrast, distortion, order, value: -contrast + beta1 * distortion + beta2 * order, energies}
}

// The directions of a square grid over the disk, rows downwards as pixels are, NaN outside.
const grids = new Map()
export function gridOf(size) {
  if (!grids.has(size)) {
    const grid = new Float64Array(3 * size * size).fill(NaN)
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const u = RADIUS * ((column + 0.5) / size * 2 - 1), v = RADIUS * (1 - (row + 0.5) / size * 2)
        if (u * u + v * v <= 2) { grid.set(toSphere([u, v]), 3 * (row * size + column)) }
      }
    }
    grids.set(size, grid)
  }
  return grids.get(size)
}

// One term ("contrast", "distortion", "order") or the "value" over the disk: Float64Array (size * size).
// Contrast and distortion are quadratic in p, which is why a picture takes a few milliseconds.
export function landscape(problem, name, size) {
  const {frames, images, frameNorm, imageNorm, k, beta1, beta2, eta} = problem
  const n = frames.length, grid = gridOf(size), values = new Float64Array(size * size).fill(NaN)
  const S = new Float64Array(9), M = new Float64Array(9)
  let traceM = 0
  for (let t = 0; t < n; t++) {
    traceM += dot(frames[t], images[t]) / n
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        S[3 * i + j] += frames[t][i] * frames[t][j] / n
        M[3 * i + j] += (frames[t][i] * images[t][j] + frames[t][j] * images[t][i]) / (2 * n)
      }
    }
  }
  const quadratic = (A, x, y, z) => A[0] * x * x + A[4] * y * y + A[8] * z * z
    + 2 * (A[1] * x * y + A[2] * x * z + A[5] * y * z)
  const flat = new Float64Array(3 * n), norms = new Float64Array(n)
  frames.forEach((x, t) => { flat.set(x, 3 * t); norms[t] = dot(x, x) })
  const ordered = (name === "order" || (name === "value" && beta2 > 0)) && n > 1
  for (let at = 0; at < values.length; at++) {
    const x = grid[3 * at], y = grid[3 * at + 1], z = grid[3 * at + 2]
    if (x !== x) { continue }
    const inLine = quadratic(S, x, y, z), both = quadratic(M, x, y, z)
    const inside = k === 1 ? inLine : frameNorm - inLine
    const contrast = inside - 2 * (k === 1 ? both : traceM - both) + imageNorm
    let order = 0
    if (ordered) {
      let before = 0
      for (let t = 0; t < n; t++) {
        const a = flat[3 * t] * x + flat[3 * t + 1] * y + flat[3 * t + 2] * z
        const energy = k === 1 ? a * a : norms[t] - a * a
        if (t > 0) { const excess = before + eta - energy; if (excess > 0) { order += excess } }
        before = energy
      }
      order /= n - 1
    }
    values[at] = name === "contrast" ? contrast : name === "distortion" ? frameNorm - inside
      : name === "order" ? order : -contrast + beta1 * (frameNorm - inside) + beta2 * order
  }
  return values
}

// Level lines of a grid of values as segments [u1, v1, u2, v2] of the disk (marching squares).
export function contours(values, size, levels) {
  const place = (row, column) => [RADIUS * ((column + 0.5) / size * 2 - 1), RADIUS * (1 - (row + 0.5) / size * 2)]
  const segments = []
  for (let row = 0; row + 1 < size; row++) {
    for (let column = 0; column + 1 < size; column++) {
      const at = row * size + column
      const corner = [values[at], values[at + 1], values[at + size + 1], values[at + size]]
      const low = Math.min(...corner), high = Math.max(...corner)
      if (!(low < high)) { continue }
      for (const level of levels) {
        if (level < low || level >= high) { continue }
        const places = [place(row, column), place(row, column + 1), place(row + 1, column + 1), place(row + 1, column)]
        const cuts = []
        for (let e = 0; e < 4; e++) {
          const a = corner[e], b = corner[(e + 1) % 4]
          if ((a <= level) !== (b <= level)) {
            const s = (level - a) / (b - a), from = places[e], to = places[(e + 1) % 4]
            cuts.push([from[0] + s * (to[0] - from[0]), from[1] + s * (to[1] - from[1])])
          }
        }
        for (let c = 0; c + 1 < cuts.length; c += 2) { segments.push([...cuts[c], ...cuts[c + 1]]) }
      }
    }
  }
  return segments
}

// The plane normal to p meets the sphere in a circle: its half in the hemisphere, as unit vectors.
export function circleOf(p, count = 72) {
  const axis = [0, 0, 0]
  axis[[0, 1, 2].reduce((best, i) => (Math.abs(p[i]) < Math.abs(p[best]) ? i : best), 0)] = 1
  const a = unit(cross(p, axis)), b = cross(p, a)
  // From rim to rim: where the circle leaves the hemisphere, its height above the rim is nothing.
  const start = Math.atan2(-(a[0] + a[1] + a[2]), b[0] + b[1] + b[2])
  const at = (s) => [0, 1, 2].map((i) => Math.cos(s) * a[i] + Math.sin(s) * b[i])
  const middle = at(start + Math.PI / 2), sign = middle[0] + middle[1] + middle[2] < 0 ? -1 : 1
  return Array.from({length: count + 1}, (_, i) => at(start + sign * Math.PI * i / count))
}

// Points between two on the sphere (on the side that is nearer up to sign), for smooth walks.
export function between(p, q, share) {
  const other = dot(p, q) < 0 ? q.map((x) => -x) : q
  return lift(unit(p.map((x, i) => (1 - share) * x + share * other[i])))
}

// Frames at even distances along a line that was drawn: places of the disk in the order of time.
export function resample(places, count) {
  const length = [0]
  for (let i = 1; i < places.length; i++) {
    length.push(length[i - 1] + Math.hypot(places[i][0] - places[i - 1][0], places[i][1] - places[i - 1][1]))
  }
  const total = length[length.length - 1]
  return Array.from({length: count}, (_, t) => {
    const target = total * t / (count - 1)
    let i = 1
    while (i < places.length - 1 && length[i] < target) { i++ }
    const span = length[i] - length[i - 1] || 1
    const s = Math.min(1, Math.max(0, (target - length[i - 1]) / span))
    return intoOctant(toSphere([0, 1].map((a) => places[i - 1][a] + s * (places[i][a] - places[i - 1][a]))))
  })
}

export const angleBetween = (p, q) => Math.acos(Math.min(1, Math.abs(dot(p, q)))) * 180 / Math.PI
