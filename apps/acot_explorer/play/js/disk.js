// The disk: landscape on a canvas, and above it, in SVG, all that can be touched.

import {RADIUS, circleOf, contours, intoOctant, landscape, termsAt, toDisk, toSphere, unit} from "./math.js"
import {clamp, h, number, path, pool, put, s} from "./dom.js"

const SIZE = 141, EDGE = 1.5, REACH = 0.085

const STOPS = {
  light: {
    value: ["#00684c", "#2f9f7f", "#8fd0bb", "#dcefe8", "#fbfdfc"],
    contrast: ["#ffffff", "#fbe3d3", "#f2b78d", "#e08445", "#c85400"],
    distortion: ["#ffffff", "#d7e8f4", "#93c2e2", "#4493c8", "#0067a3"],
    order: ["#ffffff", "#f6e2ed", "#e6b6d0", "#d48ab2", "#b85a90"],
  },
  dark: {
    value: ["#6fe3c1", "#2fb38d", "#177a60", "#123f36", "#151c1c"],
    contrast: ["#16181c", "#3a2416", "#7a3f14", "#c2611a", "#ff9a52"],
    distortion: ["#16181c", "#132a3c", "#155580", "#2a8cc9", "#7fcbff"],
    order: ["#16181c", "#33202c", "#6b3d58", "#b0668f", "#f0a9cf"],
  },
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16))

function ramp(stops) {
  const colors = stops.map(rgb), table = new Uint8ClampedArray(256 * 4)
  for (let i = 0; i < 256; i++) {
    const place = i / 255 * (colors.length - 1), low = Math.min(Math.floor(place), colors.length - 2)
    const share = place - low
    for (let c = 0; c < 3; c++) { table[4 * i + c] = (1 - share) * colors[low][c] + share * colors[low + 1][c] }
    table[4 * i + 3] = 255
  }
  return table
}
const tables = {}
const tableOf = (theme, name) => (tables[theme + name] ??= ramp(STOPS[theme][name]))

const LABELS = {value: "objective", contrast: "contrast", distortion: "distortion", order: "order"}
const arcs = [0, 1, 2].map((i) => Array.from({length: 25}, (_, n) => {
  const p = [0, 0, 0], angle = n / 24 * Math.PI / 2
  p[i] = Math.cos(angle); p[(i + 1) % 3] = Math.sin(angle)
  return p
}))
const flip = ([u, v]) => [u, -v]
const onPage = (p) => flip(toDisk(p))
const star = Array.from({length: 10}, (_, i) => {
  const r = i % 2 ? 0.034 : 0.085, a = -Math.PI / 2 + i * Math.PI / 5
  return `${(r * Math.cos(a)).toFixed(4)},${(r * Math.sin(a)).toFixed(4)}`
}).join(" ")

// A path of lines on the sphere, cut where it goes over the rim to the antipode.
function walk(points) {
  let d = "", last = null
  for (const p of points) {
    const at = onPage(p)
    d += `${last && Math.hypot(at[0] - last[0], at[1] - last[1]) < RADIUS ? "L" : "M"}${at[0].toFixed(3)} ${at[1].toFixed(3)}`
    last = at
  }
  return d
}

export function makeDisk(app) {
  const {store} = app, {state} = store
  const canvas = h("canvas", {"aria-hidden": "true"})
  const layer = (name) => s("g", {class: name})
  const [lines, clouds, couple, imagesLayer, negs, course, dots, ways, ends] = ["level", "cloud", "couplings", "images",
    "negatives", "course", "frames", "ways", "ends"].map(layer)
  const ink = s("path", {class: "ink-line"})
  const rim = s("circle", {r: RADIUS, class: "rim"})
  const outline = arcs.map((arc) => s("path", {class: "outline", d: path(arc.map(onPage))}))
  const names = [["x", "background"], ["y", "background"], ["z", "the cue"]].map(([name, what], i) => {
    const p = [0, 0, 0]; p[i] = 1
    const [u, v] = onPage(p)
    const away = i === 2 ? [0, -0.07] : [i ? 0.05 : -0.05, 0.11]
    return s("text", {class: "corner", x: u + away[0], y: v + away[1],
      "text-anchor": i === 2 ? "middle" : i ? "start" : "end"}, s("tspan", {class: "axis"}, name), s("tspan", {dx: 0.025}, what))
  })
  const level = s("path", {class: "levels"})
  lines.append(level)
  const way = s("path", {class: "way"}), circle = s("path", {class: "circle"})
  ways.append(circle, way)
  const mean = s("path", {class: "mean", d: "M-.045 0H.045M0 -.045V.045"})
  const first = s("circle", {class: "start", r: 0.03})
  const best = s("polygon", {class: "star", points: star})
  const twin = s("polygon", {class: "star twin", points: star})
  const ring = s("g", {class: "you", tabindex: "0", role: "slider", "aria-label": "Your U",
    "aria-valuemin": "-100", "aria-valuemax": "100", "aria-valuenow": "0"},
    s("circle", {r: 0.062, class: "halo"}), s("circle", {r: 0.062}), s("path", {d: "M-.1 0H-.03M.03 0H.1M0 -.1V-.03M0 .03V.1"}))
  ends.append(mean, first, twin, best, ring)
  const svg = s("svg", {viewBox: `${-EDGE} ${-EDGE} ${2 * EDGE} ${2 * EDGE}`, role: "group",
    "aria-label": "The disk of all subspaces, with frames, negatives and U"},
    lines, rim, circle, ...outline, ...names, clouds, couple, imagesLayer, course, negs, dots, ways, ends, ink)
  const tip = h("div", {class: "tip", hidden: true})
  const bar = h("canvas", {width: 120, height: 8, "aria-hidden": "true"})
  const low = h("span"), high = h("span"), what = h("span", {class: "what"})
  const scale = h("div", {class: "scale"}, what, low, bar, high)
  const element = h("div", {class: "disk"}, canvas, svg, tip, scale)
  let width = 0  // as last laid out

  const draw = {
    clouds: pool(clouds, () => s("circle", {class: "mate", r: 0.026})),
    couple: pool(couple, () => s("line")),
    images: pool(imagesLayer, () => s("path", {class: "image", d: "M0 -.045L.04 .03H-.04z"})),
    negatives: pool(negs, () => s("rect", {class: "negative", width: 0.052, height: 0.052, x: -0.026, y: -0.026, rx: 0.008,
      role: "button", tabindex: "-1"})),
    frames: pool(dots, () => s("circle", {class: "frame", role: "button", tabindex: "-1"})),
    course: pool(course, () => s("line", {class: "step"})),
  }

  // ---------------------------------------------------------------- painting

  function paint(scene) {
    const theme = state.dark ? "dark" : "light", name = state.shows
    const pixels = Math.max(200, Math.round(width * Math.min(2, devicePixelRatio || 1)))
    if (canvas.width !== pixels) { canvas.width = canvas.height = pixels }
    const context = canvas.getContext("2d")
    context.clearRect(0, 0, pixels, pixels)
    const hidden = name === "none"
    scale.hidden = hidden
    put(level, {d: ""})
    if (hidden) { return }
    const values = landscape(scene.problem, name, SIZE)
    let least = Infinity, most = -Infinity
    for (const v of values) { if (v < least) { least = v } if (v > most) { most = v } }
    const span = most - least > 1e-12 ? most - least : 1
    const table = tableOf(theme, name), image = new ImageData(SIZE, SIZE), data = image.data
    for (let i = 0; i < values.length; i++) {
      const v = values[i]
      if (v !== v) { continue }
      const at = 4 * Math.round(255 * (v - least) / span)
      data[4 * i] = table[at]; data[4 * i + 1] = table[at + 1]; data[4 * i + 2] = table[at + 2]; data[4 * i + 3] = 255
    }
    // Pixels at the rim are half outside: their neighbours' colour fills them before the disk is cut out.
    const small = (paint.small ??= Object.assign(document.createElement("canvas"), {width: SIZE, height: SIZE}))
    small.getContext("2d").putImageData(image, 0, 0)
    const centre = pixels / 2, radius = pixels / 2 * RADIUS / EDGE
    context.save()
    context.beginPath()
    context.arc(centre, centre, radius, 0, 2 * Math.PI)
    context.clip()
    context.imageSmoothingQuality = "high"
    for (const grow of [1.03, 1.012, 1]) {
      context.drawImage(small, centre - radius * grow, centre - radius * grow, 2 * radius * grow, 2 * radius * grow)
    }
    context.restore()
    const levels = Array.from({length: 11}, (_, i) => least + span * (i + 0.5) / 11)
    const segments = contours(values, SIZE, levels)
    put(level, {d: segments.map((g) => `M${g[0].toFixed(3)} ${(-g[1]).toFixed(3)}L${g[2].toFixed(3)} ${(-g[3]).toFixed(3)}`).join("")})
    low.textContent = number(least, 2)
    high.textContent = number(most, 2)
    what.textContent = LABELS[name]
    if (paint.last !== theme + name) {
      paint.last = theme + name
      const strip = bar.getContext("2d"), row = strip.createImageData(120, 8)
      for (let x = 0; x < 120; x++) {
        for (let y = 0; y < 8; y++) { row.data.set(table.slice(4 * Math.round(x / 119 * 255), 4 * Math.round(x / 119 * 255) + 4), 4 * (y * 120 + x)) }
      }
      strip.putImageData(row, 0, 0)
    }
  }

  function place(scene) {
    const {frames, hover, settings} = state, n = frames.length
    const spots = frames.map(onPage), taken = scene.negatives.map(onPage)
    draw.course(n > 1 ? Array.from({length: n - 1}, (_, t) => t) : [], (line, t) => put(line, {
      x1: spots[t][0], y1: spots[t][1], x2: spots[t + 1][0], y2: spots[t + 1][1], "stroke-opacity": 0.25 + 0.6 * t / n}))
    draw.frames(frames, (dot, x, t) => put(dot, {
      cx: spots[t][0], cy: spots[t][1], r: (hover.frame === t ? 0.02 : 0) + 0.022 + 0.022 * t / Math.max(1, n - 1),
      class: `frame${hover.frame === t ? " lit" : ""}${coupledTo(scene, hover.negative, t) ? " lit" : ""}`,
      tabindex: (state.focus ?? 0) === t ? "0" : "-1",
      "aria-label": `Frame ${t + 1} of ${n}: x ${number(x[0], 2)}, y ${number(x[1], 2)}, z ${number(x[2], 2)}, energy ${number(scene.terms.energies[t], 2)}`}))
    draw.negatives(scene.negatives, (square, y, j) => put(square, {
      transform: `translate(${taken[j][0]} ${taken[j][1]})`,
      class: `negative${hover.negative === j || (hover.frame != null && scene.plan[hover.frame]?.[j] > 1e-6) ? " lit" : ""}`,
      "aria-label": `Negative ${j + 1}: x ${number(y[0], 2)}, y ${number(y[1], 2)}, z ${number(y[2], 2)}`}))
    const pairs = []
    if (state.layers.couplings || hover.frame != null || hover.negative != null) {
      const least = 0.04 / Math.max(1, scene.negatives.length)
      scene.plan.forEach((row, i) => row.forEach((share, j) => {
        const lit = hover.frame === i || hover.negative === j
        if (share * n > least && (lit || state.layers.couplings)) { pairs.push([i, j, share * n, lit]) }
      }))
    }
    const dimmed = hover.frame != null || hover.negative != null
    draw.couple(pairs, (line, [i, j, share, lit]) => put(line, {
      x1: spots[i][0], y1: spots[i][1], x2: taken[j][0], y2: taken[j][1], class: lit ? "lit" : "",
      "stroke-width": (lit ? 0.008 : 0.004) + 0.012 * Math.min(1, share),
      "stroke-opacity": lit ? 0.95 : dimmed ? 0.1 : 0.12 + 0.5 * Math.min(1, share)}))
    const pointed = hover.frame != null && state.layers.negatives ? [scene.images[hover.frame]] : []
    draw.images(pointed.filter((T) => T[0] + T[1] + T[2] > 0), (mark, T) => {
      const [u, v] = onPage(unit(T))
      put(mark, {transform: `translate(${u} ${v})`})
    })
    for (const [group, shown] of [[couple, state.layers.negatives], [negs, state.layers.negatives], [ways, state.layers.subspace]]) {
      group.style.display = shown ? "" : "none"
    }
    put(circle, {d: settings.n_subspaces === 2 && state.layers.subspace ? walk(circleOf(scene.U)) : ""})
    put(way, {d: scene.trail.length ? walk([...scene.trail, scene.U]) : ""})
    move(best, scene.U, state.layers.subspace)
    move(first, state.path[0].p, state.layers.subspace && state.mode !== "adversary")
    const sum = frames.reduce((a, x) => a.map((v, i) => v + x[i]), [0, 0, 0])
    move(mean, unit(sum), state.layers.mean)
    move(twin, state.twin ? state.twin.path[state.twin.path.length - 1].p : null, state.layers.subspace)
    move(ring, state.you || (state.layers.subspace ? scene.U : null), true)
    ring.classList.toggle("free", !!state.you)
    const value = scene.yours || scene.terms
    put(ring, {"aria-valuetext": `objective ${number(value.value)}`, "aria-valuenow": number(value.value).replace("−", "-")})
    draw.clouds(state.classes ? state.classes.points : [], (dot, [p, label]) => {
      const [u, v] = onPage(p)
      put(dot, {cx: u, cy: v, class: `mate class${label}`})
    })
    dots.style.opacity = course.style.opacity = negs.style.opacity = couple.style.opacity = state.classes ? 0.12 : ""
  }

  function move(mark, p, shown) {
    mark.style.display = p && shown ? "" : "none"
    if (p) { const [u, v] = onPage(p); put(mark, {transform: `translate(${u.toFixed(4)} ${v.toFixed(4)})`}) }
  }

  const coupledTo = (scene, j, t) => j != null && scene.plan[t]?.[j] > 1e-6

  // ---------------------------------------------------------------- touching

  const placeOf = (event) => {
    const box = svg.getBoundingClientRect()
    return [((event.clientX - box.left) / box.width * 2 - 1) * EDGE, (1 - (event.clientY - box.top) / box.height * 2) * EDGE]
  }
  const near = (place, points) => {
    let best = null, least = REACH
    points.forEach((p, i) => {
      const [u, v] = toDisk(p), distance = Math.hypot(u - place[0], v - place[1])
      if (distance < least) { least = distance; best = i }
    })
    return best == null ? null : {index: best, distance: least}
  }
  // What lies under the pointer: your U first, then the nearest of frames and negatives.
  function under(place) {
    const scene = app.scene()
    if (state.you && near(place, [state.you])) { return {kind: "you"} }
    const frame = near(place, state.frames), negative = state.layers.negatives ? near(place, scene.negatives) : null
    if (frame && (!negative || frame.distance <= negative.distance)) { return {kind: "frame", index: frame.index} }
    if (negative) { return {kind: "negative", index: negative.index} }
    if (state.layers.subspace && near(place, [scene.U])) { return {kind: "star"} }
    return {kind: "ground"}
  }

  let drag = null, stroke = null
  svg.addEventListener("pointerdown", (event) => {
    const place = placeOf(event)
    if (Math.hypot(...place) > RADIUS + 0.05 || event.button > 0) { return }
    event.preventDefault()
    svg.setPointerCapture(event.pointerId)
    if (state.tool === "draw") { stroke = [place]; return }
    if (state.tool === "add") { app.addNegative(intoOctant(toSphere(place))); return }
    drag = {...under(place), moved: false, from: place}
    if (drag.kind === "frame") { store.set({focus: drag.index, hover: {frame: drag.index}, probe: null}) }
    if (drag.kind === "negative") { store.set({hover: {negative: drag.index}, probe: null}) }
    if (drag.kind === "ground") { store.set({you: toSphere(place), probe: null}) }
    app.touched()
  })
  svg.addEventListener("pointermove", (event) => {
    const place = placeOf(event)
    if (stroke) {
      stroke.push(place)
      put(ink, {d: path(stroke.map(flip))})
      return
    }
    if (drag) {
      if (!drag.moved && Math.hypot(place[0] - drag.from[0], place[1] - drag.from[1]) < 0.02) { return }
      drag.moved = true
      if (drag.kind === "frame") { app.moveFrame(drag.index, intoOctant(toSphere(place))) }
      else if (drag.kind === "negative") { app.moveNegative(drag.index, intoOctant(toSphere(place))) }
      else { store.set({you: toSphere(place), probe: null}) }
      say(event, place)
      return
    }
    if (event.pointerType === "touch") { return }
    if (Math.hypot(...place) > RADIUS || state.tool) { leave(); return }
    const target = under(place)
    svg.style.cursor = {frame: "grab", negative: "grab", you: "grab", star: "grab"}[target.kind] || "crosshair"
    store.set({
      hover: target.kind === "frame" ? {frame: target.index} : target.kind === "negative" ? {negative: target.index} : {},
      probe: target.kind === "ground" && state.layers.subspace ? toSphere(place) : null,
    })
    say(event, place, target)
  })
  const finish = (event) => {
    if (stroke) {
      if (stroke.length > 3) { app.drawn(stroke) }
      stroke = null
      put(ink, {d: ""})
    }
    if (drag && event.pointerType === "touch") { store.set({hover: {}}); tip.hidden = true }
    drag = null
  }
  svg.addEventListener("pointerup", finish)
  svg.addEventListener("pointercancel", finish)
  const leave = () => {
    tip.hidden = true
    if (state.probe || state.hover.frame != null || state.hover.negative != null) { store.set({hover: {}, probe: null}) }
  }
  svg.addEventListener("pointerleave", () => { if (!drag) { leave() } })
  svg.addEventListener("dblclick", (event) => {
    const target = under(placeOf(event))
    if (target.kind === "negative") { app.removeNegative(target.index) }
  })

  function say(event, place, target = drag) {
    const scene = app.scene()
    let text = ""
    if (target.kind === "frame") {
      const t = target.index
      text = `frame ${t + 1}: energy ${number(scene.terms.energies[t], 2)}`
    } else if (target.kind === "negative") {
      const from = state.madeFrom[target.index]
      text = `negative ${target.index + 1}${from >= 0 && from != null ? `, made from frame ${from + 1}` : ""}`
    } else {
      const here = state.probe || state.you  // of this very moment: the scene is that of the last frame
      text = here ? `objective ${number(termsAt(here, scene.problem).value)}` : `U: objective ${number(scene.terms.value)}`
    }
    tip.textContent = text
    tip.hidden = false
    const box = svg.getBoundingClientRect()
    const x = event.clientX - box.left, y = event.clientY - box.top
    tip.style.left = `${clamp(x + 14, 0, box.width - tip.offsetWidth - 4)}px`
    tip.style.top = `${clamp(y - 34, 0, box.height - 30)}px`
  }

  // ---------------------------------------------------------------- keyboard

  const turn = (p, event, step = 0.05) => {
    const [u, v] = toDisk(p), by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key]
    return by && toSphere([u + by[0] * step, v + by[1] * step])
  }
  ring.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { store.set({you: null}) }
    else {
      const p = turn(state.you || app.scene().U, event)
      if (!p) { return }
      store.set({you: p})
      app.touched()
    }
    event.preventDefault()
  })
  dots.addEventListener("keydown", (event) => {
    const t = [...dots.children].indexOf(event.target)
    if (t < 0) { return }
    if (event.shiftKey) {
      const p = turn(state.frames[t], event)
      if (!p) { return }
      app.moveFrame(t, intoOctant(p))
    } else {
      const n = state.frames.length
      const to = {ArrowRight: t + 1, ArrowDown: t + 1, ArrowLeft: t - 1, ArrowUp: t - 1, Home: 0, End: n - 1}[event.key]
      if (to == null) { return }
      const next = clamp(to, 0, n - 1)
      store.set({focus: next, hover: {frame: next}})
      dots.children[next].focus()
    }
    event.preventDefault()
  })
  dots.addEventListener("focusin", (event) => store.set({hover: {frame: [...dots.children].indexOf(event.target)}}))
  dots.addEventListener("focusout", () => store.set({hover: {}}))

  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width
    store.set({sized: performance.now()})
  }).observe(element)

  const HEAVY = ["frames", "plan", "negatives", "settings", "shows", "dark", "sized", "mode", "alternation", "snapshots"]
  store.listen((keys) => {
    const scene = app.scene()
    if (HEAVY.some((key) => keys.has(key)) || (keys.has("at") && state.mode !== "descent")) { paint(scene) }
    place(scene)
    element.dataset.tool = state.tool || ""
  })
  return element
}
