"""Serving columns of a production log, beside the choice: surface, version, latency, arrival, features.

They do not influence users. Every draw belongs to the seed, the request and its purpose, as the draws of the world
do, so that threads change nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from reclens.schema import CONVERTED, FEATURE, LATENCY, RECEIVED, SURFACE, TIMESTAMP_TYPE
from reclens.world._draws import uniforms
from reclens.world.population import World

__all__ = ["DEVICES", "SURFACES", "served_columns"]

SURFACES: Final = {"home": 0.6, "item_page": 0.3, "email": 0.1}
"""Where a list is shown, and the share of the requests."""

DEVICES: Final = {"mobile": 0.6, "desktop": 0.3, "tablet": 0.1}
"""What a user uses, and the share of the users."""

_SPREAD: Final = 0.5
_SECONDS: Final = 5.0  # mean time from a request to its row in the log
_SURFACE, _CONVERTED, _LATENCY, _ANGLE, _ARRIVAL, _LATE, _HOURS, _DEVICE = range(1, 9)


def served_columns(
    world: World,
    day: int,
    times: pl.Series,
    users: np.ndarray,
    items: np.ndarray,
    requests: np.ndarray,
    clicked: np.ndarray,
    *,
    seed: int,
) -> dict[str, pl.Series]:
    """The serving columns of one day's impressions.

    Args:
        world: The world.
        day: Number of the day.
        times: When each row was shown, UTC.
        users: Codes of the users, shape (rows,).
        items: Codes of the items, shape (rows,).
        requests: Number of the request, shape (rows,); the rows of a request stand together.
        clicked: 0 or 1, shape (rows,).
        seed: Of the run.

    Returns:
        ``surface, converted, latency_ms, received_at`` and four features: ``feature.device`` of the user,
        ``feature.history`` (what they had consumed before the first day), ``feature.item_age`` in days, and
        ``feature.item_appeal``, the logit of what everybody likes on that day.
    """
    first = np.flatnonzero(np.diff(requests, prepend=-1)) if len(requests) else np.empty(0, np.int64)
    of = np.repeat(np.arange(len(first)), np.diff(first, append=len(requests)))
    keys = requests[first].astype(np.uint64)

    def draw(purpose: int, of_what: np.ndarray = keys) -> np.ndarray:
        return uniforms(of_what, seed * 16 + purpose)

    settings = world.settings
    normal = np.sqrt(-2 * np.log1p(-draw(_LATENCY))) * np.cos(2 * np.pi * draw(_ANGLE))  # Box and Muller 1958
    latency = settings.latency * np.exp(_SPREAD * normal)
    delay = latency / 1e3 - _SECONDS * np.log1p(-draw(_ARRIVAL))
    delay += np.where(draw(_LATE) < settings.late_share, 3_600 * (1 + 23 * draw(_HOURS)), 0.0)
    bought = (draw(_CONVERTED, requests.astype(np.uint64)) < settings.conversion) & (clicked == 1)
    people = np.arange(world.users.height, dtype=np.uint64)
    history = np.bincount(world.history[0], minlength=world.users.height).astype(np.int32)
    appeal = world.appeal_on(day)
    return {
        SURFACE: _named(SURFACES, draw(_SURFACE)).gather(of),
        CONVERTED: pl.Series(bought.astype(np.int8)),
        LATENCY: pl.Series(latency.astype(np.float32)[of]),
        RECEIVED: (times.cast(pl.Int64) + pl.Series((delay * 1e6).astype(np.int64)[of])).cast(TIMESTAMP_TYPE),
        f"{FEATURE}device": _named(DEVICES, uniforms(people, _DEVICE)).gather(users),
        f"{FEATURE}history": pl.Series(history[users]),
        f"{FEATURE}item_age": pl.Series((day - world.born)[items].astype(np.int32)),
        f"{FEATURE}item_appeal": pl.Series(appeal[items]),
    }


def _named(shares: dict[str, float], draws: np.ndarray) -> pl.Series:
    """The name whose interval of 0 … 1 contains a draw."""
    names = list(shares)
    at = np.searchsorted(np.cumsum([shares[name] for name in names])[:-1], draws, side="right")
    return pl.Series(names, dtype=pl.Enum(names)).gather(at)
