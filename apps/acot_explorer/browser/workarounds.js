// Workarounds for Bokeh, which paints a figure in the time that it takes to look for styles nobody has set.
// Both are of https://github.com/bokeh/bokeh/issues/15286; tests/apps/test_workarounds.py shows what they spare.
function paintWithoutStyleSheets({require}) {
  // Every colour and width is looked up as a CSS variable --bk-..., of which this page has none.
  require("core/visuals/visual").VisualProperties.prototype._get_css_value = () => ""
  // Every painting writes where a legend, an axis and a grid are, although they are where they were. The browser
  // then computes the page's styles anew at the next lookup.
  const sheet = require("core/dom").InlineStyleSheet.prototype
  const update = sheet._update
  sheet._update = function (css) { if (css !== this.css) { update.call(this, css) } }
}
paintWithoutStyleSheets(window.Bokeh)

