"""A workspace of systems, segments and users with hostile names, measured and compared."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from reclens import models
from reclens.data import segments
from reclens.data import split as splits
from reclens.evaluation import Comparison, Evaluation, compare, evaluate
from reclens.workspace import Workspace

HOSTILE = """</x>"quo'te";; ${TABLE} {{ x }} @{y} | % \\ & \u2028"""
METRICS = ("ndcg@10", "hit_rate@10", "serendipity@5", "novelty@10", "r_precision", "coverage@10", "gini@10")


@dataclass(frozen=True)
class Measured:
    workspace: Workspace
    results: dict[str, Evaluation]
    comparison: Comparison


@pytest.fixture(scope="session")
def kept(small_data, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    renamed = pl.concat_str(pl.lit(HOSTILE), pl.col("user_id").cast(pl.String))
    users = small_data.users.with_columns(
        renamed.alias("user_id"),
        town=pl.when(pl.col("age") < 30).then(pl.lit(HOSTILE)).otherwise(pl.lit("b")),
    )
    interactions = small_data.interactions.with_columns(renamed.alias("user_id"))
    split = splits.random(replace(small_data, users=users, interactions=interactions), rng=1)
    train = split.train.with_segments(
        **{"age": segments.bins("age", [25, 45]), "activity|n": segments.quantiles("n_interactions", ["few", "many"])},
        town="town",
    )
    workspace, results = Workspace(tmp_path_factory.mktemp("edges") / "work"), {}
    for name, system, model in (
        ("popular", "popular", models.Popular()),
        ("knn", HOSTILE, models.ItemKNN()),
        ("random", "r", models.Random()),
    ):
        lists = model.fit(train).recommend(split.test_users)
        results[name] = evaluate(
            lists,
            split.test,
            train=train,
            metrics=METRICS,
            name=system,
            replicates=200,
            by=["age", "activity|n", "town"],
        )
        workspace.save(results[name], name)
    comparison = compare(results, baseline="popular", flips=999)
    workspace.save(comparison, "c")
    return Measured(workspace, results, comparison)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def health() -> Callable[..., dict]:
    return _health


def _health(day: date, value: float, status: str, **more) -> dict:
    """A row of daily health."""
    row = {"day": day, "system": "shop", "indicator": "ctr", "segmentation": "overall", "segment": "all"}
    return {
        **row,
        "value": value,
        "low": value - 1,
        "high": value + 1,
        "n": 10,
        "level": 0.95,
        "expected": 2.0,
        "status": status,
        **more,
    }


@pytest.fixture(scope="session")
def doubles() -> Callable[[str], ModuleType]:
    """Loads a module of this folder that plays a service."""

    @functools.cache
    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
