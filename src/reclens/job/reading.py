"""How a job's files are read: what it says in ``[data]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.data.read.request import Reading

if TYPE_CHECKING:
    from reclens.job.settings import JobSettings

__all__ = ["reading_of"]


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
