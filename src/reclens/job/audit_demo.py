"""The demonstration of an audit: three models on a split by time, and the winner audited beside Popular.

Without data it is made on a synthetic marketplace, whose own lists have a bias that is known: what an audit of those
finds can be held against what was put in.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.audit.measure import POPULARITY
from reclens.audit.result import Audit
from reclens.data.dataset import Dataset
from reclens.data.split.time import by_time
from reclens.evaluation import Evaluation
from reclens.files import write_bytes
from reclens.job.audit_settings import AuditJobSettings, validate_audit_settings
from reclens.job.settings import JobSettings, validate_settings
from reclens.schema import ITEM, TIMESTAMP, USER
from reclens.stats.estimate import Estimate
from reclens.workspace import Workspace
from reclens.world.marketplace import Injected, draw_marketplace

__all__ = ["audits_of", "demo_job", "found_of_injected", "keep_candidates", "keep_market", "ranked"]

_NAME: Final = "audit-demo"
_METRIC: Final = "ndcg@10"
_PROTECTED: Final = ("gender", "age", "age_band", "income", "income_band")
_INJECTED: Final = Injected(exposure=0.75, ndcg_gap=0.06)
_DATA, _LISTS, _CANDIDATES = f"{_NAME}-data", f"{_NAME}-marketplace", f"{_NAME}-candidates"
_SECONDS: Final = 60.0
"""For the search of each model: a catalogue of tens of thousands makes one fit of EASE a matter of minutes."""
_DEPTH: Final = 100
"""Places of the candidates of mitigations."""
_USERS: Final = 100
"""Mitigations are tried where there are so many users: half of them are set aside for the choice."""
_TRIED: Final = {
    "popularity_discount": [0.05, 0.1, 0.2, 0.3],
    "calibrated": [0.2, 0.4, 0.6],
    "dual_prices": [0.25, 0.5, 1.0],
}
_MOST: Final = 12
"""Values of an attribute that makes groups; one with more of them would be searched, not audited."""


def keep_market(workspace: Workspace, *, seed: int = 0) -> Injected:
    """Draw the marketplace of the demonstration, and keep its split by time, its lists and its log in the workspace.

    Args:
        workspace: Where they are kept.
        seed: Seed of the random numbers.

    Returns:
        The bias that its lists have.
    """
    market = draw_marketplace(injected=_INJECTED, seed=seed)
    log = io.BytesIO()
    market.log.write_parquet(log)
    write_bytes(_log_of(workspace), log.getvalue())
    cut: Any = market.truth[TIMESTAMP].min()
    workspace.save(by_time(market.data, at=cut, validation_share=0.1), _DATA, overwrite=True)
    workspace.save(market.lists, _LISTS, overwrite=True)
    return market.injected


def _log_of(workspace: Workspace) -> Path:
    return workspace.folder / "reports" / f"{_NAME}-log.parquet"


def demo_job(data: str | None, *, seed: int = 0) -> JobSettings:
    """Popular, item-kNN and EASE, tuned on a validation part, on a split by time.

    Args:
        data: The data set; without it the split that :func:`keep_market` kept.
        seed: Seed of the random numbers.
    """
    content: dict[str, Any] = {
        "name": _NAME,
        "title": "The models that are audited",
        "seed": seed,
        "split": {"kept": _DATA},
        "models": {"popular": {}, "item_knn": {}, "ease": {}},
        "tune": {"models": ["item_knn", "ease"], "metric": _METRIC, "trials": 5, "seconds": _SECONDS},
        "evaluate": {"metrics": [_METRIC, "recall@10", "novelty@10"], "k": 10, "replicates": 400},
    }
    if data is not None:
        content["data"] = {"path": data}
        content["split"] = {"method": "by_time", "test_share": 0.2, "validation_share": 0.1}
    return validate_settings(content, source="audit demo")


def found_of_injected(injected: Injected, audit: Audit) -> dict[str, tuple[float, Estimate]]:
    """What was put into the lists of the marketplace, and what the audit of them measures.

    Returns:
        Measure -> what was injected, and the number with its interval: ``exposure_share`` of the partner seller against
        merit as a ratio, the difference in ``ndcg@10`` of households with a low income, and the attention that the
        second place gets, of that of the first, where the log was audited.
    """
    known = {(row.measure, row.subject, row.reference): row for row in audit.rows if row.by in ("overall", "income")}
    found = {
        "exposure_share": (injected.exposure, known["exposure_share", "partner", "merit"].ratio),
        _METRIC: (-injected.ndcg_gap, known[_METRIC, "low", "rest"].difference),
    }
    if audit.position is not None:
        found["examination"] = (2.0**-injected.examination, audit.position.examination[1])
    return found


def ranked(results: Mapping[str, Evaluation]) -> list[str]:
    """The systems by NDCG, the largest first."""
    return sorted(results, key=lambda name: -results[name][_METRIC].overall.value)


def keep_candidates(workspace: Workspace, model: str) -> bool:
    """Keep long lists of a model, which mitigations choose from, where there are users enough to try any.

    Returns:
        Whether there are.
    """
    users = workspace.load("split", _NAME).test_users
    if len(users) < _USERS:
        return False
    lists = workspace.load("model", f"{_NAME}-{model}").recommend(users, k=_DEPTH)
    workspace.save(lists, _CANDIDATES, overwrite=True)
    return True


def audits_of(
    workspace: Workspace, other: str, *, market: bool = False, mitigate: bool = False
) -> dict[str, AuditJobSettings]:
    """The audits of Popular, of another system, and of the lists of the marketplace: system -> settings.

    Args:
        workspace: Where the split and the lists are.
        other: The system beside Popular.
        market: Whether the lists of the marketplace are audited.
        mitigate: Whether mitigations of the other system are tried against what the tail lacks: see
            :func:`keep_candidates`.
    """
    train = workspace.load("split", _NAME).train
    by, attributes = _user_groups(train), _item_attributes(train)
    content: dict[str, Any] = {
        "data": {"split": _NAME},
        "audit": {
            "k": 10,
            "metrics": [_METRIC, "recall@10", "novelty@10", "serendipity@10", "arp@10"],
            "by": by,
            "attributes": [POPULARITY, *attributes],
            "protected": [each for each in by if each in _PROTECTED],
        },
        "sensitivity": {"k": [5], "attention": ["rbp"]},
        "report": {
            "auditor": "reclens audit demo",
            "independence": "A demonstration: the models and the audit come from one tool.",
            "surface": "a list of ten, as on a home page",
        },
    }
    told = {
        "popular": "It shows everybody the items with the most users, less those that the user has already.",
        "item_knn": "It shows items that the users of your items have too.",
        "ease": "It weighs for each item how well every other item that you have predicts it.",
        "marketplace": "It draws products by their appeal, and the seller 'partner' less often than it is bought from.",
    }
    found = {}
    systems = ["popular", other, *(["marketplace"] if market else [])]
    for system in dict.fromkeys(systems):
        report = {**content["report"], "system": told.get(system), "title": f"Fairness and bias audit of {system}"}
        report["parameters"] = ["What you interacted with before.", "Items that you have are left out."]
        settings = {**content, "report": report, "name": f"{_NAME}-{system}", "lists": f"{_NAME}-{system}"}
        if mitigate and system == other:  # what the scores chose, of which the first places are shown
            settings |= {"lists": _CANDIDATES, "audit": content["audit"] | {"retrieved": _DEPTH}}
            gap = {"attribute": POPULARITY, "group": "tail", "baseline": "merit"}
            settings["mitigation"] = {**gap, "rerank": _TRIED, "weights": {}, "most_lost": 0.05}
        if market:
            settings |= _of_the_market(system, settings, workspace)
        found[system] = validate_audit_settings(settings, source="audit demo")
    return found


def _of_the_market(system: str, settings: dict[str, Any], workspace: Workspace) -> dict[str, Any]:
    """What the marketplace has beside its lists: a log of impressions for its own, a feedback loop for the models."""
    if system == "marketplace":
        data = settings["data"] | {"log": str(_log_of(workspace))}
        return {"data": data, "audit": settings["audit"] | {"two_sided": True}}
    model = workspace.load("model", f"{_NAME}-{system}")
    parameters = {each.name: getattr(model, each.name) for each in fields(model) if each.init}
    return {"model": {"name": system, "parameters": parameters}, "loop": {"rounds": 4, "seeds": 3}}


def _user_groups(train: Dataset) -> list[str]:
    """Segmentations of the split, then attributes of users with a few values."""
    made = [] if train.segments is None else [name for name in train.segments.columns if name != USER]
    made = [name for name in made if train.segments is not None and train.segments[name].n_unique() <= _MOST]
    return made + [name for name in _few(train.users, USER) if name not in made]


def _item_attributes(train: Dataset) -> list[str]:
    """Attributes of items that make groups: labels with several items each."""
    return _few(train.items, ITEM, most=max(2, len(train.item_vocabulary) // 5))


def _few(table: pl.DataFrame | None, key: str, *, most: int = _MOST) -> list[str]:
    found = []
    for name in table.columns if table is not None else ():
        column = table[name]  # type: ignore[index]
        listed = isinstance(column.dtype, pl.List)
        values = (column.explode() if listed else column).drop_nulls()
        if name != key and (listed or values.dtype in (pl.String, pl.Boolean) or isinstance(values.dtype, pl.Enum)):
            found += [name] if 2 <= values.n_unique() <= most else []
    return found
