"""Embedding Atlas: an exploration as the tables that Apple's viewer opens, with its map, neighbours and labels.

The viewer uses WebGPU and needs several gigabytes; it is not required to write its input.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl

from reclens.errors import Advice, Setting, UsageError
from reclens.explore.neighbours import neighbour_graph
from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.files import write_bytes
from reclens.report.explore.map_page import attribute_columns, map_columns, map_labels, texts_of, titles_of

__all__ = ["atlas_command", "atlas_tables", "write_atlas"]


def atlas_tables(
    found: Exploration, space: EmbeddingSpace, *, neighbours: int = 10
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the items and the labels of the regions.

    Args:
        found: An exploration with a map.
        space: The explored space.
        neighbours: Nearest neighbours of each item that are written; fewer if there are fewer items.

    Returns:
        ``id, title, text, x, y, neighbors`` and every column that the map can be coloured by: a neighbour is a row from
        0 with its cosine distance. And ``x, y, text, level, priority`` of the labels.

    Raises:
        UsageError: If the exploration has no map, or is of another space.
    """
    if found.map is None:
        raise UsageError(
            "the exploration has no map",
            advice=Advice("explore_with_map", (Setting("point_map"),), "Explore with {point_map}."),
        )
    if found.card["revision"] != space.revision:
        raise UsageError(f"the exploration is of another space than '{space.name}': explore this one.")
    graph = neighbour_graph(space, k=max(1, min(neighbours, len(space) - 1)))
    apart = np.maximum(1 - graph.similarities.astype(np.float64), 0)
    texts = texts_of(space, None)
    near = pl.DataFrame({"ids": graph.rows, "distances": apart}).select(
        pl.struct(pl.col("ids").cast(pl.List(pl.Int64)), pl.col("distances").cast(pl.List(pl.Float64)))
    )
    table = pl.DataFrame(
        {
            "id": space.ids,
            "title": titles_of(space),
            **({} if texts is None else {"text": texts}),
            "x": found.map.points[:, 0],
            "y": found.map.points[:, 1],
            "neighbors": near.to_series(),
        }
    )
    more = {each.name: each.values for each in (*map_columns(found), *attribute_columns(space, None))}
    table = table.with_columns(values.alias(name) for name, values in more.items() if name not in table.columns)
    placed = map_labels(found, found.map.points)  # of each level the larger regions first
    labels = [
        {"x": each.x, "y": each.y, "text": each.text, "level": each.level, "priority": len(placed) - at}
        for at, each in enumerate(placed)
    ]
    schema = {"x": pl.Float64, "y": pl.Float64, "text": pl.String, "level": pl.Int64, "priority": pl.Int64}
    return table, pl.DataFrame(labels, schema=schema)


def write_atlas(found: Exploration, space: EmbeddingSpace, path: str | Path) -> tuple[Path, Path]:
    """Write the items as ``NAME.parquet`` and the labels as ``NAME-labels.parquet``.

    Args:
        found: An exploration with a map.
        space: The explored space.
        path: ``NAME.parquet``.

    Returns:
        Both files.

    Raises:
        UsageError: If the exploration has no map, or is of another space.
        WorkspaceError: If a file cannot be written.
    """
    rows = Path(path).with_suffix(".parquet")
    labels = rows.with_name(f"{rows.stem}-labels.parquet")
    for place, table in zip((rows, labels), atlas_tables(found, space), strict=True):
        packed = io.BytesIO()
        table.write_parquet(packed)
        write_bytes(place, packed.getvalue())
    return rows, labels


def atlas_command(rows: Path, labels: Path, *, text: bool) -> str:
    """The command that opens what :func:`write_atlas` wrote.

    Args:
        rows: The items.
        labels: The labels.
        text: Whether the items have texts.
    """
    shown = "text" if text else "title"
    return f"embedding-atlas {rows} --x x --y y --neighbors neighbors --labels {labels} --text {shown}"
