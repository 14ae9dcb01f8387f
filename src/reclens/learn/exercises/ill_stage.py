"""Exercise 3.2: five pipelines with a fault each; its name, its evidence and its repair."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.staged_shop import CLOSED, HEALTHY, KNOWN_FEATURES, LEAKS, REGIONS, Day, make_staged_shop, serve

__all__ = ["IllStage"]

_PIPELINES: Final = 5
_LEAST: Final = 4
"""Pipelines that have to be right."""
_RECOVERED: Final = 0.8
"""Share of the loss that the repair has to win back."""
_Z: Final = 3.0
"""Standard errors by which the evidence has to differ."""
_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "retrieval_misses_region": ("retrieval", "retrieval.regions"),
    "filter_drops_new_items": ("filter", "filter.min_age_days"),
    "leaky_feature": ("ranker", "ranker.features"),
    "position_as_feature": ("ranker", "ranker.features"),
    "too_much_diversity": ("reranker", "reranker.diversity"),
}
"""Fault -> its stage, and the key that makes it."""
_NONE: Final = "none"
_NAMES: Final = (*_FAULTS, _NONE)
_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "retrieval.k": (10, 120),
    "filter.min_age_days": (0, 365),
    "reranker.diversity": (0, 5),
}

Config = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Case:
    """A pipeline.

    Attributes:
        fault: Its fault.
        config: Its settings, of which each differs from last month's; one of them is the fault.
        region: The region that retrieval misses, if that is the fault.
    """

    fault: str
    config: Config
    region: str

    @property
    def stage(self) -> str:
        """The stage that is ill."""
        return _FAULTS[self.fault][0]

    @property
    def key(self) -> str:
        """The key that makes the fault."""
        return _FAULTS[self.fault][1]


class IllStage(Exercise):
    """Faults are told by the world; evidence is looked up in the reports; repairs run on days nobody has seen."""

    code = "3.2"
    name = "which_stage_is_ill"
    files = ("answer.toml",)
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The names of the faults, and how they are graded."""
        return {
            "faults": ", ".join(f"`{name}`" for name in _NAMES),
            "pipelines": _PIPELINES,
            "least": _LEAST,
            "recovered": round(100 * _RECOVERED),
            "z": int(_Z),
            "features": ", ".join(f"`{name}`" for name in KNOWN_FEATURES),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Settings and report of last month's pipeline and of the five."""
        _day(draw, "healthy").report.write_csv(folder / "last_month.csv")
        (folder / "last_month.toml").write_text(_settings(HEALTHY), encoding="utf-8")
        for name, case in _cases(draw).items():
            _day(draw, name).report.write_csv(folder / f"{name}.csv")
            (folder / f"{name}.toml").write_text(_settings(case.config), encoding="utf-8")

    def templates(self, draw: Draw) -> dict[str, str]:
        """A table a pipeline."""
        entry = {"fault": _NONE, "measure": "", "segment": "all", "key": "", "value": 0}
        return {"answer.toml": _toml(draw, {name: dict(entry) for name in _cases(draw)})}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Go through the pipelines; four of five have to be right."""
        given = tomllib.loads(answer["answer.toml"])
        found = {name: list(_wrong(name, given.get(name), draw)) for name in _cases(draw)}
        right = sum(not remarks for remarks in found.values())
        if right < _LEAST:
            yield Remark("pipelines_right", {"seen": right, "of": _PIPELINES, "least": _LEAST})
            for remarks in found.values():
                yield from remarks[:1]

    def solve(self, draw: Draw, folder: Path) -> None:
        """Compare the reports, and put the setting back."""
        healthy = pl.read_csv(folder / "last_month.csv")
        entries: dict[str, dict[str, Any]] = {}
        for path in sorted(folder.glob("pipeline_*.csv")):
            fault, measure, segment = _diagnosed(healthy, pl.read_csv(path))
            config = _flat(tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8")))
            entries[path.stem] = _entry(fault, measure, segment, config)
        (folder / "answer.toml").write_text(_toml(draw, entries), encoding="utf-8")


def _wrong(name: str, given: object, draw: Draw) -> Iterator[Remark]:
    """What is wrong with the answer on a pipeline."""
    if not isinstance(given, dict) or given.get("fault") not in _NAMES:
        seen = str(given.get("fault")) if isinstance(given, dict) else "nothing"
        yield Remark("unknown_fault", {"pipeline": name, "seen": seen, "expected": list(_NAMES)})
        return
    case = _cases(draw)[name]
    if given["fault"] != case.fault:
        yield Remark("wrong_fault", {"pipeline": name, "seen": str(given["fault"])})
    measure, segment = str(given.get("measure")), str(given.get("segment"))
    evidence = _compared(_day(draw, "healthy").report, _day(draw, name).report).filter(
        stage=case.stage, measure=measure, segment=segment
    )
    if evidence.height != 1:
        yield Remark("no_evidence", {"pipeline": name, "measure": measure, "segment": segment})
    elif not evidence.item(0, "differs"):
        yield Remark("evidence_within_noise", {"pipeline": name, "measure": measure, "segment": segment})
    key, value = str(given.get("key")), given.get("value")
    if not _is_valid(key, value):
        yield Remark("no_repair", {"pipeline": name, "key": key, "seen": str(value)})
        return
    recovered = _recovered(draw, name, {key: value})
    if recovered < _RECOVERED:
        yield Remark(
            "repair_too_weak",
            {"pipeline": name, "seen": round(100 * max(0.0, recovered)), "least": round(100 * _RECOVERED)},
        )


def _is_valid(key: str, value: object) -> bool:
    if key in _LIMITS:
        low, high = _LIMITS[key]
        return isinstance(value, int | float) and low <= value <= high
    names = {"retrieval.regions": (*REGIONS, CLOSED), "ranker.features": KNOWN_FEATURES}.get(key, ())
    if not isinstance(value, list) or not all(each in names for each in value):
        return False
    return 0 < len(value) == len(set(value))


def _recovered(draw: Draw, name: str, change: Config) -> float:
    """Share of the loss that a change wins back, on days nobody has seen; the same luck in each run of a day."""
    case = _cases(draw)[name]
    mended = {**case.config, case.key: _put_back(case.fault, case.config)}
    ill, well, changed = (
        sum(_hits(draw, each, _frozen(config)) for each in draw.hidden())
        for config in (case.config, mended, {**case.config, **change})
    )
    return (changed - ill) / (well - ill)


def _put_back(fault: str, config: Config) -> Any:
    """The value that mends a fault, with all that is harmless left as it is."""
    if fault in ("leaky_feature", "position_as_feature"):
        return [each for each in config["ranker.features"] if each not in (*LEAKS, "position_yesterday")]
    return HEALTHY[_FAULTS[fault][1]]


Frozen = tuple[tuple[str, Any], ...]


def _frozen(config: Config) -> Frozen:
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in sorted(config.items()))


@lru_cache(maxsize=64)
def _hits(draw: Draw, day: Draw, config: Frozen) -> float:
    return float(serve(make_staged_shop(draw), dict(config), day, "hidden").hits.mean())


@lru_cache(maxsize=16)
def _day(draw: Draw, name: str) -> Day:
    config = HEALTHY if name == "healthy" else _cases(draw)[name].config
    return serve(make_staged_shop(draw), config, draw, name)


@lru_cache(maxsize=8)
def _cases(draw: Draw) -> Mapping[str, _Case]:
    """Three kinds of fault at least, so that neither one name for all nor a list of all five can be right."""
    rng = draw.rng("cases")
    while True:
        faults = rng.choice(list(_FAULTS), _PIPELINES).tolist()
        if 3 <= len(set(faults)) < _PIPELINES:
            return {f"pipeline_{at}": _case(fault, rng) for at, fault in enumerate(faults, 1)}


def _case(fault: str, rng: np.random.Generator) -> _Case:
    region = str(rng.choice(REGIONS))
    features = [*HEALTHY["ranker.features"], str(rng.choice(["price_fit", "freshness"]))]
    config: Config = {
        "retrieval.regions": rng.permutation(REGIONS).tolist(),  # without the region where nobody lives
        "retrieval.k": int(rng.choice([56, 58, 62, 64])),
        "filter.min_age_days": int(rng.integers(1, 5)),
        "ranker.features": features,
        "reranker.diversity": round(float(rng.choice([0.06, 0.08, 0.12, 0.13])), 2),
    }
    if fault == "retrieval_misses_region":
        config["retrieval.regions"] = [each for each in [*config["retrieval.regions"], CLOSED] if each != region]
    elif fault == "filter_drops_new_items":
        config["filter.min_age_days"] = int(rng.integers(28, 40))
    elif fault == "leaky_feature":
        features.append(str(rng.choice(LEAKS)))
    elif fault == "position_as_feature":
        features.append("position_yesterday")
    else:
        config["reranker.diversity"] = round(float(rng.uniform(1.5, 3.0)), 1)
    config["ranker.features"] = rng.permutation(features).tolist()
    return _Case(fault, config, region)


def _compared(healthy: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The rows of both reports, with the difference, and whether it is beyond the noise of both."""
    noise = (pl.col("standard_error") ** 2 + pl.col("standard_error_other") ** 2).sqrt()
    difference = pl.col("value_other") - pl.col("value")
    return healthy.join(other, on=["stage", "measure", "segment"], suffix="_other").with_columns(
        difference.alias("difference"), (difference.abs() > _Z * noise).alias("differs")
    )


def _diagnosed(healthy: pl.DataFrame, other: pl.DataFrame) -> tuple[str, str, str]:
    """Fault, measure and segment, by the report alone."""
    rows = _compared(healthy, other)
    moved = {
        (measure, segment): value for measure, segment, value in rows.select("measure", "segment", "difference").rows()
    }
    recalls = {region: moved["recall", region] for region in REGIONS}
    lost = min(recalls, key=lambda region: recalls[region])
    looks = (
        (-recalls[lost] > 0.25, "retrieval_misses_region", "recall", lost),
        (moved["share_removed", "new items"] > 0.5, "filter_drops_new_items", "share_removed", "new items"),
        (moved["categories_per_list", "all"] > 1, "too_much_diversity", "categories_per_list", "all"),
        (moved["overlap_with_yesterday", "all"] > 0.12, "position_as_feature", "overlap_with_yesterday", "all"),
        (moved["auc_in_log", "all"] > 0.15, "leaky_feature", "auc_in_log", "all"),
    )
    return next(((fault, measure, segment) for seen, fault, measure, segment in looks if seen), (_NONE, "", ""))


def _entry(fault: str, measure: str, segment: str, config: Config) -> dict[str, Any]:
    if fault == _NONE:
        return {"fault": _NONE, "measure": measure, "segment": segment, "key": "", "value": 0}
    value = _put_back(fault, config)
    return {"fault": fault, "measure": measure, "segment": segment, "key": _FAULTS[fault][1], "value": value}


def _flat(settings: Mapping[str, Mapping[str, Any]]) -> Config:
    return {f"{stage}.{key}": value for stage, keys in settings.items() for key, value in keys.items()}


def _settings(config: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for name, value in config.items():
        stage, key = name.split(".")
        lines += [f"[{stage}]"] * (f"[{stage}]" not in lines) + [f"{key} = {_written(value)}"]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def _toml(draw: Draw, entries: Mapping[str, Mapping[str, Any]]) -> str:
    blocks = [
        "\n".join([f"[{name}]", *(f"{k} = {_written(v)}" for k, v in entry.items())]) for name, entry in entries.items()
    ]
    return toml_header(draw) + "\n\n".join(blocks) + "\n"


def _truth(draw: Draw) -> dict[str, dict[str, Any]]:
    """The right answer, by the cases themselves."""
    rows = {
        "retrieval_misses_region": "recall",
        "filter_drops_new_items": "share_removed",
        "leaky_feature": "auc_in_log",
        "position_as_feature": "overlap_with_yesterday",
        "too_much_diversity": "categories_per_list",
    }
    segments = {"retrieval_misses_region": "", "filter_drops_new_items": "new items"}
    return {
        name: _entry(case.fault, rows[case.fault], segments.get(case.fault, "all") or case.region, case.config)
        for name, case in _cases(draw).items()
    }


def _but(
    change: Callable[[dict[str, Any]], Mapping[str, Any]], first: int = _PIPELINES
) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right one, with the entries of the first pipelines changed."""

    def write(draw: Draw, folder: Path) -> None:
        entries = _truth(draw)
        for name in list(entries)[:first]:
            entries[name] |= change(entries[name])
        (folder / "answer.toml").write_text(_toml(draw, entries), encoding="utf-8")

    return write


_NEXT: Final = dict(zip(_FAULTS, [*list(_FAULTS)[1:], next(iter(_FAULTS))], strict=True))

IllStage.wrong = {
    "one name for all": _but(lambda entry: {"fault": "retrieval_misses_region"}),
    "none is ill": _but(lambda entry: {"fault": _NONE}),
    "two of five confused": _but(lambda entry: {"fault": _NEXT[entry["fault"]]}, 2),
    "clicks as evidence": _but(lambda entry: {"measure": "clicks", "segment": "all"}),
    "evidence of another segment": _but(lambda entry: {"measure": "share_removed", "segment": "old items"}),
    "harmless setting put back": _but(lambda entry: {"key": "retrieval.k", "value": HEALTHY["retrieval.k"]}),
    "no repair": _but(lambda entry: {"key": "", "value": 0}),
}
