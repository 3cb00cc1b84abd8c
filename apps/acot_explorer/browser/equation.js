// The control of that label, wherever in the page's shadow trees it stands; only what is shown.
function control(label, root = document) {
  for (const node of root.querySelectorAll("*")) {
    if (node.matches("input[aria-label], [role=combobox], [role=slider], input")) {
      const name = node.getAttribute("aria-label") || node.closest(".MuiFormControl-root")?.innerText || ""
      if (name.startsWith(label) && node.closest(".MuiFormControl-root")?.getClientRects().length) { return node }
    }
    const inner = node.shadowRoot && control(label, node.shadowRoot)
    if (inner) { return inner }
  }
  return null
}

export function render({model}) {
  const line = document.createElement("div")
  line.className = "equation"
  line.setAttribute("role", "group")
  line.setAttribute("aria-label", "Equation")
  for (const [svg, words, role, label] of model.terms) {
    const term = document.createElement(label ? "button" : "span")
    term.className = `term ${role}`
    term.innerHTML = svg
    term.querySelector("svg").setAttribute("aria-hidden", "true")
    if (label) {
      term.title = `${words ? `${words}. ` : ""}Its control: ${label}`
      term.setAttribute("aria-label", term.title)
      term.addEventListener("click", () => {
        const target = control(label)
        if (target) { target.scrollIntoView({block: "nearest"}); target.focus() }
      })
    } else if (words) {
      term.title = words
      term.setAttribute("role", "img")
      term.setAttribute("aria-label", words)
    }
    line.append(term)
  }
  const theme = () => line.getRootNode().host?.classList.toggle("dark", model.dark)
  model.on("change:dark", theme)
  model.on("after_render", theme)
  return line
}
