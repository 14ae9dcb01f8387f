"""Events recorded by people or other systems: deploys, experiments, holidays, incidents and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from reclens.errors import ArgumentValueError, UnknownNameError, WorkspaceError
from reclens.files import made_folder, write_bytes
from reclens.monitor.records import Annotation, AnnotationKind

__all__ = ["Annotations"]


@dataclass(frozen=True, kw_only=True)
class _Book:
    """The content of the file; numbers of removed annotations are not reused."""

    next: int = 1
    annotations: tuple[Annotation, ...] = ()


_BOOK: Final = TypeAdapter(_Book)


class Annotations:
    """Annotations in one file, which is written atomically.

    Args:
        path: The file; created with the first annotation.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def list(self, start: date | None = None, end: date | None = None) -> Sequence[Annotation]:
        """Annotations that overlap a range of days, sorted by first day; all by default.

        Raises:
            WorkspaceError: If the file cannot be read.
        """
        found = [
            each
            for each in self._read().annotations
            if (end is None or each.start <= end) and (start is None or each.end >= start)
        ]
        return sorted(found, key=lambda each: (each.start, int(each.id)))

    def add(
        self,
        kind: AnnotationKind,
        start: date,
        text: str,
        *,
        by: str,
        end: date | None = None,
        suppress: bool | None = None,
        dimension: str | None = None,
        slice: str | None = None,  # noqa: A002 - what the series call it
        at: datetime | None = None,
    ) -> Annotation:
        """Add an annotation.

        Args:
            kind: Kind of event.
            start: First day.
            text: Description.
            by: Author.
            end: Last day; None for one day.
            suppress: Whether detection skips these days; by default it skips holidays.
            dimension: The affected dimension; None for all.
            slice: Slice of the dimension.
            at: Current time, UTC.

        Raises:
            UsageError: If ``end`` is before ``start``, a slice has no dimension, or no author is given.
            WorkspaceError: If the file cannot be written.
        """
        last = end or start
        if last < start:
            raise ArgumentValueError("end", f"is {last}, before start, {start}")
        if slice is not None and dimension is None:
            raise ArgumentValueError("slice", f"is '{slice}' without a dimension. Name its dimension, such as surface.")
        if not by.strip():
            raise ArgumentValueError("by", "is empty, expected who writes it")
        book = self._read()
        new = Annotation(
            id=str(book.next),
            kind=kind,
            start=start,
            end=last,
            text=text,
            suppress=kind == "holiday" if suppress is None else suppress,
            dimension=dimension,
            slice=slice,
            by=by,
            at=at or datetime.now(UTC),
        )
        self._write(_Book(next=book.next + 1, annotations=(*book.annotations, new)))
        return new

    def remove(self, id: str) -> Annotation:  # noqa: A002 - it is what an annotation calls it
        """Remove an annotation.

        Raises:
            UnknownNameError: If no annotation has this id.
            WorkspaceError: If the file cannot be written.
        """
        book = self._read()
        found = {each.id: each for each in book.annotations}
        if id not in found:
            raise UnknownNameError("annotation", id, found)
        rest = tuple(each for each in book.annotations if each.id != id)
        self._write(_Book(next=book.next, annotations=rest))
        return found[id]

    def _read(self) -> _Book:
        try:
            return _BOOK.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return _Book()
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"{self.path} cannot be read: mend it, or move it away.") from error

    def _write(self, book: _Book) -> None:
        made_folder(self.path.parent)
        write_bytes(self.path, _BOOK.dump_json(book, indent=1))
