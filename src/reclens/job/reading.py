"""How the files of a job are read: what it says in ``[data]``; and lists, of the workspace or of a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reclens.data.read.open import translated
from reclens.data.read.request import Reading
from reclens.errors import UsageError

if TYPE_CHECKING:
    from reclens.job.settings import JobSettings
    from reclens.schema import Recommendations
    from reclens.workspace import Workspace

__all__ = ["load_lists", "reading_of"]


def reading_of(settings: JobSettings) -> Reading:
    """What a job says in ``[data]``, which the parts of a ready-made split are read by too.

    Raises:
        UsageError: If a key is of no use to any file.
    """
    about, parts = settings.data, settings.split
    read = {**about.read, **({"duplicates": about.duplicates} if "duplicates" in about.model_fields_set else {})}
    paths = {
        "data": about.path,
        "users": about.users,
        "items": about.items,
        "test": parts.test,
        "validation": parts.validation,
    }
    return Reading.of_settings(paths, columns=about.columns, read=read, lists=about.lists, ids=about.ids, words="toml")


def load_lists(path: str, reading: Reading, *, name: str | None, place: Workspace) -> Recommendations:
    """The lists of a system: a run of the workspace, or a file (TREC where it ends in ``.run`` or ``.trec``)."""
    from reclens.data.read.ids import ids_as

    how = reading.of("lists")
    with translated(reading.words, reading.prefix("lists")):
        if path in {each.name for each in place.list("run")}:
            if reading.own("lists"):
                raise UsageError(f"'{path}' is a run of the workspace: nothing has to be said to read it.")
            found = place.load("run", path)
        elif reading.kind("lists") == "trec":
            from reclens.data.read.trec import read_run

            found = read_run(path, name=name, encoding=how.get("encoding", "utf-8"))
        else:
            from reclens.data.read.tables import read_recommendations

            found = read_recommendations(path, name=name, **how)
    return replace(found, table=ids_as(found.table, reading.ids))
