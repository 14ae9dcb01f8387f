"""What stands against the outcome of a search, in a few lines: the gravest kinds first, the rest counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reclens.errors import Setting, in_python
from reclens.report.evaluation.findings import finding_text
from reclens.tuning import Tuning
from reclens.tuning.findings import tuning_findings

__all__ = ["MOST", "cautions_in_words"]

MOST: Final = 3
"""Kinds of cautions that are shown."""


def cautions_in_words(tuning: Tuning, *, most: int = MOST, named: Callable[[Setting], str] = in_python) -> list[str]:
    """One line a kind, the gravest first; then one line that counts the rest, which is on the card.

    Args:
        tuning: The outcome.
        most: Kinds to show.
        named: How the surface writes a setting.
    """
    lines = [finding_text(each, named) for each in tuning_findings(tuning.metric, tuning)[:most]]
    rest = tuning.groups[most:]
    if rest:
        n = sum(len(group.cautions) for group in rest)
        kinds = ", ".join(f"{len(group.cautions)} {group.kind}" for group in rest)
        lines.append(f"{n} more {'caution is' if n == 1 else 'cautions are'} on the card: {kinds}.")
    return lines
