"""Project: films and their ratings, four recommenders compared overall and by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from reclens.cards import Fact
from reclens.data import segments, split
from reclens.data.dataset import Dataset
from reclens.data.read.open import load_data
from reclens.data.read.request import Reading
from reclens.data.synthetic import synthetic_movielens
from reclens.evaluation import compare, evaluate
from reclens.learn.exercise import Draw
from reclens.learn.measured import Measured, Number
from reclens.learn.project import Project, project_seed
from reclens.learn.project_settings import OwnData
from reclens.models import build
from reclens.schema import fingerprint

__all__ = ["Diagnostics"]

_SIZE: Final = {"n_users": 400, "n_items": 300, "n_ratings": 20_000}
_MODELS: Final = ("popular", "user_knn", "item_knn", "ease")
_METRICS: Final = ("ndcg@10", "recall@10", "precision@10")
_BY: Final = ("age", "favourite genre", "activity")
_JOB: Final = """\
name = "diagnostics"
seed = {seed}

[data]
path = "ratings.parquet"
users = "users.parquet"
items = "items.parquet"

[split]
method = "last_n"
n = 5

[models.popular]
[models.user_knn]
[models.item_knn]
[models.ease]

[evaluate]
metrics = ["ndcg@10", "recall@10", "precision@10"]
k = 10

[compare]
baseline = "popular"
primary = "ndcg@10"
"""


class Diagnostics(Project):
    """A report and a dashboard of four recommenders."""

    code = "P1"
    name = "diagnostics"
    level = "beginner"
    of_phase = 1
    table = "evaluation"
    keys = ("system", "metric", "by", "segment")
    columns = ("value", "low", "high", "n")

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Ratings, users, items and the job."""
        seed = project_seed(draw)
        data = _data(seed)
        data.interactions.write_parquet(folder / "ratings.parquet")
        for name, table in (("users", data.users), ("items", data.items)):
            if table is not None:
                table.write_parquet(folder / f"{name}.parquet")
        (folder / "job.toml").write_text(_JOB.format(seed=seed), encoding="utf-8")

    def kept(self, measured: Measured) -> pl.DataFrame:
        """The job prints what holds for all users; its report and the dashboard have the segments."""
        return measured.tables["evaluation"].filter(by="overall")

    def measure(self, seed: int) -> Measured:
        """Fit, evaluate by segment, and compare with the popular items."""
        card: dict[str, Fact] = {
            "name": "synthetic ratings of films, in the shape of MovieLens",
            "licence": "made by RecLens from the seed; free to share",
        }
        return self._measure(_data(seed), seed, {**card, "synthetic": True}, _BY)

    def measure_own(self, seed: int, data: OwnData) -> Measured:
        """The same on MovieLens, or any table of interactions."""
        card: dict[str, Fact] = {
            "name": "a private table" if data.private else Path(data.path).name,
            "licence": data.licence,
            "to get it": data.fetch or "it is not passed on",
        }
        return self._measure(load_data(data.path, Reading()), seed, card, ("activity",))

    def _measure(self, data: Dataset, seed: int, card: Mapping[str, Fact], by: Sequence[str]) -> Measured:
        made = split.last_n(data, n=5, rng=seed)
        made = replace(made, train=made.train.with_segments(**segments.usual(made.train)))
        results = {
            name: evaluate(
                build(name, {}).fit(made.train).recommend(made.test_users, k=10),
                made,
                metrics=list(_METRICS),
                by=list(by),
                rng=seed,
                name=name,
            )
            for name in _MODELS
        }
        compared = compare(results, baseline="popular", primary="ndcg@10", rng=seed)
        # Relaxed: the notes of one system are text, and those of another are all missing.
        evaluation = pl.concat([each.to_frame() for each in results.values()], how="vertical_relaxed")
        frame = compared.to_frame()
        return Measured(
            tables={"evaluation": evaluation, "comparison": frame},
            numbers=[*_numbers("light", "heavy")],
            primary="ease_over_popular",
            data={
                **card,
                "interactions": data.interactions.height,
                "users": len(data.user_vocabulary),
                "items": len(data.item_vocabulary),
                "fingerprint": fingerprint(data.interactions),
            },
            protocol={
                "split": "the last five ratings of each user are held out",
                "lists": "ten items a user, without those already rated",
                "intervals": "95 %, bootstrap over users",
                "tests": "paired by user, corrected by Holm",
                "models": ", ".join(_MODELS),
            },
            command="reclens run job.toml --workspace ../.. --format csv --out numbers.csv",
        )


def _data(seed: int) -> Dataset:
    return synthetic_movielens(**_SIZE, rng=seed)


def _numbers(light: str, heavy: str) -> list[Number]:
    gaps = [
        Number(
            key=f"{name}_over_popular",
            label=f"NDCG@10 of {name} less that of popular",
            short=f"{name} less popular",
            query="SELECT difference AS value, low, high, n FROM comparison WHERE metric = 'ndcg@10' "
            f"AND \"by\" = 'overall' AND system = '{name}'",
            null=0.0,
            higher=True,
            finding="model_over_popular",
        )
        for name in ("ease", "item_knn", "user_knn")
    ]
    levels = [
        Number(
            key=f"{metric.replace('@', '_')}_{name}",
            label=f"{metric} of {name}",
            query=f"SELECT value, low, high, n FROM evaluation WHERE metric = '{metric}' AND \"by\" = 'overall' AND "
            f"system = '{name}'",
        )
        for metric in ("ndcg@10", "recall@10")
        for name in _MODELS
    ]
    segments = [
        Number(
            key=f"ease_{segment}",
            label=f"NDCG@10 of ease for {segment} users",
            query="SELECT value, low, high, n FROM evaluation WHERE metric = 'ndcg@10' AND \"by\" = 'activity' "
            f"AND segment = '{segment}' AND system = 'ease'",
        )
        for segment in (light, heavy)
    ]
    return [*gaps, *levels, *segments]
