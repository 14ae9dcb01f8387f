"""Word the advice in errors and warnings as fields of the pages instead of options and arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from reclens.errors import RecLensError, RecLensWarning, Setting, in_python
from reclens.workspace import KINDS

__all__ = ["PAGE_TEXTS", "field_of", "said_on_page"]

_HOW: Final = "under “How it is written”"
_FIELDS: Final[Mapping[str, str]] = {
    "bad_rows": "“leave out and count” below",
    "between": f"“Between items” {_HOW}",
    "by": "“Segments”",
    "decimal": f"“Decimal mark” {_HOW}",
    "delimiter": f"“Delimiter” {_HOW}",
    "encoding": f"“Encoding” {_HOW}",
    "escape": f"“Escape” {_HOW}",
    "form": f"“Items of a row” {_HOW}",
    "header": f"“First line” {_HOW}",
    "quote": f"“Quotation mark” {_HOW}",
    "train": "the training interactions",
}
"""Argument -> its field."""
_VALUES: Final = {
    ("form", "cell"): f"“several in a cell” {_HOW}",
    ("form", "adjacency"): f"“a line of a user and their items” {_HOW}",
    ("ids", "text"): "“as text” for the ids below",
    ("ids", "unpadded"): "“as text, without leading zeros” for the ids below",
}
PAGE_TEXTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("absolute_effects", "effects_that_add"), "Give the plan another baseline."),
    "ask_something": "Give an effect, a number of units or a margin.",
    "audit_groups": "Audit with a truth, and with groups of users.",
    "greedy_policy": "The limit is the greedy policy.",
    "log_attention": "Audit with a truth, and with logarithmic attention.",
    "one_of_settings": "Put all of them into the settings.",
    "say_lengths": "Divide them by their lengths.",
    "bin_values": "Put values together, such as bands of a number, in a column of the users.",
    "draw_larger_arm": "Bring as many users of each arm.",
    "evaluate_predictions": "It is no metric of lists: choose another.",
    "fill_store": "Write a space into it first.",
    "gather_alike": 'Bring rows that have the same columns, or say missing = "leave_out" of the metric in the plan.',
    "give_categories": "Choose another estimator.",
    "give_pool": "Bring a log that holds no other items.",
    "group_units": "Choose that a row is an event.",
    "keep_split": "Keep the split in the workspace first.",
    "name_segments": "Choose among those of the users.",
    "read_bandit": "It is read for off-policy estimates alone, outside of these pages.",
    "read_layout": "Bring its file of interactions.",
    "replace_files": "Choose another place.",
    "start_anew": "Choose another name.",
    "cast_ids": "Choose another column above.",
    "choose_member": "Unpack it, and bring the table.",
    "choose_table": "Bring the table as Parquet.",
    "cast_side": "Choose {ids}.",
    "embed_columns": "Name the columns of texts when they are embedded.",
    "evaluate_requests": "Bring impressions to measure it.",
    "explore_with_map": "Explore with a map.",
    "filter_before": "Filter the files before.",
    "fold_in": "Fit it on the history too, or use a model that folds in.",
    "load_own_class": "It is for Python alone.",
    "load_pipeline": "It is read as a pipeline.",
    "make_monitor": "Make a project there first.",
    "other_separator": "Clean the text first.",
    "read_own_file": "Move it away to fetch the published file, or bring it as it is.",
    "run_days": "Run the days first.",
    "sum_up_units": "Sum the rows up by unit, or choose that a row is an event.",
    "values_as_they_are": "Choose its values as they are.",
    "write_dbt": "Write it when the monitor is made.",
    "close_quotes": 'Look for a quotation mark " that is never closed; if they enclose nothing, choose none for the '
    f"quotation mark {_HOW}.",
    "form_of_times": "Write times as 2024-02-29 13:45:00. Mend the rows, or leave them out by {bad_rows} (they are "
    "counted).",
    "fewer_features": "Choose an attribute of the items with fewer values.",
    "give_catalogue": "If they are the same ids and none was hit, bring the training interactions, which say that they "
    "are.",
    "give_query": "Bring the table itself.",
    "give_truth": "Bring the truth.",
    "header_names_columns": f"Choose that it names the columns {_HOW}.",
    "hold_out_more": "Hold out more, or cut at another moment.",
    "ids_alike": "Write the ids alike.",
    "ids_as_text": "Choose {ids}.",
    "ids_unpadded": "Choose {ids}.",
    "items_in_cells": "Choose {form}.",
    "leave_out": f"Choose what was first chosen {_HOW}.",
    "merge_duplicates": "Remove the rows.",
    "name_both_columns": "Choose other columns for one of the files above.",
    "name_column": "Choose it among the columns above.",
    "name_counted": "Choose it among the columns above, or leave the metric out of the plan.",
    "name_delimiter": f"Choose what stands between fields {_HOW}.",
    "name_encoding": f"Choose its encoding {_HOW}.",
    "name_order": "Lists need an order: choose a column for rank or score above.",
    "name_times": "Choose the column of the timestamp above.",
    "one_item_a_row": f"Choose one for the items of a row {_HOW}.",
    "other_encoding": f"Expected CSV or Parquet; choose another encoding {_HOW}.",
    "pass_catalogue": "Bring the training interactions.",
    "pass_features": "Bring attributes of the items, one of them a list such as genres, and the training interactions.",
    "pass_shares": "Bring attributes of the items, one of them a list such as genres.",
    "pass_train": "Bring the training interactions.",
    "pass_truth": "Bring the truth.",
    "quote_fields": f"A field that holds the delimiter needs quotes; or choose another delimiter {_HOW}.",
    "rank_all": "Bring whole rankings.",
    "read_items": "Bring attributes of the items.",
    "recommend_seen": "Recommend what the user had too",
    "rename_column": "Rename it.",
    "say_form": f"Choose for the items of a row {_HOW} that there are several.",
    "say_header": f"If the file has no header, choose that it is a row {_HOW}; if these are their names, choose that "
    "it names the columns there.",
    "say_rows": "Bring the table itself.",
    "say_which": "Choose it among the columns above.",
    "split_again": "Split again: where only new items count, such pairs are left out of the test part; where repeats "
    "count, they are relevant.",
    "split_for_task": "Leave them out of the truth, or let repeats count and recommend what the user had too",
    "take_less": "Take the rows and columns that are needed, or write it as Parquet.",
    "unpack_first": "Unpack it by zstd -d, and bring the rows and columns that are needed.",
    **{f"make_{kind}_again": "Make it again outside of these pages." for kind in KINDS},
    "make_comparison_again": "Compare the runs again on the page Compare.",
    "make_evaluation_again": "Bring its lists again on the page Upload.",
    "make_plan_again": "Make the plan again, and keep it from the page Experiments.",
    "make_readout_again": "Bring its results again on the page Experiments.",
    "without_tags": "Read it without tags.",
    "fewer_points": "Take a larger step, or draw weights at random.",
    "log_fewer": "Log fewer lists, or take a smaller world.",
    "measure_tiers": "Bring the training interactions, and audit the popularity of items.",
    "move_again": "Move it again from the beginning.",
    "name_events": "Bring a log that tells the time of day of each row.",
    "name_in_attributes": "Name it among the attributes of items, not in {by}.",
    "name_in_by": "Name it in {by}, not among the attributes of items.",
    "name_tensor": "Bring one table of numbers.",
    "overwrite": "Or remove that one first.",
    "split_with_validation": "Split with a validation part, or split the training part of this split again.",
    "use_halving": "Leave them out, or search by halving.",
    "use_random": "Or search at random.",
}
"""Code of an advice -> its sentence on the pages, where it is not that of Python."""


def field_of(setting: Setting) -> str:
    """Return the page's field for an argument, or the Python argument if the page has no such field.

    >>> field_of(Setting("bad_rows", "drop")), field_of(Setting("columns", {"rating": None}))
    ('“leave out and count” below', '“none” for rating above')
    """
    if setting.name == "columns":
        left_out = [ours for ours, theirs in (setting.value or {}).items() if theirs is None]
        return f"“none” for {', '.join(left_out)} above" if left_out else "the columns above"
    if setting.of == "model":
        return f"“{setting.name}”{'' if setting.value is None else f' {setting.value}'} of the model"
    if setting.name == "spaces":
        return "wider ranges of the search"
    if not setting.typed:
        return _FIELDS.get(setting.name) or f"“{setting.name}”"
    if setting.name == "ids" and not isinstance(setting.value, str):
        return "“Unit”"
    chosen = _VALUES.get((setting.name, setting.value)) if isinstance(setting.value, str) else None
    return chosen or _FIELDS.get(setting.name) or f"{in_python(setting)} (in Python)"


def said_on_page(what: RecLensError | RecLensWarning, field: Callable[[Setting], str] = field_of) -> str:
    """Return the text of an error or a warning in the words of the page.

    >>> from reclens.errors import Advice, UsageError
    >>> which = Advice("name_column", (Setting("columns", {"rank": "your name"}),), "Name it: {columns}.")
    >>> said_on_page(UsageError("there is no rank", advice=which))
    'there is no rank. Choose it among the columns above.'
    """
    return what.said(field, PAGE_TEXTS)
