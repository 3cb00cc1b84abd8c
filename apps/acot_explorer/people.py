"""The person of a sequence, with its negatives as ghosts, as a figure that several steps show."""

from __future__ import annotations

from dataclasses import dataclass

from acot_core.experiments.views.one_sequence import transport_study
from acot_core.experiments.views.person import PersonView, person_view
from acot_core.figures.person import plot_person
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.living.player import Person
from acot_explorer.render import FigureSpec
from acot_explorer.sequences import frames_of, negatives_of
from acot_explorer.session import NotReady
from acot_explorer.store import load_dataset

__all__ = ["PERSON", "PersonRequest", "person_slot"]


@dataclass(frozen=True)
class PersonRequest:
    """A sequence; with the transport solver where its negatives are to be shown."""

    sequence: SequenceRequest
    method: str | None = None


def _person(request: PersonRequest) -> PersonView:
    at = request.sequence
    dataset = load_dataset(at.data)
    if request.method is None:
        view = person_view(dataset, at.stream, at.index)
    else:
        negatives = negatives_of(at)
        plan = transport_study(frames_of(at), negatives, method=request.method).plan
        view = person_view(dataset, at.stream, at.index, negatives, plan)
    if view is None:
        raise NotReady("These data have no joints: there is no person to show.")
    return view


def _describe(view: PersonView) -> str:
    ghosts = "; negatives as the nearest real frames behind it" if view.ghosts.shape[1] else ""
    return f"A stick figure, {view.class_name}, over {len(view.joints)} frames{ghosts}"


PERSON = FigureSpec("person", _person, plot_person, _describe)


def person_slot(title: str, *, first: bool = False) -> FigureSlot:
    """The person in a step; not there without joints."""
    return FigureSlot(PERSON, title, lambda host: Person(), optional=True, basis="1 1 300px", first=first)
