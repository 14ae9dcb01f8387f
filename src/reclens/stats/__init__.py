"""Statistics over units: additive summaries, intervals, tests and corrections, independent of users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.stats.aa import aa_tests
    from reclens.stats.arms import compare_arms
    from reclens.stats.bayes import Posterior, beta_binomial, normal_posterior
    from reclens.stats.counts import association, sample_ratio
    from reclens.stats.cupac import cupac_covariate
    from reclens.stats.difference import Difference
    from reclens.stats.equivalence import equivalence_p, share_equivalence_p, share_equivalence_power
    from reclens.stats.estimate import Estimate
    from reclens.stats.multiplicity import CORRECTIONS, adjust
    from reclens.stats.power.question import Answer, Question
    from reclens.stats.proportions import proportion, proportion_difference
    from reclens.stats.sequential.always_valid import confidence_sequence, msprt
    from reclens.stats.sequential.group import group_sequential
    from reclens.stats.sequential.integrate import peeking_error
    from reclens.stats.sequential.price import price_in_power
    from reclens.stats.summary import Summary

__all__ = [
    "CORRECTIONS",
    "Answer",
    "Difference",
    "Estimate",
    "Posterior",
    "Question",
    "Summary",
    "aa_tests",
    "adjust",
    "association",
    "beta_binomial",
    "compare_arms",
    "confidence_sequence",
    "cupac_covariate",
    "equivalence_p",
    "group_sequential",
    "msprt",
    "normal_posterior",
    "peeking_error",
    "price_in_power",
    "proportion",
    "proportion_difference",
    "sample_ratio",
    "share_equivalence_p",
    "share_equivalence_power",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Answer": "power.question",
        "Difference": "difference",
        "Estimate": "estimate",
        "Posterior": "bayes",
        "Question": "power.question",
        "Summary": "summary",
        "aa_tests": "aa",
        "CORRECTIONS": "multiplicity",
        "adjust": "multiplicity",
        "beta_binomial": "bayes",
        "compare_arms": "arms",
        "confidence_sequence": "sequential.always_valid",
        "equivalence_p": "equivalence",
        "share_equivalence_p": "equivalence",
        "share_equivalence_power": "equivalence",
        "cupac_covariate": "cupac",
        "group_sequential": "sequential.group",
        "msprt": "sequential.always_valid",
        "normal_posterior": "bayes",
        "peeking_error": "sequential.integrate",
        "price_in_power": "sequential.price",
        "proportion": "proportions",
        "proportion_difference": "proportions",
        "association": "counts",
        "sample_ratio": "counts",
    },
)
