"""What the tests of the exercises share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reclens.learn.exercise import Draw, Exercise, Remark

Judge = Callable[[Exercise, Draw, Callable[[Draw, Path], None]], list[Remark]]


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    """Writes an answer by a function, and gives what the check says of it."""

    def call(exercise: Exercise, draw: Draw, write: Callable[[Draw, Path], None]) -> list[Remark]:
        write(draw, tmp_path)
        answer = {file: (tmp_path / file).read_text(encoding="utf-8") for file in exercise.files}
        return list(exercise.judge(answer, draw))

    return call
