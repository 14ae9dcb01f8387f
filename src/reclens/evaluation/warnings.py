"""Warnings of evaluations, each with what the reader can do; the card of the evaluation has their codes and numbers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from reclens.data.near_ids import Cause
from reclens.errors import Advice, RecLensWarning, Setting
from reclens.schema import ITEM, USER

__all__ = ["EvaluationWarning", "IdsWarning", "TaskWarning", "warn_of"]


class EvaluationWarning(RecLensWarning):
    """The evaluated data have a problem; the card of the evaluation has the codes."""


class IdsWarning(EvaluationWarning):
    """Few ids are in common, or more would be if they were written alike; ``card["id_problems"]`` has the codes."""

    @classmethod
    def of(cls, problem: Mapping[str, Any]) -> IdsWarning:
        """The warning of an entry of ``card["id_problems"]``."""
        sides, kind = problem["sides"], problem["column"].removesuffix("_id")
        only = "only " if problem["code"] == "few_shared" else ""
        seen = (
            f"{sides[0]} and {sides[1]} share {only}{problem['shared']:,} of {problem['of']:,} {kind}s; not shared are "
        )
        why = cls.why(problem["cause"], problem["mended"], problem["mended_of"], problem["affix"], sides)
        seen += "are " + cls.shown(sides, problem["examples"]) + (f". {why}" if why else "")
        fix = cls.fix(problem["column"], sides, problem["cause"], problem["width"]) if problem["mended"] else None
        return cls(seen, advice=fix)

    @staticmethod
    def shown(sides: Sequence[str], examples: Sequence[Sequence[Any]]) -> str:
        """Examples of both sides."""
        return " and ".join(
            f"{', '.join(repr(each) for each in shown)} in {side}" for side, shown in zip(sides, examples, strict=True)
        )

    @staticmethod
    def why(cause: Cause, mended: int, of: int, affix: str | None, sides: Sequence[str]) -> str:
        """Why ids do not match; empty where it is not known."""
        match = f"{mended:,} of {of:,} match"
        said: Mapping[Cause, str] = {
            "type": f"One side is integers, the other text; as text {match}",
            "whitespace": f"Without the blanks around them {match}",
            "leading_zeros": f"One side has lost its leading zeros; without them {match}",
            "decimals": f"One side is written as decimals; without them {match}",
            "case": f"In lower case {match}",
            "prefix": f"Without the prefix {affix!r} {match}",
            "suffix": f"Without the suffix {affix!r} {match}",
            "swapped": f"{mended:,} of them are of the other kind in {sides[1]}: users and items seem to be swapped",
            "codes": "One side counts from 0 or 1, as the codes of a library do, and not as ids",
            "unknown": "",
        }
        return said[cause]

    @staticmethod
    def fix(column: str, sides: Sequence[str], cause: Cause, width: int | None) -> Advice:
        """What to do about it."""
        if cause == "type":
            said = f"Read all tables with {{ids}}, or cast pl.col('{column}') to pl.String."
            return Advice("ids_as_text", (Setting("ids", "text"),), said)
        if cause == "leading_zeros":
            filled = f"; or fill them up: pl.col('{column}').cast(pl.String).str.zfill({width})" if width else ""
            said = f"Read all tables with {{ids}}, which takes the zeros off{filled}."
            return Advice("ids_unpadded", (Setting("ids", "unpadded"),), said)
        if cause == "swapped":
            both = Setting("columns", {USER: "its users", ITEM: "its items"})
            return Advice("name_both_columns", (both,), "Name both columns of one of the tables: {columns}.")
        if cause == "unknown" and column == ITEM and sides[1] == "the truth":
            said = "If they are the same ids and none was hit, pass {train} or {catalogue}, which say that they are."
            return Advice("give_catalogue", (Setting("train"), Setting("catalogue")), said)
        plain: Mapping[Cause, tuple[str, str]] = {
            "decimals": ("whole_numbers", f"Write whole numbers where {sides[0]} or {sides[1]} are made."),
            "codes": (
                "codes_to_ids",
                "Turn the codes back into ids by the library's own map before the lists are written.",
            ),
            "unknown": ("same_data", "Do both come from the same data, with the same ids?"),
        }
        if cause in plain:
            return Advice(plain[cause][0], (), plain[cause][1])
        said = "Write the ids alike, for example by {query} with the SQL that mends them."
        return Advice("ids_alike", (Setting("query"),), said)


class TaskWarning(EvaluationWarning):
    """The lists or the truth do not fit the task of the split; ``card["task_problems"]`` has the codes."""

    @classmethod
    def of(cls, code: str, card: Mapping[str, Any]) -> TaskWarning:
        """The warning of a code of ``card["task_problems"]``."""
        held, of = card.get("truth_pairs_in_training") or 0, card["truth"]["rows"]
        share = f"{held:,} of {of:,} pairs of the truth ({held / max(of, 1):.1%}) stand in the training data"
        seen, repeats = Setting("exclude_seen", False), Setting("task", "with_repeats")
        if code == "truth_in_training":
            said = "Split with {0} to leave them out, or with {1} and recommend with {2}"
            advice = Advice("split_for_task", (Setting("task", "new_items"), repeats, seen), said)
            return cls(f"{share}: lists without seen items can never hit them", advice=advice)
        if code == "seen_items_filtered":
            return cls(
                f"The task is with_repeats, but the lists leave seen items out: {share} and cannot be hit",
                advice=Advice("recommend_seen", (seen,), "Recommend with {exclude_seen}"),
            )
        return cls(
            f"The task is new_items, but {card['recommendations_seen_in_training'] or 0:,} of "
            f"{card['recommendations']:,} recommendations are of items that the user had: they cannot hit",
            advice=Advice("leave_seen_out", (), "Leave seen items out of the lists"),
        )


def warn_of(card: Mapping[str, Any], *, stacklevel: int) -> None:
    """Warn of everything that the card of an evaluation has codes for."""
    for problem in card.get("id_problems", ()):
        warnings.warn(IdsWarning.of(problem), stacklevel=stacklevel)
    for code in card.get("task_problems", ()):
        warnings.warn(TaskWarning.of(code, card), stacklevel=stacklevel)
