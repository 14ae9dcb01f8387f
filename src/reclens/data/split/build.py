"""What all splits share: lots by hash, the order of rows at equal times, cold users, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.filters import _with_rows
from reclens.data.split.result import Split, _hashes, check_leaks
from reclens.errors import DataError, UsageError
from reclens.schema import ITEM, TIMESTAMP, TIMESTAMP_TYPE, USER, stable_hash

__all__ = ["ColdUsers", "check_shares", "check_times", "draw_lots", "make_split", "part_size", "seed_of"]

ColdUsers = Literal["drop", "keep"]
"""What becomes of held-out rows of users without training data."""
_KINDS: Final = ("user", "item")


def seed_of(rng: int | np.random.Generator | None) -> int:
    """The seed that lots are drawn with: a number that a card can state, whatever was given."""
    if isinstance(rng, int | np.integer):
        return int(rng)
    return int(np.random.default_rng(rng).integers(2**32))


def draw_lots(seed: int, *ids: pl.Series) -> pl.Series:
    """One lot a row, drawn by (seed, ids): the same wherever the row stands, and unrelated to the order of the ids.

    A hash of the seed and the ids is a random number that needs no state; so neither the order of the rows nor the
    presence of other rows changes it.
    """
    text = pl.select(pl.format("|".join(["{}"] * (len(ids) + 1)), pl.lit(str(seed)), *ids)).to_series()
    return pl.Series("lot", stable_hash(text))


def check_shares(**shares: float) -> None:
    """Refuse shares that are not shares, or that leave nothing to learn from.

    Raises:
        UsageError: If one is not in (0, 1), or they add up to 1 or more.
    """
    for name, share in shares.items():
        if not 0 < share < 1:
            raise UsageError(f"{name} is {share}, expected a share between 0 and 1, such as 0.2.")
    if sum(shares.values()) >= 1:
        raise UsageError(f"{' and '.join(shares)} add up to {sum(shares.values()):g}, and leave nothing to learn from.")


def part_size(n: np.ndarray, share: float) -> np.ndarray:
    """A share of n rows, rounded down, but one at least, as RecBole and the splits of Mult-VAE do."""
    # The little that is added keeps a product such as 0.29 × 100 from falling just short of 29.
    return np.maximum(np.floor(n * share + 1e-9), 1).astype(np.int64)


def check_times(data: Dataset, method: str) -> pl.Series:
    """The timestamps, all of them there."""
    if not data.has_timestamps:
        raise DataError(
            f"{method} needs to know when each interaction happened",
            source=data.name,
            column=TIMESTAMP,
            fix="Name the column when reading, for example columns={'timestamp': 'date'}; or use split.random.",
        )
    times = data.interactions[TIMESTAMP]
    if not isinstance(times.dtype, pl.Datetime) or times.dtype.time_zone is None:
        raise DataError(
            f"timestamps are {times.dtype}, expected {TIMESTAMP_TYPE}",
            source=data.name,
            column=TIMESTAMP,
            fix="Bring the table in by reclens.read, which turns seconds, milliseconds and text into times.",
        )
    if times.null_count():
        raise DataError(
            f"{times.null_count():,} timestamps are missing",
            source=data.name,
            column=TIMESTAMP,
            row=int(times.is_null().arg_max() or 0) + 1,
            fix="Drop those rows first.",
        )
    return times


def make_split(
    data: Dataset,
    parts: Mapping[str, pl.Series],
    *,
    cold_users: ColdUsers,
    card: Mapping[str, Any],
) -> Split:
    """Cut the rows, treat cold users, write the card and check for leaks.

    Args:
        data: The data set.
        parts: For each of train, test, validation?, fold_in?: which rows are its own, a boolean series.
        cold_users: Whether held-out rows of users without training data are dropped.
        card: What the method says of itself.
    """
    if cold_users not in ("drop", "keep"):
        raise UsageError(f"cold_users is {cold_users!r}, expected 'drop' or 'keep'.")
    tables = {name: data.interactions.filter(mask) for name, mask in parts.items()}
    train = tables["train"]
    if not train.height:
        raise DataError("no row is left to learn from", source=data.name, fix="Hold out less.")
    rules: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for name in ("validation", "test"):
        if name in tables:
            known = tables.get("fold_in", train)[USER].unique()
            tables[name], found = _settle_cold(data.name, name, tables[name], known, cold_users, rules)
            unseen = tables[name].join(train.select(ITEM).unique(), on=ITEM, how="anti")
            counts |= found | {f"{name}_cold_items": unseen[ITEM].n_unique(), f"{name}_cold_item_rows": unseen.height}
    sizes: dict[str, int] = {}
    for name, table in tables.items():
        sizes |= {f"{name}_rows": table.height} | {f"{name}_{what}s": table[f"{what}_id"].n_unique() for what in _KINDS}
    # One dictionary serves as the card of the split and inside that of its training part: it is filled last, because
    # it states the hashes of the parts.
    full: dict[str, Any] = {}
    split = Split(
        _with_rows(data, train, split=full), tables["test"], full, tables.get("validation"), tables.get("fold_in")
    )
    full.update({"notes": [], **card, "counts": sizes | counts, "rules": rules, "hashes": _hashes(split)})
    check_leaks(split)
    return split


def _settle_cold(
    source: str, name: str, table: pl.DataFrame, known: pl.Series, cold_users: ColdUsers, rules: list[dict[str, Any]]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Drop or keep the rows of users that nothing is known of, and count them."""
    is_known = table.select(pl.col(USER).is_in(known.implode())).to_series()
    cold = table.filter(~is_known)
    if cold.height:
        rule = f"{name} rows of users without training data {'dropped' if cold_users == 'drop' else 'kept'}"
        rules.append({"rule": rule, "count": cold.height, "detail": f"rows of {cold[USER].n_unique():,} users"})
    if cold_users == "drop":
        table = table.filter(is_known)
    if not table.height:
        raise DataError(
            f"no {name} row is left"
            + (f": {cold.height:,} were of users without training data" if cold.height else ""),
            source=source,
            fix="Hold out more, cut at another moment, or say cold_users='keep'.",
        )
    return table, {f"{name}_cold_users": cold[USER].n_unique(), f"{name}_cold_user_rows": cold.height}
