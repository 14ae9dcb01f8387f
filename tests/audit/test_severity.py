"""How grave a row is: every line of the table, and its boundaries; what a criterion comes to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from reclens.audit.rows import AuditRow, audit_row
from reclens.audit.severity import judged, opinion, severity
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated, replicated_means
from reclens.stats.summary import Summary


def row(ratio: float, low: float | None, high: float | None, **about: Any) -> AuditRow:
    one = Estimate(1.0, low=None, high=None, n=100, level=0.95)
    fields: dict[str, Any] = {
        "section": "users",
        "measure": "ndcg@10",
        "by": "gender",
        "segment": "F",
        "reference": "rest",
        "n": 100,
        "n_reference": 100,
        "value": one,
        "reference_value": one,
        "difference": one,
        "ratio": Estimate(ratio, low=low, high=high, n=100, level=0.95),
        "p_value": 0.001,
        "p_equivalent": 0.5,
        "p_adjusted": 0.01,
    }
    return AuditRow(**fields | about)


@pytest.mark.parametrize(
    ("ratio", "high", "share", "protected", "expected"),
    [
        (0.70, 0.79, 0.5, (), "critical"),
        (0.70, 0.79, 0.1, ("gender",), "critical"),
        (0.70, 0.79, 0.2, (), "high"),
        (0.70, 0.80, 0.5, ("gender",), "high"),
        (0.79, 0.95, 0.5, ("gender",), "high"),
        (0.80, 0.85, 0.5, ("gender",), "medium"),
        (0.89, 0.95, 0.5, (), "medium"),
        (0.90, 0.95, 0.5, (), "low"),
        (1.20, 1.40, 0.5, (), "favoured"),
    ],
)
def test_the_table(ratio: float, high: float, share: float, protected: tuple[str, ...], expected: str) -> None:
    found = severity(row(ratio, ratio - 0.1, high), protected=protected, share=share)
    assert found == expected


def test_where_the_higher_side_is_the_worse_one_the_ratio_is_turned() -> None:
    """1 / 0.7: its interval 1.30 to 1.60 becomes 0.62 to 0.77."""
    turned = row(1 / 0.7, 1.30, 1.60, harm="high")
    assert (turned.impact.value, turned.impact.low, turned.impact.high) == pytest.approx((0.7, 1 / 1.6, 1 / 1.3))
    assert severity(turned, share=0.5) == "critical" and severity(row(0.7, 0.6, 0.9, harm="high")) == "favoured"
    assert severity(row(1 / 0.7, 1.30, 1.60, harm="either"), share=0.5) == "critical"
    assert severity(row(0.7, 0.6, 0.79, harm="either"), share=0.5) == "critical"


def test_what_is_not_shown_is_inconclusive() -> None:
    assert severity(row(0.5, 0.3, 0.7, p_adjusted=0.051)) == "inconclusive"
    assert severity(row(0.5, 0.3, 0.7, p_adjusted=None)) == "inconclusive"
    assert severity(row(0.5, 0.3, 0.7, p_value=float("nan"))) == "inconclusive"
    assert severity(row(0.5, 0.3, 0.7, family="descriptive")) == "descriptive"


def test_equality_that_is_shown_is_none_even_where_a_difference_is() -> None:
    assert severity(row(0.97, 0.95, 0.99, p_equivalent=0.05)) == "none"
    assert severity(row(0.97, 0.95, 0.99, p_equivalent=0.051)) == "low"


def test_families_are_corrected_apart() -> None:
    """Holm of .01 and .04: .02 and .04; Benjamini and Hochberg of .01, .03 and .04: .03, .04, .04."""
    rows = [row(0.5, 0.4, 0.6, p_value=p, family="confirmatory") for p in (0.01, 0.04)]
    rows += [row(0.5, 0.4, 0.6, p_value=p, family="exploratory") for p in (0.01, 0.03, 0.04)]
    rows.append(row(0.5, 0.4, 0.6, p_value=0.0001, family="descriptive"))
    found = [each.p_adjusted for each in judged(rows)]
    assert found[:5] == pytest.approx([0.02, 0.04, 0.03, 0.04, 0.04]) and found[5] is None


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["none", "critical"], "negative"),
        (["none", "high"], "negative"),
        (["none", "medium"], "positive_with_comments"),
        (["low"], "positive_with_comments"),
        (["none", "favoured"], "positive"),
        (["none", "inconclusive"], "positive_with_comments"),
        (["inconclusive", "descriptive"], "not_concluded"),
        ([], "not_measured"),
    ],
)
def test_opinions(kinds: list[Any], expected: str) -> None:
    assert opinion(kinds) == expected


@pytest.mark.parametrize("ratio", [0.7, 0.9, 0.97, 1.0, 1.1, 1.4])
def test_equivalence_is_the_larger_of_two_one_sided_tests(ratio: float) -> None:
    """Of the logarithm of the ratio with a standard error of .05, against ln .9 and ln 1/.9 (scipy's normal)."""
    value = Replicated(np.asarray(ratio), ratio * np.exp(0.05 * norm.ppf((np.arange(2_000) + 0.5) / 2_000)))
    about: dict[str, Any] = {"section": "exposure", "measure": "x", "reference": "catalogue"}
    found = audit_row(value, 1.0, n=1_000_000, **about)
    below, above = (np.log(ratio) - np.log(0.9)) / 0.05, (np.log(ratio) + np.log(0.9)) / 0.05
    assert found.p_equivalent == pytest.approx(max(norm.sf(below), norm.cdf(above)), abs=2e-3)
    # The larger of the two tests: of the logarithm, and of the difference with its own standard error.
    spread = ratio * np.sqrt(np.exp(0.05**2) * (np.exp(0.05**2) - 1))
    larger = max(norm.sf(abs(np.log(ratio)) / 0.05), norm.sf(abs(ratio - 1) / spread))
    assert found.p_value == pytest.approx(2 * larger, abs=2e-3)
    assert found.smallest_detectable == pytest.approx(np.exp(-(1.96 + 0.8416) * 0.05), abs=2e-3)


def test_skewed_small_groups_raise_few_false_alarms(rate_error) -> None:  # type: ignore[no-untyped-def]
    """Zero-inflated values of 30 of 300 users, one distribution: the difference alone would be rejected in 9 %."""
    rng, runs, wrong = np.random.default_rng(6), 400, 0
    for _ in range(runs):
        values = np.where(rng.random(300) < 0.8, 0.0, rng.beta(2, 3, 300))
        keys = rng.integers(0, 2**63, 300, dtype=np.uint64)
        sides = {"by": (["few", "rest"], (np.arange(300) >= 30).astype(np.int64))}
        summary = Summary.of(keys, {"x": values}, groups=sides, replicates=200)
        few, rest = (replicated_means(summary, ("by", side), ["x"])[0] for side in ("few", "rest"))
        about: dict[str, Any] = {"section": "users", "measure": "x", "reference": "rest"}
        wrong += audit_row(few, rest, n=30, n_reference=270, scale="logit", test="difference", **about).p_value < 0.05
    assert wrong / runs <= 0.05 + rate_error(0.05, runs)
