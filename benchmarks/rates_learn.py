"""How often a check of the learning path lets an answer pass: the right one, and each wrong one that is shipped.

python benchmarks/rates_learn.py --seeds 1000:1100 --processes 1
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from rates import Cell, main

from reclens.learn.child import Called
from reclens.learn.exercise import Draw, Exercise, all_exercises, exercise_of
from reclens.learn.exercises import own_dashboard
from reclens.learn.exercises.interaction_matrix import InteractionMatrix, small

RIGHT = "right"


def passes(code: str, name: str, seed: int) -> dict[str, float]:
    """Whether the check finds nothing wrong with an answer of a learner, the right one or a wrong one by its name."""
    return {"passes": _all_answers(code, seed)[name]}


@cache
def _all_answers(code: str, seed: int) -> dict[str, float]:
    """Each answer of an exercise for a learner: with one process, what was drawn for the learner is drawn once."""
    exercise = _exercise(code)
    draw = Draw(seed << 64, code)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        exercise.write_data(draw, folder)
        for name, write in {RIGHT: exercise.solve, **exercise.wrong}.items():
            write(draw, folder)
            answer = {file: (folder / file).read_text(encoding="utf-8") for file in exercise.files}
            found[name] = float(next(iter(exercise.judge(answer, draw)), None) is None)
    return found


def _called_here(file: str, source: str, calls: Sequence[tuple[str, Sequence[Any]]], **_: object) -> list[Called]:
    """As ``call_functions``, without a process for each answer: these answers are our own."""
    place: dict[str, Any] = {"__name__": "answer"}
    exec(compile(source, file, "exec"), place)
    called: list[Called] = []
    for name, arguments in calls:
        try:
            called.append(Called(json.loads(json.dumps(place[name](*arguments)))))
        except Exception as error:
            called.append(Called(failed=f"{type(error).__name__}: {error}"))
    return called


own_dashboard.call_functions = _called_here


# A browser takes seconds a page; what it sees has tests of its own.
own_dashboard.opened_in_browser = lambda _: None


@cache
def _exercise(code: str) -> Exercise:
    """The exercise; that over a log with one as small as the hidden logs."""
    found = exercise_of(code)
    return small() if isinstance(found, InteractionMatrix) else found


def grid() -> list[Cell]:
    """A cell for each answer of each exercise."""
    return [
        Cell(f"{each.code} {name}", partial(passes, each.code, name), {"passes": float(name == RIGHT)})
        for each in all_exercises()
        for name in (RIGHT, *each.wrong)
    ]


if __name__ == "__main__":
    main(
        "learn",
        grid(),
        about="How often the checks of the learning path let answers pass: a row an answer, a learner a seed.",
    )
