"""Artefacts of a workspace in a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.report._toolkit.format import (
    count_of,
    format_estimate,
    in_words,
    listed,
    percent,
    significant,
    typed,
    whole,
)
from reclens.workspace import Artefact

__all__ = ["artefact_summary"]

_About = Mapping[str, Any]


def artefact_summary(artefact: Artefact) -> str:
    """What an artefact is, in a line: its sizes, first numbers or outcomes.

    Example:
        >>> from datetime import UTC, datetime
        >>> from pathlib import Path
        >>> about = {"system": "ours", "rows": 2_000, "users": 200}
        >>> where = {"created": datetime.now(UTC), "bytes": 0, "path": Path()}
        >>> artefact_summary(Artefact(kind="run", name="a", about=about, card={"kind": "run"}, **where))
        'ours: 2,000 rows for 200 users'
    """
    about = artefact.about
    if artefact.broken:
        return "broken: its card cannot be read"
    if "summary" in about:  # of a version that kept the sentence
        return str(about["summary"])
    words = _WORDS.get(artefact.kind)
    return words(about) if words is not None and about else ""


def _dataset(about: _About) -> str:
    sizes = f"{whole(about['users'])} users with {whole(about['items'])} items"
    return f"{about['name']}: {whole(about['interactions'])} interactions of {sizes}"


def _split(about: _About) -> str:
    parts = [f"{name.replace('_', '-')} {whole(n)}" for name, n in about["parts"].items()]
    return f"{about['name']}: interactions, {', '.join(parts)}"


def _model(about: _About) -> str:
    return ", ".join([about["name"], *(f"{name} {_value(each)}" for name, each in about["changed"].items())])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list):
        return " ".join(map(_value, value))
    return typed(value) if isinstance(value, float) else "none" if value is None else str(value)


def _evaluation(about: _About) -> str:
    shown = [f"{name} {_estimate(name, found)}" for name, found in about["metrics"].items()]
    return f"{about['system']}: {', '.join(shown)}{', …' if about['more'] else ''}"


def _estimate(metric: str, found: Mapping[str, Any]) -> str:
    return format_estimate({**found, "metric": metric})


def _counted(counts: Mapping[str, int], codes: tuple[str, ...] | None = None) -> str:
    return ", ".join(f"{whole(counts[code])} {in_words(code)}" for code in codes or counts if counts.get(code))


def _comparison(about: _About) -> str:
    return f"{about['metric']} against {about['baseline']}: {_counted(about['outcomes'])}"


def _tuning(about: _About) -> str:
    shown = ", ".join(f"{model} {_estimate(about['metric'], found)}" for model, found in about["best"].items())
    return f"{about['metric']} by {in_words(about['method'])}: {shown}; {count_of(about['cautions'], 'caution')}"


def _weights(about: _About) -> str:
    shares = ", ".join(f"{label} {significant(weight, 3)}" for label, weight in about["weights"].items())
    gain = f"{significant(about['gain'], 3, signed=True)} over {about['single']} alone"
    return f"{shares}: {about['metric']} {_estimate(about['metric'], about['value'])}, {gain}"


def _plan(about: _About) -> str:
    arms = ", ".join(f"{arm} {percent(share, 0)}" for arm, share in about["arms"].items())
    return f"{about['name']}: {arms}; {', '.join(about['primary'])}"


def _readout(about: _About) -> str:
    decided = [f"{arm} {in_words(code)}" for arm, code in about["decisions"].items()]
    return f"{about['name']}: {listed(decided)}"


def _space(about: _About) -> str:
    gone = f", {whole(about['left_out'])} without a vector" if about["left_out"] else ""
    of = "queries" if about["entity"] == "query" else f"{about['entity']}s"
    return f"{about['model']}: {whole(about['rows'])} {of}, {whole(about['dimension'])} dimensions{gone}"


def _exploration(about: _About) -> str:
    told = _counted(about["findings"], ("critical", "warning", "note")) or "none"
    return f"{about['name']}: {whole(about['items'])} items of {about['space']}; findings: {told}"


def _health(about: _About) -> str:
    told = f"{whole(about['series'])} series, {whole(about['moved'])} moved, {count_of(about['incidents'], 'incident')}"
    return f"{about['system']}, {about['day']}: {told}; gate {in_words(about['gate'])}"


_WORDS: Final[Mapping[str, Callable[[_About], str]]] = {
    "dataset": _dataset,
    "split": _split,
    "model": _model,
    "pipeline": lambda about: " → ".join(about["stages"]),
    "run": lambda about: f"{about['system']}: {whole(about['rows'])} rows for {whole(about['users'])} users",
    "evaluation": _evaluation,
    "comparison": _comparison,
    "tuning": _tuning,
    "weights": _weights,
    "plan": _plan,
    "readout": _readout,
    "audit": lambda about: f"{about['system']}: {_counted(about['opinions']) or 'nothing measured'}",
    "space": _space,
    "exploration": _exploration,
    "health": _health,
}
