"""Format parameters as command-line options."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final

from reclens.data.read.request import ADVICE_TEXTS, named_by
from reclens.errors import Setting
from reclens.report._toolkit.format import typed

__all__ = ["as_option", "runs", "texts"]

_SWITCHES: Final[dict[tuple[str, Any], str]] = {
    ("again", True): "--again",
    ("duplicates", "drop"): "--drop-duplicates",
    ("exclude_seen", False): "--seen",
    ("ids", False): "--no-ids",
    ("overwrite", True): "--overwrite, where the command has it",
    ("two_arms", "drop"): "--drop-two-arms",
    ("unknown_arms", "drop"): "--drop-unknown-arms",
}
"""Parameters with a value that has an option of its own."""
_READ: Final = frozenset({"bad_rows", "columns", "form", "header", "timestamp_format"})
_TEXTS: Final[Mapping[str, str]] = {
    **ADVICE_TEXTS,
    "hold_out_more": "Hold out more, cut at another moment, or say {task}.",
    "pass_catalogue": "Pass {train}.",
    "pass_features": "Pass {0} with --items, a table that has one list-valued attribute such as genres.",
    "pass_shares": "Pass --items, a table that has a list-valued attribute such as genres.",
    "measure_tiers": "Pass {train}.",
    **dict.fromkeys(("absolute_effects", "effects_that_add"), "Give the plan another baseline."),
    "audit_groups": "Audit with a truth, and with groups of users.",
    "bin_values": "Put values together, such as bands of a number, in a column of the table of users.",
    "draw_larger_arm": "Read as many users of each arm.",
    "evaluate_predictions": "Use reclens evaluate-predictions.",
    "fill_store": "Write a space into it by reclens explore move.",
    "gather_alike": 'Read both by one plan, with missing = "leave_out" of the metric.',
    "give_categories": "Estimate by another estimator, or in Python.",
    "give_pool": "Read a log that holds no other items.",
    "group_units": "Read the events of the units: --events.",
    "cast_side": "Read all tables with {ids}.",
    "embed_columns": "Name the columns by reclens explore embed.",
    "evaluate_requests": "Measure it by reclens evaluate-requests.",
    "explore_with_map": "Explore again with --map.",
    "fold_in": "Fit it on the history too, or use a model that folds in: reclens models list.",
    "load_own_class": "It is for Python alone.",
    "load_pipeline": "Use it with reclens pipeline.",
    "make_monitor": "Make a project there by reclens monitor init.",
    "other_separator": "The format has no quotes: clean the text first.",
    "read_own_file": "Move it away to fetch the published file, or read it as it is by --data.",
    "run_days": "Run the days first: reclens monitor backfill.",
    "sum_up_units": "Sum the rows up by unit, or read the events: --events.",
    "values_as_they_are": "For its values as they are, say column in [segments].",
    "write_dbt": "Write it by reclens monitor init --dbt.",
    "keep_split": "Split by reclens data split, and name it by --split.",
    "name_segments": "Name a column of the table of users.",
    "read_bandit": "Use it with reclens experiment off-policy.",
    "read_layout": "Name its file of interactions.",
    "replace_files": "Choose another place, or pass --force.",
    "start_anew": "Choose another name, or pass --overwrite to start anew.",
    **{
        f"make_{kind}_again": f"Make it again: reclens {command}."
        for kind, command in {
            "split": "data split … {name}",
            "model": "fit … {name}",
            "pipeline": "pipeline fit … {name}",
            "run": "recommend … {keep}",
            "evaluation": "evaluate … {keep}",
            "comparison": "compare … {keep}",
            "tuning": "tune … {name}",
            "weights": "tune-weights … {name}",
            "audit": "audit run …",
            "health": "monitor run …",
            "space": "explore embed …",
            "exploration": "explore report … {keep}",
            "plan": "experiment plan … {keep}",
            "readout": "experiment read … {keep}",
        }.items()
    },
    "give_catalogue": "If they are the same ids and none was hit, pass {train}, which says that they are.",
}
"""Code of an advice -> its sentence on the command line, where it is not that of Python."""
_FILE_TEXTS: Final[Mapping[str, str]] = {
    "hold_out_more": "Hold out more, cut at another moment, or say {task}.",
    "ids_alike": "Write the ids alike.",
    "name_segments": "Name a column of the users, or say how they are grouped in [segments].",
    "bin_values": "Put values together, numbers by bins in [segments].",
    "pass_features": "Name items, a table that has one list-valued attribute such as genres.",
    "pass_shares": "Name items, a table that has a list-valued attribute such as genres.",
}
"""The same of a command that reads a file of settings."""
_PARAMETERS: ContextVar[Collection[str] | None] = ContextVar("_PARAMETERS", default=None)
"""Parameters of the command that runs; None where none does."""


def runs(parameters: Collection[str]) -> None:
    """Record the parameters of the running command; a command with ``config`` has a settings file."""
    _PARAMETERS.set(frozenset(parameters))


def _in_file() -> bool:
    """Return whether the running command reads its settings from a file."""
    return "config" in (_PARAMETERS.get() or ())


def texts() -> Mapping[str, str]:
    """Return the advice sentences of the running command that differ from those of Python, by code."""
    return {**_TEXTS, **_FILE_TEXTS} if _in_file() else _TEXTS


def as_option(setting: Setting) -> str:
    """Format a setting as an option, or as a key of the settings file that the command reads.

    >>> as_option(Setting("weighting", "none", "model"))
    '--param weighting=none'
    >>> as_option(Setting("planned_units")), as_option(Setting("arm", "version")), as_option(Setting("ids", False))
    ('--planned-units', '--arm version', '--no-ids')
    """
    offered = _PARAMETERS.get()
    if not setting.typed:
        return _named(setting, offered)
    if setting.of == "save":  # by another command than the one that runs
        return f"--{setting.name} {setting.value}"
    if offered is not None and setting.name not in offered and _in_file():
        return _as_key(setting)
    if setting.of == "model":
        return f"--param {setting.name}={_typed(setting.value)}"
    if setting.name == "spaces":
        return " ".join(f"--range {each}" for each in _ranges(setting.value)) or "--range"
    asked = setting.name, setting.value
    switch = next((option for each, option in _SWITCHES.items() if each == asked), None)
    if switch is not None:
        return switch
    if setting.name in _READ:
        return named_by("options")(setting)
    option = f"--{setting.name.replace('_', '-')}"
    if isinstance(setting.value, list):
        return " ".join(f"{option} {each}" for each in setting.value)
    return option if setting.value is None else f"{option} {setting.value}"


def _named(setting: Setting, offered: Collection[str] | None) -> str:
    """Return the name of a setting: its option if the command has one."""
    if setting.of == "model":
        return setting.name if _in_file() else f"--param {setting.name}"
    known = offered is None or setting.name in offered
    return f"--{setting.name.replace('_', '-')}" if known else setting.name


def _as_key(setting: Setting) -> str:
    """Format a setting as a TOML key."""
    if setting.name == "spaces":
        pairs = [each.partition("=") for each in _ranges(setting.value)]
        return " ".join(f'"{name}" = "{ends}" in ranges' for name, _, ends in pairs) or "ranges"
    if isinstance(setting.value, Mapping) and setting.of == "model":
        return setting.name
    return named_by("toml")(setting)


def _typed(value: Any) -> str:
    """Format a value for ``NAME=VALUE``."""
    if value is None:
        return "…"
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _ranges(spaces: Mapping[str, Mapping[str, Any]] | None) -> list[str]:
    """Format ranges of hyper-parameters as on the command line: ``ease.l2=1:1000``."""
    return [
        f"{model}.{name}={typed(each.low)}:{typed(each.high)}{'' if each.log else ':linear'}"
        for model, parameters in (spaces or {}).items()
        for name, each in parameters.items()
    ]
