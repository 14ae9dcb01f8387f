"""The sums of an experiment in Spark are those of one machine; here on Sail."""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.cli.app import app
from reclens.edges.spark import Spark
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment import Plan, gather
from reclens.experiment import read as read_experiment
from reclens.experiment.aggregate.aggregates import Aggregates
from spark_tables import to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

PLAN = """
name = "t"
unit = "user_id"
segments = ["country.of"]
arms = { old = 0.5, new = 0.3, both = 0.2 }

[[metrics]]
name = "clicks"
value = "clicks"
role = "primary"
covariates = ["clicks_before"]

[[metrics]]
name = "ctr"
kind = "ratio"
value = "clicks"
per = "shown"
role = "secondary"

[[metrics]]
name = "returned"
kind = "proportion"
value = "returned"
role = "guardrail"
margin = 0.05
"""


@functools.cache
def plan() -> Plan:
    return Plan.model_validate(tomllib.loads(PLAN))


@functools.cache
def table(kind: str) -> pl.DataFrame:
    """400 units in three arms of unequal size; of some the value before is missing, and so is the country."""
    rng, n = np.random.default_rng(2), 400
    shown = rng.poisson(20, n) + 1
    made = pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": rng.choice(["old", "new", "both"], n, p=[0.5, 0.3, 0.2]),
            "first_day": rng.choice(["2026-01-05", "2026-01-06"], n),
            "country.of": [["de", "fr", None][v] for v in rng.integers(0, 3, n)],
            "clicks": rng.binomial(shown, 0.15),
            "shown": shown,
            "returned": rng.integers(0, 2, n),
            "clicks_before": [float(v) if v else None for v in rng.poisson(3, n)],
        }
    )
    ids = pl.format("u{}", "user_id") if kind == "string" else pl.col("user_id").cast(pl.Int32)
    return made.with_columns(user_id=ids)


def assert_equal(ours: Aggregates, theirs: Aggregates) -> None:
    """Counts are equal, and sums to 1e-12."""
    assert ours.cells.keys() == theirs.cells.keys() and ours.columns == theirs.columns
    assert ours.indicators == theirs.indicators and set(map(str, ours.rules)) == set(map(str, theirs.rules))
    for cell, known in ours.cells.items():
        found = theirs.cells[cell]
        assert found.n == known.n
        np.testing.assert_allclose(found.mean, known.mean, rtol=1e-12, atol=1e-12)
        for name in ("cross", "third"):
            expected, value = getattr(known, name), getattr(found, name)
            assert (expected is None) == (value is None)
            if expected is not None:
                scale = np.nanmax(np.abs(expected), initial=1.0)
                np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12 * scale, equal_nan=True)


@pytest.mark.parametrize(("kind", "n"), [("string", 1), ("int32", 7), ("string", 300)])
def test_partitions_give_the_sums_of_one_machine(session: Any, kind: str, n: int) -> None:
    rows = table(kind).head(400 if n < 300 else 30)

    found = Spark(partitions=n).gather(to_spark(session, rows), plan(), day="first_day")

    assert_equal(gather(rows, plan(), day="first_day"), found)
    assert {each.code for each in found.unknown} == {"shared_ids", "extreme_units", "outliers"}


def test_covariates_that_none_are_missing_of_have_no_indicator(session: Any) -> None:
    rows = table("int32").with_columns(pl.col("clicks_before").fill_null(0))

    assert_equal(gather(rows, plan()), Spark(partitions=3).gather(to_spark(session, rows), plan()))


def test_a_readout_has_the_effects_of_one_machine(session: Any) -> None:
    rows = table("string")

    one, far = (read_experiment(plan(), each, day="first_day") for each in (rows, to_spark(session, rows)))

    assert far.units == one.units
    for ours, theirs in zip(one.effects, far.effects, strict=True):
        for row, known in zip(theirs.to_dicts(), ours.to_dicts(), strict=True):
            for name, value in known.items():
                exact = value is None or isinstance(value, str | bool)
                assert row[name] == (value if exact else pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)), name
    assert rl.report.build_readout(far)


def test_the_command_line_reads_a_table_of_spark(session: Any, address: str, tmp_path: Path, capsys: Any) -> None:
    rows = table("string").rename({"user_id": "customer"})
    to_spark(session, rows).write.parquet(f"{tmp_path}/units")
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    argv = ["experiment", "read", f"{tmp_path}/plan.toml", f"spark:{tmp_path}/units", "--engine", address]
    argv += ["-c", "user_id=customer", "--day", "first_day", "--format", "json", "--workspace", f"{tmp_path}/w"]

    with pytest.raises(SystemExit) as ended:
        app([*argv], standalone_mode=True)

    printed = json.loads(capsys.readouterr().out)
    found = {(row["metric"], row["arm"]): row for row in printed["rows"] if row["arm"] == "new"}
    known = {each.metric.name: each for each in read_experiment(plan(), table("string")).effects if each.arm == "new"}
    assert ended.value.code in (0, 1, None) and found.keys() == {(name, "new") for name in known}


def test_units_in_two_arms_and_unknown_arms(session: Any) -> None:
    rows = table("string")
    twice = rows.head(2).with_columns(variant=pl.Series(["both", "new"]), user_id=pl.lit("u7"))
    odd = rows.tail(4).with_columns(variant=pl.lit("other"), user_id=pl.col("user_id") + "x")
    rows = pl.concat([rows.filter(pl.col("user_id") != "u7"), twice, odd])
    how: dict[str, Any] = {"two_arms": "drop", "unknown_arms": "drop"}

    assert_equal(gather(rows, plan(), **how), Spark(partitions=5).gather(to_spark(session, rows), plan(), **how))
    with pytest.raises(DataError, match="1 units stand in two arms, such as 'u7'"):
        Spark(partitions=5).gather(to_spark(session, rows), plan(), unknown_arms="drop")
    with pytest.raises(DataError, match="arms that the plan does not have: 'other'"):
        Spark(partitions=5).gather(to_spark(session, rows), plan(), two_arms="drop")


def test_tables_that_cannot_be_summed_up(session: Any) -> None:
    frame = to_spark(session, table("string"))
    with pytest.raises(UnknownNameError, match="unknown column of the table 'clicks'"):
        Spark().gather(frame.drop("clicks"), plan())
    with pytest.raises(DataError, match="no units in the arm new, both"):
        Spark().gather(frame.filter("variant = 'old'"), plan())
    with pytest.raises(UsageError, match="a log of events takes the rows of one machine"):
        read_experiment(plan(), frame, events=True)
