// The Play step: state, messages to and from Python, and the pieces of the page.

import {angleBetween, resample, termsAt, unit} from "./math.js"
import {createStore, h, number} from "./dom.js"
import {lengthOf, onStage} from "./scene.js"
import {makeDisk} from "./disk.js"
import {makeEnergies, makePlan, makeTerms} from "./charts.js"
import {makePlayer} from "./player.js"
import {SCENES} from "./scenes.js"
import {makeTools, makeWords} from "./words.js"

export function render({model, el}) {
  const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches
  const store = createStore({
    ...structuredClone(model.initial), dark: model.dark, heading: model.heading, mode: "descent", at: 0, playing: false, speed: 1, shows: "value",
    layers: {couplings: true, negatives: true, subspace: true, mean: false}, hover: {}, probe: null, you: null, tool: null,
    alternation: null, training: false, waiting: false, scene: SCENES.length - 2, classes: null, trouble: "", focus: 0,
  })
  const {state} = store
  const app = {store, cached: null}

  // The scene of one drawing is computed once, however many pieces ask for it.
  store.listen(() => { app.cached = null })
  app.scene = () => (app.cached ??= onStage(state))

  // ---------------------------------------------------------------- asking Python: one at a time, the newest wins

  let serial = 0, asked = null, dirty = false, sent = 0
  function ask() {
    if (asked != null && performance.now() - sent < 5000) { dirty = true; return }
    dirty = false
    asked = ++serial
    sent = performance.now()
    setTimeout(wait, 400)
    model.send_msg({
      kind: "solve", serial, frames: state.frames, settings: state.settings, twin: state.preset === "classes",
      negatives: state.settings.negatives === "own" ? state.negatives : null,
      snapshot: state.mode === "adversary" && state.snapshots.length ? app.scene().step : null,
    })
  }
  const wait = () => root.classList.toggle("waiting", asked != null)
  app.solve = () => {
    if (state.snapshots.length) { store.set({stale: true}) }  // an adversary that was trained on something else
    ask()
    if (state.mode === "alternation") { send("alternate") }
    if (state.classes) { send("classes", {name: state.classes.name}) }
  }
  let held = {}
  function send(kind, more = {}) {
    clearTimeout(held[kind])
    held[kind] = setTimeout(() => model.send_msg({
      kind, frames: state.frames, settings: state.settings, negatives: state.negatives, ...more}), 30)
  }

  const received = {
    solved(message) {
      asked = null
      wait()
      // Frames or negatives have come or gone meanwhile: this is the answer to another question.
      const own = state.settings.negatives === "own"
      if (dirty && (message.plan.length !== state.frames.length || (own && message.negatives.length !== state.negatives.length))) {
        ask()
        return
      }
      // On the timeline of the adversary the answer is that of one snapshot; the others are of what was before.
      if (state.mode === "adversary" && state.snapshots[message.snapshot]) {
        const snapshots = state.snapshots.slice()
        snapshots[message.snapshot] = {...snapshots[message.snapshot], negatives: message.negatives, plan: message.plan, path: message.path}
        store.set({snapshots, stale: true})
      }
      const atEnd = !state.playing && state.mode === "descent"
      store.set({plan: message.plan, path: message.path, twin: message.twin, trouble: "", solved: (state.solved || 0) + 1,
        ...(dirty && own ? {} : {negatives: message.negatives, madeFrom: message.madeFrom})})
      if (atEnd) { store.set({at: message.path.length - 1}) }
      if (app.walk) { app.walk = false; if (!quiet) { store.set({at: 0}); app.play(true) } }
      if (dirty) { ask() }
    },
    alternated(message) {
      const fresh = !state.alternation
      store.set({alternation: message, waiting: false, ...(fresh ? {at: 0} : {at: Math.min(state.at, message.plans.length * 2 - 1)})})
    },
    snapshot(message) {
      if (message.run !== state.run) { return }
      store.set({snapshots: [...state.snapshots, message]})
    },
    trained(message) { if (message.run === state.run) { store.set({training: false}) } },
    preset(message) {
      store.set({frames: message.frames, preset: message.preset, seed: message.seed, you: null, focus: 0})
      app.solve()
    },
    classes(message) { if (state.classes) { store.set({classes: message}) } },
    problem(message) { asked = null; wait(); store.set({trouble: message.text, waiting: false, training: false}); if (dirty) { ask() } },
  }
  model.on("msg:custom", (message) => received[message.kind]?.(message))

  // ---------------------------------------------------------------- what one can do

  app.touched = () => { if (state.playing && state.mode === "descent") { app.play(false); store.set({at: lengthOf(state)}) } }
  app.moveFrame = (t, p) => {
    const frames = state.frames.slice()
    frames[t] = p
    store.set({frames, preset: "own", classes: null})
    app.touched()
    app.solve()
  }
  app.moveNegative = (j, p) => {
    const negatives = app.scene().negatives.slice()
    negatives[j] = p
    own(negatives, state.madeFrom)
  }
  app.addNegative = (p) => {
    const now = app.scene()
    // Until the plan is solved anew, the newcomer carries no mass.
    own([...now.negatives, p], [...state.madeFrom, -1], now.plan.map((row) => [...row, 0]))
  }
  app.removeNegative = (j) => {
    const now = app.scene()
    if (now.negatives.length < 2 || j >= now.negatives.length) { return }
    const without = (list) => list.filter((_, i) => i !== j)
    own(without(now.negatives), without(state.madeFrom), now.plan.map(without))
  }
  function own(negatives, madeFrom, plan = app.scene().plan) {
    store.set({negatives, madeFrom, plan, classes: null, settings: {...state.settings, negatives: "own"}, hover: {}})
    if (state.mode === "adversary") { app.setMode("descent") }
    app.solve()
  }
  app.drawn = (places) => {
    store.set({frames: resample(places, state.frames.length), preset: "own", tool: null, you: null, hover: {}, classes: null})
    app.solve()
  }
  app.reverse = () => {
    const frames = [...state.frames].reverse()
    const preset = {growing: "reversed", reversed: "growing"}[state.preset] || state.preset
    store.set({frames, preset, plan: [...state.plan].reverse(), hover: {}})
    app.solve()
  }
  app.preset = (name) => {
    if (name === "classes") { store.set({layers: {...state.layers, mean: true}}) }
    model.send_msg({kind: "preset", preset: name, seed: state.seed})
  }
  app.another = () => model.send_msg({kind: "preset", preset: state.preset === "own" ? "growing" : state.preset, seed: state.seed + 1})
  app.setting = (patch) => {
    const before = state.settings
    store.set({settings: {...before, ...patch}})
    if (state.settings.sigma !== before.sigma && state.mode === "adversary") { app.train() } else { app.solve() }
  }
  app.show = (name) => store.set({shows: name})
  app.save = (format) => model.send_msg({kind: "export", format})
  app.take = () => model.send_msg({kind: "take", settings: state.settings})

  app.train = () => {
    const run = (state.run || 0) + 1
    store.set({run, snapshots: [], stale: false, training: true, at: 0, mode: "adversary"})
    model.send_msg({kind: "train", run, frames: state.frames, settings: {...state.settings, negatives: "adversarial"}})
    store.set({settings: {...state.settings, negatives: "adversarial"}})
  }
  app.setMode = (mode) => {
    app.play(false)
    store.set({mode, at: mode === "descent" ? state.path.length - 1 : 0, hover: {}, waiting: mode === "alternation"})
    if (mode === "alternation") { store.set({alternation: null}); send("alternate") }
  }
  app.play = (on) => {
    if (!on) { if (state.playing) { store.set({playing: false}) } return }
    if (state.mode === "adversary" && !state.training && (state.stale || !state.snapshots.length || state.at >= lengthOf(state))) { app.train() }
    else if (state.at >= lengthOf(state) - 1e-6) { store.set({at: 0}) }
    store.set({playing: true})
    player.start()
  }
  app.stepBy = (by) => {
    app.play(false)
    if (state.mode === "adversary" && !state.snapshots.length) { app.train() }
    const step = by > 0 ? Math.floor(state.at + 1e-6) + 1 : Math.ceil(state.at - 1e-6) - 1
    store.set({at: Math.min(Math.max(step, 0), lengthOf(state))})
  }
  app.showClasses = (name) => { store.set({classes: {...state.classes, name, points: []}}); send("classes", {name}) }
  app.openScene = (number) => {
    const {stage} = SCENES[number]
    app.play(false)
    store.set({scene: number, shows: stage.shows, layers: stage.layers, you: null, probe: null, hover: {}, tool: null,
      classes: stage.classes ? {name: stage.classes, points: [], accuracies: {}} : null})
    if (state.settings.negatives !== "adversarial") { store.set({settings: {...state.settings, negatives: "adversarial"}}) }
    if (stage.mode !== state.mode) { app.setMode(stage.mode) }
    if (stage.preset !== state.preset) { app.walk = stage.play && stage.mode === "descent"; app.preset(stage.preset) }
    else if (stage.play && !quiet) { store.set({at: 0}); app.play(true) }
    if (stage.classes) { send("classes", {name: stage.classes}) }
  }

  // In words: how far your U is from the solver's, or how far apart the two classes are.
  app.verdict = (scene) => {
    if (state.trouble) { return state.trouble }
    if (scene.yours && state.you && state.mode === "descent") {
      const best = termsAt(state.path[state.path.length - 1].p, scene.problem).value, gap = scene.yours.value - best
      if (gap < -1e-6) { return `You beat the solver by ${number(-gap, 4)}: it stopped at a local minimum.` }
      return gap < 0.002 ? `As good as the solver, to ${number(gap, 4)}.` : `The solver is better by ${number(gap)}.`
    }
    if (state.twin) {
      const other = state.twin.path[state.twin.path.length - 1].p
      return `Sequence and reversal: their averages are 0° apart, their U ${number(angleBetween(scene.U, other), 0)}°.`
    }
    return state.you ? "" : "Click anywhere on the disk, or drag the ring: your own U."
  }

  // ---------------------------------------------------------------- what a link and Undo bring back

  const opening = model.initial, rounded = (points) => points.map((p) => p.map((x) => Number(x.toFixed(3))))
  let saved = "", later = null
  function describe() {
    const settings = Object.entries(state.settings).filter(([name, value]) => value !== opening.settings[name])
    const drawn = state.preset === "own", changes = {
      ...(settings.length ? {settings: Object.fromEntries(settings)} : {}),
      ...(drawn ? {frames: rounded(state.frames)} : {}),
      ...(!drawn && (state.preset !== opening.preset || state.seed !== opening.seed) ? {preset: state.preset, seed: state.seed} : {}),
      ...(state.settings.negatives === "own" ? {negatives: rounded(state.negatives)} : {}),
    }
    return Object.keys(changes).length ? JSON.stringify(changes) : ""
  }
  function restore(text) {
    saved = text
    const {settings, frames, negatives, preset = opening.preset, seed = opening.seed} = text ? JSON.parse(text) : {}
    store.set({settings: {...opening.settings, ...settings}, seed, you: null, hover: {}, classes: null, ...(text ? {} : {shows: "value"})})
    if (negatives) {  // until the plan is solved anew, it is uniform
      const share = 1 / (state.frames.length * negatives.length)
      store.set({negatives, madeFrom: negatives.map(() => -1), plan: state.frames.map(() => negatives.map(() => share))})
    }
    if (state.mode !== "descent") { app.setMode("descent") }
    if (frames) { store.set({frames, preset: "own"}); app.solve() } else { model.send_msg({kind: "preset", preset, seed}) }
  }
  store.listen((keys) => {
    if (!["settings", "frames", "negatives", "preset", "seed"].some((key) => keys.has(key))) { return }
    clearTimeout(later)
    later = setTimeout(() => { const now = describe(); if (now !== saved) { model.saved = saved = now } }, 400)
  })
  model.on("change:saved", () => { if (model.saved !== saved) { clearTimeout(later); restore(model.saved) } })

  // ---------------------------------------------------------------- the page

  const player = makePlayer(app)
  const root = h("div", {class: "octant"})
  root.append(makeWords(app), h("div", {class: "stage"}, makeTools(app),
    h("div", {class: "board"}, makeDisk(app), h("div", {class: "charts"}, makeEnergies(app), makeTerms(app), makePlan(app))),
    player.element))
  const theme = () => {
    root.classList.toggle("dark", model.dark)
    store.set({dark: model.dark})
  }
  model.on("change:dark", theme)
  theme()
  root.classList.toggle("quiet", quiet)
  root.play = {app, state, unit}  // for tests, and for the moving picture of README
  store.listen(() => { root.dataset.solved = state.solved || 0; root.dataset.at = state.at; root.dataset.mode = state.mode })
  store.set({scene: state.scene, settings: state.settings, preset: state.preset, shows: state.shows, tool: null, path: state.path})
  if (model.saved) { restore(model.saved) }
  if (quiet) { store.set({at: lengthOf(state)}) } else { setTimeout(() => app.play(true), 600) }
  model.on("remove", () => app.play(false))
  return root
}
