"""Tables of the exercises and of a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.report._toolkit.format import NOTHING
from reclens.report._toolkit.tables import Table
from reclens.report.learn.glossary import all_terms
from reclens.report.learn.path import phase_of
from reclens.report.learn.remarks import remark_sentence
from reclens.report.learn.tasks import title_of

__all__ = ["attempt_table", "exercise_table", "glossary_table", "replay_table", "state_of"]

_STATES = {True: "solved", False: "not yet"}


def state_of(row: Mapping[str, Any]) -> str:
    """How far an exercise is.

    >>> state_of({"started": True, "solved": False})
    'in progress'
    """
    return "solved" if row["solved"] else "in progress" if row["started"] else "not started"


def exercise_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The exercises, with what was done.

    Args:
        rows: Of each: ``exercise`` (its code), ``phase``, ``minutes``, ``started``, ``solved``, ``attempts``,
            ``hints``.
    """
    return Table(
        title="Exercises, drills and projects",
        columns=("Exercise", "Title", "Phase", "Minutes", "State", "Attempts", "Hints"),
        rows=tuple(
            (
                row["exercise"],
                title_of(row["exercise"]),
                phase_of(row["phase"]).title,
                str(row["minutes"]),
                state_of(row),
                str(row["attempts"]),
                str(row["hints"]),
            )
            for row in rows
        ),
        records=tuple(rows),
    )


def replay_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The attempts of an export, each with its replay.

    Args:
        rows: Of each: ``exercise``, ``at``, ``passed`` as the file says, ``replayed`` (None if it could not be run),
            ``finding`` and its ``facts``.
    """
    said = [remark_sentence(row["finding"], row["facts"]) if row["finding"] else "" for row in rows]
    return Table(
        title="Replay",
        columns=("Exercise", "At (UTC)", "In the file", "Replayed", "Finding"),
        rows=tuple(
            (
                row["exercise"],
                str(row["at"])[:16].replace("T", " "),
                _STATES[row["passed"]],
                NOTHING if row["replayed"] is None else _STATES[row["replayed"]],
                sentence or NOTHING,
            )
            for row, sentence in zip(rows, said, strict=True)
        ),
        records=tuple({key: value for key, value in row.items() if key != "facts"} for row in rows),
    )


def glossary_table(held: str | None = None) -> Table:
    """The terms and what they mean.

    Args:
        held: Only terms that hold this text.
    """
    wanted = (held or "").casefold()
    found = [each for each in all_terms() if any(wanted in name.casefold() for name in (each.term, *each.also))]
    return Table(
        title="Glossary",
        columns=("Term", "What it means", "Page"),
        rows=tuple((each.term, each.means, f"docs/{each.page}") for each in found),
        records=tuple({"term": each.term, "means": each.means, "page": each.page} for each in found),
    )


def attempt_table(attempts: Sequence[Mapping[str, Any]]) -> Table:
    """The attempts at an exercise.

    Args:
        attempts: Of each: ``at``, ``passed``, ``remarks``, ``version``.
    """
    return Table(
        title="Attempts",
        columns=("At (UTC)", "Result", "Version"),
        rows=tuple(
            (str(each["at"])[:16].replace("T", " "), _STATES[each["passed"]], str(each["version"])) for each in attempts
        ),
        records=tuple(
            {"at": each["at"], "passed": each["passed"], "remarks": ", ".join(each["remarks"])} for each in attempts
        ),
    )
