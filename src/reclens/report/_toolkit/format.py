"""Estimates and names as experiments write them: one way for plans, readouts, studies and their charts."""

from __future__ import annotations

from reclens.report._toolkit.tables import NOTHING, format_estimate
from reclens.stats.estimate import Estimate

__all__ = ["between", "in_words", "p_value", "rank", "share"]


def between(found: Estimate, *, signed: bool = True) -> str:
    """A number with its interval."""
    return format_estimate(vars(found), signed=signed)


def share(found: Estimate, *, signed: bool = True) -> str:
    """A share with its interval, such as ``+3.10% [+1.02%, +5.18%]``."""
    return format_estimate(vars(found), form="+.2%" if signed else ".0%")


def rank(found: Estimate) -> str:
    """A rank correlation with its interval, such as ``+0.97 [+0.88, +0.99]``."""
    return format_estimate(vars(found), form="+.2f")


def p_value(p: float) -> str:
    """A p-value with four digits, or ``< 0.0001``."""
    return NOTHING if p != p else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def in_words(metric: str) -> str:
    """The name of a metric of the world, such as ``expected clicks``."""
    return metric.replace("_", " ")
