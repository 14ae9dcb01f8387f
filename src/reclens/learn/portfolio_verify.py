"""Computing every number of a portfolio again: what a recruiter, or anybody else, runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import reclens
from reclens.cards import Fact
from reclens.engine import Progress as Reporter
from reclens.engine import quiet
from reclens.errors import DataError, RecLensError
from reclens.learn.exercise import Remark
from reclens.learn.measured import Measured, Value, values_of
from reclens.learn.portfolio import EVIDENCE, KIND, Told, page_of, project_named, record_of, told_of
from reclens.learn.portfolio_rules import MOST_BYTES, refusals
from reclens.learn.project import Project
from reclens.learn.project_settings import ProjectSettings, project_settings
from reclens.report.learn.portfolio import project_page

__all__ = ["PortfolioVerified", "verify_evidence", "verify_portfolio"]

_EXACT: Final = 1e-6
_MOST_FILES: Final = 100
_MOST_NUMBERS: Final = 500
_NAME: Final = re.compile(r"\w{1,40}")
_CARDS: Final = ("code", "seed", "data", "protocol", "command", "verdict")
"""What a record says beside its numbers."""


@dataclass(frozen=True, kw_only=True)
class PortfolioVerified:
    """What a replay of a portfolio gave.

    Attributes:
        rows: A row a number: ``project``, ``key``, ``label``, ``value``, ``again``, ``reproduced``.
        changed: Files that are not as they were written, or are not there.
        remarks: Project and what is wrong with its texts by the rules of a portfolio.
        on: The day, in UTC.
    """

    rows: Sequence[Mapping[str, Any]]
    changed: Sequence[str]
    remarks: Sequence[tuple[str, Remark]]
    on: str

    @property
    def reproduced(self) -> int:
        """Numbers that came out again."""
        return sum(row["reproduced"] for row in self.rows)

    @property
    def whole(self) -> bool:
        """Whether all of it holds."""
        return self.reproduced == len(self.rows) > 0 and not self.changed and not self.remarks


def verify_portfolio(
    folder: str | Path, *, data: Mapping[str, str] | None = None, progress: Reporter = quiet
) -> PortfolioVerified:
    """Compute every number of a portfolio again, from the seeds in its evidence.

    Args:
        folder: What ``reclens portfolio build`` wrote.
        data: Project -> path of its data, where these do not travel with it.
        progress: Reports how many projects are done.

    Raises:
        DataError: If the folder has no evidence, or what is there is none.
    """
    place = Path(folder)
    path = place / EVIDENCE
    if path.exists() and not path.is_file():  # a device has no end
        raise DataError(f"{path} is no regular file. Name the folder that 'portfolio build' wrote.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES:,} bytes, which no evidence is.")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Name the folder that 'portfolio build' wrote."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8. Name the folder that 'portfolio build' wrote.") from error
    held = _read(text, str(path))
    changed = _changed(place, held["files"])
    found = verify_evidence(held, changed=changed, data=data, progress=progress)
    # Floats may differ in their last digits elsewhere, and the words of a page from version to version.
    same = held.get("versions", {}).get("reclens") == reclens.__version__ and found.reproduced == len(found.rows)
    return replace(found, changed=(*changed, *_rewritten(place, held, changed, data or {}))) if same else found


def verify_evidence(
    held: Mapping[str, Any],
    *,
    changed: Sequence[str] = (),
    data: Mapping[str, str] | None = None,
    progress: Reporter = quiet,
) -> PortfolioVerified:
    """Compute the numbers of an ``evidence.json`` again.

    Args:
        held: Its content.
        changed: Files that are not as they were written.
        data: Project -> path of its data, where these do not travel with it.
        progress: Reports how many projects are done.

    Raises:
        DataError: If it is no evidence.
    """
    held = _read(json.dumps(held), EVIDENCE)
    rows: list[dict[str, Any]] = []
    remarks: list[tuple[str, Remark]] = []
    for at, (name, record) in enumerate(held["projects"].items()):
        progress(f"compute {name}", at, len(held["projects"]))
        found, said = _project(name, record, (data or {}).get(name))
        rows += found
        remarks += [(name, each) for each in said]
    progress("compute the numbers", len(held["projects"]), len(held["projects"]))
    return PortfolioVerified(
        rows=rows, changed=tuple(changed), remarks=remarks, on=datetime.now(UTC).strftime("%Y-%m-%d")
    )


def _project(name: str, record: Mapping[str, Any], path: str | None) -> tuple[list[dict[str, Any]], list[Remark]]:
    try:
        project = project_named(name)
        settings = project_settings(dict(record["settings"]))
    except RecLensError as error:
        raise DataError(f"{EVIDENCE}: project {name}: {error}") from error
    given = _given(record)
    if settings.data is not None and path is None:
        facts: dict[str, Fact] = {"licence": settings.data.licence, "fetch": settings.data.fetch, "project": name}
        return [_row(name, key, each, None, False) for key, each in given.items()], [Remark("needs_data", facts)]
    told = _told(project, settings, path)
    measured, values = told.measured, told.values
    expected = record_of(told)
    hashes = {"seen": _hash_of(expected["data"]), "recorded": _hash_of(record.get("data")), "project": name}
    if hashes["seen"] != hashes["recorded"]:  # numbers of other data say nothing about these
        remark = Remark("data_differ" if settings.data is None else "own_data_differ", hashes)
        return [_row(name, key, each, None, False) for key, each in given.items()], [remark]
    fixed = _fixed(values, measured)
    rows = [_row(name, key, given.get(key), values.get(key), key in fixed) for key in dict.fromkeys([*given, *values])]
    said = list(refusals(settings, measured, values))
    said += [Remark("card_differs", {"entry": entry}) for entry in _CARDS if record.get(entry) != expected[entry]]
    return rows, said


def _hash_of(card: object) -> str:
    """The hash of the data in a card; empty without one."""
    return str(card.get("fingerprint", ""))[:64] if isinstance(card, dict) else ""


def _told(project: Project, settings: ProjectSettings, path: str | None) -> Told:
    data = settings.data
    return told_of(project, settings, None if data is None else data.model_copy(update={"path": path or ""}))


def _given(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(each.get("key")): each for each in record["numbers"] if isinstance(each, dict)}


def _fixed(values: Mapping[str, Value], measured: Measured) -> set[str]:
    """Numbers that were added and come out of empty tables too: their queries hold them, and no data."""
    own = [each.number for key, each in values.items() if key.startswith("own_")]
    empty = {name: table.head(0) for name, table in measured.tables.items()}
    found = values_of(empty, own) if own else {}
    return {key for key, each in found.items() if not each.failed and each.value == values[key].value}


def _row(project: str, key: str, given: Mapping[str, Any] | None, again: Value | None, fixed: bool) -> dict[str, Any]:
    said = None if given is None else given.get("value")
    same = (
        given is not None
        and again is not None
        and not again.failed
        and not fixed
        and given.get("query") == again.number.query
        and all(_same(given.get(end), getattr(again, end)) for end in ("value", "low", "high"))
    )
    return {
        "project": project,
        "key": key,
        "label": again.label if again is not None else str((given or {}).get("label"))[:200],
        "value": float(said) if isinstance(said, int | float) else None,
        "again": None if again is None or again.failed else again.value,
        "reproduced": same,
    }


def _same(given: object, again: float | None) -> bool:
    if again is None or given is None:
        return given is None and again is None
    return (
        isinstance(given, int | float)
        and not isinstance(given, bool)
        and abs(given - again) <= _EXACT * max(1.0, abs(again))
    )


def _rewritten(place: Path, held: Mapping[str, Any], known: Sequence[str], data: Mapping[str, str]) -> Iterator[str]:
    """READMEs that are not what the evidence gives when they are written again: a hash can be edited too."""
    for name, record in held["projects"].items():
        project = project_named(name)
        settings = project_settings(dict(record["settings"]))
        text = project_page(page_of(_told(project, settings, data.get(name))), drawn=False).markdown
        path = place / name / "README.md"
        file = f"{name}/README.md"
        if file not in known and (not path.is_file() or path.read_bytes() != text.encode()):
            yield file


def _changed(place: Path, files: Mapping[str, str]) -> list[str]:
    """Files whose content is not that of the evidence; a name that leads out of the folder is one of them."""
    root = place.resolve()
    found: list[str] = []
    for name, digest in files.items():
        path = (root / name).resolve()
        inside = path.is_relative_to(root) and path.is_file() and path.stat().st_size <= MOST_BYTES
        if not inside or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(name)
    return found


def _read(text: str, source: str) -> dict[str, Any]:
    try:
        held: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is no JSON ({error}). Build the portfolio again.") from error
    if not isinstance(held, dict) or held.get("kind") != KIND:
        raise DataError(f"{source} is no evidence of a portfolio. Build the portfolio again.")
    if held.get("format") != 1:
        raise DataError(f"{source} has format {held.get('format')}, expected 1. Install a newer RecLens.")
    projects, files = held.get("projects"), held.get("files")
    fits = (
        isinstance(projects, dict)
        and isinstance(files, dict)
        and len(files) <= _MOST_FILES
        and all(isinstance(each, str) for each in files.values())
        and all(_NAME.fullmatch(each) for each in projects)
        and all(_is_record(each) for each in projects.values())
    )
    if not fits or not projects:
        raise DataError(f"{source} has no projects with numbers, or no files. Build the portfolio again.")
    return held


def _is_record(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("settings"), dict)
        and isinstance(value.get("numbers"), list)
        and len(value["numbers"]) <= _MOST_NUMBERS
    )
