"""A portfolio: three or four projects as a static site, a page of paper and a README each, with evidence."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import reclens
from reclens.engine import Progress as Reporter
from reclens.engine import quiet
from reclens.errors import ArgumentValueError, NameTakenError, UsageError, WorkspaceError
from reclens.files import made_folder, write_text
from reclens.learn.answers import read_answer, read_toml_text
from reclens.learn.exercise import Remark, exercise_of
from reclens.learn.learner import Learner
from reclens.learn.measured import Measured, Value
from reclens.learn.page_reading import read_page
from reclens.learn.portfolio_rules import MOST_BYTES, refusals
from reclens.learn.project import Project, own_values
from reclens.learn.project_settings import FindingText, OwnData, ProjectSettings, project_settings
from reclens.report._toolkit.pdf import Printed, print_pdf
from reclens.report.learn.portfolio import (
    PageFinding,
    PageNumber,
    ProjectPage,
    project_page,
    project_sheet,
    site_page,
)
from reclens.report.learn.portfolio_words import QUESTIONS, TITLES, director_sentence, interval_text, ticket_text
from reclens.stats.estimate import Estimate

__all__ = [
    "EVIDENCE",
    "FEWEST",
    "KIND",
    "MOST",
    "Built",
    "Refused",
    "Told",
    "build_portfolio",
    "page_of",
    "project_named",
    "record_of",
    "told_of",
]

KIND: Final = "reclens portfolio"
EVIDENCE: Final = "evidence.json"
FEWEST, MOST = 3, 4
"""Projects of a portfolio."""
_PACKAGES: Final = ("numpy", "polars", "duckdb")


@dataclass(frozen=True)
class Refused:
    """Why nothing was written.

    Attributes:
        project: The project.
        remark: What has to be mended.
    """

    project: str
    remark: Remark


@dataclass(frozen=True, kw_only=True)
class Built:
    """What became of a portfolio.

    Attributes:
        folder: Where it is, or would be.
        refused: What has to be mended; nothing was written unless it is empty.
        numbers: Its numbers.
        printed: Project -> what became of its PDF.
    """

    folder: Path
    refused: Sequence[Refused] = ()
    numbers: int = 0
    printed: Mapping[str, Printed] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A project with its texts and its numbers.

    Attributes:
        project: The project.
        settings: Its texts.
        measured: What was computed.
        values: All its numbers.
    """

    project: Project
    settings: ProjectSettings
    measured: Measured
    values: Mapping[str, Value]


def build_portfolio(
    learner: Learner, projects: Sequence[str], folder: str | Path, *, progress: Reporter = quiet
) -> Built:
    """Make the portfolio of some projects of a learner.

    Args:
        learner: Whose projects.
        projects: Three or four of them, such as ``["diagnostics", "experiment", "audit"]``.
        folder: Where it is written; an older portfolio there is replaced.
        progress: Reports how many projects are done.

    Returns:
        What was written; or, where the rules of a portfolio are broken, what has to be mended, and nothing is written.

    Raises:
        UsageError: If there are too few or too many projects, or one is named twice or was not started.
        UnknownNameError: If there is no such project.
        NameTakenError: If the folder holds something else.
        WorkspaceError: If it cannot be written.
    """
    if not FEWEST <= len(projects) <= MOST or len(set(projects)) != len(projects):
        raise ArgumentValueError(
            "projects", f"names {len(projects)}, expected {FEWEST} or {MOST} different ones such as audit and monitor."
        )
    known = [project_named(name) for name in projects]
    place = Path(folder)
    if place.exists() and not (place / EVIDENCE).is_file() and (not place.is_dir() or any(place.iterdir())):
        raise NameTakenError(f"{place} holds something else than a portfolio. Name another folder.")
    told: list[Told] = []
    for at, each in enumerate(known):
        progress(f"compute {each.name}", at, len(known))
        told.append(_read(learner, each))
    progress("compute the numbers", len(known), len(known))
    refused = [Refused(each.project.name, remark) for each in told for remark in _refused(each)]
    return Built(folder=place, refused=refused) if refused else _written(told, place)


def project_named(name: str) -> Project:
    """The project of a name or a code.

    Raises:
        UsageError: If it names an exercise.
        UnknownNameError: If there is no such project.
    """
    found = exercise_of(name)
    if not isinstance(found, Project):
        raise UsageError(f"{name} is an exercise, expected a project such as diagnostics.")
    return found


def _read(learner: Learner, project: Project) -> Told:
    draw, folder = learner.draw(project), learner.place(project)
    if not folder.is_dir():
        raise UsageError(f"The project {project.name} was not started. Run 'reclens learn start {project.name}'.")
    answer = read_answer(project, folder, draw)
    settings = project_settings(read_toml_text("project.toml", answer["project.toml"]))
    data = settings.data
    if data is not None:
        data = data.model_copy(update={"path": str(folder / data.path)})
    return told_of(project, settings, data)


def told_of(project: Project, settings: ProjectSettings, data: OwnData | None = None) -> Told:
    """A project, computed from its seed, or from data of one's own.

    Raises:
        RecLensError: If the data cannot be read.
    """
    measured = project.measured(settings.seed, data)
    values = {**project.values(settings.seed, data), **own_values(settings, measured)}
    return Told(project=project, settings=settings, measured=measured, values=values)


def _refused(told: Told) -> Iterator[Remark]:
    """What a portfolio refuses; and texts that would do something on a page beside being read."""
    yield from refusals(told.settings, told.measured, told.values)
    plain = _silent(told.settings)
    loads, expected = (
        read_page(project_page(page_of(each), drawn=False).html.html).loads
        for each in (told, replace(told, settings=plain))
    )
    if sorted(loads) != sorted(expected):
        more = sorted(set(loads) - set(expected)) or sorted(set(loads))
        yield Remark("attack_lives", {"project": told.project.name, "seen": more})


def _silent(settings: ProjectSettings) -> ProjectSettings:
    """The same project with harmless texts."""
    text = "a text that says nothing at all"
    names = ("question", "decision", "not_concluded", "next_step", "chart")
    said = {key: FindingText(director=text, ticket=text) for key in settings.finding}
    return settings.model_copy(update={**dict.fromkeys(names, text), "finding": said})


def page_of(told: Told) -> ProjectPage:
    """What the page of a project shows."""
    settings, measured = told.settings, told.measured
    first = told.values[measured.primary]
    ordered = [first, *(each for each in told.values.values() if each is not first)]
    return ProjectPage(
        title=TITLES[told.project.name],
        level=told.project.level,
        question=settings.question or QUESTIONS[told.project.name],
        verdict=first.verdict or "",
        numbers=[
            PageNumber(
                label=each.label,
                short=each.number.short or each.label,
                found=_estimate(each),
                percent=each.number.percent,
                null=each.number.null,
                verdict=each.verdict or "",
                reason=each.number.reason,
                query=each.number.query,
            )
            for each in ordered
        ],
        findings=[finding for each in ordered if (finding := _finding(each, settings)) is not None],
        decision=settings.decision,
        not_concluded=settings.not_concluded,
        next_step=settings.next_step,
        data=measured.data,
        protocol=measured.protocol,
        command=measured.command,
        chart=settings.chart,
        synthetic=bool(measured.data.get("synthetic")),
    )


def _finding(value: Value, settings: ProjectSettings) -> PageFinding | None:
    said = settings.finding.get(value.number.key, FindingText())
    text = interval_text(_estimate(value), in_percent=value.number.percent)
    director = director_sentence(value.number.finding, value.verdict or "", value.label, text)
    ticket = ticket_text(value.number.finding, value.label)
    if not (said.director or director):
        return None
    return PageFinding(
        label=value.label,
        director=said.director or director,
        director_edited=said.director not in {"", director},
        ticket=said.ticket or ticket,
        ticket_edited=said.ticket not in {"", ticket},
    )


def _estimate(value: Value) -> Estimate:
    return Estimate(value.value, low=value.low, high=value.high, n=value.n or 0)


def record_of(told: Told) -> dict[str, Any]:
    """A project as evidence keeps it."""
    measured, settings = told.measured, told.settings.model_dump(mode="json")
    if settings["data"] is not None:
        settings["data"]["path"] = ""  # where it lies is of this machine, and may tell a name
    return {
        "code": told.project.code,
        "seed": told.settings.seed,
        "settings": settings,
        "data": dict(measured.data),
        "protocol": dict(measured.protocol),
        "command": measured.command,
        "verdict": told.values[measured.primary].verdict,
        "numbers": [each.record() for each in told.values.values()],
    }


def _written(told: Sequence[Told], place: Path) -> Built:
    """Write everything into a folder beside, and put it in place of the old one if it may be."""
    with _beside(place) as temporary:
        draft = temporary / "portfolio"
        pages = {each.project.name: page_of(each) for each in told}
        printed = {name: _write_project(page, draft / name) for name, page in pages.items()}
        refused = list(_too_long(draft, printed))
        numbers = sum(len(each.values) for each in told)
        site = site_page(pages, numbers)
        write_text(draft / "index.html", site.html.html)
        write_text(draft / "README.md", site.markdown)
        files = {
            str(path.relative_to(draft).as_posix()): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        evidence = {
            "kind": KIND,
            "format": 1,
            "made": datetime.now(UTC).strftime("%Y-%m-%d"),
            "versions": {
                "reclens": reclens.__version__,
                "python": platform.python_version(),
                **{name: version(name) for name in _PACKAGES},
            },
            "projects": {each.project.name: record_of(each) for each in told},
            "files": files,
        }
        write_text(draft / EVIDENCE, json.dumps(evidence, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        if size > MOST_BYTES:
            refused.append(Refused("", Remark("too_large", {"file": place.name, "bytes": size, "most": MOST_BYTES})))
        if refused:
            return Built(folder=place, refused=refused)
        _put(draft, place, temporary / "old")
    return Built(folder=place, numbers=numbers, printed=printed)


@contextmanager
def _beside(place: Path) -> Generator[Path]:
    """A folder on the same disk, which is gone afterwards."""
    made_folder(place.parent)
    try:
        with tempfile.TemporaryDirectory(dir=place.absolute().parent, prefix=".reclens-portfolio-") as temporary:
            yield Path(temporary)
    except OSError as error:
        raise WorkspaceError(f"{place} cannot be written: {error.strerror or error}. Choose another place.") from error


def _write_project(page: ProjectPage, folder: Path) -> Printed:
    document = project_page(page)
    write_text(folder / "index.html", document.html.html)
    write_text(folder / "README.md", document.markdown)
    with tempfile.TemporaryDirectory() as temporary:
        sheet = project_sheet(page).save(Path(temporary) / "sheet.html")
        return print_pdf(sheet, folder / "summary.pdf")


def _too_long(draft: Path, printed: Mapping[str, Printed]) -> Iterator[Refused]:
    for name, each in printed.items():
        if each.outcome == "printed":
            pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", (draft / name / "summary.pdf").read_bytes()))
            if pages > 1:
                yield Refused(name, Remark("sheet_too_long", {"project": name, "pages": pages}))


def _put(draft: Path, place: Path, old: Path) -> None:
    if place.exists():
        place.rename(old)
    draft.rename(place)
