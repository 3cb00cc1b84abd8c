"""`shapes`: generated 32 x 32 colour images, ten classes of objects on textured backgrounds (Sec. 4.3).

It stands in for CIFAR-10 where that is missing: the object is known by its outline alone, since colour,
size, place, tilt and background say nothing about the class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIZE, _OVERSAMPLING = 32, 3
_Array = NDArray[np.floating[Any]]


def _polygon(n: int, x: _Array, y: _Array, star: float = 1.0) -> _Array:
    """Signed height inside a regular polygon with n corners; ``star`` < 1 pulls the edges' middles in."""
    angle = np.arctan2(x, y) * n / (2 * np.pi)
    angle = np.abs(angle - np.round(angle)) * 2 * np.pi / n  # 0 at a corner, pi / n between two
    radius = np.hypot(x, y)
    # Each edge runs from a corner at radius 1 to the middle at radius star * cos(pi / n).
    mx, my = np.sin(np.pi / n) * star * np.cos(np.pi / n), np.cos(np.pi / n) ** 2 * star
    px, py = radius * np.sin(angle), radius * np.cos(angle)
    return (mx - (px * (1 - my) + mx * py)).astype(np.float32)


SHAPES: dict[str, Callable[[_Array, _Array], _Array]] = {
    "disc": lambda x, y: 0.8 - np.hypot(x, y),
    "ring": lambda x, y: 0.2 - np.abs(np.hypot(x, y) - 0.65),
    "square": lambda x, y: 0.7 - np.maximum(np.abs(x), np.abs(y)),
    "triangle": lambda x, y: _polygon(3, x, y),
    "star": lambda x, y: _polygon(5, x, y, 0.55),
    "cross": lambda x, y: np.maximum(
        np.minimum(0.25 - np.abs(x), 0.85 - np.abs(y)), np.minimum(0.25 - np.abs(y), 0.85 - np.abs(x))
    ),
    "crescent": lambda x, y: np.minimum(0.85 - np.hypot(x, y), np.hypot(x - 0.45, y) - 0.65),
    "heart": lambda x, y: (
        -((1.5 * x * x + 1.5 * y * y - 0.6) ** 3 - 2.6 * x * x * np.sign(y) * np.abs(y) ** 3)
    ),
    "arrow": lambda x, y: np.maximum(
        np.minimum(0.22 - np.abs(x), np.minimum(0.1 - y, y + 0.85)),
        np.minimum(0.85 - y - 1.15 * np.abs(x), y + 0.0),
    ),
    "hourglass": lambda x, y: np.minimum(np.abs(y) * 0.85 + 0.06 - np.abs(x), 0.75 - np.abs(y)),
}
"""Class name -> a function of the plane that is positive inside the object, which fills the unit disc."""


def draw_shapes(labels: NDArray[np.int64], random_state: np.random.Generator) -> NDArray[np.uint8]:
    """Images (N, 3, 32, 32), uint8, of the classes ``labels`` (N,) index in `SHAPES`."""
    parts = np.array_split(labels, max(len(labels) // 250, 1))
    return np.concatenate([_draw(chunk, random_state) for chunk in parts])


def _draw(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    n, side = len(labels), _SIZE * _OVERSAMPLING

    def uniform(low: float, high: float, *shape: int) -> _Array:
        return rng.uniform(low, high, (n, *(shape or (1, 1)))).astype(np.float32)

    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    radius, tilt = uniform(0.42, 0.72), uniform(-0.45, 0.45)
    dx, dy = axis - uniform(-0.28, 0.28), axis[:, None] - uniform(-0.28, 0.28)
    x = (np.cos(tilt) * dx + np.sin(tilt) * dy) / radius
    y = (np.sin(tilt) * dx - np.cos(tilt) * dy) / radius  # upwards
    inside = np.empty((n, side, side), np.float32)
    for k, shape in enumerate(SHAPES.values()):
        rows = labels == k
        inside[rows] = shape(x[rows], y[rows]) > 0
    cover = inside.reshape(n, _SIZE, _OVERSAMPLING, _SIZE, _OVERSAMPLING).mean((2, 4))[:, None]

    # Two colours on either side of middle grey, the object's being the brighter one in half of the images.
    bright = np.where(uniform(0, 1) < 0.5, 1, -1)[:, None] * uniform(0.16, 0.32, 1, 1, 1)
    hues = uniform(-0.16, 0.16, 2, 3, 1, 1)
    hues -= hues.mean(2, keepdims=True)
    ground = 0.5 - bright + hues[:, 0] + 0.16 * _texture(n, rng)
    light = (axis[_OVERSAMPLING // 2 :: _OVERSAMPLING] * uniform(-1, 1, 1, 1, 1)).astype(np.float32)
    figure = 0.5 + bright + hues[:, 1] + 0.07 * light + 0.05 * _texture(n, rng)
    pixels = cover * figure + (1 - cover) * ground
    pixels += rng.normal(0, 0.015, pixels.shape)
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _texture(n: int, rng: np.random.Generator) -> _Array:
    """Textures (n, 3, 32, 32) of about unit range: a plane wave over smooth noise of two scales."""
    axis = np.arange(_SIZE, dtype=np.float32) / _SIZE
    high = np.array([np.pi, 7, 2 * np.pi])[:, None, None, None]
    angle, cycles, phase = rng.uniform(0, high, (3, n, 1, 1)).astype(np.float32)
    wave = np.sin(2 * np.pi * cycles * (np.cos(angle) * axis + np.sin(angle) * axis[:, None]) + phase)
    texture = 0.5 * wave[:, None] * rng.uniform(-1, 1, (n, 3, 1, 1))
    for cells, weight in ((4, 0.6), (9, 0.5)):
        knots = rng.normal(0, 1, (n, 3, cells, cells))
        at = np.linspace(0, cells - 1, _SIZE)
        low = np.minimum(at.astype(int), cells - 2)
        blend = np.zeros((_SIZE, cells))
        blend[np.arange(_SIZE), low], blend[np.arange(_SIZE), low + 1] = 1 - (at - low), at - low
        texture = texture + weight * (blend @ knots @ blend.T)  # (32, c) @ (n, 3, c, c) @ (c, 32)
    return texture.astype(np.float32)
