"""Results of a hyper-parameter search: trials, the best configuration of each model, and cautions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import polars as pl

from reclens.data.manifest import reading
from reclens.data.read.frames import read_parquet
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.files import made_folder
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular
from reclens.tuning.cards import SearchCard

__all__ = [
    "Caution",
    "CautionGroup",
    "CautionKind",
    "Trial",
    "Tuned",
    "Tuning",
    "TuningNote",
    "grouped",
    "split_settings",
]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration, fitted on a share of the training users and measured on the validation part.

    Attributes:
        model: The model.
        number: Number of the configuration; 0 is the default one.
        rung: Number of the rung, from 0.
        share: Share of the users it was fitted on, which is its cost in full fits.
        parameters: The values of the parameters that are searched.
        value: The metric on the validation part of those users; None where the trial failed.
        seconds: Duration of the trial.
        error: Reason of a failure, or None.
        warned: Kinds of warnings of the fit, such as ``ConvergenceWarning``, or None.
        warning: Text of the first warning.
    """

    model: str
    number: int
    rung: int
    share: float
    parameters: Mapping[str, Any]
    value: float | None
    seconds: float
    error: str | None = None
    warned: str | None = None
    warning: str | None = None


CautionKind = Literal["popular", "failed", "warned", "untuned", "fewer", "alone", "close", "edge", "rising", "default"]
"""What stands against an outcome, the gravest first.

It may be wrong altogether (``popular``, ``failed``, ``warned``), the models were not treated alike (``untuned``,
``fewer``, ``alone``), there is no winner (``close``), a model may be better than it looks (``edge``, ``rising``,
``default``). The documentation of tuning tells when each is given.
"""


TuningNote = Literal["budget", "winners_curse", "test_part"]
"""What to know of every search: what each model might spend, that the best is chosen for being good, and that the test
part was not looked at."""


@dataclass(frozen=True)
class Caution:
    """A reason to doubt the result of a search.

    Attributes:
        kind: What it is, one of :data:`CautionKind`.
        model: The model concerned, or None for all models.
        facts: Names, numbers and texts by name, for the sentences of :mod:`reclens.report.evaluation.tuning_words`.
            Empty for a search that an older version saved.
    """

    kind: CautionKind
    model: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def underfitted(self) -> bool:
        """Whether the model may be better than the search shows."""
        return self.kind in ("edge", "rising", "default", "fewer", "untuned")


@dataclass(frozen=True)
class CautionGroup(Tabular):
    """All cautions of one kind.

    Attributes:
        kind: Kind of the cautions.
        cautions: One or more, in the order of the models.
    """

    kind: CautionKind
    cautions: tuple[Caution, ...]

    @property
    def models(self) -> list[str]:
        """The models concerned, without repeats."""
        return list(dict.fromkeys(each.model for each in self.cautions if each.model is not None))

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row."""
        facts = [dict(each.facts) for each in self.cautions]
        return [{"kind": self.kind, "count": len(self.cautions), "models": self.models, "facts": facts}]


def grouped(cautions: Sequence[Caution]) -> tuple[CautionGroup, ...]:
    """Group cautions by kind, the most severe first."""
    kinds = {kind: tuple(each for each in cautions if each.kind == kind) for kind in get_args(CautionKind)}
    return tuple(CautionGroup(kind, mine) for kind, mine in kinds.items() if mine)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The best configuration of one model, fitted on the whole training part.

    Attributes:
        model: The model.
        parameters: Parameters that were searched or differ from the defaults, sufficient to build the model.
        number: Number of the configuration; 0 if the default was the best.
        value: The metric on the validation part. As the best of many values, it is too optimistic: see ``optimism``.
        default: The same for the default configuration.
        gain: Best minus default, paired by user; None if the default was the best.
        ahead: Best minus second best, paired by user; None if there was no second.
        optimism: Bootstrap estimate of the optimism of the best value; None for a single configuration.
        configurations: Number of different configurations.
        trials: Number of fits, on any share of the users.
        spent: Their cost, in full fits.
        seconds: Their total duration.
        exhausted: Whether all possible configurations were tried.
        stopped: Whether the limit of seconds ended its search early.
    """

    model: str
    parameters: Mapping[str, Any]
    number: int
    value: Estimate
    default: Estimate
    gain: Estimate | None
    ahead: Estimate | None
    optimism: float | None
    configurations: int
    trials: int
    spent: float
    seconds: float
    exhausted: bool
    stopped: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning(Tabular):
    """The result of a search, best model first. ``tuning["ease"].parameters`` are the best parameters.

    Attributes:
        metric: The optimised metric.
        method: ``"random"`` or ``"halving"``.
        best: Best configuration of each model.
        trials: All trials, in the order they were run.
        cautions: Reasons to doubt the result, with advice.
        notes: Notes for interpretation.
        card: Models, data, budget and seed of the search.
    """

    metric: str
    method: str
    best: tuple[Tuned, ...]
    trials: tuple[Trial, ...]
    cautions: tuple[Caution, ...]
    notes: tuple[TuningNote, ...]
    card: SearchCard

    def _about(self) -> str:
        return f"Tuning of {self.metric} by {self.method}"

    def __iter__(self) -> Iterator[Tuned]:
        return iter(self.best)

    def __getitem__(self, model: str) -> Tuned:
        for each in self.best:
            if each.model == model:
                return each
        raise UnknownNameError("tuned model", model, [each.model for each in self.best])

    @property
    def groups(self) -> tuple[CautionGroup, ...]:
        """Cautions by kind, the most severe first; ``card["cautions"]`` has them too."""
        return grouped(self.cautions)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per model, best first."""
        rows: list[dict[str, Any]] = []
        for each in self.best:
            row = {
                "model": each.model,
                "metric": self.metric,
                "n": each.value.n,
                "value": each.value.value,
                "low": each.value.low,
                "high": each.value.high,
                "default": each.default.value,
            }
            for name, found in (("gain", each.gain), ("ahead", each.ahead)):
                row |= {
                    name: found.value if found else None,
                    f"{name}_low": found.low if found else None,
                    f"{name}_high": found.high if found else None,
                }
            row |= {"level": each.value.level, "optimism": each.optimism, "configurations": each.configurations}
            row |= {"trials": each.trials, "spent": each.spent, "seconds": each.seconds}
            row |= {"exhausted": each.exhausted, "stopped": each.stopped, "parameters": _plain(each.parameters)}
            rows.append(row | {"cautions": sum(caution.model == each.model for caution in self.cautions)})
        return rows

    def trial_dicts(self) -> list[dict[str, Any]]:
        """One row per trial, in their order."""
        return [asdict(trial) | {"parameters": _plain(trial.parameters)} for trial in self.trials]

    def to_models(self) -> dict[str, dict[str, Any]]:
        """Model -> its best parameters, as ``[models]`` of a job; None is left out, because TOML has no null."""
        return {
            each.model: {name: value for name, value in _plain(each.parameters).items() if value is not None}
            for each in self.best
        }

    def to_toml(self, *, data: Mapping[str, Any] | None = None, split: Mapping[str, Any] | None = None) -> str:
        """A job that fits the best configurations on the training part of the search and measures the test part.

        Args:
            data: ``[data]`` of the job, the source of the data; synthetic data if omitted.
            split: ``[split]`` of the job; by default the split of the card.

        Returns:
            TOML for ``reclens run``: the same models, fitted on the same rows.

        Raises:
            UsageError: If a job cannot split so, and ``split`` is not given.
        """
        from reclens.settings import write_toml

        card = self.card.get("split") or {}
        how = split_settings(card) if split is None else dict(split)
        seed = card.get("seed")
        k = int(self.metric.partition("@")[2] or 20)
        content: dict[str, Any] = {"name": "tuned", "seed": self.card.get("rng", 0) if seed is None else seed}
        content |= {"data": dict(data)} if data else {}
        content |= {"split": how, "models": self.to_models()}
        measured: dict[str, Any] = {"metrics": [self.metric], "k": k}
        if self.card.get("convention", "trec") != "trec":
            measured["convention"] = self.card["convention"]
        return write_toml(content | {"evaluate": measured})

    def save(self, folder: str | Path) -> None:
        """Write the result as Parquet tables and JSON into a folder, created if absent."""
        path = made_folder(folder)
        for name, rows in (("best", self.to_dicts()), ("trials", self.trial_dicts())):
            texts = [row | {"parameters": json.dumps(row["parameters"])} for row in rows]
            pl.DataFrame(texts, infer_schema_length=None).write_parquet(path / f"{name}.parquet")
        header = {"metric": self.metric, "method": self.method, "notes": self.notes, "card": self.card}
        header |= {"best": [asdict(each) for each in self.best], "cautions": [asdict(each) for each in self.cautions]}
        (path / "tuning.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Tuning:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder is not a complete result.
        """
        path = Path(folder)
        with reading(path, "outcome of a search", fix="Tune again and save it."):
            header = json.loads((path / "tuning.json").read_text(encoding="utf-8"))
            rows = read_parquet(path / "trials.parquet").to_dicts()
            trials = tuple(Trial(**row | {"parameters": json.loads(row["parameters"])}) for row in rows)
            best = tuple(
                Tuned(**each | {name: _estimate(each[name]) for name in ("value", "default", "gain", "ahead")})
                for each in header["best"]
            )
            notes = tuple(each for each in header["notes"] if each in get_args(TuningNote))
            cautions = tuple(Caution(each["kind"], each["model"], each.get("facts", {})) for each in header["cautions"])
            return cls(
                metric=header["metric"],
                method=header["method"],
                best=best,
                trials=trials,
                cautions=cautions,
                notes=notes,
                card=header["card"],
            )


_KEEP_SPLIT: Final = Advice(
    "keep_split", (Setting("split", {"kept": "NAME"}),), "Keep the split in a workspace and name it: {split}."
)


def split_settings(card: Mapping[str, Any]) -> dict[str, Any]:
    """``[split]`` of a job that repeats the split of a card.

    Raises:
        UsageError: If a job has no such split.
    """
    method, said = card.get("method"), dict(card.get("parameters") or {})
    keys = {
        "random": ("test_share", "validation_share"),
        "last_n": ("n", "validation_n", "ties"),
        "by_time": ("test_share", "validation_share"),
    }.get(str(method))
    if keys is None or any(key not in said for key in keys) or said.get("cold_users", "drop") != "drop":
        raise UsageError(
            f"a job cannot split as this search did ({method or 'no card of the split'})",
            advice=_KEEP_SPLIT,
        )
    return {"method": method, **{key: said[key] for key in keys}, "task": card.get("task", "new_items")}


def _estimate(row: Mapping[str, Any] | None) -> Any:
    return None if row is None else Estimate(**row)


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON and TOML values; tuples become lists."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
