"""``reclens explore report``: a space, lists, a truth and an index, to a report and a gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reclens.explore import LocalStore, planted_space
from reclens.explore.transfer import move
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A workspace with a planted space and users, a store without some of its items, and files."""
    folder = tmp_path_factory.mktemp("explored")
    world = planted_space("hole", strength=0.05, n_items=500, n_users=200, dimension=48, clusters=5, seed=4)
    place = Workspace(folder / "workspace")
    place.save(world.items, "films")
    place.save(world.users, "films-users")
    place.save(world.later, "films-later")
    move(world.items.take(np.arange(480)), LocalStore(folder / "store"))
    world.lists.write_csv(folder / "lists.csv")
    world.truth.write_csv(folder / "truth.csv")
    (folder / "gate.toml").write_text('[[gate]]\nmeasure = "not_in_index"\nat_most = 0.01\n')
    (folder / "open.toml").write_text('[[gate]]\nmeasure = "not_in_index"\nat_most = 0.1\n')
    return folder


def test_everything_that_is_given_is_told(home, run) -> None:
    said = run(
        *("explore", "report", "films", "lists.csv", "--truth", "truth.csv", "--demand", "films-users"),
        *("--store", "local:store", "--before", "films-later", "--category", "topic", "--map", "pca"),
        *("--report", "out/films", "--gate", "open.toml", "--format", "json"),
        cwd=home,
    )
    numbers = {row["measure"]: row["value"] for row in json.loads(said.stdout)["rows"]}
    assert numbers["not_in_index"] == 20 / 500 and numbers["far_queries"] == pytest.approx(0.05, abs=0.006)
    assert {"coverage", "moved", "recall", "purity", "trustworthiness"} <= set(numbers)
    assert "demand without supply" in said.stderr and "are not in the index" in said.stderr
    page = (home / "out" / "films.md").read_text(encoding="utf-8")
    assert "## Gate" in page and "## Drift" in page and (home / "out" / "films.html").exists()


def test_a_breached_gate_ends_with_1(home, run) -> None:
    words = ("explore", "report", "films", "lists.csv", "--train", "truth.csv", "--store", "local:store", "--gate")
    assert run(*words, "gate.toml", "--quiet", cwd=home, status=1).returncode == 1
    assert run(*words, "open.toml", "--quiet", cwd=home).returncode == 0


def test_what_cannot_be_used_is_said(home, run) -> None:
    (home / "wrong.toml").write_text('[[gate]]\nmeasure = "coverge"\nat_most = 1\n')
    for words, said in (
        (("--gate", "wrong.toml"), "coverage"),
        (("--store", "local:empty"), "explore index films"),
        (("--map", "tsne"), "unknown --map 'tsne'"),
        (("--category", "genre"), "genre"),
        (("--price", "topic"), "expected numbers"),
    ):
        assert said in run("explore", "report", "films", *words, cwd=home, status=2).stderr
