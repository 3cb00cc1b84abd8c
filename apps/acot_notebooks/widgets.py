"""Sliders for the notebooks, from the same table as the dashboard's, and a figure that follows them.

    explore(lambda beta2, n_subspaces: plot_energies(study(beta2, n_subspaces)), "beta2", "n_subspaces")

The figure is drawn by the same `acot_core.figures.style.render` as everywhere, into an image: what the
notebook shows without a kernel is what it showed last.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from acot_core._utils.files import atomic_write
from acot_core.experiments.parameters import PARAMETERS
from acot_core.figures.style import format_of, render

__all__ = ["Explore", "explore", "show", "slider"]

_DPI = 150
_EXPORT_DPI = 300
_STYLE = {"description_width": "170px"}


def slider(name: str, value: float | None = None) -> Any:
    """The ipywidgets slider of one parameter of `acot_core.experiments.parameters.PARAMETERS`.

    It tells its value when it is let go (``continuous_update=False``).

    Raises
    ------
    ValueError
        No such parameter.
    """
    if name not in PARAMETERS:
        raise ValueError(f"name: expected one of {sorted(PARAMETERS)}, got {name!r}")
    row = PARAMETERS[name]
    start = row.default if value is None else value
    common: dict[str, Any] = {
        "description": row.label,
        "continuous_update": False,
        "style": _STYLE,
        "layout": widgets.Layout(width="480px"),
        "tooltip": f"{row.help} ({row.paper})",
    }
    if row.scale == "discrete":
        options = [(f"{choice:g}", choice) for choice in row.choices]
        return widgets.SelectionSlider(options=options, value=start, **common)
    if row.integer:
        return widgets.IntSlider(
            value=int(start), min=int(row.low), max=int(row.high), step=int(row.step), **common
        )
    return widgets.FloatSlider(
        value=start, min=row.low, max=row.high, step=row.step, readout_format=".3g", **common
    )


class Explore(widgets.VBox):
    """Controls, a figure that follows them, and a button that saves the figure.

    Parameters
    ----------
    draw : callable
        From the controls' values, by keyword, to a Figure.
    controls : mapping of str to widget
        By the keyword that ``draw`` knows them by.
    file : str
        Name that the export button proposes: ends in .pdf, .svg or .png.
    """

    def __init__(
        self, draw: Callable[..., Figure], controls: Mapping[str, Any], file: str = "figure.pdf"
    ) -> None:
        self.draw, self.controls = draw, dict(controls)
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self.message = widgets.HTML()
        self.file = widgets.Text(value=file, description="Save as", layout=widgets.Layout(width="320px"))
        self.button = widgets.Button(
            description="Export", icon="download", tooltip="Writes the figure beside the notebook"
        )
        self.button.on_click(lambda _: self.export())
        for control in self.controls.values():
            control.observe(lambda _: self.update(), "value")
        self.update()
        foot = widgets.HBox([self.file, self.button])
        super().__init__([*self.controls.values(), self.image, self.message, foot])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The widget, and its picture for whoever reads the notebook without a kernel."""
        bundle: dict[str, Any] = dict(super()._repr_mimebundle_(**options) or {})
        return bundle | {"image/png": base64.b64encode(self.image.value).decode()}

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self) -> None:
        """Draw anew; an error of the function is shown in place of silence, and the last figure stays."""
        try:
            self.image.value = render(self.draw(**self.values), "png", _DPI)
            self.message.value = ""
        except ValueError as error:
            self.message.value = f"<b>This cannot be shown:</b> {_escape(str(error))}"

    def export(self) -> None:
        """Write the figure as it stands to the named file, and offer it as a link, too."""
        try:
            kind = format_of(self.file.value)
            content = render(self.draw(**self.values), kind, _EXPORT_DPI)
            atomic_write(self.file.value, content)
        except (ValueError, OSError) as error:
            self.message.value = f"<b>Not saved:</b> {_escape(str(error))}"
            return
        mime = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}[kind]
        data = base64.b64encode(content).decode()
        name = _escape(self.file.value)
        self.message.value = f'Saved <a download="{name}" href="data:{mime};base64,{data}">{name}</a>'


def explore(draw: Callable[..., Figure], *names: str, file: str = "figure.pdf", **controls: Any) -> Explore:
    """Sliders for named parameters, and other widgets by keyword, with a figure that follows them."""
    return Explore(draw, {**{name: slider(name) for name in names}, **controls}, file)


def show(figure: Figure, file: str = "figure.pdf") -> Explore:
    """A finished figure with its export button."""
    return Explore(lambda: figure, {}, file)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
