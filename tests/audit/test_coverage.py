"""How much of the catalogue groups are shown: by listing every draw of users, and on simulated lists."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from reclens.audit.coverage import coverage_rows, rarefied_coverage
from reclens.audit.measure import measure_audit
from reclens.audit.settings import AuditSettings

ITEMS = np.array([[0, 1, 5], [1, 2, -1], [1, 0, 3], [4, -1, -1], [2, 1, 0]], np.int32)
INSIDE = np.array([True, True, True, True, True, False, True])


@pytest.mark.parametrize("users", [1, 2, 3, 4])
def test_the_mean_over_all_draws_of_users(users: int) -> None:
    """Item 5 is outside of the catalogue and 6 is never shown: of six items, the mean over every draw of users."""

    def mean(lists: np.ndarray) -> float:
        seen = [
            {item for item in np.unique(lists[list(chosen)]) if item >= 0 and INSIDE[item]}
            for chosen in combinations(range(len(lists)), users)
        ]
        return float(np.mean([len(each) for each in seen])) / 6

    coverage, error = rarefied_coverage(ITEMS, INSIDE, users)
    assert coverage == pytest.approx(mean(ITEMS))
    if users < len(ITEMS) - 1:
        left = np.array([mean(np.delete(ITEMS, at, axis=0)) for at in range(len(ITEMS))])
        jackknife = np.sqrt(4 / 5 * ((left - left.mean()) ** 2).sum())
        assert jackknife / np.sqrt(2) - 1e-12 <= error <= jackknife + 1e-12


def test_too_few_users_have_none() -> None:
    assert np.isnan(rarefied_coverage(ITEMS, INSIDE, 5)).all()


@pytest.mark.parametrize("skew", [0.0, 1.2])
def test_intervals_hold_the_coverage_of_the_population(skew: float, rate_error) -> None:  # type: ignore[no-untyped-def]
    """Sixty users are drawn of a population of lists, even or heavy in the head; a quarter of them are compared."""
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, 201) ** skew
    keys = np.log(weights) + rng.gumbel(size=(3_000, 200))
    population = np.argsort(-keys, axis=1)[:, :8].astype(np.int32)
    inside = np.ones(200, bool)
    truth = rarefied_coverage(population, inside, 15)[0]
    runs, held = 400, 0
    for _ in range(runs):
        value, error = rarefied_coverage(population[rng.choice(3_000, 60, replace=False)], inside, 15)
        held += abs(value - truth) < 2.001 * error
    assert abs(held / runs - 0.95) < rate_error(0.95, runs)


def test_groups_are_compared_at_equal_numbers(market) -> None:  # type: ignore[no-untyped-def]
    """Men are shown items below 30 alone: half of the catalogue at most, and what their users are shown of it."""
    parts = market(tilt=0.0, users=400)
    users = parts["train"].users
    men = users.filter(users["gender"] == "M")["user_id"]
    lists = parts["recommendations"].filter(
        ~parts["recommendations"]["user_id"].is_in(men.implode()) | (parts["recommendations"]["item_id"] < 30)
    )
    measures = measure_audit(lists, train=parts["train"], settings=AuditSettings(by="gender"))
    rows = {row.segment: row for row in coverage_rows(measures)}
    assert set(rows) == {"F", "M", "(unknown)"}
    smallest = min(measures.n(("gender", name)) for name in ("F", "M", "(unknown)"))
    labels, codes = measures.context.groups["gender"]
    assert measures.items is not None
    ours = measures.items[codes == labels.index("M")]
    expected = rarefied_coverage(ours, measures.context.catalogue.in_catalogue, max(smallest // 4, 1))[0]
    assert rows["M"].value.value == pytest.approx(expected) and expected <= 0.5
    assert rows["M"].reference_value.value == rows["F"].value.value
    assert rows["M"].p_value < 1e-6 and rows["(unknown)"].reference == "known"
    assert rows["M"].ratio.value == pytest.approx(rows["M"].value.value / rows["F"].value.value)


def test_a_stream_keeps_no_lists(market) -> None:  # type: ignore[no-untyped-def]
    parts = market(tilt=0.0, users=100)
    lists = parts["recommendations"].lazy()
    measures = measure_audit(lists, parts["truth"], train=parts["train"], settings=AuditSettings(by="gender"))
    assert measures.items is None and coverage_rows(measures) == []
