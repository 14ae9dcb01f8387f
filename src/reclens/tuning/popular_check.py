"""Comparison of a fitted model with popular on the validation part of its split."""

from __future__ import annotations

import warnings
from typing import Final

import polars as pl

from reclens.data.split import Split
from reclens.evaluation import EvaluationWarning, evaluate
from reclens.models import FitProblem, FitWarning, Popular, Recommender
from reclens.schema import USER

__all__ = ["hold_against_popular"]

_METRIC: Final = "ndcg@10"
_USERS: Final = 1_000
"""Validation users who are looked at: a caution needs no more, and a fit is not held up."""
_FEWEST: Final = 20
"""The lists of fewer users say nothing of the fit, as in the checks of the fit itself."""


def hold_against_popular(model: Recommender, split: Split, *, threads: int | None = None) -> FitProblem | None:
    """Test whether a model fitted on the training part is below popular on the validation part.

    Both recommend to up to 1,000 of the validation users, evenly spaced in the order of their ids; the value is the
    mean difference of NDCG@10. A problem is added to ``model.problems_``, and so to the cards of its lists.

    Args:
        model: The model, fitted on ``split.train``.
        split: The split. Its test part is not used.
        threads: Threads to use; the result does not depend on it.

    Returns:
        The problem ``below_popular``: ``value`` is the difference, ``n`` the number of users compared, ``of`` the
        number available. None if there is no problem: the model is not below popular, or it is popular, or it predicts
        ratings, or the split has no validation part of at least 20 known users.
    """
    users = split.validation_users
    ranks = not getattr(model, "explicit", False)
    if split.validation is None or len(users) < _FEWEST or model.name == Popular.name or not ranks:
        return None
    some = users.gather_every(-(-len(users) // _USERS))
    truth = split.validation.filter(pl.col(USER).is_in(some.implode()))
    means: list[float] = []
    with warnings.catch_warnings():
        for kind in (FitWarning, EvaluationWarning):  # said at the fit, or by the lists that are asked for
            warnings.simplefilter("ignore", kind)
        for each in (model, Popular().fit(split.train, threads=threads)):
            lists = each.recommend(some, k=10, exclude_seen=split.exclude_seen, threads=threads)
            found = evaluate(
                lists, truth, train=split.train, metrics=[_METRIC], replicates=0, threads=threads, name=each.name
            )
            means.append(found[_METRIC].overall.value)
    gap = means[0] - means[1]
    if not gap < 0:
        return None
    problem = FitProblem(code="below_popular", value=gap, limit=0.0, n=len(some), of=len(users))
    model.problems_ = (*(each for each in model.problems_ if each.code != problem.code), problem)
    return problem
