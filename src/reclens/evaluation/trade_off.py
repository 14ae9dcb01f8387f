"""What accuracy is traded for, and which systems no other one beats on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reclens.evaluation.results import Evaluation
from reclens.metrics.registry import direction, family_of, preferred_side

__all__ = ["TradeOff", "other_sides", "pareto_front", "trade_off"]


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """Two metrics of several systems.

    Attributes:
        x: One metric.
        y: The other one.
        points: System -> both values.
        front: The systems that no other one beats on both sides, by ``x`` upwards.
        x_more: Whether the front is drawn towards more of ``x``.
        y_more: Whether it is drawn towards more of ``y``.
        by_convention: The metrics that have no better direction, so that the side of the front is a convention.
    """

    x: str
    y: str
    points: Mapping[str, tuple[float, float]]
    front: tuple[str, ...]
    x_more: bool
    y_more: bool
    by_convention: tuple[str, ...]

    def inside(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[str, ...]:
        """The systems whose values lie within both ranges, ends included."""
        return tuple(name for name, (a, b) in self.points.items() if x[0] <= a <= x[1] and y[0] <= b <= y[1])


def trade_off(results: Mapping[str, Evaluation], x: str, y: str) -> TradeOff:
    """Hold two metrics of systems against each other.

    A metric without a better direction has a side by convention: less concentration, less popular, more novel items.

    Raises:
        UnknownNameError: If one of them was not measured.
    """
    points = {name: (each[x].overall.value, each[y].overall.value) for name, each in results.items()}
    sides = preferred_side(x), preferred_side(y)
    undirected = tuple(metric for metric in (x, y) if direction(metric) is None)
    return TradeOff(
        x=x,
        y=y,
        points=points,
        front=pareto_front(points, more=sides),
        x_more=sides[0],
        y_more=sides[1],
        by_convention=undirected,
    )


def pareto_front(
    points: Mapping[str, tuple[float, float]], *, more: tuple[bool, bool] = (True, True)
) -> tuple[str, ...]:
    """The names that no other one beats: none is at least as good on both sides and better on one.

    Args:
        points: Name -> both values; names with NaN are left out.
        more: For each side whether more is better.

    Returns:
        The names, the first value upwards.

    Example:
        >>> pareto_front({"a": (1.0, 3.0), "b": (2.0, 2.0), "c": (1.0, 2.0), "d": (3.0, 1.0)})
        ('a', 'b', 'd')
    """
    signs = tuple(1.0 if side else -1.0 for side in more)
    signed = {name: (signs[0] * x, signs[1] * y) for name, (x, y) in points.items() if x == x and y == y}
    front = [
        name
        for name, (x, y) in signed.items()
        if not any(a >= x and b >= y and (a > x or b > y) for a, b in signed.values())
    ]
    return tuple(sorted(front, key=lambda name: points[name]))


def other_sides(metrics: Sequence[str], x: str) -> list[str]:
    """The metrics that stand for another side than ``x``: one of each kind of the other families, in order."""
    kinds: dict[str, str] = {}
    for metric in metrics:
        if family_of(metric) != family_of(x):
            kinds.setdefault(metric.partition("@")[0], metric)
    return list(kinds.values())
