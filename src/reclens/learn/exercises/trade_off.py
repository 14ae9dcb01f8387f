"""Exercise 3.3: architectures compared by relevance and diversity, with claims that hold on another split too."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.claims import (
    APART,
    CLAIMS,
    GREATER,
    RELATIONS,
    Z_SHOWN,
    Claim,
    Values,
    all_pairs,
    holds,
    read_claims,
    some_apart,
    z_of,
)
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.model_lists import BASELINE, LEAST_MODELS, MODELS, Lists, read_lists, unfit_models
from reclens.learn.two_splits import (
    HEAD,
    LENGTH,
    METRICS,
    Split,
    fitted_lists,
    make_split,
    paired,
    values_of,
)

__all__ = ["TradeOff"]

_ROOM: Final = 0.1
"""How far an end may lie from that of the t interval, as a share of the width."""
_EXACT: Final = 1e-3
_SAME: Final = 0.9
"""Share of the places that a model that is fitted again has to fill with the same items."""
_Z_HIDDEN: Final = 5.0
"""On the hidden split two that cannot be told apart may differ by up to this: models learn from other rows there, which
moves a difference by more than its standard error over users says."""


class TradeOff(Exercise):
    """Metrics and intervals are computed here by definition; the models are fitted again for the hidden split."""

    code = "3.3"
    name = "trade_off_with_proof"
    files = ("answer.toml", "lists.csv")
    minutes = 120

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """Models, metrics, segments and the grammar of claims."""
        return {
            "k": LENGTH,
            "least": LEAST_MODELS,
            "claims": CLAIMS,
            "models": ", ".join(f"`{name}`" for name in sorted(MODELS)),
            "room": round(100 * _ROOM),
            "baseline": BASELINE,
            "head": HEAD,
            "apart": round(_Z_HIDDEN),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The learner's own split."""
        split = make_split(draw, draw)
        split.train.interactions.write_parquet(folder / "train.parquet")
        assert split.train.items is not None
        split.train.items.write_parquet(folder / "items.parquet")
        split.truth.write_parquet(folder / "truth.parquet")
        split.users.write_parquet(folder / "users.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """The baseline alone, and no list."""
        claims = [Claim(a="", relation=APART, b=BASELINE, metric="ndcg", segment="all")] * CLAIMS
        return {
            "answer.toml": _toml(draw, {BASELINE: {}}, {}, [BASELINE], claims),
            "lists.csv": "model,user_id,rank,item_id\n",
        }

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Read lists and models, then the table, then the claims."""
        given = tomllib.loads(answer["answer.toml"])
        models = given.get("models")
        found = list(unfit_models(models))
        yield from found
        if found or not isinstance(models, dict):
            return
        split = make_split(draw, draw)
        lists = read_lists(answer["lists.csv"], models)
        if isinstance(lists, Remark):
            yield lists
            return
        try:
            found = [remark for name in models for remark in _other_lists(name, models[name], lists[name], split, draw)]
        except RecLensError as error:
            yield Remark("no_model", {"error": str(error)})
            return
        yield from found
        values = {name: values_of(split, each) for name, each in lists.items()}
        yield from _table(given.get("table"), values)
        yield from _front(given.get("pareto"), values)
        yield from _claims(given.get("claims"), models, values, split, draw)

    def solve(self, draw: Draw, folder: Path) -> None:
        """Claim what is far from 0, and what stays close to it when the training data are split again."""
        split = _read_split(folder)
        _write(draw, folder, _lists_of(split), _values_of(split), _best_claims(split, draw))


def _other_lists(name: str, parameters: Mapping[str, Any], lists: Lists, split: Split, draw: Draw) -> Iterator[Remark]:
    """Say where lists are not those of the model, fitted again."""
    fitted = _fitted(draw, draw, name, _frozen(parameters))
    shared = [len(set(lists.get(user, [])) & set(items)) / max(1, len(items)) for user, items in fitted.items()]
    repeated = sum(len(items) - len(set(items)) for items in lists.values())
    if not lists or float(np.mean(shared)) < _SAME or repeated:
        seen = round(100 * float(np.mean(shared)))
        yield Remark(
            "lists_of_another", {"model": name, "seen": seen, "least": round(100 * _SAME), "repeated": repeated}
        )


Frozen = tuple[tuple[str, Any], ...]


def _frozen(parameters: Mapping[str, Any]) -> Frozen:
    return tuple(sorted(parameters.items()))


@lru_cache(maxsize=64)
def _fitted(origin: Draw, draw: Draw, name: str, parameters: Frozen) -> Lists:
    return fitted_lists(make_split(origin, draw), name, dict(parameters))


def _table(table: object, values: Values) -> Iterator[Remark]:
    """Compare each row: the difference from the baseline, and its ends."""
    for name in values:
        if name == BASELINE:
            continue
        row = table.get(name) if isinstance(table, dict) else None
        for metric in METRICS:
            right = paired(values[name][metric], values[BASELINE][metric])
            cells = row.get(metric) if isinstance(row, dict) else None
            if (
                not isinstance(cells, list)
                or len(cells) != 3
                or not all(isinstance(each, int | float) for each in cells)
            ):
                yield Remark("no_row", {"model": name, "metric": metric, "seen": str(cells)})
                continue
            value, low, high = cells
            room = 2 * _ROOM * right.half
            if not abs(value - right.value) <= _EXACT:
                yield Remark("wrong_difference", {"model": name, "metric": metric, "seen": value})
            elif not max(abs(low - right.value + right.half), abs(high - right.value - right.half)) <= room:
                yield Remark("wrong_paired_interval", {"model": name, "metric": metric, "low": low, "high": high})


def _front(given: object, values: Values) -> Iterator[Remark]:
    if not isinstance(given, list) or sorted(map(str, given)) != sorted(_pareto(values)):
        yield Remark("wrong_front", {"seen": str(given)})


def _pareto(values: Values) -> list[str]:
    """Models that no other one beats in one metric without losing in the other."""
    means = {name: tuple(float(np.nanmean(each[metric])) for metric in METRICS) for name, each in values.items()}
    return [
        name
        for name, own in means.items()
        if not any(all(a >= b for a, b in zip(other, own, strict=True)) and other != own for other in means.values())
    ]


def _claims(given: object, models: Mapping[str, Any], values: Values, split: Split, draw: Draw) -> Iterator[Remark]:
    claims = read_claims(given, models)
    if claims is None:
        yield Remark("no_claims", {"claims": CLAIMS, "relations": list(RELATIONS), "metrics": list(METRICS)})
        return
    about = {(frozenset({each.a, each.b}), each.metric, each.segment) for each in claims}
    if len(about) < len(claims) or {each.metric for each in claims} != set(METRICS):
        yield Remark("claims_alike", {"metrics": list(METRICS)})
    if all(each.relation == GREATER for each in claims) and some_apart(values, split):
        yield Remark("no_doubt", {"expected": APART})
    other = draw.hidden(1)[0]
    used = {name for each in claims for name in (each.a, each.b)}
    hidden_split = make_split(draw, other)
    hidden = {name: values_of(hidden_split, _fitted(draw, other, name, _frozen(models[name]))) for name in sorted(used)}
    for each in claims:
        if not holds(each, values, split, Z_SHOWN):
            yield Remark("claim_fails", {"claim": each.written(), "hidden": False})
        elif not holds(each, hidden, hidden_split, _Z_HIDDEN):
            yield Remark("claim_fails", {"claim": each.written(), "hidden": True})


_OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "popular": {},
    "item_knn": {"neighbors": 20},
    "ease": {"l2": 100.0},
    "pure_svd": {"factors": 16},
    "user_knn": {"neighbors": 30},
}
"""The models of the solution."""


def _read_split(folder: Path) -> Split:
    from reclens.data.dataset import Dataset

    train = Dataset(pl.read_parquet(folder / "train.parquet"), items=pl.read_parquet(folder / "items.parquet"))
    return Split(
        train=train, truth=pl.read_parquet(folder / "truth.parquet"), users=pl.read_parquet(folder / "users.parquet")
    )


def _lists_of(split: Split) -> dict[str, Lists]:
    return {name: fitted_lists(split, name, parameters) for name, parameters in _OWN.items()}


def _values_of(split: Split) -> Values:
    return {name: values_of(split, lists) for name, lists in _lists_of(split).items()}


def _best_claims(split: Split, draw: Draw) -> list[Claim]:
    """The clearest difference of each metric, and the smallest over splits of the training data."""
    from reclens.data.dataset import Dataset

    seen = [(_values_of(split), split)]
    rows = split.train.interactions
    for number in range(6):
        held = np.random.default_rng(number).random(rows.height) < 0.25
        inner = Split(
            train=Dataset(rows.filter(~held), items=split.train.items),
            truth=rows.filter(held).select("user_id", "item_id"),
            users=split.users,
        )
        seen.append((_values_of(inner), inner))
    pairs = all_pairs(_OWN)
    scores = {each: [z_of(each, *values) for values in seen] for each in pairs}
    few = [each for each in pairs if each.metric == "ndcg" and each.segment != "all"]
    chosen = [min(few, key=lambda each: max(map(abs, scores[each])))]
    for metric in METRICS:
        of_metric = [each for each in pairs if each.metric == metric]
        best = max(of_metric, key=lambda each: max(min(scores[each]), -max(scores[each])))
        a, b = (best.a, best.b) if scores[best][0] > 0 else (best.b, best.a)
        chosen.append(Claim(a=a, relation=GREATER, b=b, metric=metric, segment=best.segment))
    return chosen


def _rows(values: Values) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for name in values:
        if name != BASELINE:
            each = {metric: paired(values[name][metric], values[BASELINE][metric]) for metric in METRICS}
            found[name] = {metric: [d.value, d.value - d.half, d.value + d.half] for metric, d in each.items()}
    return found


def _toml(
    draw: Draw,
    models: Mapping[str, Mapping[str, Any]],
    table: Mapping[str, Mapping[str, list[float]]],
    front: list[str],
    claims: list[Claim],
) -> str:
    lines = ["pareto = [" + ", ".join(f'"{name}"' for name in front) + "]", ""]
    for name, parameters in models.items():
        lines += [f"[models.{name}]", *(f"{key} = {value!r}" for key, value in parameters.items()), ""]
    for name, row in table.items():
        lines.append(f"[table.{name}]  # difference from {BASELINE}, lower end, upper end")
        lines += [f"{metric} = [{', '.join(f'{each:.6f}' for each in cells)}]" for metric, cells in row.items()] + [""]
    for each in claims:
        words = {"a": each.a, "relation": each.relation, "b": each.b, "metric": each.metric, "segment": each.segment}
        lines += ["[[claims]]", *(f'{key} = "{value}"' for key, value in words.items()), ""]
    return toml_header(draw) + "\n".join(lines)


def _write(
    draw: Draw,
    folder: Path,
    lists: Mapping[str, Lists],
    values: Values,
    claims: list[Claim],
    *,
    table: Mapping[str, Mapping[str, list[float]]] | None = None,
    front: list[str] | None = None,
) -> None:
    rows = ["model,user_id,rank,item_id"]
    for name, each in lists.items():
        rows += [f"{name},{user},{rank},{item}" for user, items in each.items() for rank, item in enumerate(items, 1)]
    (folder / "lists.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    models = {name: _OWN[name] for name in lists}
    text = _toml(draw, models, table or _rows(values), _pareto(values) if front is None else front, claims)
    (folder / "answer.toml").write_text(text, encoding="utf-8")


@lru_cache(maxsize=4)
def _own(draw: Draw) -> tuple[Split, dict[str, Lists], Values, tuple[Claim, ...]]:
    """What the solution hands in."""
    split = make_split(draw, draw)
    lists = _lists_of(split)
    return (
        split,
        lists,
        {name: values_of(split, each) for name, each in lists.items()},
        tuple(_best_claims(split, draw)),
    )


def _claiming(pick: Callable[[list[Claim], Values, Split], list[Claim]]) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right one with other claims."""

    def write(draw: Draw, folder: Path) -> None:
        split, lists, values, claims = _own(draw)
        _write(draw, folder, lists, values, pick(list(claims), values, split))

    return write


def _greater(each: Claim, values: Values, split: Split) -> Claim:
    """The pair as the means have it."""
    a, b = (each.a, each.b) if z_of(each, values, split) > 0 else (each.b, each.a)
    return Claim(a=a, relation=GREATER, b=b, metric=each.metric, segment=each.segment)


def _unpaired(draw: Draw, folder: Path) -> None:
    """Intervals as of two groups of other users."""
    _, lists, values, claims = _own(draw)
    table = _rows(values)
    for name, row in table.items():
        for metric, cells in row.items():
            both = [each[metric][np.isfinite(each[metric])] for each in (values[name], values[BASELINE])]
            half = Z_SHOWN * math.sqrt(sum(float(each.var(ddof=1)) / len(each) for each in both))
            cells[1:] = [cells[0] - half, cells[0] + half]
    _write(draw, folder, lists, values, list(claims), table=table)


def _peeking(draw: Draw, folder: Path) -> None:
    """Lists that hold what was held out."""
    split, lists, _, claims = _own(draw)
    wanted = {user: items["item_id"].to_list() for (user,), items in split.truth.group_by("user_id")}
    better = {user: [*wanted.get(user, []), *items][:LENGTH] for user, items in lists["ease"].items()}
    changed = {**lists, "ease": better}
    _write(draw, folder, changed, {name: values_of(split, each) for name, each in changed.items()}, list(claims))


def _three(draw: Draw, folder: Path) -> None:
    """One architecture too few."""
    _, lists, values, claims = _own(draw)
    kept = ["popular", "item_knn", "ease"]
    _write(draw, folder, {name: lists[name] for name in kept}, {name: values[name] for name in kept}, list(claims))


def _all_on_the_front(draw: Draw, folder: Path) -> None:
    """Every model is called Pareto-optimal."""
    _, lists, values, claims = _own(draw)
    _write(draw, folder, lists, values, list(claims), front=list(values))


TradeOff.wrong = {
    "a winner in each pair": _claiming(lambda claims, values, split: [_greater(claims[0], values, split), *claims[1:]]),
    "no doubt": _claiming(
        lambda claims, values, split: [
            *claims[1:],
            max(
                (_greater(each, values, split) for each in all_pairs(values) if each.segment == "light"),
                key=lambda each: z_of(each, values, split),
            ),
        ]
    ),
    "all alike": _claiming(lambda claims, values, split: [replace(each, relation=APART) for each in claims]),
    "reversed": _claiming(
        lambda claims, values, split: [
            claims[0],
            *(replace(c, a=c.b, b=c.a) for c in claims[1:]),
        ]
    ),
    "unpaired intervals": _unpaired,
    "lists that peek": _peeking,
    "three architectures": _three,
    "all on the front": _all_on_the_front,
}
