"""Figure 4: t-SNE of frames with their negatives, and of three representations of sequences."""

from __future__ import annotations

from matplotlib.figure import Figure

from acot_core.experiments.figure4 import PANELS, EmbeddingRecord
from acot_core.figures.style import CLASS_COLORS, Theme, drawing, new_figure, panel_label

_MARKERS = ("o", "s", "^", "D")


def plot_embedding(record: EmbeddingRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Panels (a)-(d), one colour per class, with silhouette and neighbour purity under each."""
    points = record.points
    panels = [name for name in PANELS if (points["panel"] == name).any()]
    quality = record.quality.set_index("panel")
    classes = sorted(points["label"].unique())
    rank = {label: i for i, label in enumerate(classes)}
    names = dict(zip(points["label"], points["class_name"], strict=True))
    rows, columns = (2, 2) if width == "column" else (1, len(panels))
    with drawing(theme) as ink:
        figure, axes = new_figure(rows, columns, width=width, aspect=1.4)
        for letter, ax, name in zip("abcd", axes, panels, strict=False):
            for (label, kind), group in points[points["panel"] == name].groupby(["label", "kind"]):
                place = rank[label]
                ax.scatter(
                    group["x"], group["y"], s=9, linewidths=0.6, alpha=0.8,
                    color=CLASS_COLORS[place % len(CLASS_COLORS)],
                    marker="x" if kind == "negative" else _MARKERS[place // len(CLASS_COLORS) % 4],
                )  # fmt: skip
            measures = quality.loc[name]
            panel_label(ax, letter, PANELS[name])
            ax.set_xlabel(
                f"t-SNE 1\nsilhouette {round(measures['silhouette'], 2) + 0.0:.2f}\n"
                f"purity {measures['purity']:.2f}, n = {measures['n_points']:.0f}"
            )
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(visible=False)
        for ax in axes[::columns]:
            ax.set_ylabel("t-SNE 2")
        first = axes[0]
        for label in classes:
            place = rank[label]
            first.scatter(
                [], [], s=12, color=CLASS_COLORS[place % len(CLASS_COLORS)], label=names[label],
                marker=_MARKERS[place // len(CLASS_COLORS) % 4],
            )  # fmt: skip
        first.scatter([], [], s=12, color=ink.muted, marker="o", label="frame or sequence")
        first.scatter([], [], s=12, color=ink.muted, marker="x", label="adversarial negative")
        handles, labels = first.get_legend_handles_labels()
        columns = _legend_columns(labels, figure.get_figwidth())
        figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, handletextpad=0.2, columnspacing=0.8
        )
    return figure


def _legend_columns(labels: list[str], width: float) -> int:
    """The most columns that fit in ``width`` inches, when the legend fills one column after the other."""
    for columns in range(len(labels), 1, -1):
        rows = -(-len(labels) // columns)
        longest = [max(map(len, labels[i : i + rows])) for i in range(0, len(labels), rows)]
        if sum(0.068 * letters + 0.25 for letters in longest) <= width:
            return len(longest)
    return 1
