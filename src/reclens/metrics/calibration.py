"""Whether a list mirrors what the user has liked, genre by genre."""

from __future__ import annotations

import numpy as np

from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import metric

__all__ = ["miscalibration", "miscalibration_js"]

_ALPHA = 0.01


@metric(
    family="calibration",
    title="Miscalibration (KL)",
    high=None,
    unit="nats",
    higher_is_better=False,
    needs=("profiles", "distributions"),
)
def miscalibration(lists: Lists, convention: Convention) -> np.ndarray:
    """How far the genres of a list are from the genres of the user's history: Kullback-Leibler divergence.

    Formula: Σ p(g) ln(p(g) / q̃(g)) with q̃ = 0.99 q + 0.01 p, where p(g) is the mean share of genre g over the user's
    training items and q(g) over the first k. An item with n genres gives each 1/n.
    Range: 0 (the same mix) … ln 100 = 4.6 (nothing in common); lower is better calibrated.
    Items without genres are left out of the means; users whose history or list has none, and users without a list,
    are left out.
    Use when: lists should reflect all tastes of a user in their proportions.
    Misleads when: histories are short: the share of a genre is then mostly noise, and short lists cannot match it.
    Source: Steck (2018), Calibrated recommendations, equations 2 to 6 with α = 0.01 and equal weights.
    """
    history, shown = _mixes(lists)
    blended = (1 - _ALPHA) * shown + _ALPHA * history
    return np.maximum(_divergence(history, blended), 0.0)


@metric(
    family="calibration",
    title="Miscalibration (JS)",
    unit="bits",
    higher_is_better=False,
    needs=("profiles", "distributions"),
)
def miscalibration_js(lists: Lists, convention: Convention) -> np.ndarray:
    """How far the genres of a list are from the genres of the user's history: Jensen-Shannon divergence.

    Formula: ½ KL(p, m) + ½ KL(q, m) with m = (p + q) / 2 and logarithms to base 2; p and q as in miscalibration.
    Range: 0 (the same mix) … 1 (nothing in common); lower is better calibrated. Symmetric, and finite without blending.
    Items without genres, users without any and users without a list are left out, as in miscalibration.
    Use when: as miscalibration, where a bounded and symmetric value is wanted to compare systems.
    Misleads when: histories are short: the share of a genre is then mostly noise, and short lists cannot match it.
    Source: Lin (1991), Divergence measures based on the Shannon entropy; Steck (2018).
    """
    history, shown = _mixes(lists)
    middle = (history + shown) / 2
    bits = (_divergence(history, middle) + _divergence(shown, middle)) / (2 * np.log(2))
    return np.clip(bits, 0.0, 1.0)


def _mixes(lists: Lists) -> tuple[np.ndarray, np.ndarray]:
    """Genre shares of the history and of the list, shape (n, genres) each; rows of NaN where there are none."""
    lists.require("profiles")
    lists.require("distributions")
    shares, profiles = lists.catalogue.distributions, lists.profiles
    assert shares is not None and profiles is not None
    has_genre = shares.sum(axis=1) > 0
    owner = profiles.owners
    # One genre at a time: a table of history × genres would not fit for long histories.
    columns = [np.bincount(owner, shares[profiles.items, g], len(lists.items)) for g in range(shares.shape[1])]
    history = np.stack(columns, axis=1)
    n_history = np.bincount(owner, has_genre[profiles.items], len(lists.items))[:, None]
    shown = np.zeros((len(lists.items), shares.shape[1]))
    n_shown = np.zeros((len(lists.items), 1))
    for rank in range(lists.depth):
        items = lists.items[:, rank]
        known = items >= 0
        code = np.where(known, items, 0)
        shown += shares[code] * known[:, None]
        n_shown[:, 0] += known & has_genre[code]
    nothing = np.full_like(shown, np.nan)
    return (
        np.divide(history, n_history, out=nothing.copy(), where=n_history > 0),
        np.divide(shown, n_shown, out=nothing, where=n_shown > 0),
    )


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ p ln(p / q) along rows, with 0 ln 0 = 0; NaN where a row is NaN."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    undefined = np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1)
    total = (np.nan_to_num(p) * np.log(np.where(p > 0, ratio, 1.0))).sum(axis=1)
    return np.where(undefined, np.nan, total)
