"""Who or what moves in a sequence, as a figure of several steps: a person with ghosts, or a film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from acot_core.experiments.views.one_sequence import transport_study
from acot_core.experiments.views.person import PersonView, person_view
from acot_core.figures.person import plot_person
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.film import FilmView, film_view, plot_film
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


def _person(request: PersonRequest) -> PersonView | FilmView:
    at = request.sequence
    dataset = load_dataset(at.data)
    film = film_view(dataset, at.stream, at.index)
    if film is not None:
        return film
    if request.method is None:
        view = person_view(dataset, at.stream, at.index)
    else:
        negatives = negatives_of(at)
        plan = transport_study(frames_of(at), negatives, method=request.method).plan
        view = person_view(dataset, at.stream, at.index, negatives, plan)
    if view is None:
        raise NotReady("These data have neither joints nor pictures: there is nobody to show.")
    return view


def _plot(view: PersonView | FilmView, **style: Any) -> Figure:
    return plot_film(view, **style) if isinstance(view, FilmView) else plot_person(view, **style)


def _describe(view: PersonView | FilmView) -> str:
    if isinstance(view, FilmView):
        return f"A film, {view.class_name}: {len(view.pictures)} pictures for {len(view.picture_of)} frames"
    ghosts = "; negatives as the nearest real frames behind it" if view.ghosts.shape[1] else ""
    return f"A stick figure, {view.class_name}, over {len(view.joints)} frames{ghosts}"


PERSON = FigureSpec("person", _person, _plot, _describe)


def person_slot(title: str, *, first: bool = False) -> FigureSlot:
    """The person or the film in a step; not there without joints and pictures."""
    return FigureSlot(PERSON, title, lambda host: Person(), optional=True, basis="1 1 300px", first=first)
