"""What a check found, in words: what was seen and what was expected, never the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reclens.cards import Fact
from reclens.report._toolkit.format import count_of, listed, whole
from reclens.report.learn.remarks_audit import OF_AUDITS
from reclens.report.learn.remarks_portfolio import OF_PORTFOLIOS
from reclens.report.learn.remarks_production import OF_PRODUCTION

__all__ = ["REMARKS", "remark_sentence"]

REMARKS: Final[Mapping[str, str]] = {
    **OF_AUDITS,
    **OF_PORTFOLIOS,
    **OF_PRODUCTION,
    "no_header": "{file} has no header line. It begins with 'user' and the names of the items.",
    "wrong_size": "The matrix has {rows} rows and {columns} columns; from 3 to {most} of each are taken.",
    "repeated_name": "{file} names a row or a column twice.",
    "not_binary": "Row {row} of the matrix is not a name and {columns} cells of 0 or 1.",
    "empty_row_or_column": "A row or a column of the matrix holds no 1.",
    "empty_after_flip": "With the cell changed, a row or a column of the matrix holds no 1.",
    "unknown_entry": "answer.toml: {key} is {seen!r}, expected one of {names}.",
    "tied": "{model} is tied {when} the flip: two neighbours compete for the last place, or two items for the first.",
    "no_score": "{model} has no item with a score {when} the flip: the user has nothing in common with the neighbours.",
    "other_first": "{model} puts {seen} first, expected {expected}.",
    "wrong_prediction": "answer.toml: {key} is {seen}, and {model} puts another item first.",
    "no_agreement": "With the cell changed, user-kNN puts {user_knn} first and item-kNN {item_knn}.",
    "query_failed": "{file} does not run{hidden}: {error}",
    "wrong_columns": "{file} gives the columns {seen}, expected {expected}.",
    "not_whole": "{file}: {columns} are {seen}, expected whole numbers{hidden}.",
    "repeated_rows": "{file} gives {repeats} more than once{hidden}.",
    "cells_differ": "{file} differs from the rules{hidden}: of {cells} cells, {missing} are missing and {other} have "
    "another value; {extra} cells are there that should not be.",
    "as_if_without": "{file} gives what a query gives that {rule}.",
    "no_python": "{file}, line {line}, is no Python: {error}.",
    "import_not_allowed": "{file}, line {line}, imports {seen}. The standard library's math and collections, and "
    "NumPy, are enough here.",
    "name_not_allowed": "{file}, line {line}, uses {seen}, which an answer may not.",
    "too_slow": "{file} was stopped after {seconds} s.",
    "ended_itself": "{file} ended its own process (status {status}): it may have taken too much memory.",
    "does_not_run": "{file} does not run: {error}",
    "values_too_deep": "{file} does not run: RecursionError: its values lie too deep in each other.",
    "wrote_into_reply": "{file} wrote into the reply of its process, which the check reads. Return the values instead.",
    "no_function": "{file} does not define {missing}.",
    "wrong_value": "metrics.py: {function} gives {seen} for {case}: recommended {recommended}, relevant {relevant}, "
    "k = {k}. Do it by hand with the rules.",
    "wrong_size_of_test": "{function} gives {seen}{hidden}, which is not within the tolerance of the "
    "size by the formula.",
    "impressions_as_units": "{function} takes impressions for independent units, and those of one user are alike: "
    "users are what is randomised.",
    "unknown_metric": "answer.toml: {key} names {seen}, expected one of {names}, and another than the primary.",
    "no_guardrails": "answer.toml has no table [guardrails].",
    "too_many_guardrails": "answer.toml has {seen} guardrails; at most {most} are taken.",
    "no_margin": "answer.toml: the margin of {key} is {seen}, expected a number above 0, in %.",
    "decides_wrongly": "Of {of} hidden launches {kind}: {seen}; at most {most} may be.",
    "no_number": "answer.toml: {key} is {seen}, expected a number.",
    "wrong_number": "answer.toml: {key} is {seen}, which is not what the rules give on your data.",
    "no_interval": "answer.toml: low is {low} and high is {high}, expected two numbers, the lower one first.",
    "wrong_interval": "answer.toml: the interval from {low} to {high} is too far from the 95 % interval of the paired "
    "difference.",
    "unknown_verdict": "answer.toml: verdict is {seen!r}, expected one of {expected}.",
    "unsupported_verdict": "answer.toml: the verdict {seen} is not what the interval supports.",
    "no_plan": "plan.toml is refused: {error}",
    "no_hypothesis": "plan.toml has no hypothesis: what is expected, and why.",
    "unit_of_plan": "plan.toml: unit is {unit!r} and cluster is {cluster!r}. The shop assigns users, so users are "
    "what is compared: expected user_id, and no cluster.",
    "days_of_plan": "plan.toml: days is {seen}, expected whole weeks, up to {most} days.",
    "not_two_arms": "plan.toml: expected two arms, all users and one look at the end.",
    "power_of_plan": "plan.toml: power is {seen}, expected at least {least}.",
    "roles_of_plan": "plan.toml: expected one primary metric and at least one guardrail, seen {primary} and "
    "{guardrails}.",
    "metric_of_plan": "plan.toml: the metric {metric} is to be of kind mean, better when higher, and to use these "
    "columns alone: {columns}.",
    "covariate_of_plan": "plan.toml: a covariate of {metric} is no column from before the test.",
    "margin_of_plan": "plan.toml: the guardrail {metric} needs a relative margin, and no equivalence.",
    "no_effect_of_plan": "plan.toml: the primary metric {metric} has no effect that is worth finding.",
    "size_of_plan": "By its effect, baseline and power the plan calls for {needed} users, expected from 100 to "
    "{users}.",
    "ships_nothing": "With a change that does nothing for good, {seen} % of {runs} runs find that it is better; at "
    "most {most} % may. Which days does the primary metric count?",
    "finds_other_than_planned": "With a change that does what it promises, {seen} % of {runs} runs with {users} users "
    "find it; the plan says {planned} %. Compare the baseline with what the test will see.",
    "guardrail_stops": "The guardrails let {seen} % of the harmless runs through, expected at least {least} %.",
    "guardrail_ships": "The guardrails stop {seen} % of the harmful runs, expected at least {least} %.",
    "no_front_matter": "{file} does not begin with front matter between two lines of +++.",
    "no_entry_of_test": "readout.md: the front matter has no table [{test}].",
    "unknown_decision": "readout.md: the decision on {test} is {seen!r}, expected one of {expected}.",
    "wrong_decision": "readout.md: {seen} does not follow from the log of {test}. Are its arms as planned, and what is "
    "left of its lift after a user's first week?",
    "unknown_reason": "readout.md: the reasons of {test} are {seen}, expected a list of {expected}.",
    "wrong_reason": "readout.md: {seen} is not the reason that decides on {test}, expected one of {expected}.",
    "wrong_effect": "readout.md: {key} of {test} is {seen}, which is not what its log gives over all days, in %.",
    "no_section": "readout.md has no heading with the name {test}.",
    "no_interval_in_section": "readout.md: the text on {test} does not state both ends of the interval of its lift.",
    "significant_without_interval": "readout.md says 'significant' without an interval in the same paragraph: {text}",
    "number_without_source": "readout.md: these numbers do not stand in the readout of the test that they are about: "
    "{numbers}. A number of a single day counts in a sentence that names the day.",
    "no_stages": "pipeline.toml: retrieve and rank are tables, and rerank is a list of tables.",
    "too_few_retrievers": "pipeline.toml has {seen} retriever, expected at least two.",
    "no_ranker": "pipeline.toml has no ranker: [rank] is a table with a model.",
    "no_reranker": "pipeline.toml has no re-ranker beside filters. A table [[rerank]] with a kind is one.",
    "model_not_allowed": "pipeline.toml uses the model {seen}, expected one of {expected}.",
    "over_budget": "The retrievers bring {seen} items for a request; at most {most} are allowed.",
    "no_pipeline": "pipeline.toml is refused: {error}",
    "pipeline_short_list": "The list of {kind}{down} has {seen} items, expected {k}.",
    "pipeline_illegal_items": "The list of {kind}{down} holds items that it may not: {seen}, sold out, excluded, had "
    "before or repeated.",
    "no_diagram": "diagram.mmd has no edges. An edge is written A --> B.",
    "diagram_differs": "diagram.mmd is not what ran: {missing} edges of the run are missing; drawn and not run: "
    "{extra}.",
    "pipelines_right": "{seen} of {of} pipelines are right in all parts, expected at least {least}. Of each other one, "
    "the first thing that is not right:",
    "unknown_fault": "answer.toml: the fault of {pipeline} is {seen!r}, expected one of {expected}.",
    "wrong_fault": "answer.toml: {seen!r} is not what the reports of {pipeline} show.",
    "no_evidence": "answer.toml: {measure!r} of {segment!r} is no number that the ill stage of {pipeline} reports.",
    "evidence_within_noise": "answer.toml: {measure} of {segment} differs between {pipeline} and last month by no more "
    "than its noise.",
    "no_repair": "answer.toml: {pipeline} has no setting {key!r} that can be {seen}.",
    "repair_too_weak": "answer.toml: the change of {pipeline} wins back {seen} % of what was lost, expected at least "
    "{least} %.",
    "no_models": "answer.toml has no tables [models.NAME] with the parameters of each model.",
    "too_few_models": "answer.toml has tables [models.NAME] of {seen}, expected at least {least}, one of them "
    "{baseline}.",
    "architecture_not_allowed": "answer.toml: the model {seen} is not one of {expected}.",
    "parameter_not_allowed": "answer.toml: {key} of {model} is {seen}, expected a text, or a number up to {most}.",
    "no_model": "A model cannot be fitted: {error}",
    "no_lists": "lists.csv has the columns {seen}, expected model, user_id, rank and item_id.",
    "no_place": "lists.csv, line {line}: {seen} is no place in the list of a model of answer.toml.",
    "lists_of_another": "lists.csv: fitted again with its parameters, {model} shares {seen} % of the places, expected "
    "at least {least} %; {repeated} items are there twice.",
    "no_row": "answer.toml: [table.{model}] has {seen} for {metric}, expected a difference and two ends.",
    "wrong_difference": "answer.toml: {metric} of {model} differs by {seen}, which is not what its lists give.",
    "wrong_paired_interval": "answer.toml: from {low} to {high} is not the 95 % interval of the paired difference of "
    "{model} in {metric}.",
    "wrong_front": "answer.toml: pareto is {seen}. A model is on the front if no other one is as good in both metrics, "
    "and better in one.",
    "no_claims": "answer.toml: expected {claims} claims, each with two models of yours, one of {relations}, one of "
    "{metrics}, and a segment.",
    "claims_alike": "answer.toml: two claims are about the same, or one of {metrics} is in none.",
    "no_doubt": "answer.toml: no claim says {expected}, and there is a pair of which that is so.",
    "claim_fails": "answer.toml: the claim that {claim} does not hold{hidden}.",
    "replay_no_exercise": "There is no exercise {exercise}.",
    "replay_no_answer": "Its answer is not in the file.",
    "replay_refused": "{error}",
    "replay_other_result": "The check gives another result now.",
    "data_of_other_version": "Its data were made by RecLens {recorded}, and {now} draws others from the seed. Replay "
    "it with RecLens {recorded}.",
    "data_not_of_seed": "The hash of its data is not that of what RecLens {now} draws from the seed: the file was "
    "edited, or the attempt was made with other data.",
    "drill_no_answer": "answer.toml: {key} is {seen}, which is no answer of the kind that the template has.",
    "kata_rows_differ": "answer.toml: the rows of {users} are not what the task asks for{hidden}.",
    "drill_wrong_answer": "answer.toml: {key} is {seen}, and the data give something else.",
}
"""Code of a remark -> its sentence, with its facts in braces."""

_CODES: Final[Mapping[str, str]] = {
    "test": "On users whom you have not seen",
    "other_world": "In a shop that you have not seen",
    "user_knn": "user-kNN",
    "item_knn": "item-kNN",
    "both": "each model",
    "before": "before",
    "after": "after",
    "duplicates": "counts an event as often as it was sent",
    "bots": "counts events of bots",
    "late": "counts events that were received too late",
    "local_day": "takes the day in UTC and not by the user's clock",
    "no_truth": "a user without relevant items",
    "empty_list": "an empty list",
    "repeated_item": "a list that holds an item twice",
    "short_list": "a list shorter than k",
    "long_list": "a list longer than k",
    "plain": "a list of k items",
    "good": "that are good, stopped or not found",
    "harmful": "that are harmful, shipped",
    "null": "that change nothing, shipped",
    "new_user": "a new user",
    "new_items": "a user who browses new items",
    "region": "a user in a region",
    "empty_history": "a user with an empty history",
    "heavy_user": "the heavy user",
    "retriever_down": "a user",
}
_WORDED: Final = frozenset({"model", "when", "rule", "case", "kind", "where"})
"""Facts whose values are codes, or names that stand as they are, as all others do."""


def remark_sentence(code: str, facts: Mapping[str, Fact]) -> str:
    """The sentence of a remark.

    Args:
        code: Its code.
        facts: Its facts.

    Example:
        >>> remark_sentence("other_first", {"model": "user_knn", "seen": "i2", "expected": "i5"})
        'user-kNN puts i2 first, expected i5.'
    """
    return REMARKS[code].format_map({name: _worded(name, value) for name, value in facts.items()})


def _worded(name: str, value: Fact) -> Any:
    if name == "hidden":
        return " on data that you have not seen" if value else ""
    if name == "down":
        return f" while {value} is down" if value else ""
    if isinstance(value, list):
        return listed([str(each) for each in value], 12) if value else "nothing"
    if name in _WORDED:
        return _CODES.get(str(value), value)
    if name == "repeats" and isinstance(value, int):
        return count_of(value, "row")
    return whole(value) if isinstance(value, int) and not isinstance(value, bool) and name != "line" else value
