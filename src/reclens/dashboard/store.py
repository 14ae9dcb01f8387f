"""Cache of artefacts for the pages: each content is loaded once, however often a page is drawn.

The cache key is (folder, kind, name, time of writing), so that a rewritten artefact is read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from reclens.dashboard.advice import PAGE_TEXTS, field_of
from reclens.dashboard.kept_comparisons import kept_comparison
from reclens.data.read.frames import read_parquet
from reclens.errors import DataError, RecLensError
from reclens.evaluation import Comparison, Evaluation, compare
from reclens.evaluation.compare import Intervals
from reclens.evaluation.results import OVERALL
from reclens.evaluation.starting_points import hits_of_users, items_by_exposure
from reclens.evaluation.views import crossed as crossed_by
from reclens.schema import USER
from reclens.workspace import KINDS, Artefact, RunGroup, Workspace, run_groups
from reclens.workspace.artefact import changed_in

__all__ = [
    "MOST",
    "averaged",
    "begin",
    "begin_part",
    "compared",
    "crossed",
    "end",
    "estimates",
    "evaluations",
    "fitting",
    "groups",
    "item_exposures",
    "listing",
    "load",
    "names",
    "newest_together",
    "outdated_shown",
    "popular_of",
    "redraw_if_changed",
    "shared",
    "show_synthetic",
    "split_of",
    "synthetic_shown",
    "user_hits",
]

_BEGAN, _REDRAWN, _TURNS, _SYNTHETIC, _OLD = "_began_with", "_redrawn", 5, "_synthetic", "_outdated"
_SEEN = "_state_seen"

MOST = 8
"""Runs that are chosen to begin with."""


def listing(workspace: Workspace, kind: str | None = None) -> list[Artefact]:
    """Return the artefacts, newest first."""
    found = _listing(str(workspace.folder), _state(workspace))
    return [each for each in found if kind is None or each.kind == kind]


def names(workspace: Workspace, kind: str) -> list[str]:
    """Return the names of the artefacts of a kind, newest first."""
    return [each.name for each in listing(workspace, kind)]


def load(workspace: Workspace, kind: str, name: str) -> Any:
    """Load an artefact.

    Raises:
        UnknownNameError: If no artefact has that name.
        WorkspaceError: If it is broken.
    """
    return _all(workspace, kind, [name])[name]


def _all(workspace: Workspace, kind: str, chosen: Sequence[str]) -> dict[str, Any]:
    """Load artefacts by name; the workspace is listed once."""
    known = {each.name: each for each in listing(workspace, kind)}
    for each in (known[name] for name in chosen if name in known):
        if each.synthetic:
            show_synthetic(f"{kind} {each.name}")
        if each.outdated:
            how = each.made_again.said(field_of, text=PAGE_TEXTS[each.made_again.code])
            st.session_state.setdefault(_OLD, {})[f"{kind} {each.name}"] = how
    stamps = {name: each.created.isoformat() for name, each in known.items()}
    return {name: _load(str(workspace.folder), kind, name, stamps.get(name, "")) for name in chosen}


def show_synthetic(what: str) -> None:
    """Record that the page shows synthetic data or results on it."""
    st.session_state.setdefault(_SYNTHETIC, {})[what] = None


def synthetic_shown() -> bool:
    """Return whether this page shows synthetic data or results on it so far."""
    return bool(st.session_state.get(_SYNTHETIC))


def outdated_shown() -> dict[str, str]:
    """Return the artefacts on this page that an older version made, and how to make them again."""
    return dict(st.session_state.get(_OLD, {}))


def begin(workspace: Workspace) -> None:
    """Record the state of the workspace when a page begins."""
    st.session_state[_BEGAN] = workspace.stamps()
    st.session_state[_SYNTHETIC], st.session_state[_OLD] = {}, {}
    st.session_state[_SEEN] = {}


def begin_part(workspace: Workspace) -> None:
    """Begin to redraw a part of a page; redraw all of it if the workspace has changed since it began."""
    if workspace.stamps() != st.session_state.get(_BEGAN):
        st.rerun()
    st.session_state[_SEEN] = {}


def end() -> None:
    """Record that a page, or a part of it, is drawn."""
    st.session_state[_REDRAWN] = 0
    st.session_state[_SEEN] = None


def redraw_if_changed(workspace: Workspace) -> None:
    """Redraw the page if the workspace has changed since it began: a removed artefact is then absent, not an error.

    At most a few times in a row; the function returns if the error has another cause.
    """
    turns = st.session_state.get(_REDRAWN, 0) + 1
    with suppress(RecLensError):
        if turns <= _TURNS and workspace.stamps() != st.session_state.get(_BEGAN):
            st.session_state[_REDRAWN] = turns
            st.rerun()
    st.session_state[_REDRAWN] = 0


def evaluations(workspace: Workspace, chosen: Sequence[str]) -> dict[str, Evaluation]:
    """Load evaluations by name, in the requested order."""
    return _all(workspace, "evaluation", chosen)


def estimates(workspace: Workspace, chosen: Sequence[str]) -> pl.DataFrame:
    """Return the estimates of evaluations over all users without loading their users: one row per run and metric.

    Returns:
        ``run, created, system, metric, by, segment, n, value, low, high, level, note``, in the requested order.
    """
    stamps = {each.name: each.created for each in listing(workspace, "evaluation")}
    return _estimates(str(workspace.folder), tuple((name, stamps[name]) for name in chosen if name in stamps))


def compared(
    workspace: Workspace,
    chosen: Sequence[str],
    *,
    baseline: str,
    correction: str,
    metrics: Sequence[str],
    by: Sequence[str],
    intervals: Intervals = "single",
) -> Comparison:
    """Compare evaluations with a baseline, once for each choice. The first metric is the primary one.

    Raises:
        IncomparableError: If they were not measured alike.
    """
    stamps = tuple(each.created.isoformat() for each in listing(workspace, "evaluation") if each.name in chosen)
    return _compared(
        str(workspace.folder), tuple(chosen), stamps, baseline, correction, tuple(metrics), tuple(by), intervals
    )


def crossed(workspace: Workspace, chosen: Sequence[str], first: str, second: str) -> dict[str, Evaluation]:
    """Return evaluations by the product of two segmentations."""
    stamps = {each.name: each.created.isoformat() for each in listing(workspace, "evaluation")}
    return {name: _crossed(str(workspace.folder), name, stamps.get(name, ""), first, second) for name in chosen}


def groups(workspace: Workspace) -> list[RunGroup]:
    """Return groups of comparable evaluations; the default group of the pages comes first."""
    return _groups(str(workspace.folder), _state(workspace))


def user_hits(workspace: Workspace, split: str, runs: Sequence[str], k: int) -> pl.DataFrame:
    """Return the hits of each user under each system, computed once for each choice."""
    return _user_hits(str(workspace.folder), split, tuple(runs), _stamps(workspace, split, runs), k)


def item_exposures(workspace: Workspace, split: str, runs: Sequence[str], k: int) -> pl.DataFrame:
    """Return the number of lists of each system with each item, computed once for each choice."""
    return _item_exposures(str(workspace.folder), split, tuple(runs), _stamps(workspace, split, runs), k)


def newest_together(workspace: Workspace) -> list[str]:
    """Return the newest evaluations of the default group."""
    found = groups(workspace)
    return list(found[0].names[:MOST]) if found else []


def popular_of(workspace: Workspace, chosen: Sequence[str]) -> str:
    """Return the default baseline: the popular items, or else the first run."""
    cards = {name: card for group in groups(workspace) for name, card in group.cards.items()}
    models = {name: (cards.get(name, {}).get("lists") or {}).get("model") for name in chosen}
    return next((name for name, model in models.items() if model == "popular"), chosen[0])


def shared(results: Mapping[str, Evaluation]) -> tuple[list[str], list[str], list[str]]:
    """Return the metrics and the segmentations with equal segments that all evaluations share, in order of the first.

    The third item holds segmentations that all have by name but with different segments.
    """
    first, *others = results.values()
    metrics = [name for name in first.metrics if all(name in each.metrics for each in others)]
    named = [name for name in first.segments.columns if name != USER]
    named = [name for name in named if all(name in each.segments.columns for each in others)]
    alike = [name for name in named if len({_segments(each, name) for each in results.values()}) == 1]
    return metrics, alike, [name for name in named if name not in alike]


def averaged(results: Mapping[str, Evaluation]) -> list[str]:
    """Return the metrics that all evaluations average over users, in the order of the first."""
    first, *others = results.values()
    return [name for name in first.summary.columns if all(name in each.summary.columns for each in others)]


def split_of(workspace: Workspace, runs: Sequence[str]) -> str | None:
    """Return the newest split whose training part all these lists were learned from, or None.

    Lists without a record of their training data belong to the split of the evaluation with the same name; lists
    that were never measured fit any split.
    """
    wanted = set(runs)
    return next((name for name in names(workspace, "split") if wanted <= fitting(workspace, name)), None)


def fitting(workspace: Workspace, split: str) -> frozenset[str]:
    """Return the lists that were learned from the training part of a split or measured on it, if recorded.

    An unreadable split has none.
    """
    try:
        return _fitting(str(workspace.folder), _state(workspace), split)
    except DataError:
        return frozenset()


def _state(workspace: Workspace) -> str:
    """Return the stamps of all artefacts as one text, because Streamlit hashes nested tuples slowly.

    While a page is drawn they are read again only if a folder has changed: hundreds of runs are many stamps.
    """
    seen = st.session_state.get(_SEEN) if get_script_run_ctx(suppress_warning=True) else None
    if seen is None:
        return str(workspace.stamps())
    changed = (str(workspace.folder), *(changed_in(workspace.folder / kind) for kind in KINDS))
    if changed not in seen:
        seen[changed] = str(workspace.stamps())
    return seen[changed]


def _stamps(workspace: Workspace, split: str, runs: Sequence[str]) -> tuple[str, ...]:
    wanted = {("split", split), *(("run", name) for name in runs)}
    return tuple(each.created.isoformat() for each in listing(workspace) if (each.kind, each.name) in wanted)


def _segments(result: Evaluation, by: str) -> frozenset[str]:
    return frozenset(label for name, label in result.summary.cells if name == by)


@st.cache_resource(show_spinner=False, max_entries=8)
def _listing(folder: str, state: str) -> list[Artefact]:
    del state  # not the folder times: two writes within one clock tick would look like one
    return Workspace(folder).list()


@st.cache_resource(show_spinner=False, max_entries=8)
def _groups(folder: str, state: str) -> list[RunGroup]:
    return run_groups(_listing(folder, state))


@st.cache_resource(show_spinner="Reading the workspace …", max_entries=128)
def _load(folder: str, kind: str, name: str, stamp: str) -> Any:
    del stamp
    found = Workspace(folder).load(kind, name)
    # A run is called the same in every table and chart, also where several are of one system.
    return replace(found, system=name) if isinstance(found, Evaluation) else found


@st.cache_resource(show_spinner="Reading the runs …", max_entries=16)
def _estimates(folder: str, chosen: tuple[tuple[str, datetime], ...]) -> pl.DataFrame:
    columns = ["system", "metric", "by", "segment", "n", "value", "low", "high", "level", "note"]
    tables = []
    for name, created in chosen:
        with suppress(OSError, pl.exceptions.PolarsError):  # an artefact removed in the meantime is absent
            found = read_parquet(Path(folder) / "evaluation" / name / "estimates.parquet").select(columns)
            found = found.filter(pl.col("by") == OVERALL[0])
            tables.append(found.with_columns(pl.lit(name).alias("run"), pl.lit(created).alias("created")))
    return pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame(schema=["run", "created", *columns])


@st.cache_resource(show_spinner="Comparing user by user …", max_entries=64)
def _compared(
    folder: str,
    chosen: tuple[str, ...],
    stamps: tuple[str, ...],
    baseline: str,
    correction: str,
    metrics: tuple[str, ...],
    by: tuple[str, ...],
    intervals: Intervals,
) -> Comparison:
    def make() -> Comparison:
        found: Mapping[str, Evaluation] = evaluations(Workspace(folder), chosen)
        return compare(
            found, baseline=baseline, correction=correction, metrics=list(metrics), by=list(by), intervals=intervals
        )

    return kept_comparison(folder, [chosen, stamps, baseline, correction, metrics, by, intervals], make)


@st.cache_resource(show_spinner="Crossing segments …", max_entries=128)
def _crossed(folder: str, name: str, stamp: str, first: str, second: str) -> Evaluation:
    del stamp
    return crossed_by(load(Workspace(folder), "evaluation", name), first, second)


@st.cache_resource(show_spinner="Counting hits …", max_entries=32)
def _user_hits(folder: str, split: str, runs: tuple[str, ...], stamps: tuple[str, ...], k: int) -> pl.DataFrame:
    del stamps
    place = Workspace(folder)
    return hits_of_users({name: load(place, "run", name) for name in runs}, load(place, "split", split).test, k=k)


@st.cache_resource(show_spinner="Counting lists …", max_entries=32)
def _item_exposures(folder: str, split: str, runs: tuple[str, ...], stamps: tuple[str, ...], k: int) -> pl.DataFrame:
    del stamps
    place = Workspace(folder)
    return items_by_exposure({name: load(place, "run", name) for name in runs}, load(place, "split", split).train, k=k)


@st.cache_resource(show_spinner=False, max_entries=64)
def _fitting(folder: str, state: str, split: str) -> frozenset[str]:
    # Read only the cards: a workspace has many runs with large lists.
    train = load(Workspace(folder), "split", split).train.fingerprint
    measured = {name: card for group in _groups(folder, state) for name, card in group.cards.items()}
    found: set[str] = set()
    for each in _listing(folder, state):
        if each.kind == "run":
            told = (each.card.get("lists", {}), measured.get(each.name, {}))
            hashes = [(card.get("train") or {}).get("hash") for card in told]
            if next((known for known in hashes if known is not None), train) == train:
                found.add(each.name)
    return frozenset(found)
