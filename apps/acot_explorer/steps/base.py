"""What every step has: controls, figures, a request made from the settings, and words about them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from acot_explorer.controls import controls
from acot_explorer.desk import NotReady
from acot_explorer.figure_panel import FigurePanel
from acot_explorer.render import FigureSpec
from acot_explorer.requests import AdversaryRequest, ClipRequest, DataRequest

if TYPE_CHECKING:
    from acot_explorer.page import Explorer

__all__ = ["OF_NEGATIVES", "NotReady", "Step", "clip_request"]

OF_NEGATIVES = (
    "dataset", "stream", "encoder", "seed", "clip", "negatives", "n_negatives", "transport", "sigma",
    "lambda1", "lambda2", "pivot", "adversarial", "n_iter",
)  # fmt: skip
"""The settings that a clip's negatives and its plan depend on."""


class Step:
    """One step of the method on the page.

    Class attributes give the words: ``name``, ``question`` (what one asks here), ``method`` (what is
    computed, with the paper's ``equation`` in LaTeX), ``notice`` (what to see), ``inputs`` (the settings that
    its figures depend on) and ``shown`` (those that get a control here).
    """

    name: ClassVar[str]
    question: ClassVar[str]
    method: ClassVar[str]
    notice: ClassVar[str]
    equation: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...]] = ()
    figures: ClassVar[tuple[tuple[FigureSpec, str], ...]] = ()

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.settings = explorer, explorer.settings
        self.panels = [
            FigurePanel(spec, title, explorer.export, self.picker()) for spec, title in self.figures
        ]

    def picker(self) -> Callable[[int], None] | None:
        """What a click on a named point of a figure does; None: nothing."""
        return None

    def controls(self) -> Sequence[Any]:
        """The widgets of this step."""
        return controls(self.settings, *self.shown)

    def request(self) -> Hashable:
        """What the figures need; raises `NotReady` when it cannot be had yet."""
        raise NotImplementedError

    def request_of(self, panel: FigurePanel, request: Any) -> Any:
        """The part of the request that one figure needs."""
        return request

    def remark(self, request: Any) -> str:
        """A sentence with the numbers of the figures just drawn (markdown); called off the event loop."""
        return ""

    def code(self) -> str:
        """The lines of Python that reproduce the figures shown."""
        raise NotImplementedError

    def work_key(self) -> Hashable | None:
        """The key of the long work that this step does for the present settings."""
        return None

    def poll(self) -> None:
        """Called a few times a second while a job of this session is under way."""


def clip_request(step: Step) -> ClipRequest:
    """The clip and its negatives, as the settings say.

    Raises
    ------
    NotReady
        The negatives are to be adversarial and no adversary is trained yet (its training then begins).
    """
    settings, desk = step.settings, step.explorer.desk
    desk.need_data()
    adversary = None
    if settings.negatives == "adversarial":
        request = AdversaryRequest.of(settings)
        adversary = (request, desk.need_adversary(request))
    return ClipRequest(
        DataRequest.of(settings),
        settings.stream,
        settings.clip,
        adversary,
        settings.n_negatives,
        settings.seed,
    )
