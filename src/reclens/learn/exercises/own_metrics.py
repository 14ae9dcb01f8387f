"""Exercise 1.3: precision and recall as functions of one's own, and a verdict that the interval supports."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.child import call_functions
from reclens.learn.code_rules import forbidden
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["OwnMetrics"]

_CUTOFF: Final = 10
_TABLES: Final = 200
_EXACT: Final = 1e-9
_ROOM: Final = 0.25
"""How far an end of the learner's interval may lie from that of the t interval, as a share of its width."""
_VERDICTS: Final = ("item_knn_better", "popular_better", "cannot_be_told_apart")
_MODELS: Final = ("popular", "item_knn")
_TRIES: Final = 200
_TRUTH: Final = 0.8
"""A fifth of the interactions is held out."""

Call = tuple[str, list[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Study:
    """Lists and truth of two models, and what is to be found in them.

    Attributes:
        truth: Columns ``user_id``, ``item_id``.
        lists: Model -> its lists, columns ``user_id``, ``rank``, ``item_id``.
        means: Model -> precision and recall at 10, over users who have truth.
        difference: Precision of item-kNN less that of popularity.
        low: Lower end of its 95 % t interval over users.
        high: Upper end.
    """

    truth: pl.DataFrame
    lists: Mapping[str, pl.DataFrame]
    means: Mapping[str, tuple[float, float]]
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the interval supports."""
        return _VERDICTS[0] if self.low > 0 else _VERDICTS[1] if self.high < 0 else _VERDICTS[2]

    @property
    def clear(self) -> bool:
        """Whether every interval that is let through supports the same verdict."""
        margin = _ROOM * (self.high - self.low)
        return min(abs(self.low), abs(self.high)) > margin


class OwnMetrics(Exercise):
    """The functions run on tables by hand and at random; the numbers are those of the learner's own lists."""

    code = "1.3"
    name = "own_metrics"
    files = ("metrics.py", "answer.toml")
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The cut-off and the verdicts."""
        return {"k": _CUTOFF, "verdicts": ", ".join(_VERDICTS), "room": round(100 * _ROOM)}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The truth of the test users, and the lists of both models."""
        study = _study(draw)
        study.truth.write_parquet(folder / "truth.parquet")
        for model, lists in study.lists.items():
            lists.write_parquet(folder / f"{model}.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Functions without a body, and the questions."""
        return {"metrics.py": toml_header(draw) + _TEMPLATE, "answer.toml": _toml(draw, None)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Call the functions on tables, then read the numbers."""
        found = list(forbidden("metrics.py", answer["metrics.py"]))
        yield from found
        if not found:
            calls = [call for each in (draw, *draw.hidden()) for call in _tables(each)]
            yield from _functions(answer["metrics.py"], calls)
        yield from _numbers(tomllib.loads(answer["answer.toml"]), _study(draw))

    def solve(self, draw: Draw, folder: Path) -> None:
        """The definitions, and the t interval."""
        _write(folder, draw, _SOLUTION, _study(draw))


def _functions(source: str, calls: list[Call]) -> Iterator[Remark]:
    results = call_functions("metrics.py", source, calls)
    if isinstance(results, Remark):
        yield results
        return
    seen: set[tuple[str, str]] = set()
    for (name, arguments), result in zip(calls, results, strict=True):
        expected = _by_definition(name, *arguments)
        case = _case(*arguments)
        if (name, case) in seen or _same(result.value, expected, result.failed):
            continue
        seen.add((name, case))  # one remark a kind of table: the first shows what is wrong
        recommended, relevant, k = arguments
        yield Remark(
            "wrong_value",
            {
                "function": name,
                "case": case,
                "recommended": str(recommended[:12]),
                "relevant": str(relevant[:12]),
                "k": k,
                "seen": result.failed or str(result.value),
            },
        )


def _same(value: float | None, expected: float, failed: str) -> bool:
    if failed or value is None:
        return False
    return math.isnan(value) if math.isnan(expected) else abs(value - expected) <= _EXACT


def _by_definition(name: str, recommended: list[int], relevant: list[int], k: int) -> float:
    """Hits among the first k places, an item counted once: ÷ k for precision, ÷ relevant items for recall."""
    if not relevant:
        return math.nan
    hits = len({item for item in recommended[:k] if item in relevant})
    return hits / (k if name == "precision_at_k" else len(set(relevant)))


def _case(recommended: list[int], relevant: list[int], k: int) -> str:
    """What is special about a table, as a code."""
    if not relevant:
        return "no_truth"
    if not recommended:
        return "empty_list"
    if len(set(recommended[:k])) < len(recommended[:k]):
        return "repeated_item"
    if len(recommended) < k:
        return "short_list"
    return "long_list" if len(recommended) > k else "plain"


def _tables(draw: Draw) -> Iterator[Call]:
    """Tables at random, with the corners among them; both functions get each."""
    rng = draw.rng("tables")
    for number in range(_TABLES // 4):
        k = int(rng.integers(1, 12))
        length = (0, int(rng.integers(0, k)), k, k + int(rng.integers(1, 8)))[number % 4]
        recommended = rng.choice(30, length, replace=False).tolist()
        relevant = rng.choice(30, 0 if number % 9 == 5 else int(rng.integers(1, 15)), replace=False).tolist()
        if number % 7 == 3 and min(k, length) > 1 and relevant:
            # A relevant item twice within the cut-off: who counts it twice is seen, whatever else was drawn.
            recommended[0] = recommended[1] = relevant[0]
        for name in ("precision_at_k", "recall_at_k"):
            yield name, [recommended, relevant, k]


def _numbers(given: Mapping[str, Any], study: _Study) -> Iterator[Remark]:
    for model in _MODELS:
        for metric, expected in zip(("precision", "recall"), study.means[model], strict=True):
            key = f"{model}_{metric}"
            value = _number(given.get(key))
            if value is None:
                yield Remark("no_number", {"key": key, "seen": str(given.get(key))})
            elif abs(value - expected) > _EXACT:
                yield Remark("wrong_number", {"key": key, "seen": value})
    low, high = _number(given.get("low")), _number(given.get("high"))
    verdict = given.get("verdict")
    if low is None or high is None or not low < high:
        yield Remark("no_interval", {"low": str(given.get("low")), "high": str(given.get("high"))})
    elif max(abs(low - study.low), abs(high - study.high)) > _ROOM * (study.high - study.low):
        yield Remark("wrong_interval", {"low": low, "high": high})
    if verdict not in _VERDICTS:
        yield Remark("unknown_verdict", {"seen": str(verdict), "expected": list(_VERDICTS)})
    elif verdict != study.verdict:
        yield Remark("unsupported_verdict", {"seen": verdict})


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Data on which a verdict is likely: how dense they are, and how many users are measured."""

    verdict: str
    ratings: int
    kept: float
    neighbors: int
    users: int


_KINDS: Final = (
    _Kind(verdict="item_knn_better", ratings=14_000, kept=0.8, neighbors=20, users=300),
    _Kind(verdict="popular_better", ratings=8_000, kept=0.3, neighbors=2, users=200),
    _Kind(verdict="cannot_be_told_apart", ratings=8_000, kept=0.8, neighbors=20, users=45),
)


@lru_cache(maxsize=32)
def _study(draw: Draw) -> _Study:
    """Data like MovieLens: each verdict is right for a third of the learners, and no draw is borderline."""
    rng = draw.rng("study")
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    for _ in range(_TRIES):
        made = _one_study(kind, rng)
        if made.clear and made.verdict == kind.verdict:
            return made
    raise RuntimeError("no draw of those tried gives a clear verdict")


def _one_study(kind: _Kind, rng: np.random.Generator) -> _Study:
    import warnings

    from reclens.data.dataset import Dataset
    from reclens.data.synthetic import synthetic_movielens
    from reclens.models import ItemKNN, Popular

    data = synthetic_movielens(n_users=360, n_items=250, n_ratings=kind.ratings, rng=rng)
    rows = data.interactions.select("user_id", "item_id").sort("user_id", "item_id")
    luck = pl.Series(rng.random(rows.height))
    train = Dataset(rows.filter(luck < kind.kept))
    known = train.interactions["user_id"].unique().sort().to_numpy()
    users = np.sort(rng.choice(known, kind.users, replace=False)).tolist()
    truth = rows.filter((luck > _TRUTH) & pl.col("user_id").is_in(users))
    lists: dict[str, pl.DataFrame] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short lists are part of the exercise
        for name, model in zip(_MODELS, (Popular(), ItemKNN(neighbors=kind.neighbors)), strict=True):
            found = model.fit(train).recommend(users, k=_CUTOFF).to_frame()
            lists[name] = found.select("user_id", "rank", "item_id")
    return _summed(truth, lists)


def _summed(truth: pl.DataFrame, lists: Mapping[str, pl.DataFrame]) -> _Study:
    from scipy import stats

    relevant: dict[int, list[int]] = {}
    for user, item in truth.iter_rows():
        relevant.setdefault(user, []).append(item)
    values: dict[str, np.ndarray] = {}
    for model, frame in lists.items():
        shown: dict[int, list[int]] = {}
        for user, _, item in frame.sort("user_id", "rank").iter_rows():
            shown.setdefault(user, []).append(item)
        values[model] = np.array(
            [
                [
                    _by_definition(f"{metric}_at_k", shown.get(user, []), items, _CUTOFF)
                    for metric in ("precision", "recall")
                ]
                for user, items in relevant.items()
            ]
        )
    paired = values["item_knn"][:, 0] - values["popular"][:, 0]
    half = float(stats.t.ppf(0.975, len(paired) - 1) * paired.std(ddof=1) / math.sqrt(len(paired)))
    middle = float(paired.mean())
    means = {model: (float(each[:, 0].mean()), float(each[:, 1].mean())) for model, each in values.items()}
    return _Study(truth=truth, lists=lists, means=means, difference=middle, low=middle - half, high=middle + half)


_TEMPLATE: Final = '''

def precision_at_k(recommended, relevant, k):
    """Share of the first k places that hold a relevant item."""


def recall_at_k(recommended, relevant, k):
    """Share of the relevant items that are among the first k places."""
'''
_SOLUTION: Final = """
import math


def precision_at_k(recommended, relevant, k):
    if not relevant:
        return math.nan
    return len(set(recommended[:k]) & set(relevant)) / k


def recall_at_k(recommended, relevant, k):
    if not relevant:
        return math.nan
    return len(set(recommended[:k]) & set(relevant)) / len(relevant)
"""


def _toml(draw: Draw, study: _Study | None, **changes: object) -> str:
    keys = [f"{model}_{metric}" for model in _MODELS for metric in ("precision", "recall")]
    values: dict[str, object] = dict.fromkeys([*keys, "low", "high"], 0.0)
    values["verdict"] = ""
    if study is not None:
        values |= dict(zip(keys, [each for model in _MODELS for each in study.means[model]], strict=True))
        values |= {"low": study.low, "high": study.high, "verdict": study.verdict}
    values |= changes
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value!r}" for key, value in values.items()]
    return toml_header(draw) + "\n".join(lines) + "\n"


def _write(folder: Path, draw: Draw, code: str, study: _Study, **changes: object) -> None:
    (folder / "metrics.py").write_text(toml_header(draw) + code, encoding="utf-8")
    (folder / "answer.toml").write_text(_toml(draw, study, **changes), encoding="utf-8")


def _coded(old: str, new: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: one thing of the functions is otherwise."""
    assert old in _SOLUTION
    return lambda draw, folder: _write(folder, draw, _SOLUTION.replace(old, new), _study(draw))


def _other_verdict(draw: Draw, folder: Path) -> None:
    """Claims a winner where there is none, and none where there is one."""
    study = _study(draw)
    claimed = _VERDICTS[0] if study.verdict == _VERDICTS[2] else _VERDICTS[2]
    _write(folder, draw, _SOLUTION, study, verdict=claimed)


def _of_unpaired(draw: Draw, folder: Path) -> None:
    """A constant, and an interval that is far too narrow."""
    study = _study(draw)
    narrow = 0.1 * (study.high - study.low)
    _write(folder, draw, _SOLUTION, study, low=study.difference - narrow, high=study.difference + narrow)


OwnMetrics.wrong = {
    "divides by the length of the list": _coded("/ k", "/ max(1, len(recommended[:k]))"),
    "counts repeated items": _coded(
        "len(set(recommended[:k]) & set(relevant)) / k", "sum(item in relevant for item in recommended[:k]) / k"
    ),
    "zero without truth": _coded("return math.nan", "return 0.0"),
    "constant": _coded("len(set(recommended[:k]) & set(relevant)) / len(relevant)", "0.25"),
    "imports a library": _coded("import math", "import math, sklearn.metrics"),
    "other verdict": _other_verdict,
    "narrow interval": _of_unpaired,
}
