"""Exercise 3.1: a pipeline that answers six kinds of request, and the diagram of what runs."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.mermaid import edges_of

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset
    from reclens.pipeline import Pipeline

__all__ = ["WireIt"]

_LENGTH: Final = 10
_BUDGET: Final = 80
"""Most items that the retrievers may bring for a request, together."""
_USERS: Final = 120
_ITEMS: Final = 160
_NEW: Final = 24
_CATEGORIES: Final = ("books", "games", "music", "tools", "toys")
_MODELS: Final = frozenset(
    {"als", "bpr", "content", "ease", "item_knn", "popular", "pure_svd", "random", "rp3beta", "slim", "user_knn"}
)
_FILTERS: Final = frozenset({"available", "seen"})
_WHOLE_NUMBERS: Final = re.compile(r"^[\d,]+ users$")


@dataclass(frozen=True, eq=False, kw_only=True)
class _Shop:
    """A shop whose bestsellers are often sold out.

    Attributes:
        interactions: Columns ``user_id, item_id``.
        items: Columns ``item_id, category, stock, region, shelf``; a category is a list of one.
        heavy: The user who has had most items.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame
    heavy: int

    def had(self, user: int) -> set[int]:
        """Items of a user."""
        return set(self.interactions.filter(user_id=user)["item_id"].to_list())

    def ids(self, **where: Any) -> set[int]:
        """Items with these attributes."""
        return set(self.items.filter(**where)["item_id"].to_list())

    def broad(self) -> list[int]:
        """Users whose categories hold new items enough for a list."""
        new = self.items.filter(shelf="new").explode("category")
        had = (
            self.interactions.join(self.items.explode("category"), on="item_id").select("user_id", "category").unique()
        )
        counts = had.join(new, on="category").group_by("user_id").len().filter(pl.col("len") >= _LENGTH + 2)
        return counts.sort("user_id")["user_id"].to_list()

    @property
    def sold_out(self) -> set[int]:
        """Items that no list may hold."""
        return self.ids(stock=0)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """One request.

    Attributes:
        kind: What is special about it.
        user: Who asks.
        illegal: Items that the list may not hold, beside those that are sold out.
        options: Further arguments of the pipeline.
        without: Label of the retriever that is down.
    """

    kind: str
    user: int
    illegal: frozenset[int]
    options: Mapping[str, Any]
    without: str | None = None


class WireIt(Exercise):
    """The pipeline is fitted and asked; the lists are judged by the rules of the shop alone."""

    code = "3.1"
    name = "wire_it"
    files = ("pipeline.toml", "diagram.mmd")
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """Length, budget, and the models that may be used."""
        return {"k": _LENGTH, "budget": _BUDGET, "models": ", ".join(f"`{name}`" for name in sorted(_MODELS))}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """What users had, and the items."""
        shop = _shop(draw)
        shop.interactions.write_parquet(folder / "interactions.parquet")
        shop.items.write_parquet(folder / "items.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """One retriever, and its diagram."""
        return {
            "pipeline.toml": toml_header(draw) + 'name = "shop"\nretrieve.popular = { k = 10 }\n',
            "diagram.mmd": _DIAGRAM + "  request --> popular\n  popular --> list\n",
        }

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Fit the pipeline, send the requests, then compare the diagram with the steps that ran."""
        given = tomllib.loads(answer["pipeline.toml"])
        found = list(_unfit(given))
        yield from found
        if found:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # short lists are what is looked for
            try:
                yield from _runs(given, _shop(draw), draw, answer["diagram.mmd"])
            except RecLensError as error:
                yield Remark("no_pipeline", {"error": str(error)})

    def solve(self, draw: Draw, folder: Path) -> None:
        """A retriever for each kind of request, and the filter behind the ranker."""
        _write(draw, folder, _RIGHT)


def _unfit(given: Mapping[str, Any]) -> Iterator[Remark]:
    """What rules a pipeline out before it is fitted."""
    retrieve, rank, rerank = (given.get(key) or {} for key in ("retrieve", "rank", "rerank"))
    stages: list[Any] = [*retrieve.values(), rank] if isinstance(retrieve, dict) else [None]
    stages += list(rerank) if isinstance(rerank, list | dict) else [None]
    if not all(isinstance(each, dict) for each in stages):
        yield Remark("no_stages")
        return
    if len(retrieve) < 2:
        yield Remark("too_few_retrievers", {"seen": len(retrieve)})
    if "model" not in rank:
        yield Remark("no_ranker")
    if all(str(about.get("kind")) in _FILTERS for about in rerank):
        yield Remark("no_reranker")
    names = [str(about.get("model", label)) for label, about in retrieve.items()]
    for name in [*names, str(rank["model"])] if "model" in rank else names:
        if name not in _MODELS:
            yield Remark("model_not_allowed", {"seen": name, "expected": sorted(_MODELS)})
    brought = sum(about["k"] for about in retrieve.values() if isinstance(about.get("k"), int))
    if brought > _BUDGET:
        yield Remark("over_budget", {"seen": brought, "most": _BUDGET})


def _runs(given: Mapping[str, Any], shop: _Shop, draw: Draw, diagram: str) -> Iterator[Remark]:
    train = _dataset(shop)
    whole = _pipeline(given).fit(train)
    labels = list(given["retrieve"])
    down = {label: _pipeline(given, without=label).fit(train) for label in labels}
    said: set[tuple[str, str, str]] = set()
    for request in (request for each in draw.hidden() for request in _requests(shop, labels, each)):
        shown = _answered(whole if request.without is None else down[request.without], request)
        for remark in _faults(request, shown, shop.sold_out):
            if (key := (remark.code, request.kind, request.without or "")) not in said:
                said.add(key)  # the first request of a kind shows what is wrong
                yield remark
    yield from _compared(diagram, _edges_that_ran(whole, shop.heavy))


def _faults(request: _Request, shown: list[int], sold_out: set[int]) -> Iterator[Remark]:
    facts: dict[str, Fact] = {"kind": request.kind, "down": request.without or "", "k": _LENGTH}
    if len(shown) < _LENGTH:
        yield Remark("pipeline_short_list", {**facts, "seen": len(shown)})
    illegal = len(set(shown) & (request.illegal | sold_out)) + len(shown) - len(set(shown))
    if illegal:
        yield Remark("pipeline_illegal_items", {**facts, "seen": illegal})


def _answered(pipeline: Pipeline, request: _Request) -> list[int]:
    lists = pipeline.recommend([request.user], k=_LENGTH, cold_users="none", **request.options).table
    return lists.sort("rank")["item_id"].to_list()


def _requests(shop: _Shop, labels: list[str], draw: Draw) -> Iterator[_Request]:
    """Six requests, drawn anew; the retriever that is down is each in turn."""
    rng = draw.rng("requests")
    users = rng.choice(np.setdiff1d(np.arange(1, _USERS + 1), [shop.heavy]), 3 + len(labels), replace=False).tolist()
    none = pl.DataFrame(schema={"user_id": pl.Int64, "item_id": pl.Int64})
    yield _Request(kind="new_user", user=int(rng.integers(10_000, 90_000)), illegal=frozenset(), options={})
    old = shop.ids(shelf="old")
    browser = int(rng.choice(shop.broad()))
    yield _Request(kind="new_items", user=browser, illegal=frozenset(old), options={"exclude": sorted(old)})
    closed = shop.ids(region=("north", "south")[int(rng.integers(2))])
    yield _Request(
        kind="region",
        user=users[1],
        illegal=frozenset(closed | shop.had(users[1])),
        options={"exclude": sorted(closed)},
    )
    empty = {"history": none, "history_mode": "replace"}
    yield _Request(kind="empty_history", user=users[2], illegal=frozenset(), options=empty)
    yield _Request(kind="heavy_user", user=shop.heavy, illegal=frozenset(shop.had(shop.heavy)), options={})
    for label, user in zip(labels, users[3:], strict=True):
        yield _Request(kind="retriever_down", user=user, illegal=frozenset(shop.had(user)), options={}, without=label)


def _edges_that_ran(pipeline: Pipeline, user: int) -> set[tuple[str, str]]:
    """The edges of the run, from its own steps."""
    steps = pipeline.run([user], k=_LENGTH, cold_users="none").steps
    retrievers = [step.label for step in steps if step.stage == "retrieve"]
    chain = [f"{step.stage}: {step.label}" for step in steps if step.stage in ("rank", "rerank")]
    edges = {("request", label) for label in retrievers} | {(label, "candidates") for label in retrievers}
    line = ["candidates", *chain, "list"]
    return edges | set(pairwise(line))


def _compared(diagram: str, ran: set[tuple[str, str]]) -> Iterator[Remark]:
    drawn = {(_canonical(source), _canonical(target)) for source, target in edges_of(diagram)}
    if not drawn:
        yield Remark("no_diagram")
        return
    missing, extra = sorted(ran - drawn), sorted(drawn - ran)
    if missing or extra:
        yield Remark("diagram_differs", {"missing": len(missing), "extra": [f"{a} --> {b}" for a, b in extra]})


def _canonical(title: str) -> str:
    """The name of a node; the ends of the diagram that the product draws are the request and the list."""
    if _WHOLE_NUMBERS.match(title):
        return "request"
    return "list" if title == f"the first {_LENGTH}" else title


def _pipeline(given: Mapping[str, Any], *, without: str | None = None) -> Pipeline:
    from reclens.pipeline import Pipeline
    from reclens.pipeline.settings import PipelineSettings
    from reclens.settings import validate

    held = validate(PipelineSettings, dict(given), source="pipeline.toml").model_dump()
    held["retrieve"] = {label: about for label, about in held["retrieve"].items() if label != without}
    return Pipeline(**held)


def _dataset(shop: _Shop) -> Dataset:
    from reclens.data.dataset import Dataset

    return Dataset(shop.interactions, items=shop.items)


@lru_cache(maxsize=8)
def _shop(draw: Draw) -> _Shop:
    """Bestsellers are sold out more often, and one user has had two thirds of the catalogue."""
    rng = draw.rng("shop")
    categories = rng.permutation(np.repeat(_CATEGORIES, _ITEMS // len(_CATEGORIES)))
    place = rng.permutation(_ITEMS)  # 0 sells best
    old = np.sort(rng.choice(_ITEMS, _ITEMS - _NEW, replace=False))
    tastes = rng.dirichlet([0.6] * len(_CATEGORIES), _USERS)
    weight = 1 / (5 + place[old])
    rows: list[tuple[int, int]] = []
    heavy = int(rng.integers(1, _USERS + 1))
    for user in range(1, _USERS + 1):
        chance = weight * (0.2 + tastes[user - 1][[_CATEGORIES.index(each) for each in categories[old]]])
        count = round(0.65 * _ITEMS) if user == heavy else int(rng.integers(8, 30))
        rows += [(user, int(item) + 1) for item in rng.choice(old, count, replace=False, p=chance / chance.sum())]
    new = ~np.isin(np.arange(_ITEMS), old)
    sold_out = (rng.random(_ITEMS) < np.where(place < 40, 0.5, 0.1)) & ~new
    items = pl.DataFrame(
        {
            "item_id": np.arange(1, _ITEMS + 1),
            "category": [[each] for each in categories.tolist()],
            "stock": np.where(sold_out, 0, rng.integers(1, 50, _ITEMS)),
            "region": rng.choice(["both", "north", "south"], _ITEMS, p=[0.5, 0.25, 0.25]),
            "shelf": np.where(new, "new", "old"),
        }
    )
    return _Shop(interactions=pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"), items=items, heavy=heavy)


_DIAGRAM: Final = "flowchart TB\n"
_RIGHT: Final[Mapping[str, Any]] = {
    "retrieve": {"item_knn": 15, "content": 25, "popular": 40},
    "rank": 'rank = { model = "ease", l2 = 50.0, keep = 80 }',
    "rerank": {"available": 'where = "stock > 0"', "mmr": "weight = 0.3"},
}


def _write(draw: Draw, folder: Path, parts: Mapping[str, Any], *, drawn: Mapping[str, Any] | None = None) -> None:
    """The pipeline, and the diagram of it or of another."""
    features = {"content": 'features = ["category"], '}
    lines = ['name = "shop"']
    lines += [f"retrieve.{label} = {{ {features.get(label, '')}k = {k} }}" for label, k in parts["retrieve"].items()]
    lines.append(parts["rank"])
    for kind, more in parts["rerank"].items():
        lines += ["[[rerank]]", f'kind = "{kind}"', more]
    (folder / "pipeline.toml").write_text(toml_header(draw) + "\n".join(lines) + "\n", encoding="utf-8")
    shown = drawn or parts
    chain = [f"r{at}[rerank: {at} {kind}]" for at, kind in enumerate(shown["rerank"], 1)]
    edges = [f"  request --> {label} --> candidates" for label in shown["retrieve"]]
    edges += ["  " + " --> ".join(["candidates", "ranker[rank: ease]", *chain, "list"])]
    (folder / "diagram.mmd").write_text(_DIAGRAM + "\n".join(edges) + "\n", encoding="utf-8")


def _but(**parts: Any) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right pipeline with one part otherwise."""
    return lambda draw, folder: _write(draw, folder, {**_RIGHT, **parts})


def _drawn(**parts: Any) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right pipeline with the diagram of another."""
    return lambda draw, folder: _write(draw, folder, _RIGHT, drawn={**_RIGHT, **parts})


WireIt.wrong = {
    "no fallback": _but(retrieve={"item_knn": 40, "content": 40}),
    "no content": _but(retrieve={"item_knn": 40, "popular": 40}),
    "too shallow": _but(retrieve={"item_knn": 10, "content": 12, "popular": 12}),
    "keep of ten": _but(rank='rank = { model = "ease", l2 = 50.0, keep = 10 }'),
    "sold out": _but(rerank={"mmr": "weight = 0.3"}),
    "over budget": _but(retrieve={"item_knn": 100, "content": 100, "popular": 100}),
    "filter alone": _but(rerank={"available": 'where = "stock > 0"'}),
    "diagram in another order": _drawn(rerank=dict(reversed(_RIGHT["rerank"].items()))),
    "diagram without a retriever": _drawn(retrieve={"item_knn": 15, "popular": 40}),
}
