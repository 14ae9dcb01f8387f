"""Consistency checks of the inputs of an exploration."""

from __future__ import annotations

from reclens.errors import DataError, IncomparableError, UnknownNameError
from reclens.explore.settings import ExploreSettings
from reclens.explore.space import EmbeddingSpace

__all__ = ["check_before", "check_columns", "check_users"]


def check_columns(space: EmbeddingSpace, settings: ExploreSettings) -> None:
    """Reject settings with an unknown attribute of the space or a non-numeric price."""
    table = space.attributes
    for name in (settings.text, settings.category, settings.price, *settings.labels):
        if name is not None and name not in table.columns:
            raise UnknownNameError(f"attribute of '{space.name}'", name, table.columns)
    if settings.price is not None and not table[settings.price].dtype.is_numeric():
        raise DataError(
            f"it holds {table[settings.price].dtype}, expected numbers", column=settings.price, fix="Cast it first."
        )


def check_users(space: EmbeddingSpace, users: EmbeddingSpace) -> None:
    """Check that users and items have the same model; files do not record this."""
    ours, theirs = space.card, users.card
    if "file" in (ours.source, theirs.source) or (ours.model, ours.revision) == (theirs.model, theirs.revision):
        return
    raise IncomparableError(
        f"'{users.name}' was made by {theirs.model} {theirs.revision[:12]}, and '{space.name}' by {ours.model} "
        f"{ours.revision[:12]}. Embed both with one model."
    )


def check_before(space: EmbeddingSpace, before: EmbeddingSpace) -> None:
    """Reject an earlier version of another model, whose differences would not be drift."""
    ours, theirs = space.card, before.card
    if "file" not in (ours.source, theirs.source) and ours.model != theirs.model:
        raise IncomparableError(
            f"'{before.name}' was made by {theirs.model}, and '{space.name}' by {ours.model}: two models are "
            "no two versions of one. Look at their maps side by side instead"
        )
