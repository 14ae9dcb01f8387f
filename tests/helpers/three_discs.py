"""A map of three discs of points, one a genre, as tests of the browser draw it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

GENRES = ("drama", "comedy", "horror")
CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 8.0]])
PAPER, BLUE, ORANGE, GREEN = (255, 255, 255), (0, 114, 178), (213, 94, 0), (0, 122, 90)
"""The ground and the colours of the three genres on it: drama is the largest, then comedy, then horror."""


def points():
    """Three discs of 60, 50 and 40 points; the place of a point in its disc by the golden angle."""
    parts = []
    for centre, n in zip(CENTRES, (60, 50, 40), strict=True):
        at = np.arange(n)
        angle, radius = at * 2.399963, np.sqrt((at + 0.5) / n)
        parts.append(centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
    return np.concatenate(parts)


GENRE = np.repeat(GENRES, (60, 50, 40))


def opened(page, file: Path) -> None:
    page.goto(file.as_uri())
    page.locator(".pm-status").wait_for(timeout=30_000)
    drawn(page)


def drawn(page) -> None:
    """Wait until a search has been made and two frames have been drawn."""
    page.wait_for_timeout(250)
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def middle(page, genre: str) -> tuple[float, float]:
    """Where the first point of a genre, next to the middle of its disc, is on the canvas of the first view."""
    at = GENRE.tolist().index(genre)
    return tuple(page.evaluate(f"() => {{ const r = map.views[0].renderer; return r.toScreen(...r.placeOf({at})); }}"))
