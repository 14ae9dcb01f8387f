"""Format parameters as command-line options."""

from __future__ import annotations

from typing import Any, Final

from reclens.data.read.request import named_by
from reclens.errors import Setting

__all__ = ["as_option"]

_SWITCHES: Final[dict[tuple[str, Any], str]] = {
    ("duplicates", "drop"): "--drop-duplicates",
    ("ids", False): "--no-ids",
    ("overwrite", True): "--overwrite, where the command has it",
    ("two_arms", "drop"): "--drop-two-arms",
    ("unknown_arms", "drop"): "--drop-unknown-arms",
}
"""Parameters with a value that has an option of its own."""


def as_option(setting: Setting) -> str:
    """Format a setting as an option.

    >>> as_option(Setting("planned_units")), as_option(Setting("arm", "version")), as_option(Setting("ids", False))
    ('--planned-units', '--arm version', '--no-ids')
    """
    switch = _SWITCHES.get((setting.name, setting.value))
    if switch is not None:
        return switch
    if setting.name in ("bad_rows", "columns", "timestamp_format"):
        return named_by("options")(setting)
    option = f"--{setting.name.replace('_', '-')}"
    return option if setting.value is None else f"{option} {setting.value}"
