"""The octant's figures: themes and widths, and what is drawn is what the record holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acot_core.experiments import octant_classes, octant_sequence, octant_view, train_on_octant
from acot_core.experiments.views.disk import to_disk
from acot_core.figures import plot_octant, plot_octant_classes, render
from acot_core.figures.style import WIDTHS


@pytest.fixture(scope="module")
def view():
    frames = octant_sequence()
    return octant_view(frames, frames.flip(1), size=31)


@pytest.fixture(scope="module")
def classes():
    return octant_classes(train_on_octant(n_iter=20, every=20)[1][-1].generator, n_sequences=8)


@pytest.mark.parametrize("name", ["view", "classes"])
def test_both_themes_and_all_widths(name, request):
    record = request.getfixturevalue(name)
    plot = {"view": plot_octant, "classes": plot_octant_classes}[name]
    pictures = set()
    for theme in ("light", "dark"):
        for width in WIDTHS:
            figure = plot(record, theme=theme, width=width)
            assert figure.get_figwidth() == WIDTHS[width]
            assert all(ax.get_xlabel() or ax.get_ylabel() for ax in figure.axes)
            pictures.add(render(figure, "png", dpi=50))
    assert len(pictures) == 6


def test_the_disk_shows_the_record(view):
    disk, energies, terms = plot_octant(view).axes
    (image,) = disk.images
    np.testing.assert_array_equal(image.get_array().filled(np.nan), view.landscape)
    star = next(line for line in disk.lines if line.get_label() == "U")
    end = torch.tensor(view.path[["x", "y", "z"]].to_numpy()[-1:])
    np.testing.assert_allclose(star.get_xydata(), to_disk(end))
    shown = {line.get_label(): line.get_ydata() for line in (*energies.lines, *terms.lines)}
    np.testing.assert_array_equal(shown["ACOT"], view.energies["acot"])
    np.testing.assert_array_equal(shown["objective"], view.path["value"])
    np.testing.assert_allclose(
        shown["objective"], shown["− contrast"] + shown["β₁ · distortion"] + shown["β₂ · order"]
    )


def test_every_sequence_is_a_point(classes):
    for ax, name in zip(plot_octant_classes(classes).axes, ("average", "pca", "acot"), strict=True):
        drawn = np.concatenate([points.get_offsets() for points in ax.collections])
        order = np.argsort(classes.labels, kind="stable")
        np.testing.assert_allclose(drawn, to_disk(torch.from_numpy(getattr(classes, name)[order]).double()))
        assert f"{classes.accuracies[name]:.0%}" in ax.get_xlabel()
