"""Intervals and shares as small pictures, for the cells of a table and for cards: SVG, made without a chart library."""

from __future__ import annotations

import math
from base64 import b64encode

__all__ = ["as_data_uri", "domain_of", "interval_svg", "share_svg"]

_PAD = 4.0
"""Room at both sides, so that a dot at the end is whole."""


def domain_of(rows: list[tuple[float, float | None, float | None]], *, zero: bool = False) -> tuple[float, float]:
    """The ends of the axis that several cells share.

    Args:
        rows: Value, low and high of each; NaN and None do not count.
        zero: Whether 0 is on the axis.

    Example:
        >>> domain_of([(0.2, 0.1, 0.3), (0.25, None, None)])
        (0.1, 0.3)
    """
    ends = [each for row in rows for each in row if each is not None and math.isfinite(each)]
    ends += [0.0] if zero else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def interval_svg(
    value: float,
    low: float | None,
    high: float | None,
    *,
    domain: tuple[float, float],
    colour: str,
    ground: str,
    zero: bool = False,
    width: int = 120,
    height: int = 20,
) -> str:
    """A dot with its interval on the axis of its column.

    Args:
        value: Where the dot stands; nothing is drawn of NaN.
        low: Lower end; None where there is no interval.
        high: Upper end.
        domain: Ends of the axis.
        colour: Of the dot and the interval.
        ground: Of the axis.
        zero: Whether a line stands at 0.
        width: In pixels.
        height: In pixels.
    """

    def place(number: float) -> float:
        share = (number - domain[0]) / (domain[1] - domain[0])
        return round(_PAD + min(max(share, 0.0), 1.0) * (width - 2 * _PAD), 1)

    middle = height / 2
    parts = [f'<path d="M{_PAD} {middle}H{width - _PAD}" stroke="{ground}"/>']
    if zero and domain[0] <= 0 <= domain[1]:
        parts.append(f'<path d="M{place(0.0)} 2V{height - 2}" stroke="{ground}" stroke-width="1.5"/>')
    if math.isfinite(value):
        if low is not None and high is not None:
            parts.append(
                f'<path d="M{place(low)} {middle}H{place(high)}" stroke="{colour}" stroke-width="5" opacity=".4"/>'
            )
        parts.append(f'<circle cx="{place(value)}" cy="{middle}" r="3.5" fill="{colour}"/>')
    return _svg(width, height, parts)


def share_svg(share: float, *, colour: str, ground: str, width: int = 120, height: int = 20) -> str:
    """A share as a bar: the part in colour, the whole behind it."""
    part = round(min(max(share, 0.0), 1.0) * width, 1)
    top = height / 2 - 4
    return _svg(
        width,
        height,
        [
            f'<rect y="{top}" width="{width}" height="8" rx="2" fill="{ground}"/>',
            f'<rect y="{top}" width="{part}" height="8" rx="2" fill="{colour}"/>',
        ],
    )


def as_data_uri(svg: str) -> str:
    """A picture as an address, for the cell of a table."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _svg(width: int, height: int, parts: list[str]) -> str:
    inner = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'fill="none" aria-hidden="true">{inner}</svg>'
    )
