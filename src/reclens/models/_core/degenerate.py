"""Checks for degenerate fits: the criteria, their limits, and the warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, cast, get_args

import numpy as np

from reclens.cards import FitProblemCard
from reclens.data.dataset import UserItemMatrix
from reclens.errors import DataError

if TYPE_CHECKING:
    from reclens.models._core.block import Block
    from reclens.schema import Recommendations, Vocabulary

__all__ = [
    "Checkable",
    "FitCode",
    "FitProblem",
    "FitWarning",
    "check_fit",
    "on_card",
    "read_problems",
    "say",
    "short_lists",
    "short_of",
    "vanishing",
]

FitCode = Literal["vanishing_factors", "not_converged", "short_lists", "below_popular"]
"""Code of a problem of a fit.

``vanishing_factors``: the vectors of users and items have shrunk to zero, or to one common direction.
``not_converged``: the iterations ended before the solution was reached. ``short_lists``: many users have fewer items
with a score than were asked for. ``below_popular``: the lists are worse than those of popular on a validation part,
where there is one: :func:`reclens.tuning.hold_against_popular`.
"""

_FAINT: Final = 0.01
"""Mean score of observed pairs below which the vectors have vanished; the target is 1."""
_DEAD: Final = 0.01
"""A direction whose singular value is below this share of the first one is dead."""
_MANY_SHORT: Final = 0.05
"""Share of short lists above which they are a problem."""
_FEWEST: Final = 20
"""Smallest number of users whose lists are checked."""
_SAMPLE: Final = 10_000
"""Number of interactions on which vectors are checked."""
_USERS: Final = 200
"""Number of users whose lists are checked after a fit …"""
_LENGTH: Final = 10
"""… and the length of those lists."""


class FitWarning(UserWarning):
    """The fit is degenerate; ``model.problems_`` and ``card["problems"]`` have the codes."""

    @classmethod
    def of(cls, name: str, problem: Mapping[str, Any]) -> FitWarning:
        """The warning of a problem on a card.

        Args:
            name: Name of the model.
            problem: The fields of :class:`FitProblem`.
        """
        said: dict[FitCode, str] = {
            "vanishing_factors": "{n} of {of} factors are alive, and the mean score of what users have is {value:.2g}: "
            "the penalty outweighs the data, and all users get the same list. Lower l2, or leave it to the rule of the "
            "model; bpr may need more epochs",
            "not_converged": "not converged ({n:,} of {of:,}; {value:.2g}, expected at most {limit:.2g}). Give it more "
            "iterations",
            "short_lists": "{n:,} of {of:,} users ({value:.1%}) have a list shorter than asked for, because too few "
            "items have a score. Lower the penalty or raise neighbors, or fill lists up by a fusion with popular",
            "below_popular": "worse than popular on the validation part: NDCG@10 {value:+.4f} for {n:,} of {of:,} "
            "users. A model that works beats popular: look at the data, the split and the hyper-parameters, or tune it",
        }
        return cls(f"{name}: {said[problem['code']].format(**problem)}")


@dataclass(frozen=True, kw_only=True)
class FitProblem:
    """A problem of a fit.

    Attributes:
        code: What it is.
        value: What was measured. ``vanishing_factors``: the mean score that the vectors give to what users have.
            ``not_converged``: see the model. ``short_lists``: the share of the users. ``below_popular``: NDCG@10 less
            that of popular.
        limit: The last acceptable value.
        n: The number of directions that are not dead, items that have not converged, users with a short list, or
            validation users with lists.
        of: The total that ``n`` is a part of.
    """

    code: FitCode
    value: float
    limit: float
    n: int
    of: int


def vanishing(users: np.ndarray, items: np.ndarray, seen: UserItemMatrix) -> list[FitProblem]:
    """Whether the vectors of a factor model have vanished.

    Args:
        users: Vectors of the training users, shape (users, d).
        items: Vectors of the items, shape (items, d).
        seen: The training data.
    """
    places = np.unique(np.linspace(0, len(seen.indices) - 1, _SAMPLE).astype(np.int64))
    rows = np.searchsorted(seen.indptr, places, side="right") - 1
    score = float(np.einsum("nd,nd->n", users[rows], items[seen.indices[places]], dtype=np.float64).mean())
    # The singular values of U Vᵀ are those of a small matrix.
    left, right = (np.linalg.cholesky(_gram(vectors)) for vectors in (users, items))
    weights = np.linalg.svd(left.T @ right, compute_uv=False)
    alive = 0 if score < _FAINT else int((weights > _DEAD * weights[0]).sum())
    if alive < min(2, users.shape[1], len(users), len(items)):
        return [FitProblem(code="vanishing_factors", value=score, limit=_FAINT, n=alive, of=users.shape[1])]
    return []


def _gram(vectors: np.ndarray) -> np.ndarray:
    """VᵀV in float64, with a trace of the identity, so that it has a root where directions are missing."""
    wide = vectors.astype(np.float64)
    gram = wide.T @ wide
    return gram + 1e-12 * max(np.trace(gram), 1e-300) * np.eye(len(gram))


def short_lists(lengths: np.ndarray, room: np.ndarray, k: int) -> list[FitProblem]:
    """Check whether many lists are shorter than they could be.

    Args:
        lengths: Items in the list of each user, shape (users,).
        room: Items that could have been recommended to each user, shape (users,).
        k: Items asked for.
    """
    able = room >= k
    n, of = int((lengths[able] < k).sum()), int(able.sum())
    return (
        [FitProblem(code="short_lists", value=n / of, limit=_MANY_SHORT, n=n, of=of)]
        if of >= _FEWEST and n / of > _MANY_SHORT
        else []
    )


def short_of(groups: Sequence[tuple[np.ndarray, Block]], items: np.ndarray, k: int) -> list[FitProblem]:
    """Check whether many lists of a request are shorter than they could be.

    Args:
        groups: Positions of the users in the request, and their blocks.
        items: Item codes of the lists before they are filled up, shape (users, width); -1 for none.
        k: Items asked for.
    """
    lengths = [(items[at] >= 0).sum(axis=1) for at, _ in groups]
    rooms = [block.seen.n_columns - (block.lengths() if block.exclude_seen else 0 * at) for at, block in groups]
    return short_lists(np.concatenate(lengths), np.concatenate(rooms), k)


def on_card(fit: Sequence[FitProblem], lists: Sequence[FitProblem]) -> list[FitProblemCard]:
    """Problems for the card of some lists: those of the fit, with the short lists of the request itself."""
    return [
        cast("FitProblemCard", asdict(each)) for each in (*(each for each in fit if each.code != "short_lists"), *lists)
    ]


class Checkable(Protocol):
    """The attributes of a model that the checks use."""

    min_score: ClassVar[float]
    users_: Vocabulary

    def _problems(self) -> Iterable[FitProblem]: ...

    def recommend(self, users: Any, *, k: int, threads: int | None) -> Recommendations:
        """The k best items of each user."""
        ...


def check_fit(model: Checkable, *, threads: int | None) -> list[FitProblem]:
    """Check a fit on its training data."""
    found = list(model._problems())
    if np.isfinite(model.min_score) and not getattr(model, "explicit", False):  # those are for predicted ratings
        some = model.users_.ids.gather_every(-(-len(model.users_) // _USERS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            card = model.recommend(some, k=_LENGTH, threads=threads).card
        told: Any = card.get("problems", ())  # of a model all are rows
        found += [FitProblem(**each) for each in told if each["code"] == "short_lists"]
    return found


def read_problems(found: Any) -> tuple[FitProblem, ...]:
    """Read the problems of a saved model.

    Raises:
        DataError: If they do not have the fields of :class:`FitProblem`.
    """
    kinds = {"code": str, "value": (int, float), "limit": (int, float), "n": int, "of": int}
    for each in found if isinstance(found, list) else [found]:
        whole = isinstance(each, dict) and each.keys() == kinds.keys()
        if (
            not whole
            or each["code"] not in get_args(FitCode)
            or not all(
                isinstance(each[name], kind) and not isinstance(each[name], bool) for name, kind in kinds.items()
            )
        ):
            raise DataError(f"a problem of the fit is {each!r:.80}, expected {', '.join(kinds)}")
    return tuple(FitProblem(**each) for each in found)


def say(name: str, problems: Sequence[FitProblem], *, stacklevel: int) -> None:
    """Emit a warning for each problem of a fit, or of the lists of a model.

    Warns:
        FitWarning: For each of them.
    """
    for each in problems:
        warnings.warn(FitWarning.of(name, asdict(each)), stacklevel=stacklevel + 1)
