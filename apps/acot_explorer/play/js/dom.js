// Small helpers: elements, SVG elements, a store that redraws once per frame, numbers as text.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) { element.addEventListener(name.slice(2), value) }
    else if (value === true) { element.setAttribute(name, "") }
    else if (value !== false && value != null) { element.setAttribute(name, value) }
  }
  element.append(...children.filter((child) => child != null))
  return element
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  put(element, attributes)
  element.append(...children)
  return element
}

export function put(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null) { element.removeAttribute(name) }
    else if (element.getAttribute(name) !== String(value)) { element.setAttribute(name, value) }
  }
  return element
}

// As many children of one kind as there are items, each updated in place.
export function pool(parent, make) {
  const members = []
  return (items, update) => {
    while (members.length < items.length) { const m = make(); members.push(m); parent.append(m) }
    while (members.length > items.length) { members.pop().remove() }
    items.forEach((item, i) => update(members[i], item, i))
    return members
  }
}

// State with listeners; however often it changes, they are called once per animation frame.
export function createStore(state) {
  const listeners = []
  let changed = new Set(), waiting = false
  const flush = () => {
    waiting = false
    const keys = changed
    changed = new Set()
    listeners.forEach((listener) => listener(keys))
  }
  return {
    state,
    listen: (listener) => listeners.push(listener),
    set(patch) {
      Object.assign(state, patch)
      Object.keys(patch).forEach((key) => changed.add(key))
      if (!waiting) { waiting = true; requestAnimationFrame(flush) }
    },
  }
}

export const number = (x, digits = 3) => (x === 0 ? 0 : x).toFixed(digits).replace("-", "−")
export const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(3)} ${y.toFixed(3)}`).join("")
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x))

const ICONS = {
  play: "M5 3.5v13l11-6.5z",
  pause: "M5 3.5h3.5v13H5zM11.5 3.5H15v13h-3.5z",
  back: "M5 4h2v12H5zM16 4v12l-8-6z",
  next: "M13 4h2v12h-2zM4 4v12l8-6z",
  reverse: "M8 4 3 8.5 8 13v-3h9V7H8z",
  draw: "M3 17l1-4L14 3l3 3L7 16zM12 5l3 3",
  dice: "M4 4h12v12H4zM7.2 7.2h.1M12.7 12.7h.1M10 10h.1M12.7 7.2h.1M7.2 12.7h.1",
  plus: "M9 4h2v5h5v2h-5v5H9v-5H4V9h5z",
  arrow: "M4 9h8L9 6l1.4-1.4L16 10l-5.6 5.4L9 14l3-3H4z",
}
export function icon(name) {
  const line = name === "draw" || name === "dice"
  const style = line ? {fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round",
    "stroke-linejoin": "round"} : {fill: "currentColor"}
  return s("svg", {viewBox: "0 0 20 20", width: 16, height: 16, "aria-hidden": "true"},
    s("path", {d: ICONS[name], ...style}))
}
