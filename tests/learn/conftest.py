"""What the tests of the exercises share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.report.learn.remarks import REMARKS, remark_sentence

Judge = Callable[[Exercise, Draw, Callable[[Draw, Path], None]], list[Remark]]


@pytest.fixture(autouse=True)
def every_remark_has_its_words(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Whatever a check says in a test can be said with the facts that it gives."""
    made: list[Remark] = []
    begin = Remark.__init__

    def keep(remark: Remark, code: str, facts: Mapping[str, Fact] | None = None) -> None:
        begin(remark, code, facts or {})
        made.append(remark)

    monkeypatch.setattr(Remark, "__init__", keep)
    yield
    for each in made:
        if each.code in REMARKS:
            said = remark_sentence(each.code, {"hidden": False} | each.facts)  # a judge of redraws adds it later
            assert "\n" not in said or "error" in each.facts, said


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    """Writes an answer by a function, and gives what the check says of it."""

    def call(exercise: Exercise, draw: Draw, write: Callable[[Draw, Path], None]) -> list[Remark]:
        write(draw, tmp_path)
        answer = {file: (tmp_path / file).read_text(encoding="utf-8") for file in exercise.files}
        return list(exercise.judge(answer, draw))

    return call
