"""Post-stratification: arms are compared within strata, weighted by the size of the strata in both arms.

By chance, one arm has more heavy users than the other; strata known before the experiment remove this imbalance. The
expectation of the estimate is unchanged, and the variance between strata is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reclens.errors import UsageError
from reclens.stats.arms import Base, Pooling, Quantity, compare_strata
from reclens.stats.difference import Difference, Relative
from reclens.stats.moments import Moments

__all__ = ["post_stratified"]


def post_stratified(
    control: Mapping[str, Moments],
    treatment: Mapping[str, Moments],
    of: Quantity,
    *,
    covariates: Sequence[Quantity] = (),
    theta: Pooling = "pooled",
    base: Base = "adjusted",
    relative: Relative = "delta",
    level: float = 0.95,
) -> Difference:
    """Difference of a mean or ratio, weighted over strata by their share of all units.

    Means of each arm are Σ w x̄ with w = units of the stratum in both arms ÷ all units, and their covariance matrix is
    Σ w² S/n; a ratio is taken of the weighted means. Covariates adjust the result, with one θ for all strata.

    Args:
        control: Stratum -> moments of its units in the control arm.
        treatment: Stratum -> moments of its units in the treated arm.
        of: A column, or a pair (numerator, denominator).
        covariates: As in :func:`~reclens.stats.arms.compare_arms`, as are the rest.
        theta: Likewise.
        base: Likewise.
        relative: Likewise.
        level: Likewise.

    Raises:
        UsageError: If a stratum has fewer than two units in an arm: merge it into another, before looking at results.

    References:
        Holt and Smith (1979), Post stratification; Miratrix, Sekhon and Yu (2013), Adjusting treatment effect estimates
        by post-stratification in randomized experiments; Xie and Aurisset (2016), Improving the sensitivity of online
        controlled experiments: case studies at Netflix.
    """
    labels = list(dict.fromkeys((*control, *treatment)))
    small = [name for name in labels if min(_size(control, name), _size(treatment, name)) < 2]
    if small or not labels:
        raise UsageError(
            f"strata with fewer than two units in an arm: {', '.join(small) or 'all, there is none'}. Merge them into "
            "others."
        )
    total = sum(part.n for part in (*control.values(), *treatment.values()))
    strata = [((control[s].n + treatment[s].n) / total, control[s], treatment[s]) for s in labels]
    return compare_strata(strata, of, covariates=covariates, theta=theta, base=base, relative=relative, level=level)


def _size(arm: Mapping[str, Moments], label: str) -> int:
    return arm[label].n if label in arm else 0
