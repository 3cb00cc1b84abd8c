"""The film of a sequence: thumbnails of its recording, where the data have some, on the shared time line."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from acot_core.datasets import SequenceDataset
from acot_core.experiments.record import Record
from acot_core.figures import plot_pictures
from acot_core.figures.style import Theme

__all__ = ["FilmView", "film_values", "film_view", "plot_film"]

_QUALITY = 80  # of the JPEG files that the browser gets


@dataclass(kw_only=True)
class FilmView(Record):
    """Thumbnails of one sequence.

    Attributes
    ----------
    pictures : uint8 array (m, height, width, 3)
    rows : int array (m,)
        The frames that they show.
    picture_of : int array (n,)
        For each frame the picture that is nearest in time.
    """

    pictures: np.ndarray
    rows: np.ndarray
    picture_of: np.ndarray
    sequence: int
    class_name: str

    def to_frame(self) -> pd.DataFrame:
        """One row per frame: the frame that its picture shows."""
        return pd.DataFrame({"frame": np.arange(len(self.picture_of)), "shows": self.rows[self.picture_of]})


def film_view(dataset: SequenceDataset, stream: str, sequence: int) -> FilmView | None:
    """The film of one sequence; None where there are no thumbnails of it."""
    every = dataset.shown.thumbnails
    if every is None or not len(every[sequence].rows):
        return None
    pictures, rows = every[sequence]
    frames = np.arange(len(dataset.streams[stream][sequence]))
    return FilmView(
        pictures=pictures,
        rows=rows,
        picture_of=np.abs(frames[:, None] - rows[None]).argmin(1),
        sequence=sequence,
        class_name=dataset.class_names[dataset.labels[sequence]],
        config={"dataset": dataset.name, "stream": stream, "sequence": sequence},
    )


def film_values(record: FilmView) -> dict[str, Any]:
    """Values that a `Player` shows of a record."""
    return {
        "images": [_address(picture) for picture in record.pictures],
        "image_of": record.picture_of.tolist(),
        "title": f"Sequence {record.sequence}: {record.class_name}",
    }


def _address(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def plot_film(record: FilmView, *, theme: Theme = "light", width: str = "page", n_frames: int = 8) -> Figure:
    """A strip of the pictures, ``n_frames`` at most, each with the frame that it shows."""
    m = len(record.pictures)
    some = np.unique(np.round(np.linspace(0, m - 1, min(n_frames, m))).astype(int))
    name = f"Sequence {record.sequence}: {record.class_name}"
    captions = [f"t = {row}" for row in record.rows[some]]
    return plot_pictures({name: list(record.pictures[some])}, {name: captions}, theme=theme, width=width)
