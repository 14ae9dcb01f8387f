"""What was done to rows, and what to beware of: records with a code and facts; ``reclens.report.data`` says them."""

from __future__ import annotations

from typing import Final, Literal

from reclens.cards import AppliedRule, Fact, Note

__all__ = ["DROPPING", "BadValue", "NoteCode", "RuleCode", "note", "rule"]

BadValue = Literal[
    "missing_id",
    "text_for_a_number",
    "missing_number",
    "infinite_number",
    "missing_time",
    "odd_time",
    "negative_time",
    "unreadable_time",
]
"""Rows that were left out, by the value that cannot be used; ``column`` names where it stands."""

RuleCode = (
    BadValue
    | Literal[
        # reading
        "decimal_commas",
        "times_read_as_utc",
        "times_converted",
        "blanks_around_ids",
        "decimal_ids",
        "mixed_ids_as_text",
        "integer_ids_as_text",
        "repeated_attributes",
        "repeated_pairs_merged",
        "weight_counts_rows",
        "lists_unfolded",
        "empty_lists",
        "films_without_genre",
        # filters
        "k_core",
        "min_rating",
        "segments_dropped",
        # lists and requests
        "lists_sorted",
        "repeated_items",
        "equal_ranks_by_score",
        "ranked_by_score",
        "rank_gaps_closed",
        "ordered_by_score",
        "equal_scores_by_item",
        "repeated_candidates",
        "candidates_without_score",
        "candidates_with_equal_scores",
        # splits
        "pairs_in_training",
        "cold_user_rows",
        # models
        "unknown_candidates",
        "users_without_known_candidate",
        "unknown_excluded_items",
        "users_without_known_item",
        "users_model_is_silent_on",
        "unknown_history_items",
        "users_without_list",
        "short_lists",
        "items_not_in_table",
        "items_without_feature",
        "vectors_not_converged",
        "vectors_not_there",
        "users_not_served",
        "users_served_by",
        "histories_filled",
        "requirements_dropped",
        "requirements_unmet",
        "users_without_match",
        "users_with_all_matches",
    ]
)
"""What was done to rows, or what there is to know of them."""

NoteCode = Literal[
    "others_future_in_training",
    "own_future_in_training",
    "no_timestamps",
    "ties_at_cuts",
    "fold_in_not_fitted",
    "repeats_in_held_out",
    "items_not_in_training",
    "users_not_in_training",
    "rows_before_training",
    "rows_before_last_training",
]
"""What to beware of in a split."""

DROPPING: Final[frozenset[str]] = frozenset(
    {
        "missing_id",
        "text_for_a_number",
        "missing_number",
        "infinite_number",
        "missing_time",
        "odd_time",
        "negative_time",
        "unreadable_time",
        "repeated_attributes",
        "empty_lists",
    }
)
"""Rules by which a reader leaves rows out."""


def rule(code: RuleCode, count: int, **facts: Fact) -> AppliedRule:
    """A rule that was applied.

    Example:
        >>> rule("missing_id", 3, column="user")
        {'code': 'missing_id', 'count': 3, 'facts': {'column': 'user'}}
    """
    return AppliedRule(code=code, count=int(count), facts=facts)


def note(code: NoteCode, **facts: Fact) -> Note:
    """Something to beware of.

    Example:
        >>> note("rows_before_training", part="test", rows=2, of=10)
        {'code': 'rows_before_training', 'facts': {'part': 'test', 'rows': 2, 'of': 10}}
    """
    return Note(code=code, facts=facts)
