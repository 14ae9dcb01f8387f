"""Incidents over days: grouped, not flapping, told once, corrected with their days, and the same after a crash."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

import reclens as rl
from killed import Killed, dying
from reclens.monitor import incidents as module
from reclens.monitor.groups import find_groups
from reclens.monitor.incident_lifecycle import severity_of
from reclens.monitor.incidents import IncidentStore
from reclens.monitor.records import DETECTIONS, OVERALL, Annotation, DataCheck, GateResult, SeriesKey
from reclens.monitor.rules import Rule

BEGIN = date(2026, 3, 2)
AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
RULES = {
    "ctr": Rule(scale="logit", direction="down", owner="ann", runbook="http://wiki/ctr", family="response"),
    "ndcg": Rule(scale="logit", direction="down"),
    "nulls": Rule(scale="logit", direction="up"),
}
SLICES = {"all": OVERALL, "home": "surface", "search": "surface", "new": "segment", "old": "segment"}


def day(at):
    return BEGIN + timedelta(days=at)


def detections(at, **z):
    """A day on which series such as ``ctr_home`` are z units of noise away from what is expected; limits are 5."""
    rows = []
    for indicator in RULES:
        for slice_, dimension in SLICES.items():
            far = float(z.get(f"{indicator}_{slice_}", 0.0))
            state = "level" if abs(far) > 5 and (far > 0) == (indicator == "nulls") else "ok"
            n = 1000 if dimension == OVERALL else 500
            band = {"expected": 0.1, "low": 0.05, "high": 0.15, "limit": 5.0, "drift_limit": 9.0}
            key = {"day": day(at), "indicator": indicator, "dimension": dimension, "slice": slice_}
            rows.append({**key, "value": 0.1 + 0.0005 * far, "n": n, **band, "z": far, "drift": 0.0, "state": state})
    return pl.DataFrame([{name: row.get(name) for name in DETECTIONS} for row in rows], schema=DETECTIONS)


def gate(at, state="passed"):
    check = DataCheck(code="not_null", state=state, blocking=True, column="user_id")
    return GateResult(day=day(at), checks=(check,), state=state)


def store(folder, **given):
    return IncidentStore(folder, rules=RULES, **given)


def run(box, days, **given):
    """Runs of several days; what each of them tells."""
    return [box.update(day(at), detections(at, **z), at=AT, **given) for at, z in enumerate(days)]


def codes(notices):
    return [[each.code for each in told] for told in notices]


DOWN = {"ctr_home": -8, "ctr_all": -4}


def test_an_incident_opens_goes_on_and_ends_after_two_calm_days(tmp_path):
    box = store(tmp_path)
    assert codes(run(box, [{}, DOWN, DOWN, {}, {}, {}])) == [[], ["opened"], [], [], ["resolved"], []]
    (found,) = box.list()
    assert (found.root, found.direction, found.kind) == (SeriesKey("ctr", "surface", "home"), "down", "level")
    assert (found.first_day, found.last_day, found.days, found.status) == (day(1), day(2), 2, "resolved")
    assert (found.owner, found.runbook, found.traffic) == ("ann", "http://wiki/ctr", 0.5)
    assert found.effect == pytest.approx(-0.004)
    assert [each.code for each in found.trail] == ["opened", "continued", "resolved"]
    assert all(each.by == "monitor" for each in found.trail)


def test_a_value_at_its_limit_is_one_incident_and_two_notices(tmp_path):
    at_limit = [{"ctr_all": -5.1}, {"ctr_all": -4.9}] * 5
    told = run(store(tmp_path), [*at_limit, {}, {}])
    assert [each for day_ in codes(told) for each in day_ if each != "worse"] == ["opened", "resolved"]


def test_what_comes_back_within_the_cool_down_is_the_same_incident_without_a_notice(tmp_path):
    box = store(tmp_path)
    slight = {"ctr_home": -5.5}
    told = run(box, [slight, {}, {}, slight, {}, {}])
    assert codes(told) == [["opened"], [], ["resolved"], [], [], []]
    assert [each.code for each in box.list()[0].trail] == ["opened", "resolved", "reopened", "resolved"]
    # Resolved on the third day, it is another one from the fourth day behind that on.
    for calm, incidents in ((4, 1), (5, 2)):
        later = store(tmp_path / str(calm), cool_down=3)
        run(later, [slight, *[{}] * calm, slight])
        assert len(later.list()) == incidents


def test_symptoms_are_in_the_incident_of_their_root(tmp_path):
    box = store(tmp_path)
    told = run(box, [{"nulls_all": 20, "ctr_home": -6, "ndcg_all": -7}, {"nulls_all": 20, "ndcg_new": -6}])
    assert codes(told)[0] == ["opened"] and len(box.list()) == 1
    (found,) = box.list()
    assert found.root == SeriesKey("nulls")
    assert set(found.symptoms) == {
        SeriesKey("ctr", "surface", "home"),
        SeriesKey("ndcg"),
        SeriesKey("ndcg", "segment", "new"),
    }


def test_two_faults_of_two_dimensions_are_two_incidents(tmp_path):
    box = store(tmp_path)
    run(box, [{"ctr_home": -9, "ndcg_new": -8}])
    assert {each.root[1:] for each in box.list()} == {("surface", "home"), ("segment", "new")}


def test_a_change_for_the_better_is_none(tmp_path):
    box = store(tmp_path)
    run(box, [{"ctr_all": 9, "nulls_all": -9}])
    assert box.list() == []


def test_it_is_told_again_when_it_gets_worse(tmp_path):
    # 2 % of .1, 20 % of it, on half of the traffic is .1 a day: after 5 days half a day of everything is lost.
    slight = {"ctr_home": -40}
    told = run(store(tmp_path), [slight] * 6)
    assert [each.severity for each in told[0]] == ["warning"]
    worse = [(at, each) for at, day_ in enumerate(told) for each in day_ if each.code == "worse"]
    assert len(worse) == 1 and worse[0][1].severity == "critical"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"relative": 0.049, "days": 1, "traffic": 1.0}, "note"),
        ({"relative": 0.05, "days": 1, "traffic": 1.0}, "warning"),
        ({"relative": 0.1, "days": 5, "traffic": 1.0}, "critical"),
        ({"relative": 0.1, "days": 5, "traffic": 0.9}, "warning"),
        ({"relative": 0.01, "days": 1, "traffic": 0.1, "burn": "slow"}, "warning"),
        ({"relative": 0.01, "days": 1, "traffic": 0.1, "burn": "fast"}, "critical"),
        ({"relative": 0.0, "days": 1, "traffic": 0.0, "kind": "gate"}, "critical"),
    ],
)
def test_severity_is_effect_by_days_by_traffic(given, expected):
    assert severity_of(**given) == expected


def test_a_failed_gate_is_the_cause_and_silences_the_symptoms(tmp_path):
    box = store(tmp_path)
    told = [box.update(day(0), detections(0, **DOWN), gate=gate(0), at=AT)]
    told.append(box.update(day(1), detections(1, **DOWN, nulls_all=30), gate=gate(1, "failed"), at=AT))
    told.append(box.update(day(2), detections(2, **DOWN), gate=gate(2), at=AT))
    assert codes(told) == [["opened"], ["gate_failed"], ["gate_passed"]]
    by_kind = {each.kind: each for each in box.list()}
    assert by_kind["gate"].root == SeriesKey("data_gate") and by_kind["gate"].severity == "critical"
    assert by_kind["gate"].facts["checks"] == ["not_null"]
    assert (by_kind["level"].days, by_kind["level"].status) == (2, "open")
    # A day without data is no calm day either, and no day on which something was wrong elsewhere.
    box.update(day(3), detections(3), gate=gate(3, "not_evaluated"), at=AT)
    assert box.show(by_kind["level"].id).facts["calm_days"] == 0
    (empty,) = find_groups(day(3), detections(3), rules=RULES, gate=gate(3, "not_evaluated")).groups
    assert empty.suspects == ("data_gate",)
    noted = detections(4).with_columns(state=pl.lit("noted_incident"), z=None)
    box.update(day(4), noted, gate=gate(4), at=AT)
    assert box.show(by_kind["level"].id).facts["calm_days"] == 0


def test_the_slices_of_the_dimension_of_the_root_are_told_first():
    rows = [
        {"day": day(at), "indicator": "ctr", "dimension": dimension, "slice": name, "numerator": hits, "denominator": n}
        for at in (0, 1)
        for dimension, name, hits, n in (
            ("segment", "new", (50.0, 10.0)[at], 500.0),
            ("segment", "old", 50.0, 500.0),
            ("surface", "home", (50.0, 10.0)[at], 500.0),
            ("surface", "search", 50.0, 500.0),
        )
    ]
    series = pl.DataFrame(rows)
    today = detections(1, ctr_home=-20, ctr_new=-8, ctr_all=-9)
    (group,) = find_groups(day(1), today, rules=RULES, series=series).groups
    assert group.root == SeriesKey("ctr", "surface", "home")
    told = {each["slice"]: each["share"] for each in group.contributions}
    assert list(told) == ["home", "search", "new", "old"]
    assert told == pytest.approx({"home": 1.0, "search": 0.0, "new": 1.0, "old": 0.0})


def test_what_people_do_is_in_the_trail_and_holds(tmp_path):
    box = store(tmp_path)
    run(box, [DOWN])
    (found,) = box.list(status="open")
    assert box.acknowledge(found.id, by="ann", note="I look", at=AT).status == "acknowledged"
    box.snooze(found.id, until=day(3), by="ann", at=AT)
    assert box.show(found.id).snoozed_until == day(3)
    for at in (1, 2, 3):
        assert box.update(day(at), detections(at, **DOWN), at=AT) == ()
    trail = box.show(found.id).trail
    assert [(each.code, each.by) for each in trail[:3]] == [
        ("opened", "monitor"),
        ("acknowledged", "ann"),
        ("snoozed", "ann"),
    ]
    assert trail[1].note == "I look"
    assert box.resolve(found.id, by="bob", at=AT).status == "resolved"
    assert box.update(day(4), detections(4, ctr_home=-5.5), at=AT) == () and len(box.list()) == 1
    with pytest.raises(rl.errors.UsageError, match="resolved already"):
        box.acknowledge(found.id, by="ann")
    with pytest.raises(rl.errors.UnknownNameError, match="unknown incident 'nothing'"):
        box.show("nothing")
    with pytest.raises(rl.errors.UsageError, match="by is empty"):
        box.acknowledge(found.id, by=" ")


@pytest.mark.parametrize(("until", "told"), [(3, ["worse"]), (4, [])])
def test_a_snoozed_incident_is_not_told_until_its_day_is_over(tmp_path, until, told):
    slight = {"ctr_home": -40}  # on the fifth day it gets worse
    box = store(tmp_path)
    run(box, [slight] * 4)
    box.snooze(box.list()[0].id, until=day(until), by="ann", at=AT)
    assert codes(run_one(box, 4, slight)) == [told]


def run_one(box, at, z):
    return [box.update(day(at), detections(at, **z), at=AT)]


def test_a_day_that_runs_again_changes_nothing(tmp_path):
    box = store(tmp_path)
    first = run(box, [{}, DOWN, DOWN])
    text = (tmp_path / "incidents.json").read_bytes()
    again = IncidentStore(tmp_path, rules=RULES)
    assert again.update(day(1), detections(1, **DOWN), at=AT + timedelta(hours=5)) == first[1]
    assert (tmp_path / "incidents.json").read_bytes() == text


def test_a_corrected_day_changes_and_withdraws_incidents(tmp_path):
    box = store(tmp_path)
    run(box, [DOWN, DOWN, {"nulls_all": 9, "ctr_home": -4.5}])
    ctr = next(each for each in box.list() if each.root.indicator == "ctr")
    nulls = next(each for each in box.list() if each.root.indicator == "nulls")
    box.acknowledge(ctr.id, by="ann", at=AT)
    box.update(day(1), detections(1), at=AT)  # the second day was wrong
    assert box.show(ctr.id).days == 1 and box.show(ctr.id).status == "acknowledged"
    told = box.update(day(2), detections(2, ctr_home=-4.5), at=AT)
    assert [(each.code, each.incident, each.facts.get("withdrawn")) for each in told if each.incident == nulls.id] == [
        ("resolved", nulls.id, True)
    ]
    gone = box.show(nulls.id)
    assert gone.status == "resolved" and gone.trail[-1].code == "withdrawn"
    # It was right after all: the incident is there again, and is told by another key.
    back = box.update(day(2), detections(2, nulls_all=9, ctr_home=-4.5), at=AT)
    assert box.show(nulls.id).status == "open"
    assert [each.key for each in back if each.incident == nulls.id] == [f"opened:{nulls.id}:{day(2)}:1"]


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_write_and_run_again_it_is_the_same(tmp_path, monkeypatch, after):
    days = [DOWN, {"nulls_all": 9, "ctr_home": -9}]

    def everything(folder):
        box = store(folder)
        told = {each.key for notices in run(box, days) for each in notices}
        if box.list(status="open"):
            for each in box.list(status="open"):
                box.acknowledge(each.id, by="ann", at=AT)
        told |= {each.key for each in box.update(day(1), detections(1, **DOWN), at=AT)}
        return told, [(each.id, each.status, each.days) for each in box.list() if each.root.indicator == "ctr"]

    write = module.write_bytes
    expected = everything(tmp_path / "whole")
    for killed_at in itertools.count(1):
        folder = tmp_path / f"{killed_at}{after}"
        monkeypatch.setattr(module, "write_bytes", dying(write, killed_at, after=after))
        died = False
        try:
            everything(folder)
        except Killed:
            died = True
        monkeypatch.setattr(module, "write_bytes", write)
        told, left = everything(folder)
        assert left == expected[1], killed_at
        assert {key.split(":")[0] for key in told} >= {"opened"}
        if not died:
            break
    assert killed_at > 6


def test_a_deploy_before_an_incident_stays_a_suspect_and_one_behind_its_beginning_is_none(tmp_path):
    kept = {"suppress": False, "dimension": None, "slice": None, "by": "ann", "at": AT}
    before, behind = (
        Annotation(id=text, kind="deploy", start=day(at), end=day(at), text=text, **kept)
        for at, text in ((0, "ranker 2"), (3, "roll back"))
    )
    box = store(tmp_path)
    run(box, [{}, *[DOWN] * 5], annotations=[before, behind])
    (found,) = box.list()
    assert found.days == 5 and found.suspects == ("deploy",) and found.facts["noted"] == {"deploy": ["ranker 2"]}
    other = store(tmp_path / "behind")
    run(other, [{}, *[DOWN] * 5], annotations=[behind])
    assert other.list()[0].suspects == () and "noted" not in other.list()[0].facts
