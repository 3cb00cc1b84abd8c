const name = (node, text) => {
  if (!node.getAttribute("aria-label")) { node.setAttribute("aria-label", text) }
}

// Names and key access for what the widget library leaves without.
function complete(root) {
  for (const node of root.querySelectorAll("*")) {
    if (node.shadowRoot) { complete(node.shadowRoot) }
    const role = node.getAttribute("role")
    if (role === "progressbar") { name(node, "Progress of the computation") }
    else if (node.dataset?.testid === "InfoOutlinedIcon" && !node.hasAttribute("tabindex")) {
      node.setAttribute("tabindex", "0")
      node.setAttribute("role", "img")
      node.setAttribute("aria-hidden", "false")
      name(node, "What this is")
    } else if (node.localName === "span" && node.hasAttribute("aria-label") && !role) {
      node.setAttribute("role", "img")
    } else if (node.localName === "button" && !node.textContent.trim() && !node.hasAttribute("title")) {
      const steppers = [...(node.closest(".MuiFormControl-root")?.querySelectorAll("button") ?? [])]
      if (steppers.length === 2) { name(node, steppers[0] === node ? "One less" : "One more") }
    }
  }
}

export function render({model}) {
  const element = document.createElement("span")
  let due = 0
  const soon = () => { due ||= setTimeout(() => { due = 0; complete(document) }, 300) }
  for (const event of ["click", "focusin", "pointerover"]) { document.addEventListener(event, soon, true) }
  setInterval(soon, 4000)

  const dark = matchMedia("(prefers-color-scheme: dark)")
  const system = () => (dark.matches ? "dark" : "light")
  const stored = () => { try { return localStorage.getItem("acot-theme") } catch { return null } }
  // The server reads the cookie, so that the page does not begin in the other theme.
  const store = (value) => { document.cookie = `acot-theme=${value}; path=/; max-age=31536000; samesite=strict` }
  let theme = stored() || system()
  store(theme)
  if (model.theme !== theme) { model.theme = theme }
  dark.addEventListener("change", () => { if (!stored()) { model.theme = theme = system() } })
  model.on("change:theme", () => {
    if (model.theme === theme) { return }
    theme = model.theme
    store(theme)
    try { localStorage.setItem("acot-theme", theme) } catch { /* private browsing: not stored */ }
  })

  let step = model.address[1]
  model.on("change:address", () => {
    const [query, next] = model.address
    const search = query ? `?${query}` : ""
    if (location.search !== search) {
      const url = location.pathname + search
      if (step === next || !step) { history.replaceState(null, "", url) } else { history.pushState(null, "", url) }
    }
    if (step !== next) { soon() }
    step = next
  })
  let visits = 0
  addEventListener("popstate", () => { model.visited = `${location.search}#${++visits}` })

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
