"""Error spending functions of information time."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from reclens.errors import ArgumentValueError, UnknownNameError

__all__ = ["CLASSICAL", "SPENDINGS", "spent"]

SPENDINGS: Final = ("lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani")
"""The spending functions.

``lan_demets_obrien_fleming`` spends almost nothing early and ``lan_demets_pocock`` evenly (Lan and DeMets 1983);
``power`` is error · t^ρ (Kim and DeMets 1987), ρ = 3 close to O'Brien and Fleming and ρ = 1 to Pocock;
``hwang_shih_decani`` is error · (1 − e^(−γt)) / (1 − e^(−γ)) (1990), γ = −4 close to O'Brien and Fleming and γ = 1 to
Pocock.
"""
CLASSICAL: Final = ("pocock", "obrien_fleming")
"""The bounds that are fixed by their shape: the same at every look (Pocock 1977), or one that falls with the root of
the information (O'Brien and Fleming 1979)."""


def spent(times: Any, *, error: float, spending: str, parameter: float | None = None) -> np.ndarray:
    """Error spent up to each information time.

    Args:
        times: Information, shape (n,), 0 … 1.
        error: Total error of one side.
        spending: One of ``SPENDINGS``.
        parameter: ρ of ``power`` (3 without it), γ of ``hwang_shih_decani`` (−4 without it).

    Raises:
        UnknownNameError: If there is no such spending.
        UsageError: If ρ is not above 0.

    Example:
        >>> spent([0.5, 1.0], error=0.025, spending="power", parameter=2).tolist()
        [0.00625, 0.025]
    """
    from scipy.special import ndtr, ndtri

    t = np.asarray(times, float)
    if spending == "lan_demets_obrien_fleming":
        return 2 * ndtr(ndtri(error / 2) / np.sqrt(t))
    if spending == "lan_demets_pocock":
        return error * np.log1p((math.e - 1) * t)
    if spending == "power":
        rho = 3.0 if parameter is None else parameter
        if rho <= 0:
            raise ArgumentValueError("parameter", f"is {rho}, expected ρ above 0 for power spending, such as 3")
        return error * t**rho
    if spending == "hwang_shih_decani":
        gamma = -4.0 if parameter is None else parameter
        return error * t if gamma == 0 else error * np.expm1(-gamma * t) / math.expm1(-gamma)
    raise UnknownNameError("spending", spending, [*SPENDINGS, *CLASSICAL])
