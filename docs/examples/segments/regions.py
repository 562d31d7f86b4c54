"""Outlines and names of regions; a helper module, to show that a package may have some."""

from typing import NamedTuple

import numpy as np
from skimage import color, measure

HUES = [(15, "red"), (45, "orange"), (70, "yellow"), (170, "green"), (200, "cyan"), (260, "blue"), (300, "violet")]
HUES += [(345, "pink"), (361, "red")]  # name of each hue below so many degrees


class Region(NamedTuple):
    """One region of the picture."""

    name: str
    share: float
    """Part of the picture that it covers."""
    outline: list[tuple[float, float]]
    """Corners as (x, y) in pixels."""


def largest(labels: np.ndarray, picture: np.ndarray, count: int) -> list[Region]:
    """Return the `count` largest regions, largest first."""
    sizes = np.bincount(labels.ravel())
    found = []
    for label in np.argsort(-sizes)[: max(count, 0)]:
        mask = labels == label
        outline = _outline(mask)
        if len(outline) >= 3:
            found.append(Region(_tone(picture[mask].mean(axis=0)), float(sizes[label] / labels.size), outline))
    return found


def _outline(mask: np.ndarray) -> list[tuple[float, float]]:
    padded = np.pad(mask, 1)  # so that a region at the border is closed, too
    contours = measure.find_contours(padded.astype(float), 0.5)
    longest = measure.approximate_polygon(max(contours, key=len), tolerance=1.5)
    high, wide = mask.shape
    # find_contours counts from the middle of the first (padding) pixel
    return [(float(np.clip(x - 0.5, 0, wide)), float(np.clip(y - 0.5, 0, high))) for y, x in longest[:-1]]


def _tone(rgb: np.ndarray) -> str:
    hue, saturation, value = color.rgb2hsv(rgb.reshape(1, 1, 3)).ravel()
    if value < 0.2:
        return "black"
    if saturation < 0.15:
        return "white" if value > 0.8 else "gray"
    return next(name for below, name in HUES if hue * 360 < below)
