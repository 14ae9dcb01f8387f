"""How often a check of the learning path lets an answer pass: the right one, and each wrong one that is shipped.

python benchmarks/rates_learn.py --seeds 1000:1100 --processes 1
"""

from __future__ import annotations

import tempfile
from functools import cache, partial
from pathlib import Path

from rates import Cell, main

from reclens.learn.exercise import Draw, Exercise, all_exercises, exercise_of
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
