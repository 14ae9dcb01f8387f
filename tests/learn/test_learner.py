"""A learner's folder: what is written, kept, counted, refused, and replayed."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reclens.errors import DataError, UnknownNameError, UsageError, WorkspaceError
from reclens.learn.exercise import all_drills, all_exercises, exercise_of
from reclens.learn.learner import Learner
from reclens.learn.verify import verify
from reclens.report.learn.tables import exercise_table, state_of

BEGUN = {"format": 2, "seed": "0" * 32, "begun": "2026-01-01T00:00:00Z"}
ATTEMPT = {"exercise": "1.1", "at": "2026-01-01T00:00:00Z", "passed": True, "version": "1"}


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    found = Learner(tmp_path)
    found.start("1.1")
    return found


@pytest.fixture
def solved(learner: Learner) -> Learner:
    exercise = exercise_of("1.1")
    learner.check("1.1")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    assert learner.check("1.1").passed
    return learner


def test_exercises_are_in_the_order_of_the_path_and_the_docs_list_each(repository: Path) -> None:
    codes = [each.code for each in all_exercises()]
    assert codes == sorted(codes)
    page = (repository / "docs" / "learn.md").read_text()
    assert codes == re.findall(r"^\| (\d\.\d) ", page, re.MULTILINE)
    drills = [f"{each.code} {each.name}" for each in all_drills()]
    assert drills == re.findall(r"^\| (\d\.[a-z] \w+) ", page, re.MULTILINE)


def test_an_answer_that_is_there_is_never_overwritten(learner: Learner) -> None:
    path = learner.place(exercise_of("1.1")) / "answer.toml"
    path.write_text("user = 'mine'\n")
    again = learner.start("make_them_disagree")
    assert (again.written, path.read_text()) == ([], "user = 'mine'\n")


def test_a_task_ends_with_the_words_that_it_uses(learner: Learner) -> None:
    task = (learner.place(exercise_of("1.1")) / "README.md").read_text()
    words = task.split("## Words\n")[1]
    assert "- cosine: How alike the directions of two vectors are" in words and "](#" not in words
    assert "Both use the [cosine](#words)" in task and task.count("[cosine]") == 1


def test_each_learner_has_a_seed_of_its_own(tmp_path: Path) -> None:
    seeds = set()
    for number in range(3):
        each = Learner(tmp_path / str(number))
        each.start("1.1")
        assert each.progress is not None
        seeds.add(each.progress.seed)
    assert len(seeds) == 3 and all(len(seed) == 32 for seed in seeds)


def test_attempts_are_lines_of_the_file_and_the_next_exercise_follows(solved: Learner) -> None:
    lines = (solved.folder / "progress.json").read_text().splitlines()
    attempts = [json.loads(line.strip().rstrip(",")) for line in lines if '"exercise"' in line]
    assert [each["passed"] for each in attempts] == [False, True]
    assert attempts[0]["remarks"] == ["empty_row_or_column"]
    assert set(attempts[1]["answer"]) == {"matrix.csv", "answer.toml"}
    assert solved.next() == "1.2"
    row = {
        "exercise": "1.1",
        "phase": 1,
        "minutes": 60,
        "started": True,
        "solved": True,
        "attempts": 2,
        "hints": 0,
    }
    assert solved.standing()[0] == row


def test_an_exercise_is_in_progress_from_its_start_to_its_solution(solved: Learner) -> None:
    solved.start("2.2")
    solved.hint("1.3")
    states = dict(zip(*zip(*[(row["exercise"], state_of(row)) for row in solved.standing()], strict=True), strict=True))
    assert [states[code] for code in ("1.1", "2.2", "1.3", "2.1")] == ["solved", *2 * ["in progress"], "not started"]
    shown = {row[0]: row[4] for row in exercise_table(solved.standing()).rows}
    assert shown == states


def test_a_solution_is_shown_only_once_ones_own_has_passed(learner: Learner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="once yours has passed"):
        learner.solution("1.1")
    exercise = exercise_of("1.1")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    learner.check("1.1")
    assert set(learner.solution("1.1")) == {"matrix.csv", "answer.toml"}


def test_hints_are_three_and_counted_and_reset_keeps_what_was_there(learner: Learner) -> None:
    hints = [learner.hint("1.1") for _ in range(4)]
    assert [number for number, _ in hints] == [1, 2, 3, 3]
    assert len({text for _, text in hints}) == 3
    path = learner.place(exercise_of("1.1")) / "answer.toml"
    path.write_text("mine")
    aside = learner.reset("1.1")
    assert aside is not None and (aside / "answer.toml").read_text() == "mine"
    assert path.read_text() != "mine"
    assert learner.standing()[0]["hints"] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"user = 1\0", "zero bytes"),
        (b"x" * 1_000_001, "larger than 1,000,000 bytes"),
        (b"user = \n", "is no TOML"),
        (b"user = 1" + 5_000 * b"0", "is no TOML"),
        (b"user = 1" + 400 * b"0", "beyond 64 bits"),
        (b"user = " + 50_000 * b"[", "too deep in each other"),
        (b"# exercise 1.3, learner 0123456789ab\n", "answers exercise 1.3, expected 1.1"),
        (b"# exercise 1.1, learner 0123456789ab\n", "belongs to learner 0123456789ab"),
    ],
)
def test_a_file_that_is_no_answer_is_refused_and_no_attempt(learner: Learner, content: bytes | None, said: str) -> None:
    path = learner.place(exercise_of("1.1")) / "answer.toml"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        learner.check("1.1")
    assert learner.progress is not None and learner.progress.attempts == []


def test_an_endless_file_is_refused(learner: Learner) -> None:
    path = learner.place(exercise_of("1.1")) / "answer.toml"
    for replace in (lambda: path.symlink_to("/dev/zero"), lambda: os.mkfifo(path)):
        path.unlink()
        replace()
        with pytest.raises(DataError, match="no regular file"):
            learner.check("1.1")


def test_links_that_lead_out_of_the_folder_are_not_followed(solved: Learner, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret = 1")
    path = solved.place(exercise_of("1.1")) / "answer.toml"
    text = path.read_text()
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(DataError, match=r"secret\.txt, outside of the folder"):
        solved.check("1.1")
    path.unlink()
    path.write_text(text)
    kept = next(each for each in (solved.folder / "answers").iterdir() if each.read_text() == text)
    kept.unlink()
    kept.symlink_to(secret)
    with pytest.raises(WorkspaceError, match="not the answer that was checked"):
        solved.export()
    solved.check("1.1")
    assert (secret.read_text(), kept.is_symlink(), kept.read_text()) == ("secret = 1", False, text)


def test_names_and_orders_that_are_wrong_are_refused(tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    with pytest.raises(UnknownNameError, match="make_them_disagree"):
        learner.start("make_them_disagre")
    with pytest.raises(UsageError, match="Nothing was started"):
        learner.check("1.1")
    learner.start("1.1")
    with pytest.raises(UsageError, match=r"reclens learn start 1\.2"):
        learner.check("1.2")


def test_a_clock_that_ran_backwards_reorders_nothing(solved: Learner) -> None:
    path = solved.folder / "progress.json"
    later = (datetime.now(UTC) + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    held = json.loads(path.read_text())
    held["attempts"][-1]["at"] = later
    path.write_text(json.dumps(held))
    solved.check("1.1")
    assert solved.progress is not None
    assert [each.at.strftime("%Y-%m-%dT%H:%M:%SZ") for each in solved.progress.attempts[1:]] == [later, later]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[" * 200_000, "cannot be read"),
        ('{"format": 3}', "Install a newer"),
        ('{"format": 1, "seed": "x"}', "seed"),
        (json.dumps({**BEGUN, "begun": "2026-01-01T00:00:00"}), "timezone"),
        (json.dumps({**BEGUN, "hints": {"1.1": -5}}), "hints"),
        (json.dumps({**BEGUN, "attempts": [{**ATTEMPT, "exercise": "\x1b[2J"}]}), "exercise"),
    ],
)
def test_progress_that_cannot_be_read_is_left_alone(solved: Learner, text: str, said: str) -> None:
    path = solved.folder / "progress.json"
    path.write_text(text)
    with pytest.raises(WorkspaceError, match=said):
        solved.start("1.1")
    assert path.read_text() == text


def test_files_without_an_end_are_refused(solved: Learner) -> None:
    path = solved.folder / "progress.json"
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(WorkspaceError, match="no regular file"):
        solved.standing()
    with pytest.raises(DataError, match="no regular file"):
        verify("/dev/zero")


def test_a_write_that_breaks_off_leaves_the_progress_as_it_was(
    solved: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (solved.folder / "progress.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        solved.hint("1.1")
    assert (solved.folder / "progress.json").read_bytes() == before
    assert {each.name for each in solved.folder.iterdir() if each.is_file()} == {"progress.json", "progress.lock"}


def test_two_at_once_lose_nothing(learner: Learner) -> None:
    def ticked(number: int) -> None:
        with learner.changing() as progress:
            time.sleep(0.01)
            progress.ticks.append(str(number))

    threads = [threading.Thread(target=ticked, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert learner.progress is not None and sorted(learner.progress.ticks) == ["0", "1", "2", "3"]


def test_an_export_is_replayed_elsewhere(solved: Learner, tmp_path: Path) -> None:
    path = tmp_path / "learn.json"
    path.write_text(json.dumps(solved.export()))
    done = verify(path)
    assert [(each.passed, each.reproduced) for each in done.replayed] == [(False, True), (True, True)]
    assert (done.reproduced, done.solved) == (2, ["1.1"])


def test_an_export_that_was_edited_is_found_out(solved: Learner, tmp_path: Path) -> None:
    path = tmp_path / "learn.json"
    held = solved.export()
    held["progress"]["attempts"][0]["passed"] = True  # claims the first one
    path.write_text(json.dumps(held))
    assert verify(path).reproduced == 1
    held = solved.export()
    held["progress"]["seed"] = "0" * 32  # the answer of somebody else
    path.write_text(json.dumps(held))
    assert verify(path).solved == []
    held = solved.export()
    held["answers"] = {digest: text + " " for digest, text in held["answers"].items()}
    path.write_text(json.dumps(held))
    with pytest.raises(DataError, match="not the text that was checked"):
        verify(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no export"),
        (json.dumps({"kind": "reclens learn", "progress": BEGUN, "answers": {"0": "\ud800"}}), "not the text"),
        ('{"kind": "reclens learn", "progress": {"format": 9}}', "Install a newer"),
        ('{"kind": "reclens learn", "progress": {}, "answers": {}}', "Export it again"),
    ],
)
def test_a_file_that_is_no_export_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "learn.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        verify(path)
    with pytest.raises(DataError, match="cannot be read"):
        verify(tmp_path / "nosuch.json")


def test_a_disk_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    learner = Learner(tmp_path)
    learner.start("1.1")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(WorkspaceError, match="cannot be made: Read-only file system"):
            Learner(tmp_path / "other").start("1.1")
    opened = Path.open

    def only_read(path: Path, mode: str = "r", **options: Any) -> Any:
        return refuse() if set(mode) & set("wa+") else opened(path, mode, **options)

    monkeypatch.setattr(Path, "open", only_read)
    for call in (learner.start, learner.check, learner.hint):
        with pytest.raises(WorkspaceError, match="cannot be written: Read-only file system"):
            call("1.1")


def test_watching_comes_back_at_each_change(learner: Learner) -> None:
    path = learner.place(exercise_of("1.1")) / "answer.toml"
    changes = learner.changes("1.1", pause=0.001)
    next(changes)
    path.write_text("user = 'u2'\n")
    next(changes)
