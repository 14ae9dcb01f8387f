"""Selection of the weights of a weighted hybrid on validation data."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.frames import read_parquet
from reclens.data.split import task_of
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import Advice, ArgumentValueError, DataError, LeakError, Setting, UnknownNameError, UsageError
from reclens.evaluation.results import OVERALL
from reclens.evaluation.run import evaluate
from reclens.files import made_folder
from reclens.memory import require_memory
from reclens.metrics.registry import Asked, MetricSpec, parse
from reclens.models import WeightedHybrid
from reclens.models._core.block import Block
from reclens.models._core.kernels import top_of_dense
from reclens.models.weighted_hybrid import weighted_sum
from reclens.schema import ITEM, RANK, SCORE, USER, fingerprint, stable_hash
from reclens.stats.bootstrap import difference
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Summary
from reclens.tabular import Tabular
from reclens.tuning.cards import WeightsCard

__all__ = ["TriedWeights", "TunedWeights", "tune_weights"]

_MOST = 300
"""Points tried at most: the lists of all of them are held together, and the finer differences are noise."""


@dataclass(frozen=True)
class TriedWeights(Tabular):
    """One point of the validation curve.

    Attributes:
        weights: Label = weight; they sum to 1.
        value: The metric on the validation data.
    """

    weights: Mapping[str, float]
    value: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{f"weight of {label}": weight for label, weight in self.weights.items()} | asdict(self.value)]


@dataclass(frozen=True, eq=False, kw_only=True)
class TunedWeights(Tabular):
    """Weights chosen on validation data.

    Attributes:
        weights: Label = weight of the best point; they sum to 1.
        metric: Metric of the selection.
        value: The metric with these weights on the validation data, which is optimistic: measure on test data.
        single: The best single model.
        gain: Chosen weights minus the best single model, paired by user.
        curve: All points, in the order they were tried.
        model: The hybrid with these weights, fitted on the training part.
        card: Models, data and settings of the search.
    """

    weights: Mapping[str, float]
    metric: str
    value: Estimate
    single: str
    gain: Estimate
    curve: tuple[TriedWeights, ...]
    model: WeightedHybrid
    card: WeightsCard

    def _about(self) -> str:
        return f"TunedWeights by {self.metric}"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a point of the curve."""
        return [row | {"chosen": tried.weights == self.weights} for tried in self.curve for row in tried.to_dicts()]

    def save(self, folder: str | Path) -> None:
        """Write the curve as Parquet, the fitted hybrid, and the rest as JSON into a folder, created if absent."""
        path = made_folder(folder)
        rows = [{"weights": json.dumps(dict(each.weights)), **asdict(each.value)} for each in self.curve]
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path / "curve.parquet")
        header = {
            "weights": self.weights,
            "metric": self.metric,
            "value": asdict(self.value),
            "single": self.single,
            "gain": asdict(self.gain),
            "card": self.card,
        }
        (path / "weights.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")
        (path / "model").mkdir()
        self.model.save(path / "model")

    @classmethod
    def load(cls, folder: str | Path) -> TunedWeights:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder is not a complete result.
        """
        path = Path(folder)
        try:
            header = json.loads((path / "weights.json").read_text(encoding="utf-8"))
            curve = tuple(
                TriedWeights(json.loads(row.pop("weights")), Estimate(**row))
                for row in read_parquet(path / "curve.parquet").to_dicts()
            )
            value, gain = (Estimate(**header[name]) for name in ("value", "gain"))
            model = WeightedHybrid.load(path / "model")
            return cls(
                weights=header["weights"],
                metric=header["metric"],
                value=value,
                single=header["single"],
                gain=gain,
                curve=curve,
                model=model,
                card=header["card"],
            )
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"not the whole outcome of a search for weights ({error})",
                source=str(path),
                fix="Tune the weights again and save them.",
            ) from error


def tune_weights(
    models: Mapping[str, Mapping[str, Any]],
    train: Dataset,
    validation: pl.DataFrame,
    *,
    scale: str = "z",
    metric: Asked = "ndcg@10",
    search: Literal["grid", "random"] = "grid",
    step: float = 0.1,
    draws: int = 50,
    most_users: int | None = 20_000,
    convention: str = "trec",
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> TunedWeights:
    """Select the weights of a :class:`~reclens.models.WeightedHybrid` by its lists for validation users.

    Every model is fitted once, on the training part, and its scaled scores of a block of users are computed once for
    all weights. No test part is used. The best of many points is optimistic on the data it was chosen on, so the value
    is no estimate for test data.

    Args:
        models: Label = hyper-parameters, as of the hybrid; two or more.
        train: The training part.
        validation: Held-out interactions ``user_id, item_id`` of the training side, such as ``split.validation``.
        scale: Scale of the hybrid.
        metric: A metric of lists, such as ``"ndcg@10"``.
        search: ``"grid"``: all weights that are multiples of ``step`` and sum to 1. ``"random"``: each model alone,
            equal weights, and ``draws`` points drawn uniformly from all weights that sum to 1.
        step: Step of the grid; 1 ÷ step must be a whole number.
        draws: Number of points to draw.
        most_users: Maximum number of validation users, drawn at random; None for all.
        convention: Convention of the metric.
        level: Confidence level of the intervals.
        replicates: Bootstrap replicates behind the intervals.
        rng: Seed of the random numbers.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress.

    Raises:
        LeakError: If a validation row is also in the training part, and the task of its split excludes repeats.
        UsageError: If the metric has no direction, or there is nothing to choose from.

    References:
        Burke (2002), Hybrid recommender systems: survey and experiments.
    """
    spec = _metric_of(metric)
    points = _points(list(models), search, step, draws, rng)
    repeats = task_of(train.card.get("split")) == "with_repeats"
    users, truth = _validation_of(train, validation, most_users, rng, repeats=repeats)
    hybrid = WeightedHybrid(models=models, scale=scale).fit(train, threads=threads, progress=progress)
    codes = _lists(hybrid, users, points, spec.k or len(hybrid.items_), threads, progress, exclude_seen=not repeats)
    found: list[tuple[Estimate, Summary]] = []
    for listed in codes:
        result = evaluate(
            _table(hybrid, users, listed),
            truth,
            train=train,
            metrics=[spec.text],
            convention=convention,
            level=level,
            replicates=replicates,
            rng=rng,
            threads=threads,
        )
        found.append((result[spec.text].overall, result.summary))  # and not the rest, which is large
        progress("evaluate weights", len(found), len(points))
    sign = 1 if spec.info.higher_is_better else -1
    best, single = _best(points, sign * np.array([value.value for value, _ in found]))
    gain, _ = difference(found[best][1], found[single][1], OVERALL, spec.text, level=level)
    curve = tuple(
        TriedWeights(dict(zip(models, point, strict=True)), value)
        for point, (value, _) in zip(points, found, strict=True)
    )
    hybrid.weights = dict(curve[best].weights)
    card: WeightsCard = {
        "train": {"name": train.name, "rows": train.interactions.height, "hash": train.fingerprint},
        "validation": {"rows": truth.height, "users": len(users), "hash": fingerprint(truth)},
        "models": {label: dict(about) for label, about in models.items()},
        "metric": spec.text,
        "scale": scale,
        "search": search,
        "points": len(points),
        "seed": rng,
        "synthetic": bool(train.card.get("synthetic")),
    }
    return TunedWeights(
        weights=curve[best].weights,
        metric=spec.text,
        value=curve[best].value,
        single=list(models)[int(np.argmax(points[single]))],
        gain=replace(gain, note=gain.note or "chosen_as_best"),
        curve=curve,
        model=hybrid,
        card=card,
    )


def _metric_of(metric: Asked) -> MetricSpec:
    spec = parse(metric)
    if spec.info.kind != "user" or spec.info.higher_is_better is None:
        raise UsageError(
            f"{metric} cannot choose weights: it has no direction that is better for each user. Use one "
            "such as ndcg@10."
        )
    return spec


def _best(points: Sequence[tuple[float, ...]], values: np.ndarray) -> tuple[int, int]:
    """The point with the highest value, and the best point with a single model."""
    alone = [at for at, point in enumerate(points) if max(point) == 1]
    return int(np.argmax(values)), alone[int(np.argmax(values[alone]))]


def _points(labels: Sequence[str], search: str, step: float, draws: int, rng: int) -> list[tuple[float, ...]]:
    """Weights to try, each summing to 1; each model alone is among them."""
    n = len(labels)
    if n < 2:
        raise UsageError(f"{n} model{'s' * (n != 1)} to weigh, expected two or more.")
    if search not in ("grid", "random"):
        raise UnknownNameError("search", search, ("grid", "random"))
    if search == "random":
        if not 0 <= draws < _MOST:
            raise ArgumentValueError("draws", f"is {draws}, expected 0 to {_MOST - 1:,}")
        drawn = np.random.default_rng(rng).dirichlet(np.ones(n), draws)
        return [*map(tuple, np.eye(n).tolist()), (1 / n,) * n, *map(tuple, drawn.tolist())]
    parts = round(1 / step) if step > 0 else 0
    if parts < 1 or not math.isclose(parts * step, 1, rel_tol=1e-6):
        raise ArgumentValueError(
            "step", f"is {step}, expected a number such as 0.1 or 0.25, of which a whole number makes 1"
        )
    size = math.comb(parts + n - 1, n - 1)
    if size > _MOST:
        raise UsageError(
            f"a grid of step {step:g} over {n} models has {size:,} points, more than {_MOST:,}",
            advice=Advice(
                "fewer_points", (Setting("step"), Setting("search", "random")), "Take a larger {step}, or {search}."
            ),
        )
    # Bars between stars: every way to share the parts among the models.
    cuts = itertools.combinations(range(parts + n - 1), n - 1)
    ends = ((-1, *cut, parts + n - 1) for cut in cuts)
    return [tuple((b - a - 1) / parts for a, b in itertools.pairwise(end)) for end in ends][::-1]


def _validation_of(
    train: Dataset, validation: pl.DataFrame, most_users: int | None, rng: int, *, repeats: bool
) -> tuple[pl.Series, pl.DataFrame]:
    """The users to serve, and their held-out rows."""
    absent = [column for column in (USER, ITEM) if column not in validation.columns]
    if absent:
        raise UsageError(f"the validation data lacks {', '.join(absent)}.")
    known = validation.join(train.interactions.select(USER).unique(), on=USER, how="semi")
    shared = known.join(train.interactions, on=[USER, ITEM], how="semi")
    if shared.height and not repeats:
        raise LeakError(
            f"{shared.height:,} rows of the validation data also stand in the training data. Weights "
            "have to be chosen on what the models have not seen."
        )
    users = known[USER].unique().sort()
    if not len(users):
        raise UsageError("no user of the validation data is in the training data, so that no weights can be chosen.")
    if most_users is not None and len(users) > most_users:
        if most_users < 1:
            raise ArgumentValueError("most_users", f"is {most_users}, expected 1 or more, or None for all")
        chosen = np.random.default_rng([rng, 1]).choice(len(users), most_users, replace=False)
        users = users.gather(np.sort(chosen))
    return users, known.filter(pl.col(USER).is_in(users.implode()))


def _lists(
    hybrid: WeightedHybrid,
    users: pl.Series,
    points: Sequence[tuple[float, ...]],
    k: int,
    threads: int | None,
    progress: Progress,
    *,
    exclude_seen: bool,
) -> np.ndarray:
    """The best items under each point: int32 codes, shape (points, users, k); -1 fills up."""
    codes, keys = hybrid.users_.encode(users).astype(np.int64), stable_hash(users)
    k = min(k, len(hybrid.items_))
    require_memory(
        4 * len(points) * len(users) * k,
        f"lists of {k:,} items for {len(users):,} users under {len(points):,} weights",
        advice="Pass most_users, fewer points or a smaller k.",
    )
    found = np.empty((len(points), len(users), k), np.int32)
    labels, seen = list(hybrid.models), hybrid.seen_

    def serve(part: range) -> int:
        at = slice(part.start, part.stop)
        scaled = hybrid.scaled(Block.of_training(codes[at], seen, keys[at], k=k, exclude_seen=exclude_seen), labels)
        scores = np.empty((len(part), k), np.float32)
        for lists, point in zip(found, points, strict=True):
            total = weighted_sum(scaled, point)
            top_of_dense(
                codes[at], total, seen.indptr, seen.indices, exclude_seen, np.float32(-np.inf), lists[at], scores
            )
        return len(part)

    done = 0
    for count in LocalEngine(threads).map(serve, chunk_ranges(len(users), hybrid._block_size())):
        done += count
        progress("recommend with all weights", done, len(users))
    return found


def _table(hybrid: WeightedHybrid, users: pl.Series, codes: np.ndarray) -> pl.DataFrame:
    rows, places = np.nonzero(codes >= 0)
    return pl.DataFrame(
        {
            USER: users.gather(rows),
            ITEM: hybrid.items_.decode(codes[rows, places]),
            RANK: (places + 1).astype(np.int32),
            SCORE: (-places).astype(np.float32),
        }
    )
