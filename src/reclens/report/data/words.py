"""What was done to rows, and what to beware of in a split, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.report._toolkit.format import moment, percent, significant, whole
from reclens.workspace.query import Answer
from reclens.workspace.sandbox import MOST_BYTES

__all__ = ["cut_text", "note_line", "rule_detail", "rule_line", "rule_name", "split_text", "ties_text"]

Facts = Mapping[str, Any]


def rule_line(rule: Mapping[str, Any]) -> str:
    """A rule, its count and what it means.

    Example:
        >>> rule_line({"code": "missing_id", "count": 1200, "facts": {"column": "user"}})
        "rows with a missing id left out: 1,200 (column 'user')"
    """
    detail = rule_detail(rule)
    return f"{rule_name(rule)}: {whole(rule['count'])}" + (f" ({detail})" if detail else "")


def rule_name(rule: Mapping[str, Any]) -> str:
    """What was done; a rule of a model or pipeline of one's own by its code."""
    facts = _facts(rule)
    words = _RULES.get(str(rule.get("code")))
    name = str(rule.get("code") or rule.get("rule")).replace("_", " ") if words is None else words[0](facts)
    return f"{facts['file']}: {name}" if "file" in facts else name


def rule_detail(rule: Mapping[str, Any]) -> str:
    """What it means, or where it was."""
    facts = _facts(rule)
    words = _RULES.get(str(rule.get("code")))
    return ", ".join(f"{name} {value}" for name, value in facts.items()) if words is None else words[1](facts)


def note_line(note: Mapping[str, Any] | str) -> str:
    """What to beware of in a split; a note that an older version kept was a sentence."""
    if isinstance(note, str):
        return note
    words = _NOTES.get(str(note["code"]))
    return str(note["code"]).replace("_", " ") if words is None else words(note["facts"])


def cut_text(answer: Answer) -> str | None:
    """What is missing of the answer to a query; None if nothing is.

    Example:
        >>> import polars as pl
        >>> cut_text(Answer(pl.DataFrame({"n": range(600)}), "rows"))
        'Only the first 600 rows are shown: there are more.'
    """
    if answer.cut is None:
        return None
    more = "there are more" if answer.cut == "rows" else f"more would be over {MOST_BYTES // 10**6} MB"
    return f"Only the first {whole(answer.table.height)} rows are shown: {more}."


def split_text(card: Mapping[str, Any]) -> str:
    """How the parts of a split were cut, by its card."""
    method = card.get("method")
    words = _SPLITS.get(str(method))
    try:
        return str(method or "not known: the lists and the truth were given") if words is None else words(card)
    except KeyError:  # kept by an older version, or made by hand: without its parameters
        return str(method).replace("_", " ")


def ties_text(rule: str) -> str:
    """What decides between rows of one moment."""
    return _TIES.get(rule, rule)


def _facts(rule: Mapping[str, Any]) -> Facts:
    facts: Any = rule.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _is(text: str) -> Callable[[Facts], str]:
    return lambda _: text


def _column(facts: Facts) -> str:
    return f"column '{facts['column']}'"


def _text_ids(facts: Facts) -> str:
    where = (
        f"{' and '.join(facts['tables'])} and text elsewhere" if "tables" in facts else "one table and text in another"
    )
    return f"'{facts['column']}' is integers in {where}: compared as text"


def _merged(facts: Facts) -> str:
    added = "; weights are added up" if facts["how"] == "sum" else ""
    return (
        f"the latest row is kept (of equal times the later row){added}; the log keeps all rows, and splits are cut "
        "from it"
    )


def _gets(facts: Facts) -> str:
    return {"popular": "the most popular items", "none": "no list"}.get(facts["gets"], "served like everybody")


def _held(facts: Facts) -> str:
    kept = "left out, for only new items count" if facts["task"] == "new_items" else "kept, for repeats count"
    return f"{facts['part']} pairs that training holds {kept}"


def _cold(facts: Facts) -> str:
    done = "dropped" if facts["cold_users"] == "drop" else "kept"
    return f"{facts['part']} rows of users without training data {done}"


def _unmet(facts: Facts) -> str:
    meant = [f" (did you mean '{near}'?)" if near else "" for near in facts["nearest"]]
    return "; ".join(f"{each}{hint}" for each, hint in zip(facts["requirements"], meant, strict=True))


def _left_out(what: str) -> tuple[Callable[[Facts], str], Callable[[Facts], str]]:
    return _is(f"rows with {what} left out"), _column


_RULES: Final[dict[str, tuple[Callable[[Facts], str], Callable[[Facts], str]]]] = {
    "missing_id": _left_out("a missing id"),
    "text_for_a_number": _left_out("text for a number"),
    "missing_number": _left_out("a missing number"),
    "infinite_number": _left_out("an infinite number"),
    "missing_time": _left_out("a missing time"),
    "odd_time": _left_out("a time that is not a number"),
    "negative_time": _left_out("a negative time"),
    "unreadable_time": _left_out("an unreadable time"),
    "decimal_commas": (_is("decimal commas read as points"), _column),
    "times_read_as_utc": (_is("times without a zone read as UTC"), _column),
    "times_converted": (lambda facts: f"times in {facts['unit']} converted", _column),
    "blanks_around_ids": (_is("blanks around ids removed"), _column),
    "decimal_ids": (_is("whole decimals read as integer ids"), _column),
    "mixed_ids_as_text": (_is("mixed ids read as text"), lambda facts: f"{_column(facts)}: numbers among text"),
    "integer_ids_as_text": (_is("integer ids read as text"), _text_ids),
    "repeated_attributes": (
        _is("repeated attribute rows left out"),
        lambda facts: f"{facts['table']}: the first row of an id is kept",
    ),
    "repeated_pairs_merged": (_is("repeated user-item pairs merged"), _merged),
    "weight_counts_rows": (_is("weight counts the rows of a pair"), _is("there was no weight column")),
    "lists_unfolded": (
        _is("rows of several items unfolded"),
        lambda facts: f"{facts['table']}: their order is '{facts['column']}'",
    ),
    "empty_lists": (
        _is("rows without an item left out"),
        lambda facts: f"{facts['table']}, {_column(facts)}",
    ),
    "films_without_genre": (_is("films without a genre"), lambda facts: f"{facts['table']}: an empty list"),
    "k_core": (
        lambda facts: (
            f"k-core: at least {facts['least_of_users']} interactions a user and {facts['least_of_items']} an item"
        ),
        lambda facts: (
            f"interactions left out, with {whole(facts['users'])} users and {whole(facts['items'])} items, in "
            f"{facts['rounds']} rounds"
        ),
    ),
    "min_rating": (
        lambda facts: f"rating at least {significant(facts['least'])}",
        lambda facts: f"interactions left out; {whole(facts['without_rating'])} of them had no rating",
    ),
    "segments_dropped": (
        _is("segments dropped"),
        _is("segmentations left out, because they were computed from other rows: call with_segments again"),
    ),
    "lists_sorted": (_is("rows sorted by user and rank"), _is("rows were not in list order")),
    "repeated_items": (
        _is("repeated items dropped"),
        _is("an item that stands in a list twice keeps its best rank"),
    ),
    "equal_ranks_by_score": (
        _is("equal ranks ordered by score"),
        _is("rows with the rank of the one above, falling score"),
    ),
    "ranked_by_score": (
        _is("ranked by falling score"),
        lambda facts: f"{whole(facts['tied'])} rows tie with the one above: file order",
    ),
    "rank_gaps_closed": (_is("gaps in ranks closed"), _is("rows whose rank changed; the order is kept")),
    "ordered_by_score": (_is("ordered by score, not by rank"), _is("rows whose rank in the file says otherwise")),
    "equal_scores_by_item": (_is("equal scores ordered by item"), _is("as trec_eval: falling, as text")),
    "repeated_candidates": (_is("repeated candidates of a request dropped"), _is("the best place is kept")),
    "candidates_without_score": (_is("candidates without a score put last"), _column),
    "candidates_with_equal_scores": (
        _is("candidates with equal scores"),
        _is("half a pair in AUC; elsewhere the order of the rows"),
    ),
    "pairs_in_training": (
        _held,
        lambda facts: (
            f"{percent(facts['share'], 1)} of {whole(facts['of'])} pairs; {whole(facts['users_without_other'])} users "
            "have no other"
        ),
    ),
    "cold_user_rows": (_cold, lambda facts: f"rows of {whole(facts['users'])} users"),
    "unknown_candidates": (_is("candidates that the model does not know"), _is("left out")),
    "users_without_known_candidate": (_is("users without a known candidate"), _is("no list")),
    "unknown_excluded_items": (_is("excluded items that the model does not know"), _is("not there anyway")),
    "users_without_known_item": (_is("users without a known item"), _gets),
    "users_model_is_silent_on": (_is("users on whose items the model has nothing to say"), _gets),
    "unknown_history_items": (_is("items of the history that the model does not know"), _is("left out")),
    "users_without_list": (_is("users without a list"), _is("no item may be shown that has a score")),
    "short_lists": (_is("short lists"), lambda facts: f"fewer than {facts['k']} items have a score"),
    "items_not_in_table": (_is("items that the items table lacks"), _is("nothing is known of them")),
    "items_without_feature": (
        _is("items without a feature"),
        _is("no vector: they cannot be recommended, and do not count in histories"),
    ),
    "vectors_not_converged": (_is("singular vectors that did not converge"), _is("left out; raise iterations")),
    "vectors_not_there": (
        _is("singular vectors that the data does not have"),
        lambda facts: (
            f"{whole(facts['users'])} users, {whole(facts['items'])} items: {whole(facts['kept'])} of "
            f"{whole(facts['factors'])} factors"
        ),
    ),
    "users_not_served": (
        lambda facts: f"users whom {facts['model']} cannot serve",
        _is("left to the other models"),
    ),
    "users_served_by": (
        lambda facts: f"users served by {facts['model']}",
        lambda facts: f"from {facts['least']} items of the history",
    ),
    "histories_filled": (
        _is("users with a filled history"),
        lambda facts: f"fewer than {facts['fewer_than']} items",
    ),
    "requirements_dropped": (
        _is("requirements dropped, because no item meets them all"),
        lambda facts: "; ".join(facts["requirements"]),
    ),
    "requirements_unmet": (
        _is("requirements that no item meets"),
        _unmet,
    ),
    "users_without_match": (
        _is("users without a list, because no item meets all requirements"),
        _is("ask for relaxations"),
    ),
    "users_with_all_matches": (
        _is("users who have every item that fits"),
        _is("no list, unless seen items are recommended"),
    ),
}
"""Code -> what was done, and what it means."""


def _ties_at_cuts(facts: Facts) -> str:
    by = "hash" if facts["rule"] == "hash" else "the table"
    return (
        f"{whole(facts['users'])} of {whole(facts['of'])} users have rows of one moment on both sides of their cut; "
        f"the order among those is by {by}, not by time. Results under another rule cannot be compared with these."
    )


_TASKS: Final = {
    "new_items": "The task is new_items: they are not in the test, and lists leave seen items out. Where it is of use "
    "to recommend again what a user had, the task is with_repeats.",
    "with_repeats": "The task is with_repeats: they count as relevant, and lists must not leave seen items out. "
    "What is new to a user is measured by new_items.",
}

_NOTES: Final[dict[str, Callable[[Facts], str]]] = {
    "others_future_in_training": _is(
        "Other users' later interactions are in the training part: this split knows more than a deployed system would."
    ),
    "own_future_in_training": _is("A user's own later interactions may be in the training part too."),
    "no_timestamps": _is("There are no timestamps: what is last is what stands last in the table."),
    "ties_at_cuts": _ties_at_cuts,
    "fold_in_not_fitted": _is("Give a model the fold-in when it recommends; it must not be fitted on it."),
    "repeats_in_held_out": lambda facts: (
        f"Users come back to items: {percent(facts['share'], 1)} of the {facts['part']} pairs stand in training too. "
        f"{_TASKS[facts['task']]}"
    ),
    "items_not_in_training": lambda facts: (
        f"{whole(facts['items'])} items of the {facts['part']} part ({whole(facts['rows'])} rows) are not in the "
        "training part: a model that learned from it alone cannot hit them."
    ),
    "users_not_in_training": lambda facts: (
        f"{whole(facts['users'])} users of the {facts['part']} part ({whole(facts['rows'])} rows) are not in the "
        "training part: without a history to fold in they get no list of their own."
    ),
    "rows_before_training": lambda facts: (
        f"{whole(facts['rows'])} of {whole(facts['of'])} rows of the {facts['part']} part are earlier than a training "
        "row of the same user: the model learns from what came after."
    ),
    "rows_before_last_training": lambda facts: (
        f"{whole(facts['rows'])} of {whole(facts['of'])} rows of the {facts['part']} part are earlier than the last "
        "training row of all users: it was not cut at one moment."
    ),
}


def _by_time(card: Facts) -> str:
    said = f"test: events at or after {moment(card['cut'])}, for all users alike; training: events before"
    inner = card.get("validation_cut")
    return said + (f"; validation: training events at or after {moment(inner)}" if inner else "")


def _rolling(card: Facts) -> str:
    until = moment(card["until"]) if card.get("until") else "the end"
    return f"test: from {moment(card['cut'])} to {until}; training: before"


def _last_n(card: Facts) -> str:
    n, before = card["parameters"]["n"], card["parameters"]["validation_n"]
    return f"test: the last {n} of each user's events; " + (
        f"validation: the {before} before; training: the rest" if before else "training: the rest"
    )


_SPLITS: Final[dict[str, Callable[[Facts], str]]] = {
    "by_time": _by_time,
    "rolling": _rolling,
    "last_n": _last_n,
    "random": _is(
        "each user's rows are ordered by a hash of (seed, user, item); of them the share is held out, rounded down, "
        "but one row at least"
    ),
    "by_user": _is(
        "test users by hash of (seed, user), wholly out of training; of their rows, by hash of (seed, user, item), the "
        "first share is held out and the rest is the fold-in"
    ),
    "given": _is("given: the parts were cut elsewhere, and are taken as they are"),
}

_TIES: Final = {
    "hash": "hash: rows of one user and moment are ordered by a hash of (seed, user, item)",
    "order": "order: rows of one user and moment stay in the order of the table",
    "whole": "whole: rows of one moment stay together",
    "none": "none: time plays no part",
    "unknown": "not known: the parts were cut elsewhere",
}
