"""Protocol of the page: all that a step may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from acot_core.datasets import SequenceDataset
from acot_explorer.cache_keys import DataRequest
from acot_explorer.render import FigureSpec
from acot_explorer.session import Session
from acot_explorer.state import Settings

__all__ = ["Host"]


class Host(Protocol):
    """The page as its steps, figures and upload see it; `acot_explorer.page.Explorer` is one."""

    settings: Settings
    session: Session

    @property
    def dark(self) -> bool:
        """Whether the theme is the dark one."""

    @property
    def drawing(self) -> bool:
        """Whether figures are being made at the moment."""

    def refresh(self, *, awaited: bool = True) -> None:
        """Draw the open step's figures anew; ``awaited``: long work pauses for them."""

    async def in_background(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the figures' thread pool."""

    async def locked(self, function: Callable[[], Any]) -> Any:
        """Run a quick function as the document's next callback, in order with all other changes."""

    async def export(self, spec: FigureSpec, request: Any, format: str) -> None:
        """Make the browser save a figure (png, svg, pdf) or its data (csv)."""

    def notify(self, text: str, kind: str = "info") -> None:
        """Show a short message in the corner."""

    def send_file(self, name: str, content: bytes) -> None:
        """Make the browser save a file."""

    def adopt_upload(self, request: DataRequest, dataset: SequenceDataset, name: str) -> None:
        """Make an uploaded data set the one that is shown."""
