"""A finding: something that a diagnosis, an audit, a map of embeddings or a monitor wants a person to look at.

Every room makes the same record, of codes and numbers; the folder of the room in ``report`` writes its sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Finding", "Severity"]

Severity = Literal["critical", "warning", "note"]
"""``critical``: a number may be wrong, or harm is done now. ``warning``: somebody should act. ``note``: good to
know."""


@dataclass(frozen=True, kw_only=True)
class Finding(Tabular):
    """Something that wants a person to look at it.

    Attributes:
        severity: How pressing it is.
        kind: What sort of finding, such as ``"problem"`` (a number may be wrong), ``"gap"`` (some are served worse) or
            ``"caution"`` (a conclusion stands on less than it seems). Lists are grouped by it.
        code: What was found, such as ``"users_without_list"``; with the kind it names the sentence.
        about: The artefacts it is about.
        estimate: The number it rests on, with its interval, where one number says it.
        evidence: The rows behind it.
        examples: A few cases to look at, such as ids.
        suspects: Codes of likely causes, the likeliest first.
        advice: Codes of what to do about it.
    """

    severity: Severity
    kind: str
    code: str
    about: tuple[str, ...]
    estimate: Estimate | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    examples: tuple[Any, ...] = ()
    suspects: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]
