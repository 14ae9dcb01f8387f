"""A learner: a folder of exercises beside the artefacts of a workspace, and what was done there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import reclens
from reclens.errors import UnknownNameError, UsageError, WorkspaceError
from reclens.files import locked, made_folder, write_text
from reclens.learn.answers import MOST_BYTES, read_answer
from reclens.learn.data_files import check_data, write_data
from reclens.learn.exercise import Draw, Exercise, Remark, all_drills, all_exercises, all_projects, exercise_of
from reclens.learn.progress import Attempt, Progress, new_progress, read_progress, write_progress

__all__ = ["EXPORT_KIND", "HINTS", "Checked", "Learner", "Started"]

HINTS: Final = 3
EXPORT_KIND: Final = "reclens learn"


@dataclass(frozen=True)
class Started:
    """An exercise whose folder is ready.

    Attributes:
        exercise: The exercise.
        folder: Its folder.
        written: The files that were written now: none of an answer that was there.
    """

    exercise: Exercise
    folder: Path
    written: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found.

    Attributes:
        exercise: The exercise.
        remarks: What is wrong; none if the answer is right.
        attempt: Number of the attempt at this exercise, from 1.
        redrawn: Whether new data were written, since each attempt has its own.
        notes: What is worth knowing about a right answer.
    """

    exercise: Exercise
    remarks: Sequence[Remark]
    attempt: int
    redrawn: bool = False
    notes: Sequence[Remark] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.remarks


class Learner:
    """Exercises, answers and progress below ``WORKSPACE/learn``.

    Args:
        workspace: Folder of the workspace.

    Example:
        >>> import tempfile
        >>> learner = Learner(tempfile.mkdtemp())
        >>> learner.start("1.1").written
        ['README.md', 'matrix.csv', 'answer.toml']
    """

    def __init__(self, workspace: str | Path) -> None:
        self.folder = Path(workspace) / "learn"
        self._file = self.folder / "progress.json"

    @property
    def progress(self) -> Progress | None:
        """Where the learner stands; None before the first exercise was started.

        Raises:
            WorkspaceError: If the file cannot be read.
        """
        return read_progress(self._file)

    def standing(self) -> list[dict[str, Any]]:
        """A row an exercise: ``exercise``, ``phase``, ``minutes``, ``started``, ``solved``, ``attempts``, ``hints``."""
        return self._rows(all_exercises())

    def drills(self) -> list[dict[str, Any]]:
        """A row a drill, as of :meth:`standing`."""
        return self._rows(all_drills())

    def projects(self) -> list[dict[str, Any]]:
        """A row a project, as of :meth:`standing`."""
        return self._rows(all_projects())

    def next(self) -> str | None:
        """Code of the first exercise that is not solved, from where the placement quiz led; None when all are."""
        progress = self.progress
        begin = progress.quizzes[-1].start if progress and progress.quizzes else ""
        left = [row["exercise"] for row in self.standing() if not row["solved"]]
        return next((code for code in left if code >= begin), left[0] if left else None)

    def drill(self, name: str | None = None) -> Exercise | None:
        """The drill of a code or a name; without one, the first that is not solved, or None when all are.

        Raises:
            UnknownNameError: If there is no such drill.
        """
        known = {each.code: each for each in all_drills()}
        if name is None:
            name = next((row["exercise"] for row in self.drills() if not row["solved"]), None)
        if name is None:
            return None
        found = {**{each.name: each for each in known.values()}, **known}
        if name not in found:
            raise UnknownNameError("drill", name, [*known, *(each.name for each in known.values())])
        return found[name]

    def place(self, exercise: Exercise) -> Path:
        """Folder of an exercise."""
        return self.folder / f"{exercise.code}-{exercise.name}"

    def draw(self, exercise: Exercise) -> Draw:
        """What the data of an exercise are drawn from.

        Raises:
            UsageError: If nothing was started yet.
        """
        return _draw(exercise, self._begun())

    def start(self, name: str) -> Started:
        """Write the task, the data and the templates of an exercise; an answer that is there stays as it is.

        Args:
            name: Code or name of the exercise.

        Raises:
            UnknownNameError: If there is no such exercise.
            WorkspaceError: If the folder cannot be written.
        """
        from reclens.report.learn.tasks import task_text
        from reclens.report.learn.words import readme_text

        exercise = exercise_of(name)
        with self.changing() as progress:
            draw = _draw(exercise, progress)
            folder = made_folder(self.place(exercise))
            task = task_text(exercise.code, exercise.facts(draw))
            texts = {"README.md": readme_text(task), **exercise.templates(draw)}
            written = [file for file in texts if exercise.endless or not (folder / file).exists()]
            for file in written:
                write_text(folder / file, texts[file])
            write_data(exercise, draw, folder)
        return Started(exercise, folder, written)

    def task(self, name: str) -> str:
        """The task of an exercise as Markdown, with links to anchors of the glossary.

        Raises:
            UnknownNameError: If there is no such exercise.
            UsageError: If nothing was started yet.
        """
        from reclens.report.learn.tasks import task_text
        from reclens.report.learn.words import task_with_words

        exercise = exercise_of(name)
        return task_with_words(task_text(exercise.code, exercise.facts(self.draw(exercise))))

    def check(self, name: str) -> Checked:
        """Check the answer of an exercise, and keep the attempt.

        Raises:
            UnknownNameError: If there is no such exercise.
            UsageError: If it was not started.
            DataError: If a file is missing or is no answer to it, or the data beside it are not those of the task:
                then there was no attempt.
        """
        exercise = exercise_of(name)
        folder = self.place(exercise)
        draw = self.draw(exercise)
        if not folder.is_dir():
            raise UsageError(f"Exercise {exercise.code} was not started. Run 'reclens learn start {exercise.code}'.")
        answer = read_answer(exercise, folder, draw)
        data = check_data(exercise, draw, answer, folder)
        remarks = list(exercise.judge(answer, draw))
        with self.changing() as progress:
            hashes = {file: self._keep(text) for file, text in answer.items()}
            now = datetime.now(UTC).replace(microsecond=0)
            attempt = Attempt(
                exercise=exercise.code,
                at=max([now, *(each.at for each in progress.attempts[-1:])]),
                passed=not remarks,
                remarks=sorted({each.code for each in remarks}),
                answer=hashes,
                data=data,
                version=reclens.__version__,
            )
            progress.attempts.append(attempt)
            tries = progress.tries(exercise.code)
            redrawn = _draw(exercise, progress) != draw
            if redrawn and not exercise.endless:  # of an endless one, its next start writes what is new
                write_data(exercise, _draw(exercise, progress), folder)
        notes = [] if remarks else list(exercise.notes(answer, draw))
        return Checked(exercise=exercise, remarks=remarks, attempt=tries, redrawn=redrawn, notes=notes)

    def changes(self, name: str, *, pause: float = 0.5) -> Iterator[None]:
        """Come back at once, and then whenever a file of an answer has changed; without end.

        Args:
            name: Code or name of the exercise.
            pause: Seconds between two looks.
        """
        exercise = exercise_of(name)
        paths = [self.place(exercise) / file for file in exercise.files]
        seen: list[tuple[int, int]] | None = None
        while True:
            found = [(each.st_mtime_ns, each.st_size) for each in (path.stat() for path in paths if path.exists())]
            if found != seen:
                seen = found
                yield
            time.sleep(pause)

    def hint(self, name: str) -> tuple[int, str]:
        """The next hint, and its number; the last one again when all were read.

        Raises:
            UnknownNameError: If there is no such exercise.
        """
        from reclens.report.learn.tasks import hint_text

        exercise = exercise_of(name)
        with self.changing() as progress:
            number = min(progress.hints.get(exercise.code, 0) + 1, HINTS)
            progress.hints[exercise.code] = number
            facts = exercise.facts(_draw(exercise, progress))
        return number, hint_text(exercise.code, number, facts)

    def reset(self, name: str) -> Path | None:
        """Put the folder of an exercise aside, and start it anew; attempts and hints stay counted.

        Returns:
            Where the old folder is; None if there was none.
        """
        exercise = exercise_of(name)
        folder = self.place(exercise)
        aside = None
        if folder.is_dir():
            old = made_folder(self.folder / "old")
            aside = next(
                place for number in range(1, 100_000) if not (place := old / f"{folder.name}-{number}").exists()
            )
            try:
                folder.rename(aside)
            except OSError as error:
                raise WorkspaceError(f"{folder} cannot be moved: {error.strerror or error}.") from error
        self.start(exercise.code)
        return aside

    def solution(self, name: str) -> dict[str, str]:
        """A right answer on the learner's own data: file -> text.

        Raises:
            UsageError: If the learner has not solved the exercise yet.
        """
        from tempfile import TemporaryDirectory

        exercise = exercise_of(name)
        if exercise.code not in self._begun().solved():
            raise UsageError(
                f"The solution of {exercise.code} is shown once yours has passed. "
                f"Try 'reclens learn hint {exercise.code}'."
            )
        draw = self.draw(exercise)
        with TemporaryDirectory() as place:
            exercise.write_data(draw, Path(place))
            exercise.solve(draw, Path(place))
            return {file: (Path(place) / file).read_text(encoding="utf-8") for file in exercise.files}

    def export(self) -> dict[str, Any]:
        """Everything that ``verify`` needs to replay the attempts on another machine.

        Raises:
            UsageError: If nothing was started yet.
            WorkspaceError: If an answer that was kept is gone, or is another text now.
        """
        progress = self._begun()
        texts: dict[str, str] = {}
        for attempt in progress.attempts:
            for digest in attempt.answer.values():
                path = self.folder / "answers" / f"{digest}.txt"
                try:
                    content = b"" if path.stat().st_size > MOST_BYTES else path.read_bytes()
                except OSError as error:
                    raise WorkspaceError(f"{path} cannot be read ({error}). Put back a copy of the folder.") from error
                if hashlib.sha256(content).hexdigest() != digest:
                    raise WorkspaceError(f"{path} is not the answer that was checked. Put back a copy of the folder.")
                texts[digest] = content.decode("utf-8")
        return {"kind": EXPORT_KIND, "progress": progress.model_dump(mode="json"), "answers": texts}

    def _rows(self, exercises: Sequence[Exercise]) -> list[dict[str, Any]]:
        progress = self.progress
        solved = progress.solved() if progress else set()
        return [
            {
                "exercise": each.code,
                "phase": each.phase,
                "minutes": each.minutes,
                "started": self.place(each).is_dir() or (progress is not None and progress.begun_with(each.code)),
                "solved": each.code in solved,
                "attempts": progress.tries(each.code) if progress else 0,
                "hints": progress.hints.get(each.code, 0) if progress else 0,
            }
            for each in exercises
        ]

    def _begun(self) -> Progress:
        progress = self.progress
        if progress is None:
            raise UsageError(f"Nothing was started in {self.folder}. Run 'reclens learn start'.")
        return progress

    @contextmanager
    def changing(self) -> Generator[Progress]:
        """The progress, to be changed: locked meanwhile, and written whole at the end unless something failed."""
        made_folder(self.folder)
        with locked(self.folder / "progress.lock"):
            progress = self.progress or new_progress()
            yield progress
            write_progress(self._file, progress)

    def _keep(self, text: str) -> str:
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / "answers" / f"{digest}.txt"
        if path.is_symlink():  # it leads to what is no answer
            path.unlink()
        if not path.exists():
            write_text(path, text)
        return digest


def _draw(exercise: Exercise, progress: Progress) -> Draw:
    return exercise.draw(int(progress.seed, 16), progress.drawn(exercise))
