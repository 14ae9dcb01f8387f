"""The registry of indicators: each indicator is one decorated function."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import polars as pl

from reclens.errors import UnknownNameError, UsageError
from reclens.monitor.records import SERIES
from reclens.monitor.summary import Summary

__all__ = ["Family", "Indicator", "IndicatorInfo", "compute", "describe", "indicator", "names"]

Family = Literal["traffic", "response", "ranking", "exposure", "model", "data", "pipeline", "space", "fairness"]
Scale = Literal["logit", "log", "identity"]
Bad = Literal["up", "down", "both"]

Indicator = Callable[[Summary], pl.DataFrame | None]
"""Rows ``dimension, slice, value`` and some of ``error, numerator, denominator, n``; None where it is not measured."""

_ROWS: Final = {name: kind for name, kind in SERIES.items() if name not in ("day", "indicator")}


@dataclass(frozen=True, kw_only=True)
class IndicatorInfo:
    """What an indicator is.

    Attributes:
        name: Its name, such as ``"ctr"``.
        caption: Display name.
        unit: ``"share"`` of 0 … 1, ``"count"``, ``"ms"``, ``"days"``, ``"hours"``, ``"bits"``, ``"ratio"`` or "".
        scale: Scale on which its noise is approximately constant.
        direction: Which direction is bad.
        family: What it is about.
        definition: Its docstring.
        drifts: Whether slow drift is judged; False for values that grow steadily.
    """

    name: str
    caption: str
    unit: str
    scale: Scale
    direction: Bad
    family: Family
    definition: str
    drifts: bool = True

    @property
    def summary(self) -> str:
        """The first line of the definition."""
        return self.definition.split("\n", 1)[0]


_REGISTERED: dict[str, tuple[IndicatorInfo, Indicator]] = {}


def indicator(
    *, caption: str, unit: str, scale: Scale, direction: Bad, family: Family, drifts: bool = True
) -> Callable[[Indicator], Indicator]:
    """Register a function as an indicator under its name, for the CLI, docs, page and report.

    The function takes a :class:`~reclens.monitor.summary.Summary` and returns ``dimension, slice, value`` and, where
    they exist, ``error, numerator, denominator, n``. Its docstring is the displayed definition.

    Raises:
        UsageError: If the name is taken by another function.
    """

    def register(function: Indicator) -> Indicator:
        name = getattr(function, "__name__", "indicator")
        taken = _REGISTERED.get(name)
        if taken is not None and taken[1].__module__ != function.__module__:
            raise UsageError(f"an indicator named '{name}' exists already, in {taken[1].__module__}: choose another.")
        definition = re.sub(r":\w+:`~?([^`]+)`", r"\1", inspect.getdoc(function) or "").replace("``", "")
        info = IndicatorInfo(
            name=name,
            caption=caption,
            unit=unit,
            scale=scale,
            direction=direction,
            family=family,
            definition=definition,
            drifts=drifts,
        )
        _REGISTERED[name] = (info, function)
        return function

    return register


def _registered() -> Mapping[str, tuple[IndicatorInfo, Indicator]]:
    _find(tuple(importlib.import_module("reclens.monitor.indicators").__path__))
    return _REGISTERED


@cache
def _find(folders: tuple[str, ...]) -> None:
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"reclens.monitor.indicators.{module.name}")


def names() -> list[str]:
    """The names of all indicators, in alphabetical order."""
    return sorted(_registered())


def describe(name: str) -> IndicatorInfo:
    """What an indicator is.

    Raises:
        UnknownNameError: If no indicator has this name.

    Example:
        >>> describe("ctr").scale
        'logit'
    """
    known = _registered()
    if name not in known:
        raise UnknownNameError("indicator", name, known)
    return known[name][0]


def compute(summary: Summary, *, only: tuple[str, ...] | None = None) -> pl.DataFrame:
    """The series of a summary: every indicator that can be measured, by slice.

    Args:
        summary: A day, or several: the day of the rows is the last of them.
        only: Names of the indicators; None for all.

    Returns:
        The columns of :data:`~reclens.monitor.records.SERIES`.

    Raises:
        UnknownNameError: If one of ``only`` does not exist.
    """
    known = _registered()
    for name in only or ():
        describe(name)
    day, parts = summary.days[-1], []
    for name in sorted(only or known):
        rows = known[name][1](summary)
        if rows is None or rows.is_empty():
            continue
        own: Any = {"day": pl.lit(day), "indicator": pl.lit(name)}
        for column, kind in _ROWS.items():
            given = (pl.col(column) if column in rows.columns else pl.lit(None)).cast(kind)
            # What cannot be computed is null: never NaN, which breaks comparisons.
            own[column] = given.fill_nan(None) if kind == pl.Float64 else given
        parts.append(rows.select(own[column].alias(column) for column in SERIES))
    return pl.concat(parts) if parts else pl.DataFrame(schema=SERIES)
