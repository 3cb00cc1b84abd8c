// The timeline: descent, alternation and adversary, played, stepped and scrubbed.

import {clamp, h, icon, number, path, pool, put, s} from "./dom.js"
import {canvasOf} from "./charts.js"
import {lengthOf} from "./scene.js"

const MODES = [
  ["descent", "Descent", "conjugate gradient walks down the landscape"],
  ["alternation", "Alternation", "plan and U in turn"],
  ["adversary", "Adversary", "a small WGAN learns to hide the cue"],
]
const KEYS = {
  descent: [["contrast", "− contrast"], ["distortion", "β₁ distortion"], ["order", "β₂ order"], ["value", "objective"]],
  alternation: [["value", "value of Eq. (10), which U raises and the plan lowers"]],
  adversary: [["contrast", "fooling rate"], ["order", "norm of the noise"]],
}
const PACE = {descent: 3, alternation: 1.2, adversary: 8}  // places per second at speed 1

export function makePlayer(app) {
  const {store} = app, {state} = store, H = 54, PAD = {l: 40, r: 10, t: 6, b: 15}
  const tabs = MODES.map(([name, label, what]) => h("button", {type: "button", role: "radio", class: "mode", title: what,
    "aria-checked": "false", onclick: () => app.setMode(name)}, label))
  const modes = h("div", {class: "modes", role: "radiogroup", "aria-label": "What to play"}, ...tabs)
  const button = (name, label, act) => h("button", {type: "button", class: "round", "aria-label": label, title: label, onclick: act}, icon(name))
  const playing = button("play", "Play", () => app.play(!state.playing))
  const speed = h("select", {"aria-label": "Speed", onchange: (event) => store.set({speed: Number(event.target.value)})},
    ...[0.25, 0.5, 1, 2, 4].map((v) => h("option", {value: v, selected: v === 1}, `${v}×`)))
  const range = h("input", {type: "range", min: 0, step: 0.01, "aria-label": "Place on the timeline",
    oninput: (event) => { app.play(false); store.set({at: Number(event.target.value)}) }})
  const text = h("output", {class: "where"})
  const {svg, size} = canvasOf(H, () => show())
  const curves = s("g"), zero = s("line", {class: "zero"}), cursor = s("line", {class: "cursor"})
  const labels = pool(svg, () => s("text", {class: "tick", "text-anchor": "end"}))
  svg.append(zero, curves, cursor)
  const lines = pool(curves, () => s("path", {class: "curve"}))
  const spots = pool(curves, () => s("circle", {r: 3}))
  const keys = Object.fromEntries(Object.entries(KEYS).map(([mode, entries]) => [mode,
    h("span", {class: "lines"}, ...entries.map(([name, label]) => h("span", {class: name}, label)))]))
  const element = h("section", {class: "player", "aria-label": "Timeline"},
    h("div", {class: "buttons"}, modes, button("back", "One step back", () => app.stepBy(-1)), playing,
      button("next", "One step forward", () => app.stepBy(1)), speed, text, ...Object.values(keys)),
    h("div", {class: "timeline"}, svg, range))

  function series() {
    const w = state.settings
    if (state.mode === "adversary") {
      return [["contrast", state.snapshots.map((snap) => snap.fooling_rate)], ["order", state.snapshots.map((snap) => snap.noise_norm)]]
    }
    if (state.mode === "alternation") { return [["value", state.alternation ? state.alternation.objective : []]] }
    return [["contrast", state.path.map((row) => -row.contrast)], ["distortion", state.path.map((row) => w.beta1 * row.distortion)],
      ["order", state.path.map((row) => w.beta2 * row.order)], ["value", state.path.map((row) => row.value)]]
  }

  function words() {
    const length = lengthOf(state), step = Math.min(Math.floor(state.at + 1e-6), length)
    if (state.mode === "adversary") {
      const snap = state.snapshots[step]
      if (!snap) { return "the adversary has not begun: press play" }
      return `step ${snap.iteration}${state.training ? " (training)" : ""}: ${number(100 * snap.fooling_rate, 0)} % of frames fooled`
    }
    if (state.mode === "alternation") {
      if (!state.alternation) { return "…" }
      return `round ${(step >> 1) + 1}, ${step % 2 ? "U turned" : "new plan"}: value ${number(state.alternation.objective[step])}`
    }
    return `iteration ${step} of ${length}: objective ${number(state.path[step].value)}`
  }

  function show() {
    const width = size.width || 400, length = lengthOf(state), sets = series()
    const all = sets.flatMap(([, values]) => values)
    let low = Math.min(...all), high = Math.max(...all)
    if (!all.length) { low = 0; high = 1 }
    if (state.mode === "adversary") { low = 0; high = 1 }
    const span = high - low || 1
    const X = (i) => PAD.l + (width - PAD.l - PAD.r) * i / Math.max(1, length), Y = (v) => H - PAD.b - (H - PAD.t - PAD.b) * (v - low) / span
    lines(sets, (line, [name, values]) => put(line, {class: `curve ${name}`, d: path(values.map((v, i) => [X(i), Y(v)]))}))
    const stops = state.mode === "alternation" && state.alternation ? state.alternation.objective : []
    spots(stops, (spot, v, i) => put(spot, {cx: X(i), cy: Y(v), class: i % 2 ? "half sub" : "half neg"}))
    labels([low, high], (label, v) => put(label, {x: PAD.l - 5, y: Y(v) + 3.5}).textContent = number(v, 2))
    put(zero, {x1: PAD.l, x2: width - PAD.r, y1: Y(clamp(0, low, high)), y2: Y(clamp(0, low, high))})
    put(cursor, {x1: X(state.at), x2: X(state.at), y1: 2, y2: H - PAD.b + 4})
    const names = {descent: "objective and its terms by iteration", alternation: "value of Eq. (10) after each half-step",
      adversary: "fooling rate and noise norm by training step"}
    put(svg, {"aria-label": `Timeline: ${names[state.mode]}. ${words()}`})
    range.max = length
    if (range.value !== String(state.at)) { range.value = state.at }
    put(range, {"aria-valuetext": words()})
    text.textContent = words()
    for (const [mode, key] of Object.entries(keys)) { key.hidden = mode !== state.mode }
    tabs.forEach((tab, i) => put(tab, {"aria-checked": String(MODES[i][0] === state.mode)}))
    playing.replaceChildren(icon(state.playing ? "pause" : "play"))
    put(playing, {"aria-label": state.playing ? "Pause" : "Play", title: state.playing ? "Pause" : "Play"})
  }
  store.listen((keys) => {
    if (["at", "mode", "path", "alternation", "snapshots", "playing", "training", "settings"].some((key) => keys.has(key))) { show() }
  })

  let last = null
  function tick(now) {
    if (!state.playing || !element.isConnected) { last = null; return }
    const passed = last == null ? 0 : Math.min(0.1, (now - last) / 1000)
    last = now
    const end = lengthOf(state), at = Math.min(end, state.at + passed * PACE[state.mode] * state.speed)
    const done = at >= end && !state.training && !state.waiting
    store.set(done ? {at, playing: false} : {at})
    requestAnimationFrame(tick)
  }
  return {element, start: () => requestAnimationFrame(tick)}
}
