"""Exercise 5.3: three projects that are computed again, and an improvement judged on users who were sealed before."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from pydantic import Field

from reclens.cards import Fact
from reclens.data.dataset import Dataset
from reclens.data.split.holdout import last_n
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError, RecLensError
from reclens.learn.answers import read_toml_text
from reclens.learn.exercise import Draw, Exercise, Remark, all_projects
from reclens.learn.headers import toml_header
from reclens.learn.model_lists import unfit_model
from reclens.learn.portfolio import FEWEST, KIND, MOST, Told, project_named, record_of, told_of
from reclens.learn.portfolio_rules import claims_in, numbers_in
from reclens.learn.portfolio_verify import verify_evidence
from reclens.learn.project import project_seed
from reclens.models import build
from reclens.settings import Section, validate, write_toml

__all__ = ["ReplayablePortfolio"]

_SIZE: Final = {"n_users": 500, "n_items": 250, "n_ratings": 20_000}
_HELD: Final = 4
"""Interactions of each user that are held out: for validation, and as many for the test."""
_K: Final = 10
_BEFORE: Final = "popular"
_EVIDENCE: Final = "portfolio/evidence.json"
_Z: Final = 1.959963984540054
_EXACT: Final = 2e-6
"""Six digits: by four, one of a hundred differences of other users was the same by chance."""
_ROOM: Final = 0.1
"""How far an end of an interval may lie from the paired one, as a share of its width."""
_SHORTEST: Final = 20
_TEXTS: Final = ("question", "decision", "limits", "next_step", "director", "ticket")
_CONCLUSIONS: Final = ("better", "worse", "cannot_be_told_apart")
_CARRIES: Final[Mapping[str, frozenset[str]]] = {
    "better": frozenset({"better", "significant"}),
    "worse": frozenset({"worse", "significant"}),
    "cannot_be_told_apart": frozenset(),
}


class _Improvement(Section):
    """The file ``improvement.toml``: a change, sealed before the test is opened, and what came of it."""

    after: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    sealed: bool = False
    estimate: float = 0.0
    low: float = 0.0
    high: float = 0.0
    conclusion: str = ""
    question: str = ""
    decision: str = ""
    limits: str = ""
    next_step: str = ""
    director: str = ""
    ticket: str = ""


class ReplayablePortfolio(Exercise):
    """Every number of the portfolio is computed again, and the change on users who were drawn from its seal."""

    code = "5.3"
    name = "replayable_portfolio"
    files = ("improvement.toml", _EVIDENCE)
    minutes = 240
    redraws = frozenset({"wrong_improvement", "wrong_conclusion"})

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """How it is graded."""
        return {
            "fewest": FEWEST,
            "most": MOST,
            "before": _BEFORE,
            "k": _K,
            "held": _HELD,
            "projects": ", ".join(f"`{each.name}`" for each in all_projects()),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """What the change is chosen on; and once it is sealed, the test users that are drawn from it."""
        train, validation, test = _parts(draw)
        train.write_parquet(folder / "train.parquet")
        validation.write_parquet(folder / "validation.parquet")
        digest = hashlib.sha256(test.write_csv().encode()).hexdigest()
        (folder / "sealed.txt").write_text(f"sha256 {digest}\n", encoding="utf-8")
        path = folder / "improvement.toml"
        text = path.read_bytes().decode("utf-8-sig", errors="replace") if path.is_file() else ""
        given = _sealed(text)
        if given is not None:
            _test_of(draw, given).write_parquet(folder / "test.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Nothing chosen, nothing sealed."""
        return {"improvement.toml": _text(draw, _Improvement())}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """The portfolio first, then the change on the sealed users, then what is said of it."""
        try:
            given = validate(_Improvement, tomllib.loads(answer["improvement.toml"]), source="improvement.toml")
        except RecLensError as error:
            yield Remark("no_improvement", {"error": str(error)})
            return
        found = list(unfit_model(given.after, given.parameters))
        if not given.sealed:
            found.append(Remark("change_not_sealed"))
        elif not given.low < given.high:  # nothing was computed yet, for which no new data are drawn
            found.append(Remark("no_result"))
        found += _portfolio(answer[_EVIDENCE], draw)
        yield from found
        if found:
            return
        try:
            mean, low, high = _improvement(draw, given)
        except RecLensError as error:
            yield Remark("no_model", {"error": str(error)})
            return
        room = _ROOM * (high - low)
        ends = abs(given.low - low) <= room and abs(given.high - high) <= room
        if not (abs(given.estimate - mean) <= _EXACT and ends):
            facts: dict[str, Fact] = {"estimate": given.estimate, "low": given.low, "high": given.high}
            yield Remark("wrong_improvement", facts)
        right = "better" if low > 0 else "worse" if high < 0 else "cannot_be_told_apart"
        if given.conclusion != right:
            yield Remark("wrong_conclusion", {"seen": given.conclusion, "expected": list(_CONCLUSIONS)})
        yield from _said(given, right)

    def solve(self, draw: Draw, folder: Path) -> None:
        """EASE in place of the popular items, and three projects."""
        _write(draw, folder, "ease", {"l2": 100.0})


def _sealed(text: str) -> _Improvement | None:
    """The choice, once it is sealed."""
    try:
        given = validate(_Improvement, read_toml_text("improvement.toml", text), source="improvement.toml")
    except RecLensError:
        return None
    return given if given.sealed else None


@lru_cache(maxsize=8)
def _parts(draw: Draw) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Interactions to learn from, for validation, and for the test."""
    seed = int(draw.rng("ratings").integers(2**31))
    data = synthetic_movielens(**_SIZE, rng=seed)
    made = last_n(data, n=_HELD, validation_n=_HELD, rng=seed)
    assert made.validation is not None
    columns = ["user_id", "item_id"]
    tables = [made.train.interactions, made.validation, made.test]
    train, validation, test = (table.select(columns).sort(columns) for table in tables)
    return train, validation, test


def _test_of(draw: Draw, given: _Improvement) -> pl.DataFrame:
    """The test of half of the users: which, the seal says, so that they are others for each change."""
    test = _parts(draw)[2]
    choice = json.dumps([given.after, given.parameters], sort_keys=True)
    users = test["user_id"].unique().sort()
    key = hashlib.sha256(choice.encode()).hexdigest()
    chosen = draw.rng(f"sealed {key}").permutation(len(users))[: len(users) // 2]
    return test.filter(pl.col("user_id").is_in(users.gather(np.sort(chosen)).implode()))


def _improvement(draw: Draw, given: _Improvement) -> tuple[float, float, float]:
    """The mean difference in NDCG@10 and its paired interval, by loops over the sealed users."""
    test = _test_of(draw, given)
    wanted: dict[int, set[int]] = {}
    for user, item in test.iter_rows():
        wanted.setdefault(user, set()).add(item)
    old, new = _lists(draw, _BEFORE, "{}"), _lists(draw, given.after, json.dumps(given.parameters, sort_keys=True))
    gaps = np.array(
        [_ndcg(new.get(user, []), items) - _ndcg(old.get(user, []), items) for user, items in wanted.items()]
    )
    mean, error = float(gaps.mean()), float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    return mean, mean - _Z * error, mean + _Z * error


def _ndcg(shown: Sequence[int], wanted: set[int]) -> float:
    gained = sum(1 / math.log2(rank + 1) for rank, item in enumerate(shown, 1) if item in wanted)
    return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(_K, len(wanted)) + 1))


@lru_cache(maxsize=8)
def _lists(draw: Draw, name: str, parameters: str) -> dict[int, list[int]]:
    """The lists of a model that learned from everything but the test."""
    train, validation, _ = _parts(draw)
    known = pl.concat([train, validation])
    lists = build(name, json.loads(parameters)).fit(Dataset(known)).recommend(known["user_id"].unique().sort(), k=_K)
    found: dict[int, list[int]] = {}
    for user, item in lists.table.sort("user_id", "rank").select("user_id", "item_id").iter_rows():
        found.setdefault(user, []).append(item)
    return found


def _portfolio(text: str, draw: Draw) -> Iterator[Remark]:
    """The evidence: projects of this learner, of which every number comes out again."""
    try:
        held: Any = json.loads(text)
        found = verify_evidence(held)
    except (ValueError, RecursionError, DataError) as error:
        yield Remark("no_evidence_of_portfolio", {"error": str(error)})
        return
    names = list(held["projects"])
    if len(names) < FEWEST:
        yield Remark("too_few_projects", {"seen": len(names), "least": FEWEST})
    for name in names:
        project = project_named(name)
        if held["projects"][name]["settings"].get("seed") != project_seed(Draw(draw.seed, project.code)):
            yield Remark("project_of_another", {"project": name})
    if found.reproduced < len(found.rows):
        first = next(row for row in found.rows if not row["reproduced"])
        facts: dict[str, Fact] = {"reproduced": found.reproduced, "of": len(found.rows), "first": first["label"]}
        yield Remark("not_reproduced", {**facts, "project": first["project"]})
    yield from (each for _, each in found.remarks)


def _said(given: _Improvement, right: str) -> Iterator[Remark]:
    """Whether the texts say what a reader asks for, and nothing that the interval does not carry."""
    quoted = [given.estimate, given.low, given.high]
    for name in _TEXTS:
        text = getattr(given, name)
        if len(text.strip()) < _SHORTEST:
            yield Remark("improvement_text_missing", {"entry": name})
        for word, claim in claims_in(text):
            if claim not in _CARRIES[right]:
                yield Remark("improvement_claim", {"entry": name, "word": word})
        unknown = [each for each in numbers_in(text) if not _quoted(each, quoted)]
        if unknown:
            yield Remark("improvement_number", {"entry": name, "numbers": unknown})


def _quoted(text: str, held: Sequence[float]) -> bool:
    plain = text.replace(",", "").replace("−", "-").rstrip(" %")
    value, digits = float(plain), len(plain.partition(".")[2])
    if (value == round(value) and 0 <= value <= 12) or value in {95, 100}:
        return True
    return any(
        abs(abs(each * scale) - abs(value)) <= 0.5 * 10**-digits * (1 + 1e-9) for each in held for scale in (1, 100)
    )


def _text(draw: Draw, given: _Improvement) -> str:
    content = given.model_dump()
    parameters = content.pop("parameters")
    return toml_header(draw) + write_toml({**content, "parameters": parameters})


_NAMES: Final = ("audit", "explorer", "experiment")


def _evidence(draw: Draw, names: Sequence[str] = _NAMES) -> dict[str, Any]:
    """The evidence of a portfolio of these projects, without a site."""
    told: list[Told] = []
    for name in names:
        project = project_named(name)
        mine = Draw(draw.seed, project.code)
        told.append(told_of(project, project.solved(mine)))
    projects = {each.project.name: record_of(each) for each in told}
    return {"kind": KIND, "format": 1, "made": "", "versions": {}, "projects": projects, "files": {}}


def _write(draw: Draw, folder: Path, after: str, parameters: Mapping[str, Any], **changes: Any) -> None:
    """An answer; changes are of entries, or of the ``evidence`` by a function."""
    given = _Improvement(after=after, parameters=dict(parameters), sealed=True)
    mean, low, high = _improvement(draw, given)
    right = "better" if low > 0 else "worse" if high < 0 else "cannot_be_told_apart"
    director = {
        "better": f"Lists are better: {mean:.3f} more of NDCG, at least {low:.3f} and at most {high:.3f}.",
        "worse": f"Lists are worse: {mean:.3f} of NDCG, from {low:.3f} to {high:.3f}.",
        "cannot_be_told_apart": f"We cannot tell the two apart: the interval goes from {low:.3f} to {high:.3f}.",
    }[right]
    said = {
        "question": f"What happens to the lists if {after} takes the place of the popular items?",
        "decision": "We plan an A/B test of the change, since offline numbers do not decide.",
        "limits": "The data are made up, and nobody has seen these lists.",
        "next_step": "Size the test, and name its guardrails before it begins.",
        "director": director,
        "ticket": "Put the model behind a switch. Done when both lists are logged side by side for a week.",
    }
    change = changes.pop("evidence", lambda held: None)
    numbers = {"estimate": mean, "low": low, "high": high, "conclusion": right}
    given = given.model_copy(update={**numbers, **said, **changes})
    (folder / "improvement.toml").write_text(_text(draw, given), encoding="utf-8")
    held = _evidence(draw)
    change(held)
    path = folder / _EVIDENCE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(held), encoding="utf-8")


def _ease(**changes: Any) -> Callable[[Draw, Path], None]:
    return lambda draw, folder: _write(draw, folder, "ease", {"l2": 100.0}, **changes)


def _invented(held: dict[str, Any]) -> None:
    number = held["projects"]["audit"]["numbers"][0]
    number["value"] = number["value"] * 0.9


def _two(held: dict[str, Any]) -> None:
    held["projects"].pop("audit")


def _another(draw: Draw, folder: Path) -> None:
    other = _evidence(Draw(draw.seed + 1, draw.exercise))
    _write(draw, folder, "ease", {"l2": 100.0}, evidence=lambda held: held.update(other))


def _on_validation(draw: Draw, folder: Path) -> None:
    """The difference on the users of another seal: what was looked at while choosing."""
    mean, low, high = _improvement(draw, _Improvement(after="ease", parameters={"l2": 101.0}, sealed=True))
    director = "Lists are better for those users whom we looked at, by what the interval says."
    _write(draw, folder, "ease", {"l2": 100.0}, estimate=mean, low=low, high=high, director=director)


ReplayablePortfolio.wrong = {
    "numbers of other users": _on_validation,
    "not sealed": _ease(sealed=False),
    "invented number": _ease(evidence=_invented),
    "two projects": _ease(evidence=_two),
    "projects of another": _another,
    "no limits": _ease(limits=""),
    "claims that it is fair": _ease(decision="We ship it, since it is fair and nobody loses by it."),
    "conclusion against the interval": _ease(conclusion="worse"),
    "number from nowhere": _ease(director="It brings 4.2 million more in a year, which we take."),
    "no change claimed as one": lambda draw, folder: _write(
        draw, folder, "popular", {}, conclusion="better", estimate=0.01, low=0.001, high=0.02
    ),
}
