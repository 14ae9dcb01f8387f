"""Encode queries with the encoder of a text space."""

from __future__ import annotations

from reclens.errors import IncomparableError, UsageError
from reclens.explore.space import EmbeddingSpace
from reclens.explore.text_embedding import joined_texts
from reclens.explore.tfidf import TfidfSvd
from reclens.protocols import TextEncoder, adapter

__all__ = ["encoder_of"]


def encoder_of(space: EmbeddingSpace) -> TextEncoder:
    """The encoder of a space that was made of texts: a query is then a vector of the same space.

    The one by tf-idf is fitted again, on the texts that the space keeps as attributes; others are opened by the address
    that the space keeps.

    Raises:
        UsageError: If the space was not made of texts, or does not know how to open its encoder.
        IncomparableError: If the encoder is not the one that made the space.

    Example:
        >>> import polars as pl
        >>> from reclens.explore import embed_texts
        >>> films = pl.DataFrame({"item_id": [1, 2], "plot": ["a ship at sea", "love in Paris"]})
        >>> space = embed_texts(films, columns=["plot"], dimension=2)
        >>> (encoder_of(space).encode(["at sea"]) @ space.vectors.T).argmax()
        np.int64(0)
    """
    card = space.card
    if card.source != "text":
        raise UsageError(f"'{space.name}' was made of a {card.source}, not of texts: search by examples.")
    if card.model == "tfidf_svd":
        names = ("dimension", "min_texts", "seed")
        fresh = TfidfSvd(**{name: int(card.settings[name]) for name in names})
        made: TextEncoder = fresh.fit(joined_texts(space.attributes, card.text_columns))
    elif "address" in card.settings:
        made = adapter(str(card.settings["address"]), TextEncoder)
    else:
        raise UsageError(f"'{space.name}' does not say how its encoder is opened: search by examples.")
    about = made.card
    if (about.model, about.revision) != (card.model, card.revision):
        raise IncomparableError(
            f"'{space.name}' was made by {card.model} {card.revision[:12]}, and what opens is {about.model} "
            f"{about.revision[:12]}. Embed it again."
        )
    return made
