"""The file ``project.toml``: choices and texts of a project."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from reclens.learn.measured import Number
from reclens.report.learn.portfolio_words import CHART_TEXT
from reclens.settings import Section, validate

__all__ = ["FindingText", "IncidentText", "OwnData", "OwnNumber", "ProjectSettings", "project_settings"]


class FindingText(Section):
    """What is said beside a finding; empty keeps the generated sentence.

    Attributes:
        director: A sentence for a director.
        ticket: A ticket for engineers.
    """

    director: str = Field(default="", max_length=1000)
    ticket: str = Field(default="", max_length=2000)


class OwnNumber(Section):
    """A number that was added.

    Attributes:
        label: What it is.
        query: A SELECT over the tables of the project that gives one row: ``value``, and ``low`` and ``high`` where
            there is an interval.
        reason: Why it has no interval.
    """

    label: str = Field(min_length=1, max_length=200)
    query: str = Field(min_length=1, max_length=10_000)
    reason: str = Field(default="", max_length=500)

    def number(self, at: int) -> Number:
        """As a number of a project."""
        return Number(key=f"own_{at + 1}", label=self.label, query=self.query, reason=self.reason)


class IncidentText(Section):
    """An incident that was found.

    Attributes:
        day: Its first day.
        kind: What it is.
    """

    day: str
    kind: str


class OwnData(Section):
    """Data of one's own, which never travel: a portfolio has aggregates of them, and says where they can be had.

    Attributes:
        path: The file; empty in evidence.
        licence: What may be done with them.
        fetch: How somebody else gets them, such as a command; empty where nobody can.
        private: Whether their name is not told either.
    """

    path: str = ""
    licence: str = Field(min_length=3, max_length=500)
    fetch: str = Field(default="", max_length=500)
    private: bool = False


class ProjectSettings(Section):
    """A project as its author tells it.

    Attributes:
        seed: Everything is drawn from it.
        question: The question; empty keeps the generated one.
        verdict: What the interval of the first number supports.
        decision: What is decided.
        not_concluded: What could not be concluded.
        next_step: What comes next.
        chart: Alternative text of the chart.
        finding: Key of a number -> what is said beside it.
        number: Numbers that were added.
        data: Data of one's own, in the project of diagnostics.
        incident: Incidents that were found, in the project that watches a system.
    """

    seed: int = Field(ge=0, lt=2**63)
    question: str = Field(default="", max_length=1000)
    verdict: Literal["", "better", "worse", "cannot_be_told_apart", "described"] = ""
    decision: str = Field(default="", max_length=3000)
    not_concluded: str = Field(default="", max_length=3000)
    next_step: str = Field(default="", max_length=3000)
    chart: str = Field(default=CHART_TEXT, max_length=1000)
    finding: dict[str, FindingText] = Field(default_factory=dict)
    number: list[OwnNumber] = Field(default_factory=list, max_length=20)
    data: OwnData | None = None
    incident: list[IncidentText] = Field(default_factory=list, max_length=50)


def project_settings(content: dict[str, Any]) -> ProjectSettings:
    """Check the content of a ``project.toml``.

    Raises:
        UsageError: If a key is unknown or a value is not what it has to be.
    """
    return validate(ProjectSettings, content, source="project.toml")
