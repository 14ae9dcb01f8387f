"""The sums of an experiment in Spark are those of one machine; here on Sail."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.cli.app import app
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment import Plan, gather
from reclens.experiment import read as read_experiment
from reclens.experiment.aggregate.gather import gather_events
from spark_tables import to_spark
from warehouse_tables import assert_same_sums, units, visits

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")
pytest.importorskip("sqlglot", reason="SQLGlot is not installed: pip install 'reclens[sql]'")

ZONE = "spark.sql.session.timeZone"
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
            "met": rng.integers(0, 2, n),
        }
    )
    ids = pl.format("u{}", "user_id") if kind == "string" else pl.col("user_id").cast(pl.Int32)
    return made.with_columns(user_id=ids)


def assert_same_rows(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    """Effects with the numbers of one machine."""
    for row, known in zip(theirs, ours, strict=True):
        for name, value in known.items():
            exact = value is None or isinstance(value, str | bool)
            assert row[name] == (value if exact else pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)), name


@pytest.mark.parametrize(("kind", "n"), [("string", 1), ("int32", 7), ("string", 300)])
def test_partitions_give_the_sums_of_one_machine(session: Any, kind: str, n: int) -> None:
    rows = table(kind).head(400 if n < 300 else 30)

    found = gather(to_spark(session, rows).repartition(n), plan(), day="first_day")

    assert_same_sums(found, gather(rows, plan(), day="first_day"))
    # Both ask by one SQL; what it has to find is told without it.
    for arm in ("old", "new", "both"):
        own, sums = rows.filter(variant=arm), found.arm(arm)
        clicks = own["clicks"].to_numpy().astype(float)
        at = sums.columns.index("clicks")
        assert sums.n == own.height and sums.mean[at] == pytest.approx(clicks.mean(), rel=1e-12)
        assert sums.covariances(["clicks"])[0, 0] == pytest.approx(clicks.var(ddof=1), rel=1e-12)
        for (day, country), units_there in own.group_by("first_day", "country.of"):
            cell = found.cells[arm, day, "country.of", country or "(none)"]
            assert cell.n == units_there.height and cell.mean[at] == pytest.approx(units_there["clicks"].mean())


def test_triggered_units_of_a_column_and_of_a_query(session: Any) -> None:
    rows = table("string")
    frame = to_spark(session, rows)
    frame.createOrReplaceTempView("met_units")
    chosen = plan().model_copy(update={"triggered": "met"})
    listed = plan().model_copy(update={"triggered": "SELECT user_id FROM met_units WHERE met = 1"})

    known = gather(rows, chosen, day="first_day")
    assert known.untriggered is not None and known.arm("old").n == rows.filter(variant="old")["met"].sum()
    assert_same_sums(gather(frame, chosen, day="first_day"), known)
    assert_same_sums(gather(frame, listed, day="first_day"), known)
    one, far = (read_experiment(chosen, each, day="first_day") for each in (rows, frame))
    diluted = [[row for each in found.diluted for row in each.to_dicts()] for found in (far, one)]
    assert diluted[1]
    assert_same_rows(*diluted)


def test_a_log_of_events(session: Any) -> None:
    log = visits(units())
    metrics = {"clicks": {"covariates": ("clicks_before",)}, "bought": {"kind": "proportion", "role": "secondary"}}
    made = tuple({"name": name, "value": name, **more} for name, more in metrics.items())
    arms = {"control": 0.5, "new": 0.5}
    logged = Plan(name="logged", arms=arms, metrics=made, segments=("country",), start="2026-01-05")  # pyright: ignore[reportArgumentType]

    found = gather_events(to_spark(session, log).repartition(7), logged)

    assert_same_sums(found, gather_events(log, logged))


@pytest.fixture
def far_zone(session: Any) -> Iterator[str]:
    """The time zone of the session, for a test."""
    before = session.conf.get(ZONE)
    session.conf.set(ZONE, "America/New_York")
    yield "America/New_York"
    session.conf.set(ZONE, before)


def test_a_readout_has_the_effects_of_one_machine(session: Any, far_zone: str) -> None:
    rows = table("string")

    one, far = (read_experiment(plan(), each, day="first_day") for each in (rows, to_spark(session, rows)))

    assert far.units == one.units
    for ours, theirs in zip(one.effects, far.effects, strict=True):
        assert_same_rows(theirs.to_dicts(), ours.to_dicts())
    skipped = [{each.code for each in found.trust_checks if each.status == "skipped"} for found in (far, one)]
    assert skipped[0] - skipped[1] == {"outliers"}
    assert rl.report.build_readout(far)
    # The session is as it was.
    assert session.conf.get(ZONE) == far_zone
    assert not [each.name for each in session.catalog.listTables() if each.name.startswith("reclens_")]


def test_the_command_line_reads_a_table_of_spark(session: Any, address: str, tmp_path: Path, capsys: Any) -> None:
    rows = table("string").rename({"user_id": "customer"})
    to_spark(session, rows).write.parquet(f"{tmp_path}/units")
    rows.write_parquet(tmp_path / "one.parquet")
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    more = ["-c", "user_id=customer", "--day", "first_day", "--format", "json", "--workspace", f"{tmp_path}/w"]
    printed = []
    for where in ([f"spark:{tmp_path}/units", "--engine", address], [f"{tmp_path}/one.parquet"]):
        with pytest.raises(SystemExit) as ended:
            app(["experiment", "read", f"{tmp_path}/plan.toml", *where, *more], standalone_mode=True)
        assert not ended.value.code
        printed.append(json.loads(capsys.readouterr().out)["rows"])

    assert len(printed[0]) == 6
    assert_same_rows(*printed)


def test_units_in_two_arms_and_unknown_arms(session: Any) -> None:
    rows = table("string")
    twice = rows.head(2).with_columns(variant=pl.Series(["both", "new"]), user_id=pl.lit("u7"))
    odd = rows.tail(4).with_columns(variant=pl.lit("other"), user_id=pl.col("user_id") + "x")
    rows = pl.concat([rows.filter(pl.col("user_id") != "u7"), twice, odd])
    how: dict[str, Any] = {"two_arms": "drop", "unknown_arms": "drop"}

    assert_same_sums(gather(to_spark(session, rows), plan(), **how), gather(rows, plan(), **how))
    with pytest.raises(DataError, match="1 units stand in two arms, such as 'u7'"):
        gather(to_spark(session, rows), plan(), unknown_arms="drop")
    with pytest.raises(DataError, match="arms that the plan does not have: 'other'"):
        gather(to_spark(session, rows), plan(), two_arms="drop")


def test_tables_that_cannot_be_summed_up(session: Any) -> None:
    frame = to_spark(session, table("string"))
    with pytest.raises(UnknownNameError, match="unknown column of the DataFrame 'clicks'"):
        gather(frame.drop("clicks"), plan())
    with pytest.raises(DataError, match="no units in the arm new, both"):
        gather(frame.filter("variant = 'old'"), plan())
    with pytest.raises(DataError, match="1 rows name no unit"):
        gather(to_spark(session, table("string").with_columns(user_id=pl.col("user_id").replace("u7", None))), plan())
    with pytest.raises(UsageError, match="a table without ids cannot be read in a warehouse"):
        gather(frame.drop("user_id"), plan(), ids=False)
    with pytest.raises(UsageError, match="a frame of an engine is given, and rows of it are named too"):
        gather(frame, plan(), table="units")
    of_rows = plan().model_copy(
        update={"metrics": (rl.experiment.Metric(name="m", kind="quantile", value="clicks", q=0.9),)}
    )
    with pytest.raises(UsageError, match="'m' is a quantile, which needs the rows"):
        read_experiment(of_rows, frame)
