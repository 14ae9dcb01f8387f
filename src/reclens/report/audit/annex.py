"""The annexes of an audit report: formulas, how severity is graded, and which rules ask for which part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reclens.audit.severity import LEVELS
from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import sentence
from reclens.report._toolkit.tables import Table
from reclens.report.audit.words import OPINION_MEANINGS, OPINIONS, SEVERITIES, SEVERITY_MEANINGS, measure_name

__all__ = ["FORMULAS", "crosswalk_part", "formula_part", "rules_part"]

FORMULAS: Final = {
    "exposure_share": (
        (
            "Σ_u Σ_j v_j · [item at rank j of user u is in the group] ÷ the same over all groups; v_j is the weight of "
            "rank j. An item with several labels gives each an equal part."
        ),
        "Singh and Joachims 2018; Biega et al. 2018",
    ),
    "exposure_of_an_item": (
        "(exposure of the group ÷ its items) ÷ (exposure of the others ÷ their items)",
        "Singh and Joachims 2018, demographic parity",
    ),
    "treatment": (
        "(exposure ÷ relevance of the group) ÷ (the same of the others); relevance: users for whom an item is relevant",
        "Singh and Joachims 2018, disparate treatment ratio",
    ),
    "impact": (
        "(exposure to users for whom the item is relevant ÷ relevance of the group) ÷ (the same of the others)",
        "Singh and Joachims 2018, disparate impact ratio",
    ),
    "awrf": (
        "½ Σ_g |share of exposure of g in the list - share of g in the catalogue|, mean over users",
        "Sapiezynski et al. 2019; Raj and Ekstrand 2022",
    ),
    "ndkl": (
        (
            "Σ_j d_j · KL(shares in the first j places, shares in the catalogue) ÷ Σ_j d_j with d_j = 1 ÷ log2(j + 1), "
            "mean over users, in nats"
        ),
        "Geyik et al. 2019",
    ),
    "miscalibration": (
        (
            "Jensen-Shannon divergence in bits between the shares of the groups in a user's history and in the list; "
            "for tiers of popularity it is the user popularity deviation (UPD)"
        ),
        "Abdollahpouri et al. 2021; Lin 1991",
    ),
    "popularity_lift": (
        (
            "GAP of lists ÷ GAP of histories; GAP is the mean over users of the mean share of training users who have "
            "an item. The lift minus 1 is ΔGAP."
        ),
        "Abdollahpouri et al. 2019; Kowald et al. 2020",
    ),
    "pop_rsp": (
        "standard deviation ÷ mean over the tiers of: items of the tier in lists ÷ candidates of the tier",
        "Zhu et al. 2020",
    ),
    "pop_reo": (
        "standard deviation ÷ mean over the tiers of: relevant items of the tier in lists ÷ relevant items of the tier",
        "Zhu et al. 2020",
    ),
    "drift": (
        (
            "last round ÷ first round of a simulated loop, of all users; and of a group ÷ that of all users; tested on "
            "the logarithm by Student's t over the runs"
        ),
        "Mansoury et al. 2020; Chaney et al. 2018",
    ),
    "joint_exposure": (
        (
            "mean square of exposure - target, after averaging over groups of users and of items; the target is that "
            "of relevant items first, in random order. Fairness alone: mean square of exposure; relevance alone: mean "
            "product of exposure and target"
        ),
        "Wu et al. 2022",
    ),
    "bias_disparity": (
        (
            "preference in lists ÷ preference in histories; the preference for a group is its share of the items ÷ its "
            "share of the catalogue. Bias disparity is the ratio minus 1"
        ),
        "Tsintzou et al. 2019",
    ),
    "differential_fairness": (
        (
            "the smallest ε with e^-ε ≤ rate of one group ÷ rate of another ≤ e^ε; the rate is (items shown of a group "
            "+ 1) ÷ (items shown + 2)"
        ),
        "Foulds et al. 2020",
    ),
    "rating_value": (
        "mean over items of |(E_g[prediction] - E_g[rating]) - (the same of all others)|; so absolute, under, over",
        "Yao and Huang 2017",
    ),
}
"""Measure -> formula, reference."""

_FAMILIES: Final = {"jme_": "joint_exposure", "loop_": "drift"}
"""Beginning of a measure -> the formula that it is one of."""

_CROSSWALK: Final = (
    (
        "DSA Art. 27",
        "main parameters in plain language, and the options of users",
        "The system in plain words",
        "as far as its author filled it in",
    ),
    (
        "DSA Art. 34",
        "assessment of systemic risks, discrimination among them (very large platforms)",
        "Findings; Where it comes from; Scope, and what was not measured",
        "evidence for the assessment, not the assessment",
    ),
    (
        "DSA Art. 38",
        "an option that is not based on profiling (very large platforms)",
        "The system in plain words",
        "whether there is one is to be stated there; it is not measured",
    ),
    (
        "NIST AI RMF MEASURE 2.11",
        "fairness and bias are evaluated, and results are documented",
        "Findings; Criteria; Annex of numbers",
        "what was not measured is listed (MEASURE 1.1); the auditor is named on the cover (MEASURE 1.3)",
    ),
    (
        "NYC Local Law 144",
        "impact ratios by sex, ethnicity and their intersections, unknown values counted, by an independent auditor",
        "Findings: accuracy for groups of users; Data and groups",
        (
            "the law is about tools for employment decisions; its impact ratios rest on selection rates, these on "
            "exposure and accuracy"
        ),
    ),
)


def formula_part(measures: Iterable[str]) -> DocumentPart:
    """The formulas of the measures that were taken."""
    named = set(measures)
    named |= {family for start, family in _FAMILIES.items() if any(each.startswith(start) for each in named)}
    taken = [code for code in FORMULAS if code in named]
    cells = tuple((measure_name(code), *FORMULAS[code]) for code in taken)
    records = tuple({"measure": code, "formula": FORMULAS[code][0], "reference": FORMULAS[code][1]} for code in taken)
    table = Table(title="Formulas", columns=("measure", "formula", "reference"), rows=cells, records=records)
    return DocumentPart(
        title="Annex: formulas",
        lead="Intervals and tests are of the bootstrap over users; metrics of lists are as in the documentation of "
        "RecLens.",
        tables=(table,),
    )


def rules_part(counted: Table) -> DocumentPart:
    """How a number is graded, and what an opinion says; ``counted``: how many numbers of each severity there are."""
    grades = tuple((SEVERITIES[code], SEVERITY_MEANINGS[code]) for code in LEVELS)
    opinions = tuple((text, OPINION_MEANINGS[code]) for code, text in OPINIONS.items())
    return DocumentPart(
        title="Annex: how severity and opinion are found",
        lead="Gaps are graded where the corrected test finds one. The impact ratio is turned so that below 1 the group "
        "is worse off; 0.80 is the four-fifths rule.",
        tables=(
            counted,
            Table(
                title="Severity",
                columns=("severity", "when"),
                rows=grades,
                records=tuple({"severity": a, "when": b} for a, b in grades),
            ),
            Table(
                title="Opinion",
                columns=("opinion", "when"),
                rows=opinions,
                records=tuple({"opinion": a, "when": b} for a, b in opinions),
            ),
        ),
    )


def crosswalk_part() -> DocumentPart:
    """Which part of the report is evidence for which rule."""
    heads = ("rule", "asks for", "evidence in this report", "note")
    cells = tuple((rule, sentence(asks), where, sentence(note)) for rule, asks, where, note in _CROSSWALK)
    records: tuple[dict[str, str], ...] = tuple(dict(zip(heads, row, strict=True)) for row in _CROSSWALK)
    return DocumentPart(
        title="Annex: crosswalk to rules",
        lead="This report is evidence and not legal advice. Whether a rule applies, and whether it is met, is for "
        "counsel to say.",
        tables=(Table(title="Crosswalk", columns=heads, rows=cells, records=records),),
    )
