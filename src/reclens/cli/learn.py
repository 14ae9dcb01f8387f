"""Learn the job: exercises on data of your own, each checked by the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption, writable

if TYPE_CHECKING:
    from reclens.learn.learner import Checked

__all__ = ["check", "drill", "export", "hint", "list_", "next_", "reset", "solution", "start", "verify"]

ExerciseArgument = Annotated[str, typer.Argument(metavar="EXERCISE", help="Code or name, such as 1.1.")]
WORKSPACE = Path("workspace")


@command("learn list")
def list_(workspace: WorkspaceOption = WORKSPACE, output: Output = OUTPUT) -> None:
    """List the exercises, the drills and the projects, and which of them are solved.

    Example:
      reclens learn list
    """
    from reclens.learn.learner import Learner
    from reclens.report.learn.tables import exercise_table

    learner = Learner(workspace)
    output.emit(exercise_table([*learner.standing(), *learner.drills(), *learner.projects()]))


@command("learn next")
def next_(workspace: WorkspaceOption = WORKSPACE) -> None:
    """Name the next exercise, its phase and its goals.

    Example:
      reclens learn next
    """
    from reclens.learn.learner import Learner
    from reclens.learn.lessons import lessons_before
    from reclens.report.learn.sentences import next_sentences

    code = Learner(workspace).next()
    print("\n".join(next_sentences(code, lessons_before(code or ""))))


@command("learn start")
def start(
    exercise: Annotated[
        str | None, typer.Argument(metavar="[EXERCISE]", help="Code or name; if omitted, the next one.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Write the task, the data and the templates of an exercise; an answer that is there stays.

    Examples:
      reclens learn start
      reclens learn start 1.2
    """
    from reclens.learn.learner import Learner
    from reclens.report.learn.sentences import next_sentences, started_sentences

    learner = Learner(workspace)
    name = exercise or learner.next()
    if name is None:
        print("\n".join(next_sentences(None)))
        return
    done = learner.start(name)
    print("\n".join(started_sentences(done.exercise.code, done.folder, done.written)))


@command("learn check", serves=True)
def check(
    exercise: ExerciseArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever a file of the answer changes.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Check an answer: what was seen, and what was expected. Status 1 if something is wrong.

    Examples:
      reclens learn check 1.1
      reclens learn check 1.1 --watch
    """
    from reclens.errors import DataError
    from reclens.learn.learner import Learner

    learner = Learner(workspace)
    for _ in learner.changes(exercise) if watch else (None,):
        try:
            done = learner.check(exercise)
        except DataError as error:
            if not watch:
                raise
            print(error, flush=True)
            continue
        _print(done)
        if done.passed:
            return
    raise typer.Exit(1)


@command("learn drill", serves=True)
def drill(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Code or name; if omitted, the first that is not solved.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Print the task of a drill and write its data; once it is there, check the answer. Status 1 if something is wrong.

    Examples:
      reclens learn drill
      reclens learn drill metrics_by_hand
    """
    from reclens.learn.learner import Learner
    from reclens.report.learn.sentences import ALL_DRILLED, drill_sentences
    from reclens.report.learn.words import plain_links

    learner = Learner(workspace)
    found = learner.drill(name)
    if found is None:
        print(ALL_DRILLED)
        return
    folder = learner.place(found)
    if folder.is_dir():
        done = learner.check(found.code)
        _print(done)
        raise typer.Exit(0 if done.passed else 1)
    learner.start(found.code)
    print("\n".join(drill_sentences(found.code, folder, plain_links(learner.task(found.code)))))


def _print(done: Checked) -> None:
    from reclens.report.learn.sentences import checked_sentences

    said = [(each.code, each.facts) for each in (*done.remarks, *done.notes)]
    lines = checked_sentences(done.exercise.code, said, done.attempt, passed=done.passed, redrawn=done.redrawn)
    print("\n".join(lines), flush=True)


@command("learn hint")
def hint(exercise: ExerciseArgument, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Print the next hint; there are three, and they are counted.

    Example:
      reclens learn hint 1.1
    """
    from reclens.learn.learner import HINTS, Learner

    number, text = Learner(workspace).hint(exercise)
    print(f"Hint {number} of {HINTS}\n\n{text}")


@command("learn reset")
def reset(exercise: ExerciseArgument, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Put the folder of an exercise aside and start it anew; attempts and hints stay counted.

    Example:
      reclens learn reset 1.1
    """
    from reclens.learn.learner import Learner
    from reclens.report.learn.sentences import reset_sentence

    print(reset_sentence(exercise, Learner(workspace).reset(exercise)))


@command("learn solution")
def solution(exercise: ExerciseArgument, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Print a right answer on your own data, once yours has passed.

    Example:
      reclens learn solution 1.1
    """
    from reclens.learn.learner import Learner

    for file, text in Learner(workspace).solution(exercise).items():
        print(f"--- {file}\n{text}")


@command("learn export")
def export(
    out: Annotated[Path, typer.Option("--out", "-o", callback=writable, help="File to write, as JSON.")] = Path(
        "learn.json"
    ),
    workspace: WorkspaceOption = WORKSPACE,
    quiet: QuietOption = False,
) -> None:
    """Write your attempts and answers to one file, which 'learn verify' replays.

    Example:
      reclens learn export --out learn.json
    """
    import json

    from reclens.cli.shared import say
    from reclens.files import write_text
    from reclens.learn.learner import Learner

    held = Learner(workspace).export()
    write_text(out, json.dumps(held, ensure_ascii=False, indent=1) + "\n")
    say(f"{out}: {len(held['progress']['attempts'])} attempts", quiet=quiet)


@command("learn verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'learn export' wrote.")], output: Output = OUTPUT
) -> None:
    """Replay every answer of an export on its seed. Status 1 if a result is not reproduced.

    Example:
      reclens learn verify learn.json
    """
    from reclens.cli.shared import progress_of
    from reclens.learn.verify import verify as replay
    from reclens.report.learn.sentences import verified_sentence
    from reclens.report.learn.tables import replay_table

    with progress_of(quiet=output.quiet) as progress:
        done = replay(file, progress=progress)
    output.emit(replay_table(done.rows()))
    output.say(verified_sentence(done.reproduced, len(done.replayed), done.solved))
    raise typer.Exit(0 if done.reproduced == len(done.replayed) else 1)
