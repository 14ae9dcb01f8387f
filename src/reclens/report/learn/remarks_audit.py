"""What the checks of the exercises on fairness and bias found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["OF_AUDITS"]

OF_AUDITS: Final[Mapping[str, str]] = {
    "not_sealed": "criteria.toml is not sealed. Decide on all of it, set sealed = true, and run "
    "'reclens learn start 4.1' for the data.",
    "no_level": "criteria.toml: level is {seen}, expected a number above 0 and at most 0.1.",
    "no_correction": "criteria.toml: correction is {seen!r}, expected one of {names}.",
    "no_limit": "criteria.toml: [limits] needs a number between {low} and {high} for {keys}.",
    "no_findings": "findings.toml needs cleared, a list of systems, and a table [[finding]] for each finding.",
    "unknown_finding": "findings.toml: a finding has system {system!r}, kind {bias!r} and group {group!r}. The README "
    "has the systems, the kinds and their groups.",
    "no_opinion": "findings.toml: system {system} has to be either in cleared or in a finding.",
    "within_own_limit": "findings.toml: {bias} of {group} in system {system} is within the limit that you set.",
    "too_few_found": "Of the biases that were put in, {of} in all three systems, {found} are named; at least {share} % "
    "have to be.",
    "too_many_false": "{seen} of the findings were not put in; at most {most} may be.",
    "unbiased_accused": "A system that has no bias is named in a finding.",
    "unknown_method": "mitigation.toml: method is {seen!r}, expected one of {names}.",
    "no_strength": "mitigation.toml: strength is {seen}, expected a number from 0 to 100.",
    "gap_stays_open": "{where}: {seen} % of the gap are closed, expected at least {expected} %.",
    "costs_too_much": "{where}: {seen} % of NDCG are lost; at most {most} % may be.",
    "levels_down": "{where}: the share of the seller grows because others lose places, and the seller gains none.",
    "harms_within_group": "{where}: the less popular half of the seller's own items has {seen} % fewer places than "
    "before.",
    "distance_to_frontier": "On the test users {closed} % of the gap are closed for {lost} % of NDCG. The least that a "
    "sweep of boosts and quotas pays for as much is {least} %: you are {distance} points away from it.",
    "no_json": "{file} is no JSON: {error}.",
    "no_comparisons": "audit.json: findings has {seen} comparisons, expected {expected}: each measure by segment.",
    "comparison_missing": "audit.json has no comparison of {segment} in {measure}.",
    "comparison_differs": "audit.json, {segment} in {measure}: {keys} are not what the lists give.",
    "no_language_or_title": "report.html needs <html lang=…> and a title: screen readers read them first.",
    "page_loads": "report.html would load or run something ({seen}). It has to open offline, and hold data alone.",
    "no_figure": "report.html has no figure with data-measure {measure}.",
    "no_alternative_text": "report.html: the chart of {measure} has no alternative text that says what it shows.",
    "no_chart_data": "report.html: the figure of {measure} has no JSON with segment, estimate, low and high.",
    "chart_data_differ": "report.html: the data of the chart of {measure} are not those of audit.json: {segments}.",
    "marks_do_not_fit": "report.html: the marks of the chart of {measure} are not drawn to the scale of the estimates.",
    "table_differs": "report.html: the row of {segment} in the table of {measure} is not that of audit.json.",
    "claim_not_carried": "report.html claims something about {segment} in {measure} that no finding carries.",
    "finding_hidden": "report.html does not claim what audit.json shows about {segment} in {measure}.",
    "claim_reversed": "report.html: the claim about {segment} in {measure} says {word}, and its verdict is {verdict}.",
    "claim_without_interval": "report.html: the claim about {segment} in {measure} lacks the estimate or an end of the "
    "interval.",
    "claim_without_finding": "report.html says {words} outside of a claim that names its finding.",
    "small_not_named": "report.html does not say in its text that nothing can be concluded about {segments}.",
    "number_not_in_audit": "report.html: {numbers} stand in the text and not in audit.json.",
}
"""Code of a remark -> its sentence, with its facts in braces."""
