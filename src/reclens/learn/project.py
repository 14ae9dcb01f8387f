"""What a project is: a guided run through a room, whose numbers are computed again from a seed, each by a query."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError, UsageError
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.measured import Measured, Value, values_of
from reclens.learn.portfolio_rules import refusals
from reclens.learn.project_settings import FindingText, OwnData, ProjectSettings, project_settings
from reclens.settings import write_toml

__all__ = ["Level", "Project", "own_values", "project_seed"]

Level = Literal["beginner", "intermediate", "advanced"]
_EXACT = 1e-6


class Project(Exercise):
    """A project: a guided run that ends in a kept table, and texts that its numbers carry.

    Attributes:
        level: How much has to be known.
        of_phase: Phase of the path that it belongs to.
        artefact: The file that the command of the room writes; empty where the learner keeps none.
        table: The table of :meth:`measure` that it has to agree with.
        keys: Columns that name a row of it.
        columns: Columns that are compared.
    """

    files = ("project.toml", "numbers.csv")
    minutes = 240
    level: ClassVar[Level]
    of_phase: ClassVar[int]
    artefact: ClassVar[str] = "numbers.csv"
    table: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.wrong = {name: partial(write, cls) for name, write in _WRONG.items()}

    @property
    def phase(self) -> int:
        """Number of its phase."""
        return self.of_phase

    @abstractmethod
    def measure(self, seed: int) -> Measured:
        """Compute everything again."""

    def measure_own(self, seed: int, data: OwnData) -> Measured:
        """Compute everything on data of one's own.

        Raises:
            UsageError: If the project is one that draws its data.
        """
        del seed, data
        raise UsageError(
            f"project.toml: [data] is for the project diagnostics, and {self.name} draws its own. Leave it out."
        )

    def measured(self, seed: int, data: OwnData | None = None) -> Measured:
        """As :meth:`measure`, once for each seed."""
        return _measured(type(self), seed, _key(data))

    def values(self, seed: int, data: OwnData | None = None) -> dict[str, Value]:
        """The numbers of the project, each by its query."""
        return _values(type(self), seed, _key(data))

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The seed, from which everything is drawn."""
        return {"seed": project_seed(draw)}

    def templates(self, draw: Draw) -> dict[str, str]:
        """The texts, to be written."""
        return {"project.toml": self.text_of(draw, ProjectSettings(seed=project_seed(draw)))}

    def text_of(self, draw: Draw, settings: ProjectSettings) -> str:
        """Texts and choices as TOML."""
        # An empty list would stand in the way of [[number]].
        content = {key: value for key, value in settings.model_dump().items() if value not in ([], {}, None)}
        return toml_header(draw) + write_toml(content)

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Compute the project again, and hold table, verdict and texts against it."""
        try:
            settings = project_settings(tomllib.loads(answer["project.toml"]))
        except RecLensError as error:
            yield Remark("no_project", {"error": str(error)})
            return
        seed = project_seed(draw)
        if settings.seed != seed:
            yield Remark("seed_of_project", {"seen": settings.seed, "expected": seed})
            return
        if settings.data is not None:
            yield Remark("check_without_data")
            return
        measured, values = self.measured(seed), self.values(seed)
        if self.artefact:
            yield from self._compared(answer[self.artefact], self.kept(measured))
        yield from self.own_remarks(settings, draw)
        expected = values[measured.primary].verdict
        if settings.verdict != expected:
            yield Remark("verdict_of_project", {"seen": settings.verdict, "number": values[measured.primary].label})
        yield from refusals(settings, measured, {**values, **own_values(settings, measured)})

    def kept(self, measured: Measured) -> pl.DataFrame:
        """The rows that the kept table has to have."""
        return measured.tables[self.table]

    def own_remarks(self, settings: ProjectSettings, draw: Draw) -> Iterator[Remark]:
        """What only this project asks for; nothing by default."""
        yield from ()

    def solve(self, draw: Draw, folder: Path) -> None:
        """The table as the room writes it, and texts that hold."""
        seed = project_seed(draw)
        if self.artefact:
            rows = self.kept(self.measured(seed)).select(*self.keys, *self.columns)
            rows.write_csv(folder / self.artefact)
        (folder / "project.toml").write_text(self.text_of(draw, self.solved(draw)), encoding="utf-8")

    def own_entries(self, draw: Draw) -> dict[str, Any]:
        """Entries of ``project.toml`` that only this project has, as they are right; none by default."""
        return {}

    def solved(self, draw: Draw) -> ProjectSettings:
        """Texts that hold."""
        seed = project_seed(draw)
        primary = self.values(seed)[self.measured(seed).primary]
        return ProjectSettings(
            seed=seed,
            verdict=primary.verdict or "described",
            decision="We keep to what the interval of the first number allows, and look again with more data.",
            not_concluded="The data are made up, so nothing follows for real people. Segments of few users stay open.",
            next_step="Repeat it on data of our own, with the plan written before the data are opened.",
            **self.own_entries(draw),
        )

    def _compared(self, text: str, table: pl.DataFrame) -> Iterator[Remark]:
        """The kept table against the one computed again, row by row."""
        rows = list(csv.DictReader(io.StringIO(text)))
        names = rows[0].keys() if rows else ()
        missing = [name for name in (*self.keys, *self.columns) if name not in names]
        if missing:
            yield Remark("table_columns", {"file": self.artefact, "missing": missing})
            return
        found = {tuple(row[key] or "" for key in self.keys): row for row in rows}
        wrong = [
            " ".join(key)
            for each in table.iter_rows(named=True)
            if not self._same(found.get(key := tuple(str(each[name] or "") for name in self.keys)), each)
        ]
        if wrong:
            yield Remark("kept_table_differs", {"file": self.artefact, "rows": len(wrong), "first": wrong[0]})

    def _same(self, row: Mapping[str, str] | None, expected: Mapping[str, object]) -> bool:
        return row is not None and all(_alike(row[name], expected[name]) for name in self.columns)


def _alike(seen: str | None, expected: object) -> bool:
    if expected is None or (isinstance(expected, float) and math.isnan(expected)):
        return (seen or "").lower() in {"", "nan", "null", "none"}
    try:
        value = float(seen or "nan")
    except ValueError:
        return seen == str(expected)
    return isinstance(expected, int | float) and abs(value - expected) <= _EXACT * max(1.0, abs(expected))


def project_seed(draw: Draw) -> int:
    """The seed of a learner's project."""
    return int(draw.rng("seed").integers(2**31))


def own_values(settings: ProjectSettings, measured: Measured) -> dict[str, Value]:
    """The numbers that the learner added."""
    return values_of(measured.tables, [each.number(at) for at, each in enumerate(settings.number)])


def _key(data: OwnData | None) -> str:
    return "" if data is None else data.model_dump_json()


@lru_cache(maxsize=16)
def _measured(kind: type[Project], seed: int, data: str) -> Measured:
    return kind().measure_own(seed, OwnData.model_validate_json(data)) if data else kind().measure(seed)


@lru_cache(maxsize=16)
def _values(kind: type[Project], seed: int, data: str) -> dict[str, Value]:
    measured = _measured(kind, seed, data)
    return values_of(measured.tables, measured.numbers)


def _changed(kind: type[Project], draw: Draw, folder: Path, **changes: object) -> None:
    project = kind()
    project.solve(draw, folder)
    text = project.text_of(draw, project.solved(draw).model_copy(update=changes))
    (folder / "project.toml").write_text(text, encoding="utf-8")


def _template(kind: type[Project], draw: Draw, folder: Path) -> None:
    project = kind()
    project.solve(draw, folder)
    (folder / "project.toml").write_text(project.templates(draw)["project.toml"], encoding="utf-8")


def _other_verdict(kind: type[Project], draw: Draw, folder: Path) -> None:
    verdict = kind().solved(draw).verdict
    _changed(kind, draw, folder, verdict="worse" if verdict != "worse" else "better")


def _no_carrier(kind: type[Project], draw: Draw, folder: Path) -> None:
    key = kind().measured(project_seed(draw)).primary
    text = FindingText(director="It is fair to everybody.", ticket="Nothing to do.")
    _changed(kind, draw, folder, finding={key: text})


def _invented(kind: type[Project], draw: Draw, folder: Path) -> None:
    _changed(kind, draw, folder, decision="We ship it, since revenue rises by 13.37 %.")


def _other_seed(kind: type[Project], draw: Draw, folder: Path) -> None:
    project = kind()
    other = Draw(draw.seed + 1, draw.exercise)
    project.solve(other if project.artefact else draw, folder)
    text = project.text_of(draw, project.solved(draw).model_copy(update=project.own_entries(other)))
    (folder / "project.toml").write_text(text, encoding="utf-8")


_WRONG: Mapping[str, Callable[[type[Project], Draw, Path], None]] = {
    "template": _template,
    "verdict against the interval": _other_verdict,
    "claim that nothing carries": _no_carrier,
    "number that nothing gives": _invented,
    "of another seed": _other_seed,
}
