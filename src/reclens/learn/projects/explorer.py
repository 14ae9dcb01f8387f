"""Project: the embedding space of a catalogue: what lists reach of it, and what users want and never see."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.split import Split
from reclens.data.split.holdout import last_n
from reclens.data.synthetic import synthetic_movielens
from reclens.data.synthetic_plots import with_plots
from reclens.explore.procedure import run
from reclens.explore.text_embedding import embed_texts
from reclens.learn.exercise import Draw
from reclens.learn.measured import Measured, Number
from reclens.learn.project import Project, project_seed
from reclens.models import EASE
from reclens.report.learn.portfolio_words import COUNTED_WHOLE
from reclens.schema import ITEM, Recommendations, fingerprint

__all__ = ["Explorer"]

_SIZE: Final = {"n_users": 300, "n_items": 400, "n_ratings": 15_000}


class Explorer(Project):
    """A map of the catalogue, coverage and blind spots."""

    code = "P4"
    name = "explorer"
    level = "advanced"
    of_phase = 5
    table = "space"
    keys = ("measure",)
    columns = ("value", "low", "high", "n")

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The catalogue with titles and plots, lists, and what was held out."""
        _, made, lists, items = _parts(project_seed(draw))
        items.with_columns(pl.col("genres").list.join("|")).write_parquet(folder / "catalogue.parquet")
        lists.table.write_parquet(folder / "lists.parquet")
        made.test.write_parquet(folder / "truth.parquet")
        made.train.interactions.write_parquet(folder / "train.parquet")

    def measure(self, seed: int) -> Measured:
        """Embed the texts, and explore what the lists show."""
        _, made, lists, items = _parts(seed)
        space = embed_texts(items, columns=("title", "plot"), id_column=ITEM, name="films")
        found = run(space, lists, made.test, train=made.train, k=10)
        return Measured(
            tables={"space": found.to_frame()},
            numbers=_numbers(),
            primary="unshown_wants",
            data={
                "name": "synthetic films with titles and plots",
                "licence": "made by RecLens from the seed; free to share",
                "items": items.height,
                "users": _SIZE["n_users"],
                "fingerprint": fingerprint(made.train.interactions, made.test, items.select(ITEM, "title", "plot")),
                "synthetic": True,
            },
            protocol={
                "vectors": "TF-IDF of title and plot, reduced",
                "lists": "EASE, ten items a user",
                "wanted": "the last five interactions of each user",
                "intervals": "95 %; none where the whole catalogue was counted",
            },
            command="reclens explore embed films --texts catalogue.parquet --text title --text plot --workspace ../..\n"
            "reclens explore report films lists.parquet --truth truth.parquet --train train.parquet --workspace ../.. "
            "--format csv --out numbers.csv",
        )


@lru_cache(maxsize=4)
def _parts(seed: int) -> tuple[Dataset, Split, Recommendations, pl.DataFrame]:
    data = with_plots(synthetic_movielens(**_SIZE, rng=seed), rng=seed)
    made = last_n(data, n=5, rng=seed)
    lists = EASE().fit(made.train).recommend(made.test_users, k=10)
    assert data.items is not None
    return data, made, lists, data.items


def _numbers() -> list[Number]:
    told = {
        "unshown_wants": (
            "wanted, in no list",
            "share of wanted interactions whose item is in no list",
            "",
            "blind_spot",
        ),
        "coverage": ("catalogue shown", "share of the catalogue that is in some list", "", "coverage"),
        "near_duplicates": ("with a near-duplicate", "share of the catalogue with a near-duplicate", "", ""),
        "far_queries": ("users far from all", "share of users far from every item", "", ""),
        "mean_cosine": ("mean cosine", "mean cosine of two items", COUNTED_WHOLE, ""),
    }
    return [
        Number(
            key=name,
            label=label,
            short=short,
            query=f"SELECT value, low, high, n FROM space WHERE measure = '{name}'",
            percent=name != "mean_cosine",
            null=0.0 if name == "unshown_wants" else None,
            reason=reason,
            finding=finding,
        )
        for name, (short, label, reason, finding) in told.items()
    ]
