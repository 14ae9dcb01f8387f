"""What is odd about the ids of an evaluation, and what does not fit its task, for the surface that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from reclens.errors import Setting, in_python
from reclens.evaluation import IdsWarning, TaskWarning
from reclens.models import FitWarning

__all__ = ["NO_TEXTS", "fit_problems", "id_problems", "task_problems"]

NO_TEXTS: Final[Mapping[str, str]] = {}


def fit_problems(name: str, problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with a fit: a line for each problem of its card.

    Args:
        name: Name of the model.
        problems: As on the card: the fields of :class:`reclens.models.FitProblem`.
    """
    return [str(FitWarning.of(name, each)) for each in problems]


def id_problems(
    card: Mapping[str, Any], named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = NO_TEXTS
) -> list[str]:
    """What is odd about ids: a sentence or a few for each entry of ``card["id_problems"]``.

    Args:
        card: The card of an evaluation.
        named: How the surface writes a setting.
        texts: Code of an advice -> its sentence on that surface, where it says it otherwise.
    """
    return [IdsWarning.of(each).said(named, texts).rstrip(".") for each in card.get("id_problems", ())]


def task_problems(
    card: Mapping[str, Any], named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = NO_TEXTS
) -> list[str]:
    """What does not fit the task: a sentence or two for each code of ``card["task_problems"]``.

    Args:
        card: The card of an evaluation.
        named: How the surface writes a setting.
        texts: As for :func:`id_problems`.
    """
    return [TaskWarning.of(code, card).said(named, texts) for code in card.get("task_problems", ())]
