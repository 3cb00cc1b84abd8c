const NS = "http://www.w3.org/2000/svg"

// One time cursor for the page: which frame is looked at. Charts carry marks with the tags below; they are
// moved without telling the server, so that playing costs it nothing.
function time() {
  if (window.acotTime) { return window.acotTime }
  const listeners = new Set()
  let marks = [], collected = 0
  const collect = () => {
    if (performance.now() - collected < 1000) { return }
    collected = performance.now()
    marks = []
    for (const doc of window.Bokeh?.documents ?? []) {
      for (const model of doc._all_models.values()) {
        if (model.tags?.[0] === "time-area" || model.tags?.[0] === "time-line") { marks.push(model) }
      }
    }
  }
  const bus = {
    frame: 0,
    count: 0,
    set(frame, from) {
      frame = Math.max(0, Math.min(frame, bus.count - 1))
      if (!bus.count || (frame === bus.frame && from !== "new")) { return }
      bus.frame = frame
      collect()
      for (const mark of marks) {
        const [kind, along] = mark.tags
        if (kind === "time-line") { mark.setv({location: frame, visible: true}, {sync: false}) }
        else if (along === "x") { mark.setv({left: frame, right: frame + 1, visible: true}, {sync: false}) }
        else { mark.setv({bottom: frame + 1, top: frame, visible: true}, {sync: false}) }
      }
      listeners.forEach((listener) => listener(frame, from))
    },
    listen(listener) { listeners.add(listener); return () => listeners.delete(listener) },
  }
  window.acotTime = bus
  return bus
}

export function render({model}) {
  const bus = time()
  const stage = document.createElement("div")
  stage.className = "stage"
  const svg = document.createElementNS(NS, "svg")
  svg.setAttribute("role", "img")
  const picture = document.createElement("img")
  picture.className = "picture"
  const bar = document.createElement("div")
  bar.className = "bar"
  const play = document.createElement("button")
  const back = document.createElement("button")
  const next = document.createElement("button")
  const line = document.createElement("input")
  const out = document.createElement("output")
  const speed = document.createElement("button")
  const words = document.createElement("div")
  words.className = "words"
  line.type = "range"; line.min = 0; line.step = 1
  line.setAttribute("aria-label", "Frame of the sequence")
  back.textContent = "‹"; back.setAttribute("aria-label", "One frame back")
  next.textContent = "›"; next.setAttribute("aria-label", "One frame on")
  for (const button of [play, back, next, speed]) { button.type = "button" }
  bar.append(play, back, line, next, out, speed)
  stage.append(svg, picture, bar, words)
  const rates = [1, 0.5, 2]
  let rate = 0, begun = false, timer = null, frame = 0, box = null, head_size = 11

  const count = () => model.image_of.length || model.joints.length
  const shown = () => stage.offsetParent !== null
  const element = (name, attributes, parent) => {
    const made = document.createElementNS(NS, name)
    for (const [key, value] of Object.entries(attributes)) { made.setAttribute(key, value) }
    parent.append(made)
    return made
  }
  const body = (places, className, opacity) => {
    const group = element("g", {class: className, opacity}, svg)
    for (const [a, b] of model.bones) {
      if (!places[a] || !places[b]) { continue }
      element("line", {x1: 400 * places[a][0], y1: 400 * places[a][1],
                       x2: 400 * places[b][0], y2: 400 * places[b][1]}, group)
    }
    const head = places[model.head]
    if (head && className !== "trail") { element("circle", {cx: 400 * head[0], cy: 400 * head[1], r: head_size}, group) }
  }
  const measure = () => {
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity]
    for (const places of model.joints) {
      for (const [x, y] of places) {
        x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, y); y1 = Math.max(y1, y)
      }
    }
    const pad = 0.14 * Math.max(x1 - x0, y1 - y0)
    box = [400 * (x0 - 3 * pad), 400 * (y0 - pad), 400 * (x1 - x0 + 6 * pad), 400 * (y1 - y0 + 2 * pad)]
    head_size = 0.055 * 400 * (y1 - y0)
    svg.setAttribute("viewBox", box.join(" "))
  }
  const draw = () => {
    const n = count()
    stage.hidden = n === 0
    if (!n) { return }
    frame = Math.min(frame, n - 1)
    const film = model.image_of.length > 0
    picture.hidden = !film
    svg.toggleAttribute("hidden", film)
    if (film) { picture.src = model.images[model.image_of[frame]]; picture.alt = `${model.title}, frame ${frame}` }
    else {
      svg.replaceChildren()
      element("line", {class: "floor", x1: box[0], x2: box[0] + box[2], y1: box[1] + box[3] - 22,
                       y2: box[1] + box[3] - 22}, svg)
      const by = element("g", {class: "by"}, svg)
      for (const [x, y] of model.bystanders[frame] ?? []) {
        element("circle", {cx: 400 * x, cy: 400 * y, r: 0.5 * head_size}, by)
      }
      for (let ago = 6; ago >= 2; ago -= 2) {
        if (frame - ago >= 0) { body(model.joints[frame - ago], "trail", 0.42 - 0.055 * ago) }
      }
      const ghosts = model.ghosts[frame] ?? []
      ghosts.forEach((ghost, i) => body(ghost, "ghost", 0.25 + 0.6 * (model.shares[frame]?.[i] ?? 0)))
      body(model.joints[frame], "body", 1)
      svg.setAttribute("aria-label", `${model.title}, frame ${frame} of ${n}`)
    }
    line.max = n - 1
    line.value = frame
    line.setAttribute("aria-valuetext", `frame ${frame} of ${n}`)
    out.textContent = `${frame} / ${n - 1}`
    words.replaceChildren()
    const names = model.names[frame] ?? []
    words.append(`${model.title}. `)
    if (names.length) {
      const mark = document.createElement("b")
      mark.textContent = names.length > 1 ? "Ghosts" : "Ghost"
      words.append(mark, `: ${names.join("; ")}.`)
    }
  }
  const label = () => {
    play.textContent = timer ? "❚❚" : "▶"
    play.setAttribute("aria-label", timer ? "Pause" : "Play")
    speed.textContent = `${rates[rate]}×`
    speed.setAttribute("aria-label", `Speed ${rates[rate]} times`)
  }
  const stop = () => { if (timer) { clearInterval(timer); timer = null; label() } }
  const begin = () => {
    stop()
    timer = setInterval(() => {
      if (!stage.isConnected) { return stop() }
      if (shown()) { bus.count = count(); bus.set((frame + 1) % count(), "player") }
    }, 100 / rates[rate])
    label()
  }
  const seek = (to) => { stop(); bus.count = count(); bus.set(to, "player") }
  play.addEventListener("click", () => timer ? stop() : begin())
  back.addEventListener("click", () => seek(frame - 1))
  next.addEventListener("click", () => seek(frame + 1))
  line.addEventListener("input", () => seek(Number(line.value)))
  speed.addEventListener("click", () => { rate = (rate + 1) % rates.length; if (timer) { begin() } else { label() } })
  bus.listen((to, from) => {
    if (!stage.isConnected || !count()) { return }
    if (from === "figure" && shown()) { stop() }
    frame = to
    draw()
  })
  const fresh = () => {
    if (model.joints.length) { measure() }
    if (shown() || !bus.count) {
      bus.count = count()
      frame = Math.min(bus.frame, Math.max(count() - 1, 0))
    }
    draw()
  }
  // It plays by itself once it is seen, unless the reader wants no motion.
  new IntersectionObserver((entries) => {
    if (begun || !count() || !entries.some((entry) => entry.isIntersecting)) { return }
    begun = true
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) { begin() }
  }).observe(line)
  const theme = () => stage.getRootNode().host?.classList.toggle("dark", model.dark)
  model.on("change:serial", fresh)
  model.on("change:dark", theme)
  model.on("after_render", () => {
    theme()
    fresh()
  })
  label()
  fresh()
  return stage
}
