"""Replaying what a learner handed in: the only proof, since a file on one's own machine can be edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

import reclens
from reclens.engine import Progress as Reporter
from reclens.engine import quiet
from reclens.errors import DataError, RecLensError, UnknownNameError
from reclens.learn.answers import MOST_BYTES, check_texts
from reclens.learn.data_files import digest_of_data
from reclens.learn.exercise import Draw, Remark, exercise_of
from reclens.learn.learner import EXPORT_KIND
from reclens.learn.progress import FORMAT, Attempt, Progress

__all__ = ["Replayed", "Verified", "verify"]

_MOST_FILE: Final = 50_000_000
_MOST_ATTEMPTS: Final = 10_000


@dataclass(frozen=True)
class Replayed:
    """An attempt that was run again.

    Attributes:
        attempt: What the file says.
        passed: What the check says now; None if the answer could not be run.
        finding: Why the attempt is not reproduced; None if it is.
    """

    attempt: Attempt
    passed: bool | None
    finding: Remark | None = None

    @property
    def reproduced(self) -> bool:
        """Whether result and data are those of the file."""
        return self.finding is None

    @property
    def solves(self) -> bool:
        """Whether the answer is right, on the data that the file names."""
        return self.passed is True and (self.finding is None or self.finding.code == "replay_other_result")


@dataclass(frozen=True)
class Verified:
    """What a replay gave.

    Attributes:
        replayed: The attempts, in their order.
        solved: Codes of the exercises that an attempt solves, as replayed.
    """

    replayed: Sequence[Replayed]
    solved: Sequence[str]

    @property
    def reproduced(self) -> int:
        """Attempts whose replay agrees with the file."""
        return sum(each.reproduced for each in self.replayed)

    def rows(self) -> list[dict[str, Any]]:
        """A row an attempt: ``exercise``, ``at``, ``passed`` as the file says, ``replayed``, ``finding``, ``facts``."""
        return [
            {
                "exercise": each.attempt.exercise,
                "at": each.attempt.at.isoformat(),
                "passed": each.attempt.passed,
                "replayed": each.passed,
                "finding": each.finding.code if each.finding else "",
                "facts": dict(each.finding.facts) if each.finding else {},
            }
            for each in self.replayed
        ]


@dataclass(frozen=True)
class _Again:
    """What a replay of an answer gives: its result and the digest of its data, or why it has none."""

    passed: bool | None = None
    data: str = ""
    failed: Remark | None = None


def verify(path: str | Path, *, progress: Reporter = quiet) -> Verified:
    """Check every answer of an export again, on the seed that it names.

    Args:
        path: What ``reclens learn export`` wrote.
        progress: Reports how many attempts are done.

    Raises:
        DataError: If the file is not such an export, or an answer is not the one whose hash stands beside it.
    """
    held, answers = _read(Path(path))
    replayed: list[Replayed] = []
    known: dict[tuple[str, Draw | None], _Again] = {}
    for number, attempt in enumerate(held.attempts, 1):
        earlier = held.model_copy(update={"attempts": held.attempts[: number - 1]})
        draw = _draw(attempt, earlier)
        key = json.dumps(attempt.answer, sort_keys=True), draw
        if key not in known:
            known[key] = _judged(attempt, draw, answers)
        replayed.append(_held_against(attempt, known[key]))
        progress("replay the attempts", number, len(held.attempts))
    solved = sorted({each.attempt.exercise for each in replayed if each.solves})
    return Verified(replayed, solved)


def _draw(attempt: Attempt, earlier: Progress) -> Draw | None:
    """What the data of an attempt were drawn from; None if there is no such exercise."""
    try:
        exercise = exercise_of(attempt.exercise)
    except UnknownNameError:
        return None
    return exercise.draw(int(earlier.seed, 16), earlier.drawn(exercise))


def _judged(attempt: Attempt, draw: Draw | None, answers: dict[str, str]) -> _Again:
    if draw is None:
        return _Again(failed=Remark("replay_no_exercise", {"exercise": attempt.exercise[:40]}))
    try:
        exercise = exercise_of(attempt.exercise)
        texts = {file: answers[digest] for file, digest in attempt.answer.items()}
        check_texts(exercise, texts, draw)
        passed = next(iter(exercise.judge(texts, draw)), None) is None
        return _Again(passed, digest_of_data(exercise, draw, {file: texts[file] for file in exercise.files}))
    except KeyError:
        return _Again(failed=Remark("replay_no_answer"))
    except RecLensError as error:
        return _Again(failed=Remark("replay_refused", {"error": str(error)}))


def _held_against(attempt: Attempt, again: _Again) -> Replayed:
    """The first thing in which an attempt and its replay differ; format 1 has no digest of data to compare."""
    if again.failed is not None:
        return Replayed(attempt, None, again.failed)
    if attempt.data not in ("", again.data):
        facts = {"recorded": attempt.version, "now": reclens.__version__}
        same_version = attempt.version == reclens.__version__
        return Replayed(
            attempt, again.passed, Remark("data_not_of_seed" if same_version else "data_of_other_version", facts)
        )
    same = again.passed is attempt.passed
    return Replayed(attempt, again.passed, None if same else Remark("replay_other_result"))


def _read(path: Path) -> tuple[Progress, dict[str, str]]:
    if path.exists() and not path.is_file():  # a device has no end
        raise DataError(f"{path} is no regular file. Name what 'reclens learn export' wrote.")
    try:
        if path.stat().st_size > _MOST_FILE:
            raise DataError(f"{path} is larger than {_MOST_FILE:,} bytes, which no export is.")
        held: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Name what 'learn export' wrote.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({error}). Name what 'reclens learn export' wrote.") from error
    if not isinstance(held, dict) or held.get("kind") != EXPORT_KIND:
        raise DataError(f"{path} is no export of a learner. Name what 'reclens learn export' wrote.")
    inner, answers = held.get("progress"), held.get("answers")
    if isinstance(inner, dict) and isinstance(inner.get("format"), int) and inner["format"] > FORMAT:
        raise DataError(f"{path} has format {inner['format']}; this version reads up to {FORMAT}. Install a newer one.")
    try:
        progress = Progress.model_validate(inner)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}. Export it again.") from error
    if len(progress.attempts) > _MOST_ATTEMPTS or not isinstance(answers, dict):
        raise DataError(f"{path} holds no answers, or more than {_MOST_ATTEMPTS:,} attempts. Export it again.")
    for digest, text in answers.items():
        content = text.encode(errors="surrogatepass") if isinstance(text, str) else b""
        if len(content) > MOST_BYTES or hashlib.sha256(content).hexdigest() != digest:
            raise DataError(f"{path}: the answer {digest[:12]} is not the text that was checked. Export it again.")
    return progress, answers
