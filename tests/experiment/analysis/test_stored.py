"""A readout that is kept says tomorrow what it said today: every number, every code, every sentence."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.data.manifest import write_manifest
from reclens.errors import DataError, UsageError
from reclens.experiment import Plan, read_aggregated
from reclens.experiment.analysis.readout import Readout, read_experiment
from reclens.experiment.analysis.stored import from_plain, to_plain
from reclens.report.data.artefact_words import artefact_summary
from reclens.report.experiment.readout import build_readout
from reclens.workspace import Workspace

CLICKS = {"name": "clicks", "value": "clicks", "covariates": ("before",), "effect": 0.05}
SLOW = {
    "name": "p90",
    "kind": "quantile",
    "value": "latency",
    "q": 0.9,
    "role": "guardrail",
    "margin": 0.1,
    "better": "lower",
}
KEPT = {"name": "kept", "kind": "proportion", "value": "kept", "role": "secondary"}


@cache
def units() -> Readout:
    """Three arms of 900 users over two weeks with planned looks, segments, a quantile, and a value that is missing."""
    rng = np.random.default_rng(5)
    n = 2700
    arm = rng.integers(0, 3, n)
    frame = pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.array(["old", "new", "newer"])[arm],
            "before": rng.gamma(2, 1, n),
            "clicks": rng.gamma(2, 1, n) + 0.3 * (arm == 1),
            "latency": rng.gamma(4, 25, n),
            "kept": rng.integers(0, 2, n),
            "day": np.datetime64("2026-01-05") + rng.integers(0, 14, n),
            "activity": rng.choice(["light", "heavy"], n),
        }
    )
    plan = Plan(
        name="carousel",
        arms={"old": 0.4, "new": 0.3, "newer": 0.3},
        days=28,
        sequential={"looks": 4},
        segments=("activity",),
        metrics=(CLICKS, SLOW, KEPT),
    )
    return read_experiment(plan, frame, day="day")


@cache
def log() -> Readout:
    """A log in which every fourth event of one arm stands twice, so that checks have faults to tell of."""
    at = np.arange(2000)
    days = np.datetime64("2026-01-05T00:00:00", "us") + (at % 9) * np.timedelta64(1, "D")
    events = pl.DataFrame(
        {"user_id": at % 400, "variant": np.array(["old", "new"])[at % 2], "clicks": at % 3, "timestamp": days}
    )
    events = pl.concat([events, events.filter((pl.col("variant") == "new") & (pl.int_range(pl.len()) < 800))])
    metrics = ({"name": "clicks", "value": "clicks"},)
    return read_experiment(
        Plan(name="log", arms={"old": 0.5, "new": 0.5}, start="2026-01-05", metrics=metrics), events, events=True
    )


@cache
def counts() -> Readout:
    """Counts of arms, from which several things cannot be told."""
    plan = Plan(name="gate", arms={"old": 0.5, "new": 0.5}, metrics=({**KEPT, "role": "primary"},))
    rows = {"variant": ["old", "new"], "n": [44_700, 45_489], "kept_successes": [8_502, 8_279]}
    return read_aggregated(plan, pl.DataFrame(rows))


@pytest.mark.parametrize("made", [units, log, counts])
def test_a_kept_readout_is_the_one_that_was_read(made, tmp_path: Path) -> None:
    found, place = made(), Workspace(tmp_path)
    place.save(found, "week-1")
    again = place.load("readout", "week-1")
    assert repr(again) == repr(found) and repr(again.record()) == repr(found.record())
    assert repr(again.plan) == repr(found.plan)
    assert json.dumps(to_plain(again)) == json.dumps(to_plain(found)), "down to the arrays of the tests"
    for before, after in zip(found.effects, again.effects, strict=True):  # intervals at other levels can still be made
        if before.found.testable:
            assert after.found.within(2.5) == pytest.approx(before.found.within(2.5), abs=1e-12)
    parts = [build_readout(each, bayes=True).markdown for each in (found, again)]
    assert parts[0] == parts[1] and len(parts[0]) > 2000
    (listed,) = place.list("readout")
    assert artefact_summary(listed).startswith(f"{found.plan.name}: ")
    assert listed.card["decisions"] == {each.arm: each.code for each in found.decisions}
    assert place.sql("SELECT count(*) AS n FROM readout_week_1_effects")["n"].item() == len(found.effects)


def test_a_readout_of_an_older_version_can_be_read(tmp_path: Path) -> None:
    """Its interim analysis was called ``look``, and the coefficient of a covariate ``theta of x``."""
    place = Workspace(tmp_path)
    folder = place.save(units(), "old")
    file = folder / "readout.json"
    text = file.read_text(encoding="utf-8")
    assert '"interim": {' in text and '"theta:before"' in text
    file.write_text(text.replace('"interim": {', '"look": {').replace("theta:", "theta of "), encoding="utf-8")
    write_manifest(folder)
    again = place.load("readout", "old")
    assert repr(again.interim) == repr(units().interim)
    said = build_readout(again).markdown
    assert "theta of before = " in said and "theta of theta" not in said


def test_a_plan_is_kept_as_it_is_written(tmp_path: Path) -> None:
    place, plan = Workspace(tmp_path), units().plan
    place.save(plan, "carousel")
    assert place.load("plan", "carousel") == plan
    assert artefact_summary(place.list("plan")[0]) == "carousel: old 40%, new 30%, newer 30%; clicks"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace('"code": "blocked"', '"code": "perhaps"', 1), "code of a Decision is 'perhaps'"),
        (lambda text: text.replace('"type": "Effect"', '"type": "Popen"', 1), "it holds a 'Popen'"),
        (lambda text: text.replace('"winners"', '"losers"', 1), "losers"),
        (lambda text: '{"type": "Estimate", "fields": {"value": 1, "low": 0, "high": 2, "n": 3}}', "a Estimate"),
        (lambda text: "[]", "a tuple"),
        (lambda text: text[:-9], "not a whole readout"),
    ],
)
def test_what_is_no_readout_is_refused(change, says: str, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    folder = place.save(log(), "mine")
    file = folder / "readout.json"
    before = file.read_text(encoding="utf-8")
    assert change(before) != before
    file.write_text(change(before), encoding="utf-8")
    write_manifest(folder)
    with pytest.raises(DataError, match=says):
        place.load("readout", "mine")


def test_records_keep_their_class_and_nothing_else_is_made(tmp_path: Path) -> None:
    plain = json.loads(json.dumps(to_plain(counts())))
    assert repr(from_plain(plain)) == repr(counts())
    with pytest.raises(DataError, match="expected a readout"):
        from_plain({"type": "Plan", "fields": plain["fields"]["plan"]["fields"]})
    with pytest.raises(UsageError, match="cannot be kept"):
        Workspace(tmp_path).save(plain, "mine")
