"""False alerts of single days by kind of noise: limits of tails on new days, one cell a kind.

Grids of the whole detection, by days of history, are in benchmarks/rates_monitor.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from reclens.stats.anomaly import first_scores, score_days
from reclens.stats.tails import YEAR, score_tail

METRICS, SLICES, HISTORY, JUDGED = 100, 4, 56, 28
BUDGET = 0.5


def noise(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Values, and their standard errors where they are known; shape (days, series)."""
    shape = (HISTORY + JUDGED, METRICS * SLICES)
    if kind == "gaussian":
        return rng.normal(size=shape), None
    if kind == "zero-inflated":
        return np.where(rng.random(shape) < 0.6, 0.0, rng.lognormal(size=shape)), None
    if kind == "lognormal":
        return rng.lognormal(size=shape), None
    if kind == "heavy tails":
        return rng.standard_t(3, shape), None
    if kind == "follows":
        values = rng.normal(size=shape)
        for day in range(1, len(values)):
            values[day] = 0.5 * values[day - 1] + np.sqrt(0.75) * values[day]
        return values, None
    by_day = np.geomspace(1, 10, 7)[np.arange(shape[0]) % 7][:, None] if kind == "unequal weekdays" else 1.0
    n = np.broadcast_to(400 * by_day, shape).astype(int)
    x = rng.binomial(n, np.geomspace(0.002, 0.05, shape[1]))
    return np.arcsin(np.sqrt((x + 0.375) / (n + 0.75))), 0.5 / np.sqrt(n + 0.5)


@pytest.mark.parametrize(
    "kind",
    ["gaussian", "lattice", "zero-inflated", "lognormal", "heavy tails", "follows", "unequal weekdays"],
)
def test_new_days_exceed_their_limit_within_the_budget(kind: str) -> None:
    """A limit an indicator from eight weeks of its four slices and of the other indicators; four weeks are judged."""
    values, errors = noise(kind, np.random.default_rng(3))
    scores = score_days(values, errors=errors, unlearned=4.0)
    seen = np.where(np.isnan(scores.z), first_scores(values, scores), scores.z)[:HISTORY].reshape(HISTORY, METRICS, -1)
    sampled = 1.3 * float(np.median(scores.sampled[HISTORY]))
    rate = BUDGET / YEAR / SLICES
    alerts = 0
    for metric in range(METRICS):
        like = seen[:, metric // 10 * 10 : metric // 10 * 10 + 10]  # ten indicators are a monitor
        limit = score_tail(
            seen[:, metric], rate=rate, days=35.0, sampled=sampled, freedom=4.0, like=like.ravel(), doubt=1.28
        )
        mine = slice(metric * SLICES, (metric + 1) * SLICES)
        far = (np.abs(scores.z[HISTORY:, mine]) > limit) & scores.record[HISTORY:, mine]
        alerts += int(far.any(axis=1).sum())
    expected = BUDGET * METRICS * JUDGED / YEAR
    assert alerts <= expected + 3 * np.sqrt(expected), kind
