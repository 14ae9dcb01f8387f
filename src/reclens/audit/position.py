"""Position bias: the examination of each place of a list, estimated from clicks.

Position-based model: a user clicks relevant items at examined places, P(click | place j) = θ_j · γ. A log identifies
θ_j relative to the first place. Clicks by place alone do not, because better items are placed higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError, DataError, UsageError
from reclens.schema import CLICKED, ITEM, POSITION, USER, stable_hash
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated, replicated_means
from reclens.stats.summary import Summary
from reclens.tabular import Tabular
from reclens.vocabulary import number_ids

__all__ = ["PositionBias", "position_bias"]

Method = Literal["harvest", "em", "swap"]
"""``harvest``: intervention harvesting, from items that one context was shown at several places; ``em``:
expectation-maximisation of the model, with a relevance for each item; ``swap``: clicks by place where places were drawn
at random."""

Unidentified = Literal["one_place_each", "places_apart", "no_clicks"]
"""Why places cannot be told apart: no context was shown an item at two places, as by one ranker that does not change;
some places have no such item in common with the first; a place was never clicked."""

_MOST: Final = 100
"""Places at most; a table of pairs of places is kept for each context."""
_ROUNDS: Final = 500
_STILL: Final = 1e-7


@dataclass(frozen=True, kw_only=True)
class PositionBias(Tabular):
    """How often each place is looked at.

    Attributes:
        method: How it was told.
        examination: Of each place, relative to the first; with an interval where the method has an honest one.
        clicks: Share of impressions that were clicked, by place, relative to the first: what bias and relevance make
            together.
        impressions: Impressions of each place.
        pairs: Context and item pairs that were seen at two places or more; 0 for methods that need none.
        unidentified: Why some places have no value; None where all have.
    """

    method: Method
    examination: tuple[Estimate, ...]
    clicks: tuple[float, ...]
    impressions: tuple[int, ...]
    pairs: int
    unidentified: Unidentified | None = None

    @property
    def weights(self) -> list[float]:
        """The examination of each place, as position weights of an audit.

        Raises:
            UsageError: If a place could not be told.
        """
        found = [each.value for each in self.examination]
        if not np.isfinite(found).all():
            raise UsageError("the examination of some places could not be told from the log: no weights can be made.")
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per place."""
        return [
            {"position": at} | asdict(each) | {"relative_clicks": clicks, "impressions": shown}
            for at, (each, clicks, shown) in enumerate(
                zip(self.examination, self.clicks, self.impressions, strict=True), 1
            )
        ]


def position_bias(
    log: pl.DataFrame,
    *,
    method: Method = "harvest",
    context: Sequence[str] = (USER,),
    level: float = 0.95,
    replicates: int = 400,
    rng: int = 0,
) -> PositionBias:
    """Tell how often each place is looked at from a log of impressions.

    Harvesting compares clicks on the same item for the same context at two places, where different rankers, or changes
    of one, put it: θ_j ÷ θ_j' = Σ w c_j/n_j ÷ Σ w c_j'/n_j', w = n_j n_j' ÷ (n_j + n_j'), and fits all pairs of places
    together by weighted least squares of the logarithms. What decides between the rankers must not depend on how
    relevant the item is to the context at that moment: assign them at random.

    Args:
        log: ``item_id``, ``position`` from 1, ``clicked``, and the columns of the context, one row an impression.
        method: How to tell it.
        context: Columns within which the relevance of an item is the same, such as the user or the query; they are also
            what is resampled for the intervals.
        level: Confidence level.
        replicates: Bootstrap replicates.
        rng: Seed of the replicates.

    Raises:
        DataError: If a column is missing, a position is below 1, or there is no impression.
        UsageError: If the method is none, or there are more than 100 places.

    References:
        Agarwal, Zaitsev, Wang, Li, Najork, Joachims (2019), Estimating position bias without intrusive interventions;
        Wang, Golbandi, Bendersky, Metzler, Najork (2018), Position bias estimation for unbiased learning to rank in
        personal search, for expectation-maximisation; Joachims, Swaminathan, Schnabel (2017), Unbiased
        learning-to-rank with biased feedback, for swaps.
    """
    counts, units = _counted(log, list(context))
    places = int(counts["position"].max())  # type: ignore[arg-type]
    if places > _MOST:
        raise UsageError(f"there are {places:,} places, at most {_MOST} can be told apart. Keep the first ones.")
    shown = np.bincount(counts["position"] - 1, counts["n"], minlength=places)
    clicked = np.bincount(counts["position"] - 1, counts["c"], minlength=places)
    rate = np.divide(clicked, shown, out=np.full(places, np.nan), where=shown > 0)
    about = {
        "method": method,
        "clicks": tuple((rate / rate[0]).tolist()) if rate[0] > 0 else (float("nan"),) * places,
        "impressions": tuple(int(n) for n in shown),
    }
    how: dict[str, Any] = {"level": level, "replicates": replicates, "rng": rng}
    if method == "harvest":
        return _harvested(counts, units, places, about, **how)
    if method == "em":
        return _maximised(counts, places, about, level=level)
    if method == "swap":
        return _swapped(counts, units, places, about, **how)
    raise ArgumentValueError("method", f"is {method!r}, expected 'harvest', 'em' or 'swap'")


def _counted(log: pl.DataFrame, context: list[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Impressions n and clicks c of each context, item and place; and the keys of the contexts."""
    needed = [*context, ITEM, POSITION, CLICKED]
    missing = [column for column in needed if column not in log.columns]
    if missing:
        raise DataError(
            f"there is no column '{missing[0]}'; there are {', '.join(log.columns)}",
            source="the impression log",
            fix="Rename the columns to user_id, item_id, position and clicked, one row an impression.",
        )
    if not log.height:
        raise DataError("there is no impression", source="the impression log")
    low = log[POSITION].min()
    if log[POSITION].null_count() or not log[POSITION].dtype.is_integer() or int(low) < 1:  # type: ignore[arg-type]
        raise DataError("a position is not a whole number from 1", source="the impression log", column=POSITION)
    clicked = log[CLICKED]
    numbers = clicked.dtype.is_numeric() or clicked.dtype == pl.Boolean
    if not numbers or clicked.null_count() or not clicked.cast(pl.Float64).is_in([0.0, 1.0]).all():
        raise DataError(
            "a value is neither 0 nor 1",
            source="the impression log",
            column=CLICKED,
            fix="Give one row an impression: whether it was clicked.",
        )
    keys = (
        pl.concat_str([pl.col(column).cast(pl.String) for column in context], separator="\x1f")
        if len(context) > 1
        else pl.col(context[0])
    )
    rows = log.select(
        keys.alias("unit"), ITEM, pl.col(POSITION).alias("position"), pl.col(CLICKED).cast(pl.Float64).alias("c")
    )
    units, codes = number_ids(rows["unit"])
    grouped = (
        rows.with_columns(pl.Series("unit", codes))
        .group_by("unit", ITEM, "position")
        .agg(pl.len().cast(pl.Float64).alias("n"), pl.col("c").sum())
        .sort("unit", ITEM, "position")
    )
    return grouped, units


def _harvested(
    counts: pl.DataFrame,
    units: pl.Series,
    places: int,
    about: dict[str, Any],
    *,
    level: float,
    replicates: int,
    rng: int,
) -> PositionBias:
    several = counts.filter(pl.len().over("unit", ITEM) > 1)
    n_pairs = several.select("unit", ITEM).n_unique()
    if not n_pairs:
        nothing = tuple(Estimate(float("nan"), low=None, high=None, n=0, level=level) for _ in range(places))
        return PositionBias(examination=nothing, pairs=0, unidentified="one_place_each", **about)
    both = several.join(several, on=["unit", ITEM], suffix="_other").filter(
        pl.col("position") < pl.col("position_other")
    )
    low, high = both["position"].to_numpy() - 1, both["position_other"].to_numpy() - 1
    n, m = both["n"].to_numpy(), both["n_other"].to_numpy()
    weight = n * m / (n + m)
    cell = low * places + high
    kinds, at = np.unique(cell, return_inverse=True)
    unit = both["unit"].to_numpy()
    present, row = np.unique(unit, return_inverse=True)
    # Each context's part of the sums of every pair of places: dense, since pairs of places are few.
    upper, lower = (np.zeros((len(present), len(kinds))) for _ in range(2))
    np.add.at(upper, (row, at), weight * both["c"].to_numpy() / n)
    np.add.at(lower, (row, at), weight * both["c_other"].to_numpy() / m)
    names = [str(kind) for kind in range(len(kinds))]
    columns = {f"a{k}": upper[:, i] for i, k in enumerate(names)} | {f"b{k}": lower[:, i] for i, k in enumerate(names)}
    keys = stable_hash(units.gather(present))
    summary = Summary.of(keys, columns, replicates=replicates, seed=rng)
    ours = replicated_means(summary, ("overall", "all"), [f"a{k}" for k in names])
    theirs = replicated_means(summary, ("overall", "all"), [f"b{k}" for k in names])
    ratio = ours.log() - theirs.log()
    error = ratio.standard_error()
    usable = np.isfinite(ratio.value) & np.isfinite(error)
    # Identical contexts have no error: treat their ratio as nearly exact.
    logs, known = _fitted(ratio[usable], kinds[usable], np.maximum(error[usable], 1e-6), places)
    values = tuple(
        _relative(logs[place], len(present), level, first=place == 0)
        if known[place]
        else Estimate(float("nan"), low=None, high=None, n=len(present), level=level)
        for place in range(places)
    )
    missing: Unidentified | None = None if known.all() else "places_apart" if usable.any() else "no_clicks"
    return PositionBias(examination=values, pairs=n_pairs, unidentified=missing, **about)


def _fitted(ratio: Replicated, kinds: np.ndarray, error: np.ndarray, places: int) -> tuple[Replicated, np.ndarray]:
    """Logarithms of θ by weighted least squares of all pairs of places, and which places are linked to the first."""
    low, high = kinds // places, kinds % places
    linked = np.zeros(places, bool)
    linked[0] = True
    while True:  # places that a chain of pairs links to the first
        grown = linked.copy()
        grown[high[linked[low]]] = True
        grown[low[linked[high]]] = True
        if (grown == linked).all():
            break
        linked = grown
    inside = linked[low] & linked[high]
    free = np.flatnonzero(linked)[1:]
    column = np.full(places, -1)
    column[free] = np.arange(len(free))
    design = np.zeros((int(inside.sum()), len(free)))
    for row, (j, other) in enumerate(zip(low[inside], high[inside], strict=True)):
        if column[j] >= 0:
            design[row, column[j]] = 1.0
        design[row, column[other]] -= 1.0
    weights = 1 / error[inside] ** 2
    solve = np.linalg.pinv(design.T * weights @ design) @ (design.T * weights)
    value, draws = np.zeros(places), np.zeros((places, ratio.draws.shape[-1]))
    value[free] = solve @ ratio.value[inside]
    draws[free] = solve @ ratio.draws[inside]
    return Replicated(value, draws), linked


def _relative(log: Replicated, n: int, level: float, *, first: bool) -> Estimate:
    """The exponential of a logarithm, with its interval."""
    if first:
        return Estimate(1.0, low=None, high=None, n=n, level=level)
    return Replicated(np.exp(log.value), np.exp(log.draws)).estimate(n=n, level=level, scale="log")


def _swapped(
    counts: pl.DataFrame,
    units: pl.Series,
    places: int,
    about: dict[str, Any],
    *,
    level: float,
    replicates: int,
    rng: int,
) -> PositionBias:
    """Clicks by place, if items were assigned to places at random; contexts are resampled."""
    unit, place = counts["unit"].to_numpy(), counts["position"].to_numpy() - 1
    shown, clicked = (np.zeros((len(units), places)) for _ in range(2))
    np.add.at(shown, (unit, place), counts["n"].to_numpy())
    np.add.at(clicked, (unit, place), counts["c"].to_numpy())
    columns = {f"n{j}": shown[:, j] for j in range(places)} | {f"c{j}": clicked[:, j] for j in range(places)}
    summary = Summary.of(stable_hash(units), columns, replicates=replicates, seed=rng)
    all_users = ("overall", "all")
    rate = replicated_means(summary, all_users, [f"c{j}" for j in range(places)]) / replicated_means(
        summary, all_users, [f"n{j}" for j in range(places)]
    )
    relative = rate / rate[0]
    values = tuple(
        Estimate(1.0, low=None, high=None, n=len(units), level=level)
        if j == 0
        else relative[j].estimate(n=len(units), level=level, scale="log")
        for j in range(places)
    )
    clicked_all = np.isfinite(relative.value).all() and bool((relative.value > 0).all())
    return PositionBias(examination=values, pairs=0, unidentified=None if clicked_all else "no_clicks", **about)


def _maximised(counts: pl.DataFrame, places: int, about: dict[str, Any], *, level: float) -> PositionBias:
    """Expectation-maximisation, with one relevance an item over all contexts; the intervals of it are not honest."""
    table = counts.group_by(ITEM, "position").agg(pl.col("n").sum(), pl.col("c").sum())
    items, item = number_ids(table[ITEM])
    place = table["position"].to_numpy() - 1
    n, c = table["n"].to_numpy(), table["c"].to_numpy()
    missed = n - c
    if table.select(pl.col("position").n_unique().over(ITEM)).to_series().max() == 1:
        nothing = tuple(Estimate(float("nan"), low=None, high=None, n=0, level=level) for _ in range(places))
        return PositionBias(examination=nothing, pairs=0, unidentified="one_place_each", **about)
    theta, gamma = 1 / np.arange(1, places + 1) ** 0.5, np.full(len(items), 0.5)
    by_place = np.maximum(np.bincount(place, n, minlength=places), 1e-12)
    by_item = np.bincount(item, n, minlength=len(items))
    for _ in range(_ROUNDS):
        t, g = theta[place], gamma[item]
        unseen = np.maximum(1 - t * g, 1e-12)
        looked = np.bincount(place, c + missed * t * (1 - g) / unseen, minlength=places) / by_place
        liked = np.bincount(item, c + missed * g * (1 - t) / unseen, minlength=len(items)) / by_item
        moved = float(np.abs(looked - theta).max())
        theta, gamma = np.clip(looked, 1e-9, 1 - 1e-9), np.clip(liked, 1e-9, 1 - 1e-9)
        if moved < _STILL:
            break
    relative = theta / theta[0]
    values = tuple(Estimate(float(each), low=None, high=None, n=len(items), level=level) for each in relative)
    dead = np.bincount(place, c, minlength=places) == 0
    return PositionBias(examination=values, pairs=0, unidentified="no_clicks" if dead.any() else None, **about)
