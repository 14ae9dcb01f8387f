"""The Open Bandit Dataset in its official layout: what two bandits showed in a fashion shop, with propensities.

What a reader of it has to know: a row is one item at one of the three places of the page; which rows were one page is
not in the log, so that each row is a request of its own here, and a user of its own. Two policies ran, ``random`` and
``bts`` (Bernoulli Thompson sampling); three campaigns, ``all``, ``men`` and ``women``, each with items of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.cards import BanditCard
from reclens.data.read.delimited import read_delimited
from reclens.data.read.zips import Members, open_members
from reclens.errors import DataError, UnknownNameError
from reclens.schema import (
    CLICKED,
    ITEM,
    MODEL,
    POSITION,
    PROPENSITY,
    REQUEST,
    SURFACE,
    TIMESTAMP,
    TIMESTAMP_TYPE,
    USER,
)
from reclens.tabular import Tabular

__all__ = ["BanditLog", "read_open_bandit"]

_OURS: Final = {
    TIMESTAMP: "timestamp",
    ITEM: "item_id",
    POSITION: "position",
    CLICKED: "click",
    PROPENSITY: "propensity_score",
}
"""The columns that a log must have. The published README calls the last one action_prob; no file does."""


@dataclass(frozen=True, eq=False)
class BanditLog(Tabular):
    """What was shown, and the items it was chosen from.

    Attributes:
        impressions: The table of impressions of the schema, in the order of time; then ``user_feature_0 …`` and, where
            they were asked for, ``user_item_affinity_0 …``.
        items: The items that could be shown: ``item_id``, ``item_feature_0 …``; None where the file is not there.
        card: Where it came from.
    """

    impressions: pl.DataFrame
    items: pl.DataFrame | None
    card: BanditCard = field(default_factory=BanditCard)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, as dictionaries."""
        return self.impressions.to_dicts()


def read_open_bandit(
    path: str | Path, *, behavior: str = "random", campaign: str = "all", affinities: bool = False
) -> BanditLog:
    """Read one log of the Open Bandit Dataset, whole or the published sample.

    Args:
        path: The zip, or the folder that it unpacks to: with ``random/all/all.csv`` and the like in it.
        behavior: The policy that showed the items: ``random`` or ``bts``.
        campaign: ``all``, ``men`` or ``women``.
        affinities: Whether to add the affinities of user and item, one column an item.

    Returns:
        The log. ``model`` is the policy, ``surface`` the campaign; ``user_id`` and ``request_id`` count rows.

    Raises:
        DataError: If the path is no such data set, or a value is not valid.
        UnknownNameError: If that log is not in it.

    References:
        Saito, Aihara, Matsutani, Narita (2021), Open Bandit Dataset and Pipeline; arXiv 2008.07146.
    """
    path = Path(path).expanduser()
    if path.is_file() and path.suffix.lower() != ".zip":
        raise DataError(
            "this is one file of a data set",
            source=str(path),
            fix="Name the folder that holds random/ and bts/, or the zip.",
        )
    with open_members(path, depth=4) as members:  # random/all/all.csv, or obd/ above it
        logs = _found(members)
        name = f"{behavior}/{campaign}"
        if name not in logs:
            raise UnknownNameError(f"log of {path}", name, logs)
        where = members.where(logs[name])
        frame = read_delimited(members.read(logs[name]), source=where, delimiter=",")
        context = logs[name].rpartition("/")[0] + "/item_context.csv"
        items = None
        if context in members.names:
            items = _items(
                read_delimited(members.read(context), source=members.where(context), delimiter=","),
                members.where(context),
            )
    impressions = _impressions(frame, where, behavior, campaign, affinities=affinities)
    if items is not None and not impressions[ITEM].is_in(items[ITEM].implode()).all():
        row = int((~impressions[ITEM].is_in(items[ITEM].implode())).arg_true()[0])
        raise DataError(
            f"the item {impressions[ITEM][row]} is not among the {items.height} of item_context.csv",
            source=where,
            column="item_id",
            fix="Fetch the data set again.",
        )
    card: BanditCard = {
        "layout": "Open Bandit Dataset",
        "source": str(path),
        "behavior": behavior,
        "campaign": campaign,
        "rows": impressions.height,
    }
    return BanditLog(impressions, items, card)


def _found(members: Members) -> dict[str, str]:
    """Policy/campaign -> member."""
    logs: dict[str, str] = {}
    for name in members.names:
        parts = name.split("/")
        if len(parts) >= 3 and parts[-1] == f"{parts[-2]}.csv":
            logs[f"{parts[-3]}/{parts[-2]}"] = name
    if not logs:
        raise DataError(
            f"this is no Open Bandit Dataset: it has {', '.join(members.names[:8]) or 'no files'}",
            source=str(members.path),
            fix="Expected files such as random/men/men.csv and bts/men/men.csv.",
        )
    return logs


def _impressions(frame: pl.DataFrame, where: str, behavior: str, campaign: str, *, affinities: bool) -> pl.DataFrame:
    absent = [name for name in _OURS.values() if name not in frame.columns]
    if absent:
        raise DataError(
            f"there is no column '{absent[0]}'",
            source=where,
            fix=f"Expected {', '.join(_OURS.values())}; fetch the data set again.",
        )
    times = frame["timestamp"].str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    columns = [
        _checked(times, frame["timestamp"], where, "a time such as 2019-11-24 00:03:13.442536+00:00"),
        _numbers(frame["item_id"], where, pl.Int64, "a whole number", lowest=0),
        _numbers(frame["position"], where, pl.UInt8, "a place, from 1", lowest=1),
        _numbers(frame["click"], where, pl.Int8, "0 or 1", lowest=0, highest=1),
        _numbers(
            frame["propensity_score"], where, pl.Float64, "a probability above 0, at most 1", lowest=5e-324, highest=1
        ),
    ]
    named = [column.alias(ours) for column, ours in zip(columns, _OURS, strict=True)]
    more = [frame[name].alias(name) for name in frame.columns if name.startswith("user_feature")]
    if affinities:
        more += [
            _numbers(frame[name], where, pl.Float64, "a number").alias(name.replace("-", "_"))
            for name in frame.columns
            if name.startswith("user-item_affinity")
        ]
    table = pl.DataFrame([*named, *more]).sort(TIMESTAMP, maintain_order=True)
    rows = pl.int_range(pl.len(), dtype=pl.Int64)
    return table.select(
        pl.col(TIMESTAMP).cast(TIMESTAMP_TYPE),
        rows.alias(USER),
        ITEM,
        POSITION,
        CLICKED,
        PROPENSITY,
        pl.lit(behavior).alias(MODEL),
        pl.lit(campaign).alias(SURFACE),
        rows.alias(REQUEST),
        *(column.name for column in more),
    )


def _items(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    if ITEM not in frame.columns:
        raise DataError("there is no column 'item_id'", source=where, fix="Fetch the data set again.")
    features = [name for name in frame.columns if name.startswith("item_feature")]
    ids = _numbers(frame[ITEM], where, pl.Int64, "a whole number", lowest=0)
    numbers = [frame[name].cast(pl.Float64, strict=False) for name in features]
    kept = [frame[name] if number.null_count() else number for name, number in zip(features, numbers, strict=True)]
    return pl.DataFrame([ids.alias(ITEM), *kept])


def _numbers(
    text: pl.Series, where: str, kind: Any, expected: str, *, lowest: float | None = None, highest: float | None = None
) -> pl.Series:
    found = text.cast(pl.Float64, strict=False)
    whole = found.cast(kind, strict=False)
    good = found.is_finite() & (whole.cast(pl.Float64) == found)
    good = good if lowest is None else good & (found >= lowest)
    good = good if highest is None else good & (found <= highest)
    return _checked(whole.zip_with(good.fill_null(False), pl.Series([None], dtype=whole.dtype)), text, where, expected)


def _checked(values: pl.Series, text: pl.Series, where: str, expected: str) -> pl.Series:
    if values.null_count():
        row = int(values.is_null().arg_true()[0])
        raise DataError(f"the value is {text[row]!r}, expected {expected}", source=where, column=text.name, row=row + 1)
    return values
