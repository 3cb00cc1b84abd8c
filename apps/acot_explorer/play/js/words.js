// The left pane: the story, the equation whose terms lead to their landscape, and the sliders.

import {h, icon, number, put} from "./dom.js"
import {SCENES} from "./scenes.js"

function story(app) {
  const {store} = app, {state} = store
  const title = h("h2"), text = h("p"), task = h("p", {class: "task"})
  const dots = SCENES.map((scene, i) => h("button", {type: "button", class: "dot", "aria-label": `Scene ${i + 1}: ${scene.title}`,
    title: scene.title, onclick: () => app.openScene(i)}, String(i + 1)))
  const back = h("button", {type: "button", class: "plain", onclick: () => app.openScene(state.scene - 1)}, "Back")
  const next = h("button", {type: "button", class: "plain strong", onclick: () => app.openScene(state.scene + 1)}, "Next")
  const classes = h("div", {class: "classes", role: "radiogroup", "aria-label": "What a sequence is shown as", hidden: true},
    ...[["average", "average"], ["pca", "PCA"], ["acot", "ACOT"]].map(([name, label]) => h("button", {type: "button", role: "radio",
      "data-name": name, "aria-checked": "false", onclick: () => app.showClasses(name)}, h("span", {}, label), h("b"))))
  store.listen((keys) => {
    if (keys.has("scene")) {
      const scene = SCENES[state.scene]
      title.textContent = scene.title
      text.textContent = scene.text
      task.textContent = scene.task
      dots.forEach((dot, i) => put(dot, {"aria-current": i === state.scene ? "step" : null}))
      back.disabled = state.scene === 0
      next.disabled = state.scene === SCENES.length - 1
    }
    classes.hidden = !state.classes
    if (state.classes) {
      for (const button of classes.children) {
        put(button, {"aria-checked": String(button.dataset.name === state.classes.name)})
        button.lastChild.textContent = `${number(100 * state.classes.accuracies[button.dataset.name], 0)} %`
      }
    }
  })
  return h("section", {class: "story", "aria-label": "Guided scenes"},
    h("div", {class: "story-head"}, title, h("div", {class: "dots"}, ...dots)), text, classes,
    h("div", {class: "story-foot"}, task, h("div", {class: "steps"}, back, next)))
}

function formula(app) {
  const {store} = app, {state} = store
  const term = (name, html, slider) => {
    const button = h("button", {type: "button", class: `piece ${name}`, title: "Show this term over all subspaces", onclick: () => {
      app.show(state.shows === name ? "value" : name)
      if (slider) { app.focusSlider(slider) }
    }})
    button.innerHTML = html
    return button
  }
  const pieces = {
    value: term("value", "min<sub>U</sub>"),
    contrast: term("contrast", "− <sup>1</sup>⁄<sub>n</sub>‖UU′X − T‖²"),
    distortion: term("distortion", "+ β₁ <sup>1</sup>⁄<sub>n</sub>‖UU′X − X‖²", "beta1"),
    order: term("order", "+ β₂ <sup>1</sup>⁄<sub>n−1</sub>∑[‖U′x<sub>t</sub>‖² + η − ‖U′x<sub>t+1</sub>‖²]₊", "beta2"),
  }
  store.listen((keys) => {
    if (keys.has("shows")) {
      for (const [name, piece] of Object.entries(pieces)) { put(piece, {"aria-pressed": String(state.shows === name)}) }
    }
  })
  return h("section", {class: "formula", "aria-label": "The objective, Eq. (13): contrast, distortion, order"}, ...Object.values(pieces))
}

// What a weight does, said where its slider is; the numbers are those of the stage.
function meanings(name, value) {
  if (name === "beta1") {
    return value === 0 ? "at 0 U looks only for what the negatives lack"
      : value < 1 ? "below 1 what the negatives lack decides, not what the frames are like"
      : value === 1 ? "at 1 what frames and negatives share cancels: only what the adversary took counts"
      : "above 1 U keeps what is strong in the frames, like PCA, be it in the negatives or not"
  }
  if (name === "beta2") {
    return value === 0 ? "at 0 order does not count: reversed in time, the sequence has the same U"
      : "the higher, the more U turns to what grows from frame to frame"
  }
  return ""
}
const KINDS = {
  adversarial: "frames without what tells their class: a network has learned to take it out. U looks for just that",
  random: "frames minus noise that has learned nothing: what they lack is left to chance",
  own: "where you put them: U turns away from what they are like",
}

function sliders(app) {
  const {store} = app, {state} = store, inputs = {}
  const row = (control) => {
    const choices = control.choices.length ? control.choices : null
    const input = h("input", {type: "range", id: `play-${control.name}`, "data-name": control.name, title: control.help,
      min: choices ? 0 : control.low, max: choices ? choices.length - 1 : control.high, step: choices ? 1 : control.step,
      oninput: () => {
        const value = choices ? choices[Number(input.value)] : Number(input.value)
        app.setting({[control.name]: value})
      }})
    const output = h("output", {for: `play-${control.name}`}), note = h("p", {class: "note"})
    inputs[control.name] = {input, output, note, choices}
    return h("div", {class: `slider ${control.name}`},
      h("label", {for: `play-${control.name}`}, h("i", {}, control.symbol), control.label), input, output, note)
  }
  const select = (name, label, options) => {
    const input = h("select", {id: `play-${name}`, onchange: () => app.setting({[name]: input.value})},
      ...options.map(([value, text]) => h("option", {value}, text)))
    const note = name === "negatives" ? h("p", {class: "note"}) : null
    inputs[name] = {input, note}
    return h("div", {class: "choice"}, h("label", {for: `play-${name}`}, label), input, note)
  }
  const lines = h("div", {class: "choice"}, h("span", {id: "play-k"}, h("i", {}, "k"), " dimension"), h("div", {class: "segments",
    role: "radiogroup", "aria-labelledby": "play-k"}, ...[1, 2].map((k) => h("button", {type: "button", role: "radio", "data-k": k,
    "aria-checked": "false", onclick: () => app.setting({n_subspaces: k})}, k === 1 ? "1 line" : "2 plane"))),
    h("p", {class: "note"}, ""))
  const element = h("section", {class: "sliders", "aria-label": "Settings"},
    ...state.controls.map(row), lines,
    select("negatives", "negatives", [["adversarial", "adversarial"], ["random", "random"], ["own", "placed by hand"]]),
    select("method", "transport", state.methods.map((name) => [name, name])),
    select("ground_cost", "cost", [["euclidean", "ℓ₂"], ["sqeuclidean", "squared ℓ₂"]]))
  store.listen((keys) => {
    if (!keys.has("settings")) { return }
    for (const [name, {input, output, note, choices}] of Object.entries(inputs)) {
      const value = state.settings[name]
      const shown = choices ? choices.reduce((b, c, i) => (Math.abs(c - value) < Math.abs(choices[b] - value) ? i : b), 0) : value
      if (input.value !== String(shown)) { input.value = shown }
      if (output) {
        output.textContent = String(value)
        put(input, {"aria-valuetext": String(value)})
        note.textContent = meanings(name, value)
      } else if (note) { note.textContent = KINDS[value] }
    }
    lines.lastChild.textContent = state.settings.n_subspaces === 2
      ? "U is the plane of the dashed arc; the star, and each point of the disk, is the direction that U leaves out" : ""
    for (const button of lines.querySelectorAll("button")) {
      put(button, {"aria-checked": String(Number(button.dataset.k) === state.settings.n_subspaces)})
    }
  })
  app.focusSlider = (name) => inputs[name].input.focus()
  return element
}

export function makeWords(app) {
  const {state} = app.store
  return h("div", {class: "words"}, state.heading ? h("p", {class: "heading"}, state.heading) : null, story(app), formula(app), sliders(app),
    h("button", {type: "button", class: "take", onclick: () => app.take()}, "Take these settings to my data", icon("arrow")))
}

export function makeTools(app) {
  const {store} = app, {state} = store
  const tool = (name, label, what, act) => h("button", {type: "button", class: "tool", title: what, onclick: act}, icon(name), h("span", {}, label))
  const preset = h("select", {"aria-label": "Sequence", onchange: () => app.preset(preset.value)},
    ...state.presets.map(([name, what]) => h("option", {value: name}, what)), h("option", {value: "own", disabled: true}, "my own"))
  const draw = tool("draw", "Draw", "Draw a sequence: press, move, let go", () => store.set({tool: state.tool === "draw" ? null : "draw"}))
  const add = tool("plus", "Negative", "Place negatives by clicking; a double click takes one away", () => store.set({tool: state.tool === "add" ? null : "add"}))
  const shows = h("select", {"aria-label": "Landscape", onchange: () => app.show(shows.value)},
    ...[["value", "landscape: objective"], ["contrast", "contrast"], ["distortion", "distortion"], ["order", "order"], ["none", "no landscape"]]
      .map(([value, text]) => h("option", {value}, text)))
  store.listen((keys) => {
    if (keys.has("preset")) { preset.value = state.preset }
    if (keys.has("shows")) { shows.value = state.shows }
    if (keys.has("tool")) {
      put(draw, {"aria-pressed": String(state.tool === "draw")})
      put(add, {"aria-pressed": String(state.tool === "add")})
    }
  })
  const save = h("select", {"aria-label": "Export the figure", onchange: () => { app.save(save.value); save.value = "" }},
    h("option", {value: ""}, "export …"), ...["png", "svg", "pdf", "csv"].map((kind) => h("option", {value: kind}, kind.toUpperCase())))
  return h("div", {class: "tools", role: "toolbar", "aria-label": "The sequence"}, preset,
    tool("reverse", "Reverse time", "The same frames in reverse order", () => app.reverse()), draw, add,
    tool("dice", "Another", "Another sequence of this kind", () => app.another()), shows, save)
}
