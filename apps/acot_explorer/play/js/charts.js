// Three pictures beside the disk: energies over time, the terms of the objective, the plan.

import {energiesAt} from "./math.js"
import {clamp, h, number, path, pool, put, s} from "./dom.js"

const TERMS = [
  {name: "contrast", label: "− contrast", sign: (t) => -t.contrast},
  {name: "distortion", label: "β₁ · distortion", sign: (t, w) => w.beta1 * t.distortion},
  {name: "order", label: "β₂ · order", sign: (t, w) => w.beta2 * t.order},
]
export const weighted = (terms, settings) => TERMS.map((term) => term.sign(terms, settings))
export const TERM_NAMES = TERMS.map((term) => term.name)

export function panel(title, name, ...children) {
  return h("section", {class: `chart ${name}`}, h("h3", {}, title), ...children)
}

// An SVG as wide as its place; `draw()` is called again when that changes. `size.width` is the width as last laid
// out: to ask the SVG for it while others write would cost a layout of the page, per picture and frame.
export function canvasOf(height, draw) {
  const svg = s("svg", {height, width: "100%", role: "img"}), size = {width: 0}
  new ResizeObserver(([entry]) => { size.width = entry.contentRect.width; draw() }).observe(svg)
  return {svg, size}
}

export function makeEnergies(app) {
  const {store} = app, {state} = store, H = 106, PAD = {l: 30, r: 8, t: 7, b: 17}
  const {svg, size} = canvasOf(H, () => show())
  const grid = s("g", {class: "grid"}), falls = s("g"), curves = s("g"), marks = s("g")
  const cursor = s("line", {class: "cursor"}), axis = s("text", {class: "label", "text-anchor": "end"}, "frame t")
  svg.append(grid, cursor, falls, curves, marks, axis)
  const lineOf = {}
  for (const name of ["pca", "twin", "acot", "yours", "x", "y", "z"]) { curves.append(lineOf[name] = s("path", {class: `curve ${name}`})) }
  const ticks = pool(grid, () => s("g", {}, s("line"), s("text", {class: "tick", "text-anchor": "end"})))
  const spots = pool(marks, () => s("circle", {class: "spot", r: 3.5}))
  const drops = pool(falls, () => s("line", {class: "fall"}))
  const key = h("p", {class: "key"}, h("b", {class: "sub"}, "U"), h("span", {class: "twin-key", hidden: true}, "its reversal"),
    h("span", {class: "muted dotted"}, "PCA"), h("span", {class: "ink dashed"}, "yours"), h("span", {class: "ord"}, "not rising by η"))
  const features = h("p", {class: "key"}, h("span", {class: "feature x dashed"}, "x"), h("span", {class: "feature y dotted"}, "y"),
    h("b", {class: "feature z"}, "z, the cue"))
  const element = panel("", "energies", svg, key, features), title = element.querySelector("h3")
  let width = 300
  const X = (t) => PAD.l + (width - PAD.l - PAD.r) * t / Math.max(1, state.frames.length - 1)
  const Y = (e) => H - PAD.b - (H - PAD.t - PAD.b) * clamp(e, 0, 1.02)
  const at = (event) => {
    const box = svg.getBoundingClientRect()
    const share = (event.clientX - box.left - PAD.l) / (box.width - PAD.l - PAD.r)
    return clamp(Math.round(share * (state.frames.length - 1)), 0, state.frames.length - 1)
  }
  svg.addEventListener("pointermove", (event) => store.set({hover: {frame: at(event)}, probe: null}))
  svg.addEventListener("pointerleave", () => store.set({hover: {}}))

  function show() {
    width = size.width || 300
    const scene = app.scene(), energies = scene.terms.energies, shown = scene.yours ? scene.yours.energies : energies
    const line = (values) => path(values.map((e, t) => [X(t), Y(e)]))
    ticks([0, 0.5, 1], (tick, e) => {
      put(tick.firstChild, {x1: PAD.l, x2: width - PAD.r, y1: Y(e), y2: Y(e)})
      put(tick.lastChild, {x: PAD.l - 5, y: Y(e) + 3.5}).textContent = e
    })
    const sub = state.layers.subspace
    put(lineOf.acot, {d: sub ? line(energies) : ""})
    put(lineOf.pca, {d: sub ? line(scene.pca.energies) : ""})
    put(lineOf.yours, {d: scene.yours && sub ? line(scene.yours.energies) : ""})
    // Where no U is shown yet, the frames themselves are.
    title.textContent = sub ? "Energy that U keeps of each frame, over time" : "The three features of each frame, over time"
    key.hidden = !sub
    features.hidden = sub
    ;["x", "y", "z"].forEach((name, i) => put(lineOf[name], {d: sub ? "" : line(state.frames.map((x) => x[i]))}))
    const twin = state.twin && sub
      ? energiesAt(state.twin.path[state.twin.path.length - 1].p, [...state.frames].reverse(), state.settings.n_subspaces) : null
    put(lineOf.twin, {d: twin ? line(twin) : ""})
    key.querySelector(".twin-key").hidden = !twin
    const falling = []
    if (sub && state.settings.beta2 > 0) {
      for (let t = 0; t + 1 < shown.length; t++) { if (shown[t] + state.settings.eta - shown[t + 1] > 0) { falling.push(t) } }
    }
    drops(falling, (drop, t) => put(drop, {x1: X(t), x2: X(t + 1), y1: Y(shown[t]), y2: Y(shown[t + 1])}))
    const frame = state.hover.frame
    cursor.style.display = frame == null ? "none" : ""
    if (frame != null) { put(cursor, {x1: X(frame), x2: X(frame), y1: PAD.t, y2: H - PAD.b}) }
    spots(frame == null ? [] : sub ? [shown[frame]] : state.frames[frame], (spot, e) => put(spot, {cx: X(frame), cy: Y(e)}))
    put(axis, {x: width - PAD.r, y: H - 3})
    const mean = (values) => number(values.reduce((a, b) => a + b, 0) / values.length, 2)
    put(svg, {"aria-label": !sub ? `The features x, y and z over ${energies.length} frames; z goes from ${number(state.frames[0][2], 2)} to ${number(state.frames[energies.length - 1][2], 2)}` : `Energy over ${energies.length} frames: first ${number(energies[0], 2)}, last ${number(energies[energies.length - 1], 2)}, mean ${mean(energies)}; it does not rise by eta at ${falling.length} of ${energies.length - 1} steps`})
  }
  store.listen(show)
  return element
}

export function makeTerms(app) {
  const {store} = app, {state} = store, H = 95
  const {svg, size} = canvasOf(H, () => show())
  const table = h("table", {class: "numbers"})
  const rows = [...TERMS.map((t) => ({name: t.name, label: t.label})), {name: "value", label: "objective"}].map((row) => {
    const [solver, mine] = [h("td"), h("td")]
    const button = h("button", {class: `term ${row.name}`, type: "button", "aria-pressed": "false",
      title: `Show ${row.label} over all subspaces`, onclick: () => app.show(row.name)}, row.label)
    table.append(h("tr", {class: row.name}, h("th", {scope: "row"}, button), solver, mine))
    return {...row, solver, mine, button}
  })
  table.prepend(h("tr", {}, h("td"), h("th", {scope: "col"}, "U"), h("th", {scope: "col"}, "yours")))
  const bars = pool(svg, () => s("rect", {class: "bar", rx: 2}))
  const zero = s("line", {class: "zero"})
  svg.append(zero)
  const verdict = h("p", {class: "verdict", role: "status"})
  const element = panel("What the objective is made of", "terms", h("div", {class: "terms-row"}, table, svg), verdict)

  function show() {
    element.style.display = state.layers.subspace ? "" : "none"
    const scene = app.scene(), w = state.settings
    const sides = [scene.terms, scene.yours].filter(Boolean)
    const parts = sides.map((terms) => [...weighted(terms, w), terms.value])
    rows.forEach((row, i) => {
      row.solver.textContent = number(parts[0][i])
      row.mine.textContent = parts[1] ? number(parts[1][i]) : "–"
      put(row.button, {"aria-pressed": String(state.shows === row.name)})
    })
    const width = size.width || 160
    const low = Math.min(0, ...parts.flat()), high = Math.max(0, ...parts.flat()), span = high - low || 1
    const X = (v) => 4 + (width - 8) * (v - low) / span
    const items = parts.flatMap((values, side) => values.map((v, i) => ({v, i, side})))
    const head = H / 5, tall = sides.length > 1 ? 6 : 11
    bars(items, (bar, {v, i, side}) => put(bar, {
      x: Math.min(X(0), X(v)), width: Math.max(1, Math.abs(X(v) - X(0))), height: tall,
      y: head * (i + 1) + (head - tall * sides.length - 1) / 2 + side * (tall + 1),
      class: `bar ${rows[i].name}${side ? " mine" : ""}`}))
    put(zero, {x1: X(0), x2: X(0), y1: head, y2: H})
    put(svg, {"aria-label": `Terms at U: ${rows.map((row, i) => `${row.label} ${number(parts[0][i])}`).join(", ")}`})
    verdict.textContent = app.verdict(scene)
  }
  store.listen(show)
  return element
}

export function makePlan(app) {
  const {store} = app, {state} = store
  const canvas = h("canvas", {role: "img"})
  const cross = h("div", {class: "cross", hidden: true})
  const note = h("p", {class: "key plan-note"})
  const element = panel("The plan: frames (rows) and negatives (columns)", "plan", h("div", {class: "matrix"}, canvas, cross), note)
  const cell = (event) => {
    const box = canvas.getBoundingClientRect(), plan = app.scene().plan
    return [clamp(Math.floor((event.clientY - box.top) / box.height * plan.length), 0, plan.length - 1),
      clamp(Math.floor((event.clientX - box.left) / box.width * plan[0].length), 0, plan[0].length - 1)]
  }
  canvas.addEventListener("pointermove", (event) => {
    const [frame, negative] = cell(event)
    store.set({hover: {frame, over: negative}, probe: null})
  })
  canvas.addEventListener("pointerleave", () => store.set({hover: {}}))

  let drawn = null
  function show() {
    const scene = app.scene(), {plan} = scene, n = plan.length, m = plan[0]?.length || 0
    element.style.display = state.layers.negatives ? "" : "none"
    const theme = state.dark
    if (m && (drawn?.plan !== plan || drawn.theme !== theme)) {
      drawn = {plan, theme}
      canvas.width = m
      canvas.height = n
      const context = canvas.getContext("2d"), image = context.createImageData(m, n)
      const most = Math.max(...plan.map((row) => Math.max(...row))) || 1
      const [back, front] = theme ? [[22, 24, 28], [255, 154, 82]] : [[255, 255, 255], [200, 84, 0]]
      plan.forEach((row, i) => row.forEach((share, j) => {
        const t = Math.sqrt(share / most)
        image.data.set([0, 1, 2].map((c) => back[c] + t * (front[c] - back[c])).concat(255), 4 * (i * m + j))
      }))
      context.putImageData(image, 0, 0)
      const used = plan.reduce((sum, row) => sum + row.filter((share) => share * n * m > 1e-3).length, 0)
      put(canvas, {"aria-label": `Transport plan between ${n} frames and ${m} negatives: ${used} of ${n * m} pairs carry mass`})
    }
    const {frame, negative, over} = state.hover, column = negative ?? over
    cross.hidden = frame == null && negative == null
    if (frame != null) {
      Object.assign(cross.style, {left: 0, width: "100%", top: `${100 * frame / n}%`, height: `${100 / n}%`})
    } else if (negative != null) {
      Object.assign(cross.style, {top: 0, height: "100%", left: `${100 * negative / m}%`, width: `${100 / m}%`})
    }
    if (frame != null && column != null) {
      note.textContent = `frame ${frame + 1} sends ${number(100 * n * plan[frame][column], 0)} % of its mass to negative ${column + 1}`
    } else if (frame != null) {
      const used = plan[frame].filter((share) => share * n > 1e-3).length
      note.textContent = `frame ${frame + 1} is coupled with ${used} of ${m} negatives`
    } else {
      note.textContent = `each of ${n} frames spreads its mass over the ${m} negatives that are nearest in total`
    }
  }
  store.listen(show)
  return element
}
