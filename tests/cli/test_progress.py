"""Progress where there is no terminal: quiet when it is quick, a line when it takes long, ever fewer when it stands."""

from __future__ import annotations

import time

import pytest

from reclens.cli import progress as module
from reclens.data.read import sources


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.02)


def until(said, text: str) -> list[str]:
    """Waits until a line holds the text; the lines so far."""
    lines: list[str] = []
    for _ in range(2000):
        lines += said.readouterr().err.splitlines()
        if any(text in line for line in lines):
            return lines
        time.sleep(0.005)
    raise AssertionError(f"no line with {text!r} in {lines}")


def test_a_step_that_is_over_says_nothing(capsys) -> None:
    with module.progress_of(quiet=False) as progress:
        progress("quick", 0, 1)
        progress("quick", 1, 1)
        progress("slow", 3, 1000)
        lines = until(capsys, "slow: 3 of 1,000")
        progress("slow", 4, 1000)
        lines += until(capsys, "slow: 4 of 1,000")
        progress("one step", 0, 1)
        lines += until(capsys, "one step (")
    assert not [line for line in lines if "quick" in line]
    time.sleep(0.1)
    assert capsys.readouterr().err == ""  # nobody is left who speaks


def test_what_stands_still_is_said_ever_more_rarely(capsys) -> None:
    with module.progress_of(quiet=False) as progress:
        progress("still", 0, 0)
        for _ in range(5):
            until(capsys, "still")
        assert progress.pause >= 0.02 * 2**3


def test_quiet_is_quiet(capsys) -> None:
    with module.progress_of(quiet=True) as progress:
        progress("slow", 0, 10)
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_command_speaks_where_no_step_does(capsys) -> None:
    with module.under_way("reckon"):
        lines = until(capsys, "reckon (")
        with module.progress_of(quiet=False) as progress:
            progress("a step", 0, 1)
            step = until(capsys, "a step (")
            assert not [line for line in step if "reckon" in line]
            progress("a step", 1, 1)
            until(capsys, "reckon (")
        lines += until(capsys, "reckon (")
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
    with module.under_way("reckon", quiet=True):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_command_that_shows_no_step_is_heard_of(typed, shop, monkeypatch) -> None:
    held = sources._loaded
    monkeypatch.setattr(sources, "_loaded", lambda *given: time.sleep(0.2) or held(*given))
    said = typed("evaluate-predictions", "predicted.csv", cwd=shop)
    assert said.status == 0 and "evaluate-predictions (" in said.stderr
    said = typed("knowledge", "columns", "--data", "events.csv", "--items", "items.csv", cwd=shop)
    assert said.status == 0 and "knowledge columns (" in said.stderr
    assert typed("evaluate-predictions", "predicted.csv", "--quiet", cwd=shop).stderr == ""
