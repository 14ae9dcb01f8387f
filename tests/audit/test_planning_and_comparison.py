"""What an audit could find, and what became of what one found."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

import reclens as rl
from reclens.audit import Audit, AuditSettings
from reclens.errors import IncomparableError, UsageError


def shop(sizes: dict[str, int]) -> rl.Dataset:
    n = sum(sizes.values())
    gender = [name for name, size in sizes.items() for _ in range(size)]
    users = pl.DataFrame({"user_id": np.arange(n), "gender": gender})
    return rl.Dataset(pl.DataFrame({"user_id": np.arange(n), "item_id": np.arange(n) % 7}), users=users)


def test_the_detectable_gap_is_the_textbooks() -> None:
    """Two groups of 100 and 300, one test: (z(.975) + z(.8)) · .3 · √(1/100 + 1/300)."""
    found = rl.audit.plan(shop({"F": 100, "M": 300}), AuditSettings(by="gender"), mean=0.4)
    expected = (norm.ppf(0.975) + norm.ppf(0.8)) * 0.3 * np.sqrt(1 / 100 + 1 / 300)
    assert found.tests == 1
    assert [gap.difference for gap in found.gaps] == pytest.approx([expected, expected])
    assert found.gaps[0].ratio == pytest.approx(1 - expected / 0.4)


def test_more_groups_are_more_tests_and_small_ones_are_said() -> None:
    found = rl.audit.plan(shop({"a": 100, "b": 100, "c": 100, "d": 10}), AuditSettings(by="gender"))
    assert found.tests == 3
    by_name = {gap.segment: gap for gap in found.gaps}
    assert by_name["d"].small and np.isnan(by_name["d"].difference)
    expected = (norm.ppf(1 - 0.05 / 6) + norm.ppf(0.8)) * 0.3 * np.sqrt(1 / 100 + 1 / 210)
    assert by_name["a"].difference == pytest.approx(expected)


def test_the_planned_power_is_there(rate_error) -> None:  # type: ignore[no-untyped-def]
    """A gap of the planned size is found in 80 % of simulations of the test."""
    gap = rl.audit.plan(shop({"F": 60, "M": 240}), AuditSettings(by="gender")).gaps[0].difference
    rng, runs = np.random.default_rng(2), 2_000
    women, men = rng.normal(0.5 - gap, 0.3, (runs, 60)), rng.normal(0.5, 0.3, (runs, 240))
    error = np.sqrt(women.var(axis=1, ddof=1) / 60 + men.var(axis=1, ddof=1) / 240)
    found = np.abs(women.mean(axis=1) - men.mean(axis=1)) / error > norm.ppf(0.975)
    assert abs(found.mean() - 0.8) < rate_error(0.8, runs) + 0.005  # the normal quantile for Student's


def test_a_plan_needs_groups() -> None:
    with pytest.raises(UsageError, match="by="):
        rl.audit.plan(shop({"F": 60, "M": 60}), AuditSettings())
    with pytest.raises(UsageError, match="above 0"):
        rl.audit.plan(shop({"F": 60, "M": 60}), AuditSettings(by="gender"), spread=0.0)


@pytest.fixture(scope="module")
def audits(market) -> tuple[Audit, Audit]:  # type: ignore[no-untyped-def]
    fair, unfair = (
        rl.audit.run(**market(tilt=tilt), by="gender", name=name) for tilt, name in ((0.0, "a"), (0.2, "b"))
    )
    return unfair, fair


def test_what_improved_and_what_got_worse(audits: tuple[Audit, Audit]) -> None:
    for before, after, outcome in ((*audits, "improved"), (*audits[::-1], "worse")):
        found = rl.audit.compare(before, after)
        women = next(each for each in found.changes if (each.measure, each.segment) == ("ndcg@10", "F"))
        assert women.outcome == outcome and (found.only_before, found.only_after) == (0, 0)
        assert women.change.value == pytest.approx(women.after.value / women.before.value)
        assert women.change.low is not None and women.change.high is not None
        assert (women.change.low > 1) == (outcome == "improved")


def test_the_interval_of_a_change_is_that_of_independent_users(audits: tuple[Audit, Audit]) -> None:
    """Half widths of the two on the logarithm, added as squares."""
    change = next(
        each
        for each in rl.audit.compare(*audits).changes
        if (each.measure, each.segment, each.reference) == ("ndcg@10", "F", "rest")
    )

    def half_width(found: object) -> float:
        return float(np.log(found.high / found.low) / 2)  # type: ignore[attr-defined]

    expected = np.hypot(half_width(change.before), half_width(change.after))
    assert half_width(change.change) == pytest.approx(expected)


def test_an_audit_beside_itself_changes_nothing(audits: tuple[Audit, Audit]) -> None:
    found = rl.audit.compare(audits[0], audits[0])
    assert {each.outcome for each in found.changes} <= {"undecided", "not_tested"}
    assert {each.change.value for each in found.changes if each.outcome == "undecided"} == {1.0}


def test_audits_of_other_things_do_not_compare(audits: tuple[Audit, Audit], market) -> None:  # type: ignore[no-untyped-def]
    parts = market(tilt=0.0, users=100)
    other = rl.audit.run(parts["recommendations"], items=parts["train"].items, attributes=["brand"])
    with pytest.raises(IncomparableError, match="no number in common"):
        rl.audit.compare(audits[0], other)
