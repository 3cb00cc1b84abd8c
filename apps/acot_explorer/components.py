"""The three pieces of the page that no widget library has: the map, a figure with points, and the bridge.

They are small ES modules without imports, so that they need no network.
"""

from __future__ import annotations

from typing import Any

import param
from panel.custom import JSComponent

from acot_explorer.method_map import STEPS, map_svg

__all__ = ["Bridge", "FigureView", "MethodMap"]

_TOKENS = """
:host { --ground: #ffffff;
  --ink: #1a1a1a; --paper: #ffffff; --line: #c9cdd3; --accent: #0b57d0; --tint: #e8f0fe; }
:host(.dark) { --ground: #121212;
  --ink: #ececec; --paper: #16181c; --line: #4a4e55; --accent: #8ab4f8; --tint: #1f2a3d; }
"""


class MethodMap(JSComponent):
    """The map of the method; ``current`` is the lit place, and a click or an arrow key moves it."""

    current = param.Selector(default="data", objects=list(STEPS))
    dark = param.Boolean(default=False)
    drawing = param.String(default=map_svg())

    _stylesheets = [  # noqa: RUF012
        _TOKENS
        + """
:host { display: block; width: 100%; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
.box { fill: var(--paper); stroke: var(--line); stroke-width: 1.5; transition: all .15s; }
.place { cursor: pointer; outline: none; }
.place .art { opacity: .62; transition: opacity .15s; }
.place:hover .art, .place[aria-selected=true] .art { opacity: 1; }
.place:hover .box { stroke: var(--accent); }
.place[aria-selected=true] .box { fill: var(--tint); stroke: var(--accent); stroke-width: 3; }
.place:focus-visible .box { stroke: var(--accent); stroke-width: 4; stroke-dasharray: 6 3; }
.name { font: 500 17px Roboto, system-ui, sans-serif; fill: var(--ink); }
.place[aria-selected=true] .name { fill: var(--accent); font-weight: 700; }
.flow { font: italic 16px Georgia, serif; fill: var(--ink); }
.op { font: 700 17px Roboto, sans-serif; }
.arrow { fill: none; stroke: var(--ink); stroke-opacity: .55; stroke-width: 1.4; }
.tip { fill: var(--ink); fill-opacity: .75; }
.gap { fill: var(--ground); }
@media (max-width: 960px) { .name { font-size: 20px; letter-spacing: -.02em } .flow { font-size: 19px; } }
"""
    ]

    _esm = """
export function render({model, el}) {
  const root = document.createElement("div")
  root.innerHTML = model.drawing
  const places = [...root.querySelectorAll(".place")]
  const show = () => places.forEach((place) => {
    const lit = place.dataset.step === model.current
    place.setAttribute("aria-selected", String(lit))
    place.setAttribute("tabindex", lit ? "0" : "-1")
  })
  const host = () => root.getRootNode().host
  const theme = () => host()?.classList.toggle("dark", model.dark)
  const go = (index, focus) => {
    const place = places[(index + places.length) % places.length]
    model.current = place.dataset.step
    if (focus) { place.focus() }
  }
  places.forEach((place, index) => {
    place.addEventListener("click", () => go(index, false))
    place.addEventListener("keydown", (event) => {
      const moves = {ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: places.length - 1}
      if (event.key in moves) { go(moves[event.key], true) }
      else if (event.key === "Enter" || event.key === " ") { go(index, true) }
      else { return }
      event.preventDefault()
    })
  })
  model.on("change:current", show)
  model.on("change:dark", theme)
  model.on("after_render", theme)
  show()
  return root
}
"""


class FigureView(JSComponent):
    """A figure as a picture, with the text that replaces it and points that name themselves.

    ``points`` holds [x, y, text, id] with x and y as fractions of the picture's width and height, from the
    left and from the top. The nearest point within 14 pixels of the pointer shows its text; clicking it sets
    ``picked`` to its id. ``serial`` counts the pictures shown.
    """

    source = param.String(default="")
    alt = param.String(default="")
    points = param.List(default=[])
    picked = param.Integer(default=-1)
    dark = param.Boolean(default=False)
    busy = param.Boolean(default=False)
    message = param.String(default="")
    serial = param.Integer(default=0)

    _stylesheets = [  # noqa: RUF012
        _TOKENS
        + """
:host { display: block; width: 100%; }
.frame { position: relative; min-height: 180px; border: 1px solid var(--line); border-radius: 10px;
         background: var(--paper); overflow: hidden; }
img { width: 100%; height: auto; display: block; transition: opacity .12s; }
.frame.busy img { opacity: .45; }
.message { padding: 48px 28px; text-align: center; color: var(--ink); font: 15px/1.5 Roboto, sans-serif;
           white-space: pre-line; }
.tip { position: absolute; pointer-events: none; background: var(--ink); color: var(--paper);
       border-radius: 6px;
       padding: 4px 8px; font: 13px/1.35 Roboto, sans-serif; white-space: pre-line; z-index: 2;
       max-width: 260px; }
.ring { position: absolute; width: 14px; height: 14px; margin: -8px 0 0 -8px; border: 2px solid var(--accent);
        border-radius: 50%; pointer-events: none; }
[hidden] { display: none !important; }
"""
    ]

    _esm = """
export function render({model}) {
  const frame = document.createElement("div")
  frame.className = "frame"
  const image = document.createElement("img")
  const message = document.createElement("div")
  message.className = "message"
  message.setAttribute("role", "status")
  const tip = document.createElement("div")
  tip.className = "tip"
  const ring = document.createElement("div")
  ring.className = "ring"
  frame.append(image, message, tip, ring)
  let near = null
  const hide = () => { tip.hidden = ring.hidden = true; near = null; frame.style.cursor = "" }
  const show = () => {
    image.hidden = !model.source || !!model.message
    message.hidden = !model.message
    message.textContent = model.message
    if (model.source && image.src !== model.source) { image.src = model.source }
    image.alt = model.alt
    image.dataset.serial = model.serial
    frame.classList.toggle("busy", model.busy)
    frame.setAttribute("aria-busy", String(model.busy))
    frame.getRootNode().host?.classList.toggle("dark", model.dark)
    hide()
  }
  frame.addEventListener("pointermove", (event) => {
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
  frame.addEventListener("pointerleave", hide)
  frame.addEventListener("click", () => { if (near && near[3] >= 0) { model.picked = near[3] } })
  model.on(["change:source", "change:alt", "change:busy", "change:message", "change:dark", "change:points",
            "change:serial"], show)
  model.on("after_render", show)
  show()
  return frame
}
"""


class Bridge(JSComponent):
    """Carries files and text from Python to the browser: downloads and the clipboard. It shows nothing."""

    _esm = """
const name = (node, text) => {
  if (!node.getAttribute("aria-label")) { node.setAttribute("aria-label", text) }
}

// Names for what the widget library leaves unnamed, for those who listen to the page.
function mend(root) {
  for (const node of root.querySelectorAll("*")) {
    if (node.shadowRoot) { mend(node.shadowRoot) }
    const role = node.getAttribute("role")
    if (role === "progressbar") { name(node, "Progress of the computation") }
    else if (node.localName === "svg" && role === "img" && node.closest("mjx-container")) {
      name(node, "Equation")
    } else if (node.localName === "span" && node.hasAttribute("aria-label") && !role) {
      node.setAttribute("role", "img")
    }
    else if (node.localName === "button" && !node.textContent.trim() && !node.hasAttribute("title")) {
      const steppers = [...(node.closest(".MuiFormControl-root")?.querySelectorAll("button") ?? [])]
      if (steppers.length === 2) { name(node, steppers[0] === node ? "One less" : "One more") }
    }
  }
}

export function render({model}) {
  const element = document.createElement("span")
  setInterval(() => mend(document), 1000)
  model.on("msg:custom", async (message) => {
    if (message.kind === "file") {
      const bytes = Uint8Array.from(atob(message.content), (c) => c.charCodeAt(0))
      const link = document.createElement("a")
      link.href = URL.createObjectURL(new Blob([bytes], {type: message.mime}))
      link.download = message.name
      document.body.append(link)
      link.click()
      link.remove()
      setTimeout(() => URL.revokeObjectURL(link.href), 10000)
    } else if (message.kind === "text") {
      try { await navigator.clipboard.writeText(message.content) } catch (error) { /* shown in a dialog */ }
    }
  })
  return element
}
"""

    def send(self, **message: Any) -> None:
        """Send one message: ``kind`` "file" (name, mime, content in base64) or "text" (content)."""
        self._send_msg(message)
