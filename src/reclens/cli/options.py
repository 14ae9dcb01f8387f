"""Format parameters as command-line options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reclens.data.read.request import ADVICE_TEXTS, named_by
from reclens.errors import Setting

__all__ = ["TEXTS", "as_option"]

_SWITCHES: Final[dict[tuple[str, Any], str]] = {
    ("duplicates", "drop"): "--drop-duplicates",
    ("exclude_seen", False): "--seen",
    ("ids", False): "--no-ids",
    ("overwrite", True): "--overwrite, where the command has it",
    ("two_arms", "drop"): "--drop-two-arms",
    ("unknown_arms", "drop"): "--drop-unknown-arms",
}
"""Parameters with a value that has an option of its own."""
_READ: Final = frozenset({"bad_rows", "columns", "form", "header", "timestamp_format"})
TEXTS: Final[Mapping[str, str]] = {
    **ADVICE_TEXTS,
    "pass_catalogue": "Pass {train}.",
    "pass_features": "Pass {0} with --items, a table that has one list-valued attribute such as genres.",
    "pass_shares": "Pass --items, a table that has a list-valued attribute such as genres.",
    "measure_tiers": "Pass {train}.",
    "give_catalogue": "If they are the same ids and none was hit, pass {train}, which says that they are.",
}
"""Code of an advice -> its sentence on the command line, where it is not that of Python."""


def as_option(setting: Setting) -> str:
    """Format a setting as an option.

    >>> as_option(Setting("planned_units")), as_option(Setting("arm", "version")), as_option(Setting("ids", False))
    ('--planned-units', '--arm version', '--no-ids')
    """
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
