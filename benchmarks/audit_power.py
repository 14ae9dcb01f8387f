"""The audit on marketplaces with injected bias: power by kind and strength, false alarms, coverage of intervals.

Each run draws a marketplace of 2,000 households and 500 products and audits its lists: sellers and departments of
products, incomes and ages of households, declared beforehand. ``found``: the injected difference is shown after Holm's
correction over the declared hypotheses. ``false alarm``: any declared hypothesis is rejected in a world without bias.
``false among found``: of the searched tests that are rejected after their own correction, the share of those that do
not differ without bias, 0 where none is; popular products are shown more than others in any of these worlds, so that
some are found rightly. ``covered``: the interval holds the injected value.

    python benchmarks/audit_power.py --seeds 1000:1040 --cells 'unbiased'
    python benchmarks/audit_power.py --seeds 1000:1010 --cells 'exposure|gap|examination|slope'

The whole grid is ``--seeds 1000:1200`` for the strengths (``1000:1050`` for the slope) and ``1000:2000`` for the
unbiased worlds. Blocks of other ends count once more: keep to one end for a cell.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import polars as pl
from rates import Cell, main

from reclens import audit
from reclens.audit.result import Audit
from reclens.audit.rows import AuditRow
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.world.marketplace import Injected, Marketplace, draw_marketplace, draw_rounds

DECLARED = [
    audit.Hypothesis(measure="exposure_share", attribute="seller", reference="merit"),
    audit.Hypothesis(measure="ndcg@10", by="income"),
    audit.Hypothesis(measure="ndcg@10", by="age"),
    audit.Hypothesis(measure="popularity_lift"),
]


def held(market: Marketplace, *, by: tuple[str, ...] = ("income", "age"), replicates: int = 400) -> Audit:
    """The audit of the lists."""
    return audit.run(
        market.lists,
        market.truth,
        train=market.train,
        by=by,
        attributes=["seller", "popularity"],
        hypotheses=DECLARED,
        replicates=replicates,
    )


def covers(estimate: Estimate, truth: float) -> float:
    """Whether the interval holds the truth; NaN without an interval."""
    if estimate.low is None or estimate.high is None:
        return math.nan
    return float(estimate.low <= truth <= estimate.high)


def rejected(row: AuditRow, alpha: float = 0.05) -> bool:
    """Whether the test of a row is rejected after the correction."""
    return row.p_adjusted is not None and row.p_adjusted < alpha


def differs(row: AuditRow) -> bool:
    """Whether a row is of something that differs without bias: popular products are shown more, and tastes are met."""
    tier = row.attribute == "popularity" and row.measure not in ("treatment", "impact")
    return (tier and row.reference in ("catalogue", "rest", "random") and row.by == "overall") or (
        row.measure == "miscalibration" and row.reference == "random"
    )


def false_among_found(found: Audit) -> float:
    """Share of the rejected searched tests of what does not differ; 0 where none is rejected."""
    wrong = [not differs(row) for row in found.rows if row.family == "exploratory" and rejected(row)]
    return float(np.mean(wrong)) if wrong else 0.0


def partner(found: Audit) -> AuditRow:
    """The exposure of the partner seller against its merit."""
    (row,) = [
        row
        for row in found.rows
        if (row.measure, row.group, row.reference) == ("exposure_share", "partner", "merit")
        and row.attribute == "seller"
        and row.by == "overall"
    ]
    return row


def income(found: Audit) -> AuditRow:
    """The NDCG of households with a low income against the rest."""
    (row,) = [row for row in found.rows if (row.measure, row.by, row.segment) == ("ndcg@10", "income", "low")]
    return row


RATIOS = ("exposure_share", "treatment", "impact", "popularity_lift")
DIFFERENCES = ("ndcg@10", "recall@10", "miscalibration")


def held_apart(found: Audit) -> dict[str, float]:
    """Measure -> share of its intervals that hold parity, of those where parity is the truth without bias.

    Of two sellers one interval is the other's turned over: one of them counts.
    """
    kept: dict[str, list[float]] = {}
    for row in found.rows:
        circular = row.attribute == "popularity" and row.reference == "profile"
        if differs(row) or circular or row.group == "own" or row.value.low is None:
            continue
        if row.measure in RATIOS:
            kept.setdefault(row.measure, []).append(covers(row.ratio, 1.0))
        elif row.measure in DIFFERENCES:
            crossed = " (search)" if " × " in row.by else ""
            kept.setdefault(row.measure + crossed, []).append(covers(row.difference, 0.0))
    kept["adjusted gap"] = [covers(each.left, 0.0) for each in found.adjusted]
    return {name: float(np.nanmean(each)) for name, each in kept.items()} | {
        f"intervals: {name}": float(np.isfinite(each).sum()) for name, each in kept.items()
    }


def unbiased(seed: int, *, replicates: int = 400) -> dict[str, float]:
    """False alarms and coverage in a world without bias."""
    found = held(draw_marketplace(seed=seed), replicates=replicates)
    outcomes = {
        "false alarm": float(any(rejected(row) for row in found.rows if row.family == "confirmatory")),
        "false among found": false_among_found(found),
    }
    held_of = held_apart(found)
    return outcomes | {(name if ":" in name else f"covered: {name}"): each for name, each in held_of.items()}


def exposure(strength: float, seed: int) -> dict[str, float]:
    """The seller is shown less than its merit."""
    row = partner(held(draw_marketplace(injected=Injected(exposure=strength), seed=seed)))
    return {"found": float(rejected(row) and row.ratio.value < 1), "covered": covers(row.ratio, strength)}


def gap(size: float, seed: int) -> dict[str, float]:
    """Households with a low income get worse lists."""
    row = income(held(draw_marketplace(injected=Injected(ndcg_gap=size), seed=seed)))
    return {"found": float(rejected(row) and row.difference.value < 0), "covered": covers(row.difference, -size)}


def examination(exponent: float, seed: int) -> dict[str, float]:
    """The second place is looked at less than the first, and the tenth too."""
    market = draw_marketplace(injected=Injected(examination=exponent), seed=seed)
    curve = audit.position_bias(market.log).examination
    second = curve[1].high
    held_of = [covers(each, float(place) ** -exponent) for place, each in enumerate(curve[1:], 2)]
    return {"found": float(second is not None and second < 1), "covered: places 2 to 10": float(np.mean(held_of))}


def slope(factor: float, seed: int) -> dict[str, float]:
    """The share of head products, in log odds, rises from round to round; runs of five seeds make an interval."""
    market = draw_marketplace(injected=Injected(slope=factor), seed=seed)
    counts = market.train.interactions.group_by("item_id").len().sort("len", "item_id", descending=[True, False])
    head = counts["item_id"].head(100).implode()
    slopes = []
    for run in range(5):
        shares = draw_rounds(market, seed=1_000 * seed + run).group_by("round", maintain_order=True)
        share = shares.agg(pl.col("item_id").is_in(head).mean())["item_id"].to_numpy()
        slopes.append(np.polyfit(np.arange(len(share)), np.log(share / (1 - share)), 1)[0])
    found = mean_estimate(np.array(slopes))
    return {"found": float(found.low is not None and found.low > 0), "covered": covers(found, math.log(factor))}


CELLS = [
    Cell(
        "unbiased",
        unbiased,
        {"false alarm": 0.05, "false among found": 0.05}
        | {f"covered: {name}": 0.95 for name in (*RATIOS, *DIFFERENCES, "ndcg@10 (search)", "adjusted gap")},
    ),
    *(Cell(f"exposure × {each:g}", partial(exposure, each), {"covered": 0.95}) for each in (0.9, 0.75, 0.5)),
    *(Cell(f"NDCG gap {each:g}", partial(gap, each), {"covered": 0.95}) for each in (0.01, 0.03, 0.06)),
    *(
        Cell(
            f"examination exponent {each:g}",
            partial(examination, each),
            {"covered: places 2 to 10": 0.95},
        )
        for each in (0.3, 0.7, 1.0)
    ),
    *(Cell(f"loop slope × {each:g}", partial(slope, each), {"covered": 0.95}) for each in (1.1, 1.3, 1.6)),
]

ABOUT = """Audits of marketplaces of 2,000 households and 500 products with injected bias of known strength:
declared are the exposure of sellers against merit, NDCG by income and by age, and the popularity lift. "False alarm":
any declared test is rejected, after Holm's correction, in a world without bias. "False among found": of the searched
tests that are rejected, the share that is wrong. Coverage is the mean over worlds of the share of intervals that hold
the truth; "intervals" is how many there are in each world."""

if __name__ == "__main__":
    main(
        "audit_power",
        CELLS,
        about=ABOUT,
    )
