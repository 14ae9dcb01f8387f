"""The demonstration of the explorer: a space of a text catalogue, lists of EASE, and the items that they never show.

Without data it uses a synthetic catalogue with titles and plots, which all outputs state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.ids import infer_type
from reclens.data.read.sources import load
from reclens.data.split.holdout import last_n
from reclens.data.synthetic import synthetic_movielens
from reclens.data.synthetic_plots import with_plots
from reclens.engine import Progress, quiet
from reclens.errors import Advice, DataError
from reclens.explore.local_store import LocalStore
from reclens.explore.procedure import run as explore
from reclens.explore.query_text import encoder_of
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.explore.text_embedding import embed_texts
from reclens.explore.transfer import move
from reclens.job.explore_map import MapBy, map_of
from reclens.models import EASE
from reclens.report._toolkit.format import whole
from reclens.report.explore.document import build_exploration_report
from reclens.report.explore.map_page import build_exploration_map
from reclens.schema import ITEM, Recommendations
from reclens.workspace import Workspace

__all__ = ["DEMO", "Catalogue", "ExploreDemo", "read_catalogue", "run_demo", "synthetic_catalogue"]

DEMO: Final = "explore-demo"
"""Name of everything that the demonstration keeps."""
_EMBED: Final = Advice("embed_columns", text="Name the columns: rl.explore.embed_texts.")
_TITLES: Final = ("title", "name")
_LABELS: Final = ("genres", "listed_in", "categories", "category", "type")
_LONG: Final = 40
"""Characters that the texts of a column have on average, from which they are read as plots and the like."""
_HELD_OUT: Final = 5
"""Last interactions of each user that are held out: what the user turned out to want."""
_PROBES: Final = 500
_K: Final = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """A catalogue of texts.

    Attributes:
        table: One row per item.
        id_column: The column of ids.
        texts: Columns that are embedded: titles, and the longest texts.
        labels: Columns whose values name regions, such as genres.
        synthetic: Whether it is synthetic.
    """

    table: pl.DataFrame
    id_column: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    synthetic: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class ExploreDemo:
    """The demonstration.

    Attributes:
        found: The exploration.
        space: The space that was explored.
        written: Map and report.
        query: A text that was searched for: the first words of a plot.
        answers: Titles that the search returned, the nearest first.
        synthetic: Whether the catalogue is synthetic.
    """

    found: Exploration
    space: EmbeddingSpace
    written: tuple[Path, ...]
    query: str
    answers: tuple[str, ...]
    synthetic: bool


def synthetic_catalogue(*, seed: int = 0, users: int = 943, items: int = 1_682) -> tuple[Catalogue, Dataset]:
    """Synthetic films with titles and plots that depend on their genres, and matching ratings.

    Args:
        seed: Seed of the random numbers.
        users: Users with ratings.
        items: Films.
    """
    data = with_plots(synthetic_movielens(n_users=users, n_items=items, n_ratings=100 * users, rng=seed), rng=seed)
    table = pl.DataFrame() if data.items is None else data.items
    made = Catalogue(table=table, id_column=ITEM, texts=("title", "plot"), labels=("genres",), synthetic=True)
    return made, data


def read_catalogue(path: str | Path) -> Catalogue:
    """A file of items with texts: columns of ids, titles, texts and labels are detected from their values.

    The first column whose values are all there and all different holds the ids; the text that is longest on average,
    40 characters or more, is embedded, with the title if there is one. Genres in one cell, separated by commas or
    bars, become lists.

    Args:
        path: CSV, Parquet, JSON, also compressed.

    Raises:
        DataError: If no column holds ids, or none holds texts.
    """
    raw = load(str(path))
    lengths = {
        name: float(raw.frame[name].str.len_chars().mean() or 0.0)  # type: ignore[arg-type]
        for name, kind in raw.frame.schema.items()
        if kind == pl.String
    }
    titles = [name for name in raw.frame.columns if name in _TITLES][:1]
    longest = max((each for each in lengths if each not in titles), key=lambda name: lengths[name], default=None)
    if longest is None or lengths[longest] < _LONG:
        raise DataError(
            f"no column holds texts of {_LONG} characters or more",
            source=str(path),
            fix=_EMBED,
        )
    texts = (*titles, longest)
    own = [name for name in raw.frame.columns if name not in texts]
    table = raw.frame.with_columns(infer_type(raw.frame[name], raw.decimal) for name in own if raw.text)
    keys = [name for name in own if not table[name].null_count() and table[name].n_unique() == table.height]
    if not keys:
        raise DataError(
            "no column has a value of its own in each row: there are no ids",
            source=str(path),
            fix=_EMBED,
        )
    labels = tuple(name for name in _LABELS if name in own and not _is_json(table[name]))
    table = table.with_columns(_split(table[name]) for name in labels)
    return Catalogue(table=table, id_column=keys[0], texts=texts, labels=labels)


def _is_json(values: pl.Series) -> bool:
    return values.dtype == pl.String and bool(values.str.starts_with("[").any())


def _split(values: pl.Series) -> pl.Series:
    """Lists of labels, if cells hold several."""
    if values.dtype != pl.String or not values.str.contains(r",|\|").any():
        return values
    return values.str.replace_all(r"\s*[,|]\s*", "|").str.split("|")


def run_demo(
    workspace: Workspace,
    catalogue: Catalogue,
    ratings: Dataset | None = None,
    *,
    map_by: MapBy = "pca",
    seed: int = 0,
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda line: None,
) -> ExploreDemo:
    """Embed a catalogue, store and map it, and explore what EASE shows of it; an older demonstration is replaced.

    Args:
        workspace: Where space, store, lists, exploration, map and report are kept.
        catalogue: The items.
        ratings: Interactions with them; without any, nothing is known of what is shown and wanted.
        map_by: How the map is made.
        seed: Seed of the random numbers.
        progress: Called to report progress.
        say: Called with one line of text per step.

    Raises:
        DataError: If no text of the catalogue can be embedded, or no interaction is with an item of it.
    """
    space = _embedded(catalogue, progress)
    workspace.save(space, DEMO, overwrite=True)
    say(f"space '{DEMO}': {whole(len(space))} items by the words of {' and '.join(catalogue.texts)}")
    store = LocalStore(workspace.folder / "stores" / DEMO)
    move(space, store, again=True, progress=progress)
    store.build_index(progress=progress)
    given: dict[str, Any] = {} if ratings is None else _lists(workspace, space, ratings, seed, say)
    encoder = encoder_of(space)
    title = catalogue.texts[0]
    novel = encoder.encode(space.attributes[title].cast(pl.String).fill_null("").head(_PROBES).to_list())
    found = explore(
        space,
        store=store,
        probes=None if ratings is not None else {"titles": novel[np.linalg.norm(novel, axis=1) > 0]},
        point_map=map_of(space, map_by, workspace=workspace, seed=seed, progress=progress),
        k=_K,
        labels=catalogue.labels,
        seed=seed,
        progress=progress,
        **given,
    )
    workspace.save(found, DEMO, overwrite=True)
    folder, made_up = workspace.folder / "reports", catalogue.synthetic
    written = (
        build_exploration_map(found, space, file=f"{DEMO}-map", synthetic=made_up).save(folder / f"{DEMO}-map.html"),
        *build_exploration_report(found, space=space, synthetic=made_up).save(folder / DEMO),
    )
    query = " ".join(str(space.attributes[catalogue.texts[-1]].drop_nulls()[0]).split()[:8])
    near = store.query(encoder.encode([query]), 3)[0][0]
    rows = pl.DataFrame({"id": space.ids.cast(pl.String), "title": space.attributes[title].cast(pl.String)})
    answers = pl.DataFrame({"id": near}).join(rows, on="id", how="left", maintain_order="left")["title"]
    return ExploreDemo(
        found=found,
        space=space,
        written=written,
        query=query,
        answers=tuple(answers.fill_null("").to_list()),
        synthetic=catalogue.synthetic,
    )


def _embedded(catalogue: Catalogue, progress: Progress) -> EmbeddingSpace:
    columns = {catalogue.id_column, *catalogue.texts, *catalogue.labels}
    numbers = {name for name, kind in catalogue.table.schema.items() if kind.is_numeric()}
    table = catalogue.table.select(name for name in catalogue.table.columns if name in columns | numbers)
    space = embed_texts(table, columns=catalogue.texts, id_column=catalogue.id_column, name=DEMO, progress=progress)
    if not catalogue.synthetic:
        return space
    return replace(space, card=replace(space.card, settings={**space.card.settings, "synthetic": True}))


def _lists(
    workspace: Workspace, space: EmbeddingSpace, ratings: Dataset, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Lists of EASE, the held-out interactions, and the training data."""
    inside = ratings.interactions.filter(pl.Series(space.rows(ratings.interactions[ITEM]) >= 0))
    if not inside.height:
        raise DataError(
            "no interaction is with an item of the catalogue", column=ITEM, fix="Give both files the same ids."
        )
    split = last_n(replace(ratings, interactions=inside, log=None), n=_HELD_OUT, rng=seed)
    model = EASE().fit(split.train)
    lists: Recommendations = model.recommend(split.test_users, k=_K)
    for each in (split, lists):
        workspace.save(each, DEMO, overwrite=True)
    users, held, left = len(split.test_users), split.test.height, ratings.interactions.height - inside.height
    say(
        f"lists '{DEMO}': EASE for {whole(users)} users, {whole(held)} interactions held out; {whole(left)} are with "
        "other items"
    )
    return {"lists": lists, "truth": split.test, "train": split.train}
