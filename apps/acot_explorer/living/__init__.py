"""Living figures: Bokeh on screen, from the records that `acot_core.figures` exports.

A chart is made once; each new record sends it columns of numbers, no picture. Hovering, zooming, scrubbing
and playing happen in the browser. `acot_explorer.living.charts` names a chart for each figure of the steps.
"""
