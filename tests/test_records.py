"""Records in files: what is read is what was written, field by field, and shared arrays are stored once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.data.read.frames import read_parquet
from reclens.explore import Exploration, pca_map, planted_space, run
from reclens.records import read_record, write_record


@dataclass(frozen=True, eq=False)
class Inner:
    rows: np.ndarray
    share: float
    ids: pl.Series | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Outer:
    name: str
    parts: tuple[Inner, ...]
    by: Mapping[str, Inner]
    flag: np.ndarray | None
    told: Mapping[str, Any]
    nothing: Inner | None = None


def assert_same(first: Any, second: Any, at: str = "") -> None:
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype and np.array_equal(first, second, equal_nan=first.dtype.kind == "f"), at
    elif isinstance(first, pl.Series):
        assert first.equals(second) and first.dtype == second.dtype, at
    elif is_dataclass(first):
        assert type(first) is type(second), at
        for each in fields(first):
            assert_same(getattr(first, each.name), getattr(second, each.name), f"{at}.{each.name}")
    elif isinstance(first, Mapping):
        assert list(first) == list(second), at
        for key, value in first.items():
            assert_same(value, second[key], f"{at}[{key}]")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), at
        for place, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{at}[{place}]")
    else:
        assert first == second or (first != first and second != second), at


def read(kind: type, folder: Path) -> Any:
    columns = {file.stem: read_parquet(file) for file in folder.glob("*.parquet")}
    return read_record(kind, folder, "it", columns=columns)


def test_arrays_columns_and_records_come_back(tmp_path: Path) -> None:
    rows, ids = np.array([3, 1], np.int32), pl.Series("id", ["a", "b"])
    inner = Inner(rows, float("nan"), ids)
    made = Outer(
        name="ü",
        parts=(inner, Inner(rows, 0.5)),
        by={"x": Inner(np.array([], float), 1.0, pl.Series("n", [2**60, None]))},
        flag=np.array([True, False]),
        told={"n": np.int64(4), "deep": [{"k": None}], "array": "no array"},
    )
    write_record(made, tmp_path, "it")
    assert_same(made, read(Outer, tmp_path))
    held = np.load(tmp_path / "it.npz")
    assert len(held.files) == 3 and {each.name for each in tmp_path.glob("*.parquet")} == {
        "it-0.parquet",
        "it-1.parquet",
    }


def test_what_is_missing_is_no_record(tmp_path: Path) -> None:
    write_record(Inner(np.arange(3), 0.5), tmp_path, "it")
    text = (tmp_path / "it.json").read_text()
    for wrong in (text.replace("a0", "a7"), json.dumps({"share": 1.0}), "{"):
        (tmp_path / "it.json").write_text(wrong)
        with pytest.raises((KeyError, TypeError, ValueError)):
            read(Inner, tmp_path)


def test_an_exploration_is_read_as_it_was_saved(tmp_path: Path) -> None:
    world = planted_space("unreachable", strength=0.1, n_items=300, n_users=80, clusters=4)
    found = run(
        world.items,
        world.lists,
        world.truth,
        users=world.users,
        store=world.store,
        before=world.later,
        point_map=pca_map(world.items),
        category="topic",
    )
    found.save(tmp_path)
    again = Exploration.load(tmp_path)
    assert_same(found, again)
    assert again["recall"] == found["recall"] and again.to_frame().equals(found.to_frame())
    assert pl.read_parquet(tmp_path / "numbers.parquet")["measure"].to_list() == [x.measure for x in found.measures]
    items, regions = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("items", "regions"))
    shown, wanted = (dict(each["item_id"].value_counts().rows()) for each in (world.lists, world.truth))
    assert items["item_id"].equals(world.items.ids)
    assert items["times_shown"].to_list() == [shown.get(each, 0) for each in items["item_id"]]
    assert items["times_wanted"].to_list() == [wanted.get(each, 0) for each in items["item_id"]]
    assert (items["reason"].is_null() == (items["times_shown"] > 0)).all(), "what is shown has no reason not to be"
    hidden = items.filter(pl.col("reason") == "index_unreachable")["item_id"]
    assert len(hidden) and set(hidden) <= set(world.items.ids.gather(world.planted))
    by = items.group_by("region").agg(pl.len().alias("n"), pl.col("times_shown").sum(), pl.col("times_wanted").sum())
    table = regions.join(by, on="region")
    assert table["items"].equals(table["n"], check_names=False) and table.height == items["region"].n_unique()
    for share, of in (("shown", "times_shown"), ("wanted", "times_wanted")):
        assert (table[share] - table[of] / items[of].sum()).abs().max() < 1e-12
    assert table.select(((pl.col("wanted") - pl.col("shown")) - pl.col("gap")).abs().max()).item() < 1e-12
    alone = run(world.items, remedies=False)
    assert alone.items().select("x", "times_shown", "reason", "popularity").null_count().row(0) == (300,) * 4
    assert alone.region_table().columns == ["region", "name", "items", "group"]
