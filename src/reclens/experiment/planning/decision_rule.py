"""Thresholds of the decision rule; ``reclens.report.experiment`` writes the rule out."""

from __future__ import annotations

from typing import Final

__all__ = ["LEAST_POWER", "SKEWED", "TOO_SKEWED"]

SKEWED: Final = 0.3  # from here on a test without the correction is wrong in 8 to 10 % of A/A tests instead of 5
"""Skewness of a difference that is mentioned."""

TOO_SKEWED: Final = 0.6
"""Skewness of a difference beyond which nothing is decided."""

LEAST_POWER: Final = 0.5
"""Power for the smallest effect worth finding below which there is no decision.

At a power of one half a significant effect is 1.4 times too large on average (Gelman and Carlin 2014). With more
than this and less than the planned power a decision stands, and a caveat beside it: its false positives are as planned.
"""
