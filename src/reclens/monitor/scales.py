"""Scales on which the noise of a value does not depend on the value.

Shares are judged on the arcsine of their root, where the sampling noise of a day depends on its traffic alone, also
for a few events (Anscombe, 1948, The transformation of Poisson, binomial and negative-binomial data, Biometrika 35);
amounts and counts on their logarithm.
"""

from __future__ import annotations

import numpy as np

__all__ = ["back", "forth"]

_LEAST = 1e-12


def forth(
    scale: str, value: np.ndarray, error: np.ndarray, numerator: np.ndarray, denominator: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and their standard errors on their scale; NaN where there is no value, and no error where none is known.

    Args:
        scale: ``logit``, ``log`` or ``identity``.
        value: Values in their unit, of any shape.
        error: Standard errors; NaN where none is known.
        numerator: Events behind a share; NaN if it is not a ratio.
        denominator: Rows behind it.
        n: Traffic behind the value.
    """
    with np.errstate(all="ignore"):
        if scale == "logit":
            return _share(value, error, numerator, denominator, n)
        if scale == "log":
            traffic = np.where(denominator > 0, denominator, n)
            least = 0.5 / np.maximum(np.nan_to_num(traffic), 1.0)
            floored = np.maximum(value, least)
            # A value of 0 has no relative error; that of half an event is 1.4.
            relative = np.where(value >= least, error / floored, np.where(np.isfinite(error), np.sqrt(2.0), 0.0))
            return np.log(floored), np.nan_to_num(relative)
        return value, np.nan_to_num(error)


def back(scale: str, values: np.ndarray) -> np.ndarray:
    """Convert values from their scale back to their unit."""
    if scale == "logit":
        return np.sin(np.clip(values, 0, np.pi / 2)) ** 2
    return np.exp(np.minimum(values, 700)) if scale == "log" else values


def _share(
    value: np.ndarray, error: np.ndarray, numerator: np.ndarray, denominator: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    share = np.clip(value, 0, 1)
    counted = (denominator > 0) & (numerator >= 0) & (numerator <= denominator)
    events = np.where(counted, (numerator + 0.375) / (denominator + 0.75), share)
    # By counts the error is that of the traffic alone; a share that is an average has an error of its own.
    by_traffic = 0.5 / np.sqrt(np.where(counted, denominator, np.maximum(n, 1)) + 0.5)
    inner = 2 * np.sqrt(np.maximum(share * (1 - share), _LEAST))
    given = np.where((share > 0) & (share < 1), error / inner, by_traffic)
    found = np.where(counted, by_traffic, np.nan_to_num(np.minimum(given, by_traffic * 4)))
    # A known error may be larger than the binomial one, such as that of users with several rows.
    found = np.where(counted & np.isfinite(given) & (share > 0) & (share < 1), np.maximum(found, given), found)
    return np.arcsin(np.sqrt(np.where(np.isfinite(value), events, np.nan))), found
