"""Detect the share of a day that is logged in the hours of another time zone."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["HOURS", "NOISE", "shift_signal"]

HOURS: Final = 24
_HALF: Final = 0.5
_LEAST: Final = 1e-9
_SHIFTED: Final = (np.arange(HOURS) - np.arange(1, HOURS)[:, None]) % HOURS
"""Hour of the usual profile that stands at each hour, by the shift."""
NOISE: Final = 0.67
"""Standard deviation of the signal of a day without a shift, whatever its number of lists: simulated, for the profile
of an evening service and for one that is nearly even. Its mean is 1.0 to 1.2."""


def shift_signal(now: np.ndarray, before: np.ndarray) -> float:
    """Evidence that a day is shifted in time, for the best-fitting shift of the clock, in standard errors.

    For each shift of 1 to 23 hours, the share of the day that is shifted by this much is the weighted least-squares
    fit of its distribution of hours by the usual one and the usual one shifted. The signal is the largest of these
    shares in units of their errors: the largest of 23 that are noise on a day without a shift. A profile that is even
    has no signal.

    Args:
        now: Lists by the hour, shape (24,).
        before: The same counts over the previous days.

    Example:
        >>> usual = np.where(np.arange(24) < 12, 1000.0, 3000.0)
        >>> round(shift_signal(0.9 * usual + 0.1 * np.roll(usual, 5), usual * 28))
        16
    """
    n, m = float(np.sum(now)), float(np.sum(before))
    if n <= 0 or m <= 0:
        return 0.0
    usual = (before + _HALF) / (m + HOURS * _HALF)
    away = now / n - usual
    steps = usual[_SHIFTED] - usual
    information = (steps**2 / usual).sum(axis=1)
    known = information > _LEAST
    fitted = (steps * away / usual).sum(axis=1)[known]
    return float(np.max(fitted / np.sqrt(information[known] * (1 / n + 1 / m)), initial=0.0))
