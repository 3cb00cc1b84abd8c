"""The person who moves: a stick figure or thumbnails on a time line, with negatives as ghosts.

Playing and scrubbing happen in the browser. The frame that is shown is the page's time cursor
(`window.acotTime`): every chart that follows time marks it, and pointing at such a chart moves the person.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import param
from panel.custom import JSComponent

from acot_core.experiments.views.person import PersonView
from acot_explorer.film import FilmView, film_values

__all__ = ["Person", "Player", "player_values"]

_HERE = Path(__file__).parent


def player_values(record: PersonView) -> dict[str, Any]:
    """Values that a `Player` shows of a record: places to a thousandth of the picture's larger side."""
    places = [a for a in (record.joints, record.bystanders) if a.size]
    every = np.concatenate([a.reshape(-1, 2) for a in places])
    low, size = every.min(0), float(np.ptp(every, axis=0).max()) or 1.0

    def scaled(array: np.ndarray) -> list[Any]:
        return np.round((array - low) / size, 3).tolist() if array.size else []

    return {
        "joints": scaled(record.joints),
        "bystanders": scaled(record.bystanders),
        "ghosts": scaled(record.ghosts),
        "shares": np.round(record.ghost_share, 3).tolist(),
        "names": record.ghost_names(),
        "bones": [list(bone) for bone in record.bones],
        "head": record.head,
        "title": f"Sequence {record.sequence}: {record.class_name}",
    }


class Player(JSComponent):
    """Plays one sequence; for videos ``images`` (addresses of pictures) in place of joints."""

    joints = param.List(default=[], doc="One list of [x, y] a frame.")
    bystanders = param.List(default=[], doc="What moves in the background: one list of [x, y] a frame.")
    ghosts = param.List(default=[], doc="For each frame a list of bodies, each a list of [x, y].")
    shares = param.List(default=[], doc="For each frame the share of its mass that goes to each ghost.")
    names = param.List(default=[], doc="For each frame what each ghost is, in words.")
    bones = param.List(default=[])
    head = param.Integer(default=0)
    images = param.List(default=[])
    image_of = param.List(default=[], doc="For each frame its place among the images.")
    title = param.String(default="")
    dark = param.Boolean(default=False)
    serial = param.Integer(default=0, doc="Changes last, when all else is set.")

    def show(self, values: dict[str, Any]) -> None:
        """Show a sequence: `player_values`, or `acot_explorer.film.film_values`."""
        empty = {name: self.param[name].default for name in
                 ("joints", "bystanders", "ghosts", "shares", "names", "bones", "images",
                  "image_of")}  # fmt: skip
        self.param.update(**{**empty, **values}, serial=self.serial + 1)

    _stylesheets = [_HERE / "player.css"]  # noqa: RUF012
    _esm = _HERE / "player.js"


class Person:
    """The player as a figure of a step: an `acot_explorer.figure_panel.LivingFigure`."""

    can_pin = False  # another sequence is compared by opening it

    def __init__(self) -> None:
        self.view = Player(sizing_mode="stretch_width", margin=0)

    def data(self, record: PersonView | FilmView) -> dict[str, Any]:
        """Data that `show` needs of a record."""
        return film_values(record) if isinstance(record, FilmView) else player_values(record)

    def show(self, data: dict[str, Any], *, dark: bool = False) -> None:
        """Show the person."""
        self.view.dark = dark
        self.view.show(data)

    def pin(self, label: str) -> None:
        """Does nothing."""
