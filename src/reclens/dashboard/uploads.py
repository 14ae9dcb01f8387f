"""Evaluate and keep uploaded lists: the logic of the Upload page without its drawing."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from reclens.data.dataset import Dataset
from reclens.data.read.ids import IdForm
from reclens.data.read.raw import Raw
from reclens.data.read.tables import read, read_recommendations, read_table_and_rules
from reclens.data.split import Split, Task, given
from reclens.engine import Progress, quiet
from reclens.errors import RecLensError, UsageError, WorkspaceError
from reclens.evaluation import Evaluation, EvaluationWarning, evaluate
from reclens.evaluation.against_split import with_ids
from reclens.metrics import describe, names
from reclens.schema import ITEM, RANK, RATING, RELEVANCE, SCORE, TIMESTAMP, USER, Recommendations
from reclens.workspace import Workspace

__all__ = [
    "FILES",
    "File",
    "MissingColumnError",
    "Upload",
    "Uploads",
    "keep",
    "measure",
    "measure_on",
    "possible_metrics",
    "ready_split",
    "undo_upload",
]


class MissingColumnError(UsageError):
    """Raised if required columns of a file have not been assigned.

    Args:
        kind: The kind of file.
        columns: The unassigned columns.
    """

    def __init__(self, kind: str, columns: Sequence[str]) -> None:
        self.kind, self.columns = kind, tuple(columns)
        super().__init__(f"{FILES[kind].title}: say which column is {' and which is '.join(columns)}.")


@dataclass(frozen=True)
class File:
    """A kind of file that can be uploaded.

    Attributes:
        title: Its title.
        help: A description of its content.
        required: Columns that it must have.
        optional: Columns that are used if present.
    """

    title: str
    help: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


FILES: Final[Mapping[str, File]] = {
    "lists": File(
        "Recommendation lists",
        "One row per user and item, with a rank or a score; or one row per user, with the items in order.",
        (USER, ITEM),
        (RANK, SCORE),
    ),
    "truth": File("Truth", "What the users went on to choose: held-out interactions.", (USER, ITEM), (RELEVANCE,)),
    "train": File(
        "Training interactions",
        "What the system learned from: for novelty, coverage, popularity.",
        (USER, ITEM),
        (RATING, TIMESTAMP),
    ),
    "items": File("Item attributes", "One row an item; a column of lists, such as genres, for diversity.", (ITEM,)),
    "users": File("User attributes", "One row a user; each column can be a segment.", (USER,)),
}
"""The files, in the order of the page; the first two are needed."""


@dataclass(frozen=True, eq=False)
class Uploads:
    """The uploaded files.

    Attributes:
        tables: Kind of file -> its rows.
        columns: Kind of file -> our column -> theirs.
        forms: Kind of file -> layout of its items: ``form`` and ``between``, as for :func:`reclens.read`.
    """

    tables: Mapping[str, Raw]
    columns: Mapping[str, Mapping[str, str | None]]
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def named(self, kind: str) -> dict[str, str | int | None]:
        """Return the columns of one file for its reader."""
        file = FILES[kind]
        chosen = self.columns.get(kind, {})
        missing = [ours for ours in file.required if not chosen.get(ours)]
        if missing:
            raise MissingColumnError(kind, missing)
        named: dict[str, str | int | None] = {ours: chosen.get(ours) for ours in (*file.required, *file.optional)}
        if kind == "lists" and named[RANK] is None and named[SCORE] is None:
            del named[RANK]  # if a row has several items, their order is the rank
        return named

    def how(self, kind: str) -> dict[str, Any]:
        """Return the options to read one file."""
        return {"columns": self.named(kind), **self.forms.get(kind, {})}


@dataclass(frozen=True)
class Upload:
    """A kept evaluation.

    Attributes:
        name: Its name.
        written: When it was written.
        before: When the replaced evaluation, now in the trash, was written; None if there was none.
        with_lists: Whether its lists were kept too.
    """

    name: str
    written: datetime
    before: datetime | None = None
    with_lists: bool = False


def possible_metrics(brought: Uploads) -> list[str]:
    """Return the metrics that can be computed from these files."""
    have = {"truth"} | ({"profiles", "catalogue"} if "train" in brought.tables else set())
    if {"train", "items"} <= set(brought.tables):
        kinds = brought.tables["items"].frame.schema.values()
        have |= {"features", "distributions"} if any(kind.is_nested() for kind in kinds) else set()
    able = (describe(name) for name in names())
    return [info.name for info in able if set(info.needs) <= have and (info.kind == "user" or "profiles" in have)]


def measure(
    brought: Uploads,
    *,
    metrics: Sequence[str],
    k: int,
    by: Sequence[str] = (),
    name: str = "system",
    bad_rows: Literal["error", "drop"] = "error",
    ids: IdForm | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Evaluate the uploaded files.

    Args:
        brought: The files.
        metrics: Names of metrics, without cut-offs.
        k: The cut-off, for metrics that have one.
        by: Columns of the users that define segments.
        name: Name of the system.
        bad_rows: What becomes of rows that cannot be used.
        ids: The form that the ids of all files are brought to; None for what each of them has.
        progress: Called as work goes on.

    Raises:
        DataError: If a file is not what it has to be; it names file, column and row.
        UsageError: If a column is not assigned, or a file that a metric needs is missing.
    """
    tables = brought.tables
    for kind in ("lists", "truth"):
        if kind not in tables:
            raise UsageError(f"{FILES[kind].title}: bring a file.")
    progress("read the lists", 0, 0)
    lists = read_recommendations(tables["lists"], name=name, bad_rows=bad_rows, ids=ids, **brought.how("lists"))
    progress("read the truth", 0, 0)
    named = brought.named("truth")
    truth, rules = read_table_and_rules(tables["truth"], bad_rows=bad_rows, ids=ids, **brought.how("truth"))
    train = None
    if "train" in tables:
        progress("read the training interactions", 0, 0)
        train = _training(brought, bad_rows).with_ids(ids).with_segments(**{each: each for each in by})
    elif by:
        raise UsageError("segments need the training interactions too: bring them.")
    asked = [f"{each}@{k}" if describe(each).cut else each for each in metrics]
    graded = named.get(RELEVANCE) is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)  # the page says it among what was odd
        result = evaluate(
            lists,
            truth,
            train=train,
            metrics=asked,
            by=by,
            relevance=RELEVANCE if graded else None,
            name=name,
            progress=progress,
        )
    return dataclasses.replace(result, card={**result.card, "truth_rules": [*result.card["truth_rules"], *rules]})


def measure_on(
    split: Split,
    brought: Uploads,
    *,
    protocol: Mapping[str, Any],
    name: str = "system",
    bad_rows: Literal["error", "drop"] = "error",
    ids: IdForm | None = None,
    progress: Progress = quiet,
) -> tuple[Evaluation, Recommendations]:
    """Evaluate lists against a split of the workspace; also return the lists as read.

    Args:
        split: The split.
        brought: The lists.
        protocol: Settings of the existing evaluations, as arguments of :func:`reclens.evaluate`; may be empty.
        name: Name of the system.
        bad_rows: What becomes of rows that cannot be used.
        ids: The form that all ids are brought to; None for what each of them has.
        progress: Called as work goes on.

    Raises:
        DataError: If the file is not what it has to be; it names file, column and row.
        UsageError: If the file is missing, or a column is not assigned.
    """
    if "lists" not in brought.tables:
        raise UsageError(f"{FILES['lists'].title}: bring a file.")
    progress("read the lists", 0, 0)
    how = brought.how("lists")
    lists = read_recommendations(brought.tables["lists"], name=name, bad_rows=bad_rows, ids=ids, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)  # the page says it among what was odd
        return evaluate(lists, with_ids(split, ids), **protocol, name=name, progress=progress), lists


def _training(brought: Uploads, bad_rows: Literal["error", "drop"]) -> Dataset:
    """Return the training interactions with the uploaded attributes."""
    tables = brought.tables
    ids = {
        USER: brought.named("users")[USER] if "users" in tables else None,
        ITEM: brought.named("items")[ITEM] if "items" in tables else None,
    }
    sides: dict[str, Any] = {
        kind: _renamed(tables[kind], key, ids[key])
        for kind, key in (("users", USER), ("items", ITEM))
        if kind in tables
    }
    return read(tables["train"], bad_rows=bad_rows, **sides, **brought.how("train"))


def ready_split(brought: Uploads, *, name: str, task: Task, bad_rows: Literal["error", "drop"] = "error") -> Split:
    """Return the training interactions and the truth as an external split.

    Raises:
        DataError: If a file is invalid, or the two share no item.
        UsageError: If one of the two is missing, or a column is not assigned.
    """
    for kind in ("train", "truth"):
        if kind not in brought.tables:
            raise UsageError(f"{FILES[kind].title}: bring a file.")
    held_out, _ = read_table_and_rules(brought.tables["truth"], bad_rows=bad_rows, **brought.how("truth"))
    return given(_training(brought, bad_rows), held_out, name=name, task=task)


def keep(
    workspace: Workspace,
    result: Evaluation,
    name: str,
    *,
    lists: Recommendations | None = None,
    replace: bool = False,
) -> Upload:
    """Save an evaluation atomically, and its lists if there are none of that name.

    Raises:
        UsageError: If the name is invalid.
        WorkspaceError: If the name is taken and must not be replaced, or the folder is not writable.
    """
    before = _written(workspace, name)
    workspace.save(result, name, overwrite=replace)
    written = _written(workspace, name)
    if written is None:
        raise WorkspaceError(f"the evaluation {name} was removed as soon as it was written. Keep it again.")
    with_lists = lists is not None and all(each.name != name for each in workspace.list("run"))
    if with_lists:
        workspace.save(lists, name)
    return Upload(name, written, before, with_lists)


def undo_upload(workspace: Workspace, kept: Upload) -> None:
    """Undo :func:`keep`: move the new evaluation to the trash and restore the one that it replaced.

    Raises:
        WorkspaceError: If the name belongs to another evaluation by now.
    """
    if _written(workspace, kept.name) != kept.written:
        raise WorkspaceError(
            f"the evaluation {kept.name} is not the one that was kept here: it was replaced or removed since, and "
            "nothing was undone. `reclens workspace restore` brings back what lies in the trash."
        )
    workspace.remove("evaluation", kept.name)
    if kept.with_lists:
        workspace.remove("run", kept.name)
    if kept.before is None:
        return
    try:
        workspace.restore("evaluation", kept.name, created=kept.before)
    except RecLensError:
        workspace.restore("evaluation", kept.name, created=kept.written)
        raise


def _written(workspace: Workspace, name: str) -> datetime | None:
    return next((each.created for each in workspace.list("evaluation") if each.name == name), None)


def _renamed(raw: Raw, key: str, theirs: str | int | None) -> Raw:
    """Return the attributes with our name of the id, because readers expect one name for all files."""
    frame = raw.frame
    if theirs is None or theirs == key:
        return raw
    others = frame.drop(key, strict=False)
    return dataclasses.replace(raw, frame=others.rename({str(theirs): key}))
