"""Labels of regions: the words and attributes that distinguish each from the others, by class-based tf-idf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from reclens.explore.cluster import Regions
from reclens.explore.space import EmbeddingSpace
from reclens.models._content.words import ENGLISH, words_of

__all__ = ["label_columns", "label_groups", "name_regions", "top_terms"]

_WORDS: Final = 3
_MOST: Final = 8
"""Terms that are kept of a group: what is beyond the label tells apart labels that would be the same."""

_MORE: Final = 1.25
_FEW: Final = 200
"""Different values of a text from which on it is no category."""


def label_columns(space: EmbeddingSpace) -> tuple[str, ...]:
    """Attributes that can name a region, such as genres: lists, and text with few values."""
    table = space.attributes
    return tuple(
        name
        for name, kind in table.schema.items()
        if kind.is_nested() or (kind == pl.String and table[name].n_unique() <= _FEW)
    )


def top_terms(groups: np.ndarray, terms: pl.Series, *, most: int = _MOST) -> list[list[tuple[str, float]]]:
    """The terms of each group with the largest class-based tf-idf, tf(t, c) · log(1 + A / tf(t)).

    tf(t, c) is the share of the group's terms that t is, tf(t) how often it occurs at all, and A the average number of
    terms of a group. Terms that occur hardly more often in the group than in all of them, by less than a quarter, are
    not distinctive and are left out, unless the group has no others. Equal weights are sorted alphabetically.

    Args:
        groups: Group of each item, shape (n,), from 0; -1 for none.
        terms: Lists of terms of each item.
        most: Maximum number of terms per group.

    Returns:
        By group the terms and their weights.

    Example:
        >>> top_terms(np.array([0, 0, 1]), pl.Series([["sea", "film"], ["sea"], ["moon", "film"]]), most=1)
        [[('sea', 0.5406)], [('moon', 0.6264)]]

    References:
        Grootendorst (2022), BERTopic: neural topic modeling with a class-based TF-IDF procedure.
    """
    count = int(groups.max(initial=-1)) + 1
    rows = pl.DataFrame({"group": groups, "term": terms}).filter(pl.col("group") >= 0)
    rows = rows.explode("term").drop_nulls("term")
    found: list[list[tuple[str, float]]] = [[] for _ in range(count)]
    if not rows.height:
        return found
    counts = rows.group_by("group", "term").len()
    average = rows.height / max(count, 1)
    weighed = counts.with_columns(
        share=pl.col("len") / pl.col("len").sum().over("group"),
        usual=pl.col("len").sum().over("term") / rows.height,
        weight=(pl.col("len") / pl.col("len").sum().over("group"))
        * (1 + average / pl.col("len").sum().over("term")).log(),
    )
    if counts["group"].n_unique() > 1:
        apart = pl.col("share") >= _MORE * pl.col("usual")
        # Most of all items in one group make its terms the usual ones: they name it, since nothing sets it apart.
        weighed = weighed.filter(apart | ~apart.any().over("group"))
    weighed = weighed.sort(["group", "weight", "term"], descending=[False, True, False])
    for group, term, weight in (
        weighed.group_by("group", maintain_order=True).head(most).select("group", "term", "weight").iter_rows()
    ):
        found[group].append((term, round(weight, 4)))
    return found


def label_groups(ranked: Sequence[Sequence[tuple[str, float]]], *, words: int = _WORDS) -> tuple[str, ...]:
    """A label for each group: its first terms, with more terms if two labels would be equal.

    Example:
        >>> label_groups([[("sea", 1.0), ("ship", 0.5)], [("sea", 1.0), ("war", 0.5)], []], words=1)
        ('sea · ship', 'sea · war', 'group 3')
    """
    terms = [[term for term, _ in each] for each in ranked]
    length = [words] * len(terms)
    labels = [" · ".join(each[:words]) for each in terms]
    for _ in range(_MOST):
        again = {label for label in labels if label and labels.count(label) > 1}
        grow = [at for at, label in enumerate(labels) if label in again and length[at] < len(terms[at])]
        if not grow:
            break
        for at in grow:
            length[at] += 1
            labels[at] = " · ".join(terms[at][: length[at]])
    used: set[str] = set()
    for at, label in enumerate(labels):
        if not label or label in used:
            label = f"{label} ({at + 1})" if label else f"group {at + 1}"
        used.add(label)
        labels[at] = label
    return tuple(labels)


def name_regions(
    regions: Regions, space: EmbeddingSpace, *, texts: Sequence[str] = (), attributes: Sequence[str] = ()
) -> Regions:
    """Name the regions of both levels by words of the texts and values of the attributes of their items.

    Args:
        regions: The regions.
        space: The items, with their attributes.
        texts: Columns of text; none given, the text columns of the card, or else every column of text.
        attributes: Columns whose values are terms as they are, such as genres.
    """
    terms = _terms(space, texts, attributes)
    if terms is None:
        return replace(
            regions,
            names=label_groups([[]] * len(regions)),
            coarse_names=label_groups([[]] * (int(regions.coarse.max(initial=-1)) + 1)),
        )
    coarse = regions.coarse[regions.fine]
    return replace(
        regions,
        names=label_groups(top_terms(regions.fine, terms)),
        coarse_names=label_groups(top_terms(coarse, terms)),
    )


def _terms(space: EmbeddingSpace, texts: Sequence[str], attributes: Sequence[str]) -> pl.Series | None:
    """All terms of each item: words of its texts, and values of its attributes."""
    table = space.attributes
    if not texts:
        texts = [each for each in space.card.text_columns if each in table.columns]
    if not texts and not attributes:
        texts = [name for name, kind in table.schema.items() if kind == pl.String]
    parts: list[pl.Series] = []
    for name in texts:
        words = words_of(table[name])
        parts.append(words.list.eval(pl.element().filter(~pl.element().is_in(list(ENGLISH)))))
    for name in attributes:
        column = table[name]
        if isinstance(column.dtype, pl.List):
            parts.append(column.cast(pl.List(pl.String)))
        else:
            parts.append(pl.DataFrame({"value": column.cast(pl.String)}).select(pl.concat_list("value")).to_series())
    if not parts:
        return None
    return (
        pl.DataFrame({str(at): part for at, part in enumerate(parts)})
        .select(pl.concat_list([pl.col(str(at)).fill_null([]) for at in range(len(parts))]))
        .to_series()
    )
