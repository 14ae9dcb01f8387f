"""A whole audit: what it declares, corrects, judges, keeps and says that it could not measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control

import reclens as rl
from reclens.audit import Audit, AuditSettings, Hypothesis
from reclens.audit.cards import AuditCard
from reclens.errors import ArgumentTypeError, DataError, UnknownNameError, UsageError


@pytest.fixture(scope="module")
def audited(market) -> Audit:  # type: ignore[no-untyped-def]
    return rl.audit.run(**market(tilt=0.2), by="gender", attributes=["brand", "popularity"])


def test_a_planted_gap_is_critical_and_nothing_else_is(audited: Audit) -> None:
    women, rest = (
        next(row for row in audited.rows if (row.measure, row.segment) == ("recall@10", segment))
        for segment in ("F", "M")
    )
    assert women.ratio.value < 1 < rest.ratio.value
    first = audited.rows[0]
    assert (first.measure, first.by, first.segment, first.severity) == ("ndcg@10", "gender", "F", "critical")
    assert audited.opinions["users"] == "negative" and audited.findings[0].code == "users"
    assert audited.opinions["exposure"] in ("positive", "positive_with_comments")
    unknown = next(row for row in audited.rows if (row.measure, row.segment) == ("ndcg@10", "(unknown)"))
    assert unknown.reference == "known" and unknown.n_reference == women.n + rest.n


def test_two_groups_are_one_test_and_declared_ones_are_holms(audited: Audit) -> None:
    declared = [row for row in audited.rows if row.family == "confirmatory"]
    names = {(row.measure, row.attribute, row.subject, row.reference) for row in declared}
    assert ("ndcg@10", None, "M", "rest") not in names and ("ndcg@10", None, "F", "rest") in names
    assert {row.reference for row in declared if row.measure == "exposure_share"} == {"merit"}
    tested = sorted((row for row in declared if row.tested), key=lambda row: row.p_value)
    stepped = [min(1.0, row.p_value * (len(tested) - at)) for at, row in enumerate(tested)]
    assert [row.p_adjusted for row in tested] == pytest.approx(np.maximum.accumulate(stepped).tolist())
    searched = [row for row in audited.rows if row.family == "exploratory" and row.tested]
    expected = false_discovery_control([row.p_value for row in searched], method="bh")
    assert [row.p_adjusted for row in searched] == pytest.approx(expected.tolist())


def test_what_the_search_crosses_is_not_declared(market) -> None:  # type: ignore[no-untyped-def]
    drawn = market(tilt=0.2)
    train = drawn["train"]
    town = pl.Series("town", ["north", "south"]).gather(np.arange(train.users.height) % 2)
    drawn["train"] = rl.Dataset(train.interactions, users=train.users.with_columns(town), items=train.items)
    found = rl.audit.run(**drawn, by=["gender", "town"])
    crossed = [row for row in found.rows if row.by == "gender × town"]
    assert crossed and {row.family for row in crossed} == {"exploratory"}
    # A product that was asked for is declared, and stands there once.
    again = rl.audit.run(**drawn, by=["gender", "town", ("gender", "town")])
    rows = [(row.family, row.segment) for row in again.rows if row.by == "gender × town" and row.measure == "ndcg@10"]
    assert len(rows) == len(set(rows)) and "confirmatory" in {family for family, _ in rows}


def test_hypotheses_are_those_of_the_settings(market) -> None:  # type: ignore[no-untyped-def]
    declared = [Hypothesis(measure="exposure_share", attribute="brand", reference="catalogue")]
    found = rl.audit.run(**market(tilt=0.0, users=200), attributes=["brand"], hypotheses=declared)
    assert {(row.measure, row.reference) for row in found.rows if row.family == "confirmatory"} == {
        ("exposure_share", "catalogue")
    }


def test_tiers_are_not_tested_against_what_made_them(audited: Audit, market) -> None:  # type: ignore[no-untyped-def]
    tiers = [row for row in audited.rows if row.attribute == "popularity" and row.measure == "exposure_share"]
    assert {row.family for row in tiers if row.reference == "profile"} == {"descriptive"}
    assert "descriptive" not in {row.family for row in tiers if row.reference != "profile"}
    declared = [Hypothesis(measure="exposure_share", attribute="popularity", reference="profile")]
    with pytest.raises(UsageError, match="made of the histories"):
        rl.audit.run(**market(tilt=0.0, users=60), attributes=["popularity"], hypotheses=declared)


def test_an_audit_survives_being_saved(audited: Audit, tmp_path: Path, misfits) -> None:  # type: ignore[no-untyped-def]
    audited.save(tmp_path / "audit")
    again = Audit.load(tmp_path / "audit")
    assert misfits(audited.card, AuditCard) == misfits(again.card, AuditCard) == set()
    assert again.rows == audited.rows and again.findings == audited.findings and again.bias == audited.bias
    assert dict(again.opinions) == dict(audited.opinions) and again.not_measured == audited.not_measured
    assert pl.read_csv(tmp_path / "audit" / "numbers.csv").height == len(audited.rows)
    (tmp_path / "audit" / "audit.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not a whole audit"):
        Audit.load(tmp_path / "audit")


def test_what_cannot_be_measured_is_listed_with_what_it_needs(market) -> None:  # type: ignore[no-untyped-def]
    parts = market(tilt=0.0, users=100)
    found = rl.audit.run(parts["recommendations"], items=parts["train"].items, attributes=["brand"])  # type: ignore[attr-defined]
    lacking = {(each.section, each.lacking) for each in found.not_measured}
    assert lacking >= {("users", "truth"), ("exposure", "truth"), ("popularity", "train"), ("users", "user_groups")}
    assert {row.reference for row in found.rows if row.measure == "exposure_share"} == {"catalogue"}


def test_a_log_tells_the_weights_that_the_audit_can_be_run_with(market) -> None:  # type: ignore[no-untyped-def]
    """The log has one item a user at two places: the second is clicked half as often as the first."""
    rows = [(user, place, n < 10 // place) for user in range(40) for place in (1, 2) for n in range(20)]
    log = pl.DataFrame(rows, schema=["user_id", "position", "clicked"], orient="row").with_columns(item_id=pl.lit("x"))
    found = rl.audit.run(**market(tilt=0.0, users=60), log=log)
    assert found.position is not None and found.position.weights == pytest.approx([1.0, 0.5])
    assert "position" not in {each.section for each in found.not_measured}
    once = rl.audit.run(**market(tilt=0.0, users=60), log=log.filter(pl.col("position") == 1))
    assert ("position", "rankers") in {(each.section, each.lacking) for each in once.not_measured}


def test_a_small_group_is_inconclusive_with_what_could_have_been_found(market) -> None:  # type: ignore[no-untyped-def]
    found = rl.audit.run(**market(tilt=0.0, users=240), by="gender", minimum=30)
    small = [row for row in found.rows if row.segment == "(unknown)"]
    assert {row.reason for row in small} == {"few_users"} and {row.severity for row in small} == {"inconclusive"}
    tested = next(row for row in found.rows if row.segment == "F" and row.measure == "ndcg@10")
    assert 0.5 < tested.smallest_detectable < 1


def test_equal_groups_are_shown_to_be_equal(market) -> None:  # type: ignore[no-untyped-def]
    """Brands with the same exposure by construction: 20 items each, drawn alike for 2,000 users."""
    found = rl.audit.run(**market(tilt=0.0, users=2_000, seed=5), attributes=["brand"])
    shares = [row for row in found.rows if row.measure == "exposure_share" and row.reference == "catalogue"]
    assert {row.severity for row in shares} == {"none"}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"by": "gendr"}, UnknownNameError, "gender"),
        ({"attributes": ["brnd"]}, UnknownNameError, "brand"),
        ({"metrics": ["ndgc@10"]}, UnknownNameError, "ndcg"),
        ({"alpha": 5}, UsageError, "0.05"),
        ({"band": 1.1}, UsageError, "0.9"),
        ({"replicates": 10}, UsageError, "200"),
        ({"by": 3}, ArgumentTypeError, "by"),
    ],
)
def test_wrong_settings_say_what_to_do(  # type: ignore[no-untyped-def]
    options: dict[str, object], error: type[Exception], says: str, market
) -> None:
    with pytest.raises(error, match=says):
        rl.audit.run(**market(tilt=0.0, users=60), **options)


def test_settings_and_their_fields_exclude_each_other(market) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=r"settings and by are both given\. Put all of them into settings="):
        rl.audit.run(**market(tilt=0.0, users=60), settings=AuditSettings(), by="gender")


def test_the_group_that_is_worse_off_is_judged_whatever_its_name(market) -> None:  # type: ignore[no-untyped-def]
    """Women are the better served ones here: men, the second of the two by name, are the finding."""
    parts = market(tilt=0.2)
    users = parts["train"].users.with_columns(pl.col("gender").replace({"F": "M", "M": "F"}))
    found = rl.audit.run(parts["recommendations"], parts["truth"], users=users, by="gender")
    judged = {row.segment: row for row in found.rows if row.measure == "ndcg@10" and row.reference == "rest"}
    assert judged["M"].severity == "critical" and judged["F"].family == "descriptive"


def test_who_is_favoured_is_no_finding(market) -> None:  # type: ignore[no-untyped-def]
    """Brand a has two of three places by construction: it is favoured, and b and c are the findings."""
    parts = market(tilt=0.0, users=300)
    lists = parts["recommendations"].with_columns(
        item_id=pl.when(pl.col("rank") % 3 > 0)
        .then(pl.col("rank") * 3)
        .otherwise(pl.col("rank") + pl.col("user_id") % 2)
    )
    lists = lists.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    found = rl.audit.run(lists, train=parts["train"], attributes=["brand"])
    shares = {row.group: row for row in found.rows if (row.measure, row.reference) == ("exposure_share", "catalogue")}
    assert shares["a"].ratio.value > 1 and shares["a"].severity == "favoured"
    # Nobody is shown an item of c: 0 of 300 users, and at parity nobody is with chance (2/3)^300, on either side.
    never = shares["c"].value
    assert (never.value, never.low, never.high) == pytest.approx((0, 0, 1 - 0.025 ** (1 / 300)))
    assert shares["c"].p_value == pytest.approx(2 * (2 / 3) ** 300, rel=1e-9, abs=0)
    assert {shares["b"].severity, shares["c"].severity} <= {"critical", "high"}
    assert "a" not in {finding.examples[0] for finding in found.findings if finding.kind == "disparity"}
