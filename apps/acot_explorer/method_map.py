"""The steps of the method, and their map (after Fig. 1 of the paper) as a drawing.

Data flow from left to right, X and Y meet in the transport plan, the plan shapes the subspace, the subspace
is classified; the last places look at the result.
"""

from __future__ import annotations

from acot_core.figures.style import ROLES

__all__ = ["FLOWS", "STEPS", "map_svg"]

STEPS: dict[str, str] = {
    "play": "Play",
    "data": "Data",
    "adversary": "Adversary",
    "transport": "Transport",
    "subspace": "Subspace",
    "classification": "Classification",
    "sensitivity": "Sensitivity",
    "embedding": "Embedding",
    "images": "Images",
    "results": "Paper",
}
"""Name and title of each step, in the order of the method."""

FLOWS = {"data": "X", "adversary": "Y", "transport": "π", "subspace": "U"}
"""What a step hands on to the next."""

_STYLE = """<style>
.map { color: var(--mui-palette-text-primary, #222); --ink: currentColor; --paper: transparent; }
.map svg { width: 100%; height: auto; } .map .box { fill: none; stroke: currentColor; stroke-opacity: .4; }
.map .name { font: 500 17px Roboto, sans-serif; fill: currentColor; }
.map .flow { font: italic 16px Georgia, serif; fill: currentColor; }
.map .arrow { fill: none; stroke: currentColor; stroke-opacity: .6; stroke-width: 1.4; }
.map .tip { fill: currentColor; } .map .gap { fill: var(--mui-palette-background-paper, #fff); }</style>"""

_CELL, _BOX, _HEIGHT = 150, 122, 150
_POS, _NEG, _NOISE = ROLES["positives"], ROLES["negatives"], ROLES["noise"]
_SUB, _BASE = ROLES["subspace"], ROLES["baseline"]


def map_svg() -> str:
    """The drawing as SVG, in the colour of the text around it."""
    drawn = [name for name in STEPS if name in _ART]
    width = _CELL * len(drawn)
    arrows = "".join(_arrow(i, FLOWS.get(name, "").replace("X", "x")) for i, name in enumerate(drawn[:5]))
    return (
        f'{_STYLE}<svg viewBox="0 0 {width} {_HEIGHT}" role="img" aria-label="The method as a map: '
        f'{", ".join(STEPS[name] for name in drawn)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
        + _bypass()
        + arrows
        + "".join(_place(i, name) for i, name in enumerate(drawn))
        + "</svg>"
    )


def _place(index: int, name: str) -> str:
    left = _CELL * index + (_CELL - _BOX) / 2
    return (
        f'<g transform="translate({left} 24)"><rect class="box" width="{_BOX}" height="86" rx="9"/>'
        f'<g transform="translate(11 9)">{_ART[name]}</g>'
        f'<text class="name" x="{_BOX / 2}" y="109" text-anchor="middle">{STEPS[name]}</text></g>'
    )


def _arrow(index: int, symbol: str) -> str:
    start = _CELL * index + (_CELL + _BOX) / 2 + 3
    stop = _CELL * (index + 1) + (_CELL - _BOX) / 2 - 3
    label = f'<text class="flow" x="{(start + stop) / 2}" y="60" text-anchor="middle">{symbol}</text>'
    return f'<path class="arrow" marker-end="url(#tip)" d="M{start} 68H{stop}"/>' + (label if symbol else "")


def _bypass() -> str:
    """The positives X pass by the adversary to the plan and to the subspace."""
    start, first, second = _CELL * 0.5, _CELL * 2.5, _CELL * 3.5
    return (
        f'<path class="arrow" marker-end="url(#tip)" d="M{start} 24V14Q{start} 8 {start + 8} 8H{second - 8}'
        f'Q{second} 8 {second} 14V22"/><path class="arrow" marker-end="url(#tip)" d="M{first} 8V22"/>'
        f'<rect class="gap" x="{_CELL - 11}" y="0" width="22" height="16"/>'
        f'<text class="flow" x="{_CELL}" y="13" text-anchor="middle">X</text>'
    )


def _data() -> str:
    frames = "".join(
        f'<rect x="{4 + 7 * i}" y="{18 - 4 * i}" width="32" height="30" rx="3" fill="var(--paper)" '
        f'stroke="var(--ink)" stroke-opacity="{0.45 + 0.18 * i}"/>'
        for i in range(4)
    )
    heights = (9, 22, 14, 30, 18)
    bars = "".join(
        f'<rect x="{68 + 7 * i}" y="{58 - h}" width="5" height="{h}" fill="{_POS}" '
        f'opacity="{0.5 + 0.1 * i}"/>'
        for i, h in enumerate(heights)
    )
    figure = (
        '<circle cx="40" cy="16" r="3.6" fill="none" stroke="var(--ink)"/>'
        '<path d="M40 20V29M33 24L40 22L47 25M35 36L40 29L45 36" fill="none" stroke="var(--ink)"/>'
    )
    return frames + figure + bars


def _adversary() -> str:
    noise = ((8, 14), (14, 30), (6, 44), (18, 54), (22, 20), (12, 62), (24, 42))
    spots = "".join(f'<circle cx="{x}" cy="{y}" r="2.6" fill="{_NOISE}"/>' for x, y in noise)
    net = "".join(
        f'<path d="M34 {a}L54 {b}M54 {b}L72 {c}" stroke="var(--ink)" stroke-opacity=".28"/>'
        for a in (16, 34, 52)
        for b in (10, 26, 42, 58)
        for c in (22, 46)
    )
    nodes = "".join(
        f'<circle cx="{x}" cy="{y}" r="3.2" fill="var(--paper)" stroke="var(--ink)"/>'
        for x, ys in ((34, (16, 34, 52)), (54, (10, 26, 42, 58)), (72, (22, 46)))
        for y in ys
    )
    bars = "".join(
        f'<rect x="{80 + 6 * i}" y="{50 - h}" width="4.4" height="{h}" fill="{_NEG}"/>'
        for i, h in enumerate((20, 11, 26))
    )
    return spots + net + nodes + bars


def _transport() -> str:
    left = ((12, 10), (8, 24), (14, 38), (8, 52), (13, 64))
    right = ((86, 6), (92, 19), (86, 33), (93, 47), (87, 60))
    pairs = ((0, 1, 2.4), (0, 0, 1.0), (1, 0, 2.0), (2, 2, 2.6), (2, 3, 1.0), (3, 4, 2.2), (4, 3, 2.2))
    lines = "".join(
        f'<path d="M{left[i][0]} {left[i][1]}C45 {left[i][1]} 55 {right[j][1]} {right[j][0]} {right[j][1]}" '
        f'fill="none" stroke="var(--ink)" stroke-opacity=".45" stroke-width="{w}"/>'
        for i, j, w in pairs
    )
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="4.2" fill="{_POS}"/>' for x, y in left)
    squares = "".join(
        f'<rect x="{x - 3.8}" y="{y - 3.8}" width="7.6" height="7.6" fill="{_NEG}"/>' for x, y in right
    )
    return lines + dots + squares


def _subspace() -> str:
    plane = f'<path d="M4 52L62 64L96 36L38 26Z" fill="{_SUB}" fill-opacity=".22" stroke="{_SUB}"/>'
    points = ((26, 20, 47), (44, 12, 46), (58, 6, 45), (74, 2, 42))
    drops = "".join(
        f'<path d="M{x} {a}V{b}" stroke="var(--ink)" stroke-opacity=".5" stroke-dasharray="2 2"/>'
        f'<circle cx="{x}" cy="{a}" r="3.6" fill="{_POS}"/><circle cx="{x}" cy="{b}" r="2.4" fill="{_SUB}"/>'
        for x, a, b in points
    )
    return plane + drops + f'<path d="M18 52L86 41" stroke="{_SUB}" stroke-width="2"/>'


def _classification() -> str:
    first = ((16, 14), (30, 8), (24, 26), (12, 34), (38, 20))
    second = ((64, 58), (78, 44), (88, 58), (74, 62), (92, 38), (60, 44))
    return (
        f'<path d="M6 62Q46 52 90 6" fill="none" stroke="{_SUB}" stroke-width="2"/>'
        + "".join(f'<circle cx="{x}" cy="{y}" r="4" fill="{_POS}"/>' for x, y in first)
        + "".join(f'<path d="M{x} {y - 5}L{x + 5} {y + 4}H{x - 5}z" fill="{_BASE}"/>' for x, y in second)
    )


def _sensitivity() -> str:
    return (
        '<path d="M8 4V60H96" fill="none" stroke="var(--ink)" stroke-opacity=".6"/>'
        f'<path d="M12 52C30 20 46 14 58 16S82 28 94 26V44C82 44 70 32 58 32S30 40 12 62z" fill="{_SUB}" '
        'fill-opacity=".22"/>'
        f'<path d="M12 56C30 30 46 22 58 24S82 36 94 34" fill="none" stroke="{_SUB}" stroke-width="2"/>'
        f'<path d="M8 46H96" stroke="{_BASE}" stroke-dasharray="4 3"/>'
        f'<path d="M62 8V60" stroke="var(--ink)" stroke-dasharray="2 2"/>'
    )


def _embedding() -> str:
    groups = (
        (_POS, ((14, 14), (22, 8), (26, 18), (16, 24))),
        (_SUB, ((70, 12), (80, 8), (84, 20), (74, 22), (92, 14))),
        (_BASE, ((30, 52), (38, 46), (44, 56), (34, 60))),
        (_NOISE, ((76, 50), (86, 46), (90, 58), (80, 60))),
    )
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="3.6" fill="{color}"/>' for color, spots in groups for x, y in spots
    )


def _images() -> str:
    def tile(x: int, inner: str) -> str:
        return (
            f'<rect x="{x}" y="18" width="30" height="30" rx="3" fill="var(--paper)" '
            f'stroke="var(--ink)"/>{inner}'
        )

    cat = '<path d="M{0} 42V30l3-5 4 4h6l4-4 3 5v12z" fill="var(--ink)" fill-opacity=".75"/>'
    specks = "".join(
        f'<rect x="{{}}" y="{y}" width="3.4" height="3.4" fill="{_NOISE}"/>' for y in (24, 29, 34, 39)
    )
    places = ((6, 15, 11, 19), (41, 50, 46, 54), (76, 85, 81, 89))
    noise = [specks.format(*row) for row in places]
    return (
        tile(0, cat.format(5))
        + tile(35, cat.format(40) + noise[1])
        + tile(70, noise[2])
        + f'<text class="op" x="32.5" y="37" text-anchor="middle" fill="{_NEG}">−</text>'
    )


_ART = {
    "data": _data(),
    "adversary": _adversary(),
    "transport": _transport(),
    "subspace": _subspace(),
    "classification": _classification(),
    "sensitivity": _sensitivity(),
    "embedding": _embedding(),
    "images": _images(),
}
