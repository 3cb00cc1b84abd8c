"""The base class of the steps: controls, figures, a request made from the settings, and words about them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, ClassVar

from acot_explorer.cache_keys import AdversaryRequest, DataRequest, SequenceRequest
from acot_explorer.controls import controls
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigurePanel, FigureSlot
from acot_explorer.host import Host
from acot_explorer.render import FigureSpec
from acot_explorer.session import Key, NotReady

__all__ = ["OF_NEGATIVES", "NotReady", "Step", "sequence_request"]

OF_NEGATIVES = (
    "dataset", "stream", "encoder", "seed", "sequence", "negatives", "n_negatives", "transport", "sigma",
    "lambda1", "lambda2", "pivot", "adversarial", "n_iter",
)  # fmt: skip
"""The settings that a sequence's negatives and its plan depend on."""


class Step:
    """One step of the method on the page.

    Class attributes give the words: ``name``, ``question`` (what one asks here), ``method`` (what is
    computed, with the paper's ``equation`` in terms), ``inputs`` (the settings that its figures depend on),
    ``shown`` (those that get a control here) and ``figures``. A step that is no row of figures overrides
    `scene`; where it ``fills`` the page, the scene has the left pane, too.
    """

    name: ClassVar[str]
    question: ClassVar[str]
    method: ClassVar[str]
    equation: ClassVar[tuple[Term, ...]] = ()
    inputs: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...]] = ()
    figures: ClassVar[tuple[FigureSlot, ...]] = ()
    fills: ClassVar[bool] = False

    def __init__(self, host: Host) -> None:
        self.host, self.settings = host, host.settings

    @cached_property
    def panels(self) -> list[FigurePanel]:
        """The figures, made when the step is opened: a page does not wait for those that it does not show."""
        return [FigurePanel(slot, self.host, self.summary, self.picker()) for slot in self.figures]

    def picker(self) -> Callable[[int], None] | None:
        """Action of a click on a named point of a figure; None: nothing."""
        return None

    def controls(self) -> Sequence[Any]:
        """The widgets of this step."""
        return controls(self.settings, *self.shown)

    def scene(self) -> Any | None:
        """The Panel object in the right pane; None: the figures."""
        return None

    def extras(self) -> Sequence[Any]:
        """Panel objects below the figures."""
        return ()

    def exports(self) -> list[tuple[FigureSpec, Any]]:
        """Figures and their requests that "Export all" saves."""
        return [(panel.spec, panel.request) for panel in self.panels if panel.request is not None]

    def summary(self) -> str:
        """The settings shown here in a line, as a pinned figure is named."""
        values = self.settings.pick(*self.shown)
        return ", ".join(
            f"{self.settings.param[name].label.split()[-1]} {value:g}"
            for name, value in values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        )

    def notice(self) -> str:
        """Remarks on the figures for the data set that is chosen (markdown)."""
        return ""

    def request(self) -> Hashable:
        """Request of the figures; raises `NotReady` when it cannot be made yet."""
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

    def work_key(self) -> Key | None:
        """The key of the long work that this step does for the present settings."""
        return None

    def poll(self) -> None:
        """Look after a job of this session; called a few times per second while it is under way."""


def sequence_request(step: Step) -> SequenceRequest:
    """The sequence and its negatives, as the settings say.

    Raises
    ------
    NotReady
        The negatives are to be adversarial and no adversary is trained yet (its training then begins).
    """
    settings, session = step.settings, step.host.session
    session.need_data()
    adversary = None
    if settings.negatives == "adversarial":
        request = AdversaryRequest.of(settings)
        adversary = (request, session.need_adversary(request))
    return SequenceRequest(
        DataRequest.of(settings),
        settings.stream,
        settings.sequence,
        adversary,
        settings.n_negatives,
        settings.seed,
        settings.negatives,
    )
