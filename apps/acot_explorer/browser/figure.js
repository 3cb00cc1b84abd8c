const make = (tag, name, ...children) => {
  const node = document.createElement(tag)
  node.className = name
  node.append(...children)
  return node
}

export function render({model}) {
  const image = make("img", "image")
  const ghost = make("img", "image")
  const label = make("figcaption", "")
  const ring = make("div", "ring")
  const tip = make("div", "tip")
  const pinned = make("figure", "pinned", label, ghost)
  const now = make("figcaption", "")
  now.textContent = "Now"
  const picture = make("figure", "", now, make("div", "content", image, ring, tip))
  picture.tabIndex = pinned.tabIndex = 0  // on a phone they are wider than the page, and scroll
  const message = make("div", "message")
  message.setAttribute("role", "status")
  const living = make("div", "content")
  if (model.content) { living.append(model.get_child("content")) }
  const frame = make("div", "frame", make("div", "both", pinned, picture), living, message)
  let near = null
  const hide = () => { tip.hidden = ring.hidden = true; near = null; frame.style.cursor = "" }
  const show = () => {
    const empty = !!model.message
    picture.hidden = empty || !model.source
    pinned.hidden = now.hidden = !model.pinned
    living.hidden = empty || !model.content || !model.serial
    message.hidden = !empty
    message.textContent = model.message
    label.textContent = model.pinned_label
    if (model.source && image.src !== model.source) { image.src = model.source }
    if (model.pinned && ghost.src !== model.pinned) { ghost.src = model.pinned }
    image.alt = model.alt
    ghost.alt = model.pinned_label
    if (model.content) {
      living.setAttribute("role", "group")
      living.setAttribute("aria-label", model.alt)
    }
    frame.dataset.serial = empty || !model.serial ? "" : model.serial
    frame.dataset.alt = empty ? "" : model.alt
    frame.classList.toggle("busy", model.busy)
    frame.setAttribute("aria-busy", String(model.busy))
    frame.getRootNode().host?.classList.toggle("dark", model.dark)
    hide()
  }
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect()
    if (!model.points.length || !box.width) { return hide() }
    let best = 14
    near = null
    for (const point of model.points) {
      const distance = Math.hypot(point[0] * box.width - (event.clientX - box.left),
                                  point[1] * box.height - (event.clientY - box.top))
      if (distance < best) { best = distance; near = point }
    }
    if (!near) { return hide() }
    const x = near[0] * box.width, y = near[1] * box.height
    ring.hidden = tip.hidden = false
    ring.style.left = `${x}px`; ring.style.top = `${y}px`
    tip.textContent = near[2]
    tip.style.left = x > box.width / 2 ? "" : `${x + 14}px`
    tip.style.right = x > box.width / 2 ? `${box.width - x + 14}px` : ""
    tip.style.top = `${Math.max(4, y - 18)}px`
    frame.style.cursor = near[3] >= 0 ? "pointer" : ""
  })
  image.addEventListener("pointerleave", hide)
  image.addEventListener("click", () => { if (near && near[3] >= 0) { model.picked = near[3] } })
  for (const name of ["source", "alt", "busy", "message", "dark", "points", "serial", "pinned", "pinned_label"]) {
    model.on(`change:${name}`, show)
  }
  model.on("after_render", show)
  show()
  return frame
}
