"""Format parameters as command-line options."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final

from reclens.data.read.request import ADVICE_TEXTS, named_by
from reclens.errors import Setting

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
    "give_catalogue": "If they are the same ids and none was hit, pass {train}, which says that they are.",
}
"""Code of an advice -> its sentence on the command line, where it is not that of Python."""
_FILE_TEXTS: Final[Mapping[str, str]] = {
    "hold_out_more": "Hold out more, cut at another moment, or say {task}.",
    "ids_alike": "Write the ids alike.",
    "pass_features": "Name items, a table that has one list-valued attribute such as genres.",
    "pass_shares": "Name items, a table that has a list-valued attribute such as genres.",
}
"""The same of a command that reads a file of settings."""
_OPTIONS: ContextVar[Collection[str] | None] = ContextVar("_OPTIONS", default=None)
"""Parameters of the command that runs, if it reads a file of settings."""


def runs(parameters: Collection[str]) -> None:
    """Note the parameters of the command that runs: one with ``config`` has settings in a file."""
    _OPTIONS.set(frozenset(parameters) if "config" in parameters else None)


def texts() -> Mapping[str, str]:
    """Code of an advice -> its sentence for the command that runs, where it is not that of Python."""
    return _TEXTS if _OPTIONS.get() is None else {**_TEXTS, **_FILE_TEXTS}


def as_option(setting: Setting) -> str:
    """Format a setting as an option, or as the key of the file of settings that the command reads.

    >>> as_option(Setting("weighting", "none", "model"))
    '--param weighting=none'
    >>> as_option(Setting("planned_units")), as_option(Setting("arm", "version")), as_option(Setting("ids", False))
    ('--planned-units', '--arm version', '--no-ids')
    """
    offered = _OPTIONS.get()
    if offered is not None and setting.name not in offered:
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


def _as_key(setting: Setting) -> str:
    """A setting as a key of TOML."""
    if setting.name == "spaces":
        pairs = [each.partition("=") for each in _ranges(setting.value)]
        return " ".join(f'"{name}" = "{ends}" in ranges' for name, _, ends in pairs) or "ranges"
    if isinstance(setting.value, Mapping) and setting.of == "model":
        return setting.name
    return named_by("toml")(setting)


def _typed(value: Any) -> str:
    """A value in the syntax of ``NAME=VALUE``."""
    if value is None:
        return "…"
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _ranges(spaces: Mapping[str, Mapping[str, Any]] | None) -> list[str]:
    """Ranges of hyper-parameters as they are typed: ``ease.l2=1:1000``."""
    return [
        f"{model}.{name}={each.low:g}:{each.high:g}{'' if each.log else ':linear'}"
        for model, parameters in (spaces or {}).items()
        for name, each in parameters.items()
    ]
