"""Requests to ``reclens pipeline recommend`` and ``trace``: histories, limits and cold users, as of ``recommend``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def folder(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("requests") / "shop"
    shutil.copytree(shop, copy)
    return copy


def listed(said) -> list[int]:
    assert said.status == 0, said.stderr
    return [row["item_id"] for row in json.loads(said.stdout)["rows"]]


def test_lists_are_those_of_the_pipeline(folder: Path, typed) -> None:
    pipeline = Workspace(folder / "workspace").load("pipeline", "p")
    plain = pipeline.recommend([1], k=3).table["item_id"].to_list()
    pl.DataFrame({"item_id": plain[:1]}).write_csv(folder / "sold_out.csv")
    pl.DataFrame({"user_id": [1], "item_id": plain[:1]}).write_csv(folder / "today.csv")
    told = pl.read_csv(folder / "today.csv")
    call = ("pipeline", "recommend", "p", "-u", "1", "-k", "3", "-f", "json")
    assert listed(typed(*call, cwd=folder)) == plain
    found = listed(typed(*call, "--exclude", "sold_out.csv", cwd=folder))
    assert found == pipeline.recommend([1], k=3, exclude=plain[:1]).table["item_id"].to_list() and found != plain
    found = listed(typed(*call, "--history", "today.csv", cwd=folder))
    assert found == pipeline.recommend([1], k=3, history=told).table["item_id"].to_list() and found != plain
    assert listed(typed(*call, "--candidates", "sold_out.csv", cwd=folder)) == plain[:1]
    everybody = typed("pipeline", "recommend", "p", "-k", "3", "-f", "json", "--history", "today.csv", cwd=folder)
    assert listed(everybody) == found, "a history is to its users"


def test_a_trace_hears_of_the_history(folder: Path, typed) -> None:
    pipeline = Workspace(folder / "workspace").load("pipeline", "p")
    first = pipeline.recommend([2], k=1).table["item_id"][0]
    pl.DataFrame({"user_id": [2], "item_id": [first]}).write_csv(folder / "took.csv")
    call = ("pipeline", "trace", "p", "2", "-i", str(first), "-f", "json")
    codes = [
        json.loads(said.stdout)["rows"][0]["code"]
        for said in (typed(*call, cwd=folder), typed(*call, "--history", "took.csv", cwd=folder))
    ]
    assert codes == ["recommended", "seen"]
