"""The person of a sequence as a strip of frames, with negatives as ghosts (Sec. 3.3)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from acot_core.experiments.views.person import PersonView
from acot_core.figures.style import ROLES, Theme, drawing, new_figure


def plot_person(
    record: PersonView, *, theme: Theme = "light", width: str = "page", n_frames: int = 8
) -> Figure:
    """A strip of evenly spaced frames: the body, its ghosts behind it, bystanders as dots.

    Parameters
    ----------
    record : PersonView
    n_frames : int
        So many frames at most.
    """
    n = len(record.joints)
    shown = np.unique(np.round(np.linspace(0, n - 1, min(n_frames, n))).astype(int))
    with drawing(theme) as ink:
        figure, panels = new_figure(1, len(shown), width=width, aspect=1.9, sharex=True, sharey=True)
        for axes, t in zip(panels, shown, strict=True):
            axes.plot(*record.bystanders[t].T, "o", color=ink.muted, alpha=0.4, markersize=2.5)
            for ghost, share in zip(record.ghosts[t], record.ghost_share[t], strict=True):
                _draw(axes, record, ghost, ROLES["negatives"], 0.25 + 0.6 * float(share))
            _draw(axes, record, record.joints[t], ROLES["positives"], 1.0)
            axes.set_title(f"t = {t}", loc="center")
            axes.set_axis_off()
            axes.set_aspect("equal")
        low, high = record.joints.min((0, 1)), record.joints.max((0, 1))
        room = 0.15 * float((high - low).max())
        panels[0].set(xlim=(low[0] - room, high[0] + room), ylim=(high[1] + room, low[1] - room))
        ghosts = ", orange: what its negatives look like" if record.ghosts.shape[1] else ""
        figure.suptitle(f"Sequence {record.sequence}: {record.class_name}{ghosts}", fontsize="small")
        return figure


def _draw(axes: Axes, record: PersonView, body: np.ndarray, color: str, alpha: float) -> None:
    lines = [body[list(bone)] for bone in record.bones]
    axes.add_collection(LineCollection(lines, colors=color, alpha=alpha, linewidths=1.4, capstyle="round"))
    axes.plot(*body[record.head], "o", color=color, alpha=alpha, markersize=4)
