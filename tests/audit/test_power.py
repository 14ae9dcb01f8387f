"""The audit finds what was injected, and little else: one cell of each kind; benchmarks/audit_power.py has the grid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reclens import audit
from reclens.world.marketplace import Injected, draw_marketplace

RUNS = 5


def audited(injected: Injected, seed: int) -> audit.Audit:
    market = draw_marketplace(injected=injected, seed=seed)
    return audit.run(market.lists, market.truth, train=market.train, by="income", attributes=["seller"], replicates=200)


@pytest.fixture(scope="module")
def found() -> dict[str, list[audit.Audit]]:
    kinds = {"none": Injected(), "both": Injected(exposure=0.9, ndcg_gap=0.06)}
    return {kind: [audited(injected, seed) for seed in range(RUNS)] for kind, injected in kinds.items()}


def rows(audits: list[audit.Audit], measure: str, group: str) -> list[audit.AuditRow]:
    return [
        row
        for each in audits
        for row in each.rows
        if row.measure == measure and group in (row.group, row.segment) and row.reference in ("merit", "rest")
        if row.family == "confirmatory"
    ]


def test_injected_bias_is_found_and_its_size_is_held(found: dict[str, list[audit.Audit]]) -> None:
    # The seller's share has a standard error of 0.0035 and is 0.03 too low, the gap one of 0.0075 at 0.06: both are
    # eight standard errors, so that none of five audits may miss them.
    for measure, group, truth in (("exposure_share", "partner", 0.9), ("ndcg@10", "low", 0.24 / 0.30)):
        biased = rows(found["both"], measure, group)
        assert len(biased) == RUNS
        assert all(row.p_adjusted is not None and row.p_adjusted < 0.05 and row.ratio.value < 1 for row in biased)
        # Of five intervals at 95 %, three or more hold the truth with probability 0.999.
        held = [row.ratio.low is not None and row.ratio.low <= truth <= (row.ratio.high or 0) for row in biased]
        assert sum(held) >= 3


def test_fair_lists_are_seldom_accused(
    found: dict[str, list[audit.Audit]], rate_error: Callable[[float, int], float]
) -> None:
    accused = [
        any(row.p_adjusted is not None and row.p_adjusted < 0.05 for row in each.rows if row.family == "confirmatory")
        for each in found["none"]
    ]
    assert sum(accused) / RUNS <= 0.05 + rate_error(0.05, RUNS)
