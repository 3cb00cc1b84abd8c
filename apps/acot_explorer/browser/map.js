export function render({model}) {
  const bar = document.createElement("nav")
  bar.setAttribute("role", "tablist")
  bar.setAttribute("aria-label", "Steps of the method")
  const places = []
  model.places.forEach(([name, title, symbol], index) => {
    const place = document.createElement("button")
    place.className = "place"
    place.dataset.step = name
    place.setAttribute("role", "tab")
    place.setAttribute("aria-label", `Step ${index + 1}: ${title}`)
    const number = document.createElement("span")
    number.className = "number"
    number.textContent = index + 1
    place.append(number, title)
    places.push(place)
    bar.append(place)
    if (index < model.places.length - 1) {
      const flow = document.createElement("span")
      flow.className = symbol ? "flow" : "flow gap"
      flow.setAttribute("aria-hidden", "true")
      flow.textContent = symbol
      bar.append(flow)
    }
  })
  const show = () => places.forEach((place) => {
    const open = place.dataset.step === model.current
    place.setAttribute("aria-selected", String(open))
    place.setAttribute("tabindex", open ? "0" : "-1")
    if (open && bar.isConnected) {
      bar.scrollTo({left: place.offsetLeft - bar.offsetLeft - bar.clientWidth / 2 + place.offsetWidth / 2})
    }
  })
  const theme = () => bar.getRootNode().host?.classList.toggle("dark", model.dark)
  const go = (index) => {
    const place = places[(index + places.length) % places.length]
    model.current = place.dataset.step
    place.focus()
  }
  places.forEach((place, index) => {
    place.addEventListener("click", () => go(index))
    place.addEventListener("keydown", (event) => {
      const moves = {ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: places.length - 1}
      if (!(event.key in moves)) { return }
      go(moves[event.key])
      event.preventDefault()
    })
  })
  model.on("change:current", show)
  model.on("change:dark", theme)
  model.on("after_render", () => { theme(); show() })
  show()
  return bar
}
