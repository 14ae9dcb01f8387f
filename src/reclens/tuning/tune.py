"""Search over hyper-parameters on the validation part, with an equal budget for every model.

The budget is counted in *full fits*: a fit on a share of the training users costs that share. Random search (Bergstra
and Bengio 2012) fits every configuration on all users. Successive halving (Jamieson and Talwalkar 2016; one bracket of
Hyperband, Li et al. 2017) tries many on few users and promotes the best to more users; every rung has the same budget.

The test part is not used: the search receives the training and the validation part only.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.split import Split
from reclens.engine import Progress, quiet
from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError, expect_type
from reclens.metrics.registry import Asked, MetricSpec, parse
from reclens.models import Recommender
from reclens.models._core.search_space import Space
from reclens.schema import USER
from reclens.tuning.results import Tuning
from reclens.tuning.schedule import FEWEST_USERS, USE_RANDOM, UserSubsample, candidate, cut_part, rung_sizes
from reclens.tuning.search import Search

__all__ = ["plan_search", "tune"]

_SHARES: Final = (1 / 9, 1 / 3, 1.0)


def tune(
    split: Split,
    models: Sequence[str | type[Recommender] | Recommender],
    *,
    metric: Asked = "ndcg@10",
    method: Literal["random", "halving"] = "random",
    trials: int = 20,
    seconds: float | None = None,
    shares: Sequence[float] | None = None,
    spaces: Mapping[str, Mapping[str, Space | None]] | None = None,
    relevance: str | None = None,
    convention: str = "trec",
    level: float = 0.95,
    rng: int = 0,
    folder: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Tuning:
    """Search the hyper-parameters of several models on the validation part, with the same budget for each.

    The default configuration of each model is part of every rung, and the best is compared with it. The best and the
    default are measured after a fit on the whole training part. A model without search ranges has one configuration.
    Configurations that a model rejects are drawn again; those that fail in the fit count towards the budget.

    Args:
        split: A split with a validation part. Its test part is not used.
        models: Names, classes, or models whose fields are the defaults to start from.
        metric: One metric that is averaged over users, such as ``"ndcg@10"``.
        method: ``"random"``, or ``"halving"`` for successive halving over shares of the users.
        trials: Budget of each model, in full fits.
        seconds: Time limit of each model, divided evenly over the rungs; the first two trials of a rung always run.
            With a limit, the result depends on the machine.
        shares: halving: shares of the training users, rising to 1; by default 1/9, 1/3 and 1, without those that have
            fewer than 50 users in the validation part.
        spaces: Model -> parameter -> range to search instead of the default range, or None to keep its default.
        relevance: Column of the validation part with graded relevance; see :func:`evaluate`.
        convention: Convention of the metric.
        level: Confidence level of the intervals.
        rng: Seed of the configurations, the users of the rungs and the replicates.
        folder: Folder for the journal of trials. The same call resumes a search that was killed, with the same result;
            a finished search returns its result at once.
        threads: Threads to use; the result does not depend on it.
        progress: Called before and during each trial, with an estimate of the time left.

    Returns:
        The best configuration of each model, all trials, and cautions.

    Raises:
        UsageError: If the split has no validation part, the default configuration of a model cannot be fitted, or an
            argument is out of range.
        UnknownNameError: If a model, a parameter or the metric does not exist.
        WorkspaceError: If the folder has another search, or is in use.

    Example:
        >>> from reclens.data.split import random
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=80, n_items=60, n_ratings=2000)
        >>> split = random(data, test_share=0.1, validation_share=0.1)
        >>> tuning = tune(split, ["popular", "ease"], trials=5)
        >>> [(each.model, each.configurations, each.spent) for each in tuning]
        [('ease', 5, 5.0), ('popular', 1, 1.0)]
    """
    search = plan_search(
        split,
        models,
        metric=metric,
        method=method,
        trials=trials,
        seconds=seconds,
        shares=shares,
        spaces=spaces,
        relevance=relevance,
        convention=convention,
        level=level,
        rng=rng,
    )
    return search.run(folder=folder, threads=threads, progress=progress)


def plan_search(
    split: Split,
    models: Sequence[str | type[Recommender] | Recommender],
    *,
    metric: Asked = "ndcg@10",
    method: str = "random",
    trials: int = 20,
    seconds: float | None = None,
    shares: Sequence[float] | None = None,
    spaces: Mapping[str, Mapping[str, Space | None]] | None = None,
    relevance: str | None = None,
    convention: str = "trec",
    level: float = 0.95,
    rng: int = 0,
) -> Search:
    """Prepare a search without fitting; arguments as of :func:`tune`."""
    mend = f"The split comes first: rl.tune(split, {split!r})." if isinstance(split, str) else "Make one by rl.split."
    expect_type("split", split, Split, expected="a split with a validation part", fix=mend)
    if split.validation is None or not split.validation.height:
        raise UsageError(
            f"{split!r} has no validation part to tune by, and the test part must not be used",
            advice=Advice(
                "split_with_validation",
                (Setting("validation_share", 0.1), Setting("validation_n", 1)),
                "Split with one, by {validation_share} at random or by time, or {validation_n} of the last; or split "
                "the training part of this split again.",
            ),
        )
    spec = parse(metric)
    _check(spec, method=method, trials=trials, seconds=seconds, level=level, seed=rng)
    listed = [models] if isinstance(models, str | type | Recommender) else list(models)
    given = spaces or {}
    taking_part = tuple(candidate(model, given, split.train) for model in listed)
    names = [each.name for each in taking_part]
    if not names:
        raise ArgumentValueError("models", "is empty. Name at least one, such as ease")
    if len(set(names)) < len(names):
        raise UsageError(f"a model is named twice in {', '.join(names)}. Each takes part once.")
    for name in given:
        if name not in names:
            raise UnknownNameError("model in this search", name, names)
    rungs = _rungs(split.train, split.validation, method, trials, shares, rng)
    drawn = rung_sizes(trials, [part.share for part in rungs])[0]
    drafts = {each.name: each.draw(drawn, rng) for each in taking_part}
    about = {
        "metric": spec.text,
        "method": method,
        "trials": trials,
        "seconds": seconds,
        "rng": rng,
        "level": level,
        "shares": [part.share for part in rungs],
        "relevance": relevance,
        "convention": convention,
    }
    return Search(spec=spec, candidates=taking_part, rungs=rungs, drafts=drafts, about=about)


def _check(spec: MetricSpec, *, method: str, trials: int, seconds: float | None, level: float, seed: Any) -> None:
    if spec.info.kind != "user" or spec.info.higher_is_better is None:
        why = "a property of all lists together" if spec.info.kind != "user" else "neither better high nor low"
        raise UsageError(f"{spec.text} is {why}, so that it cannot be searched for. Take one such as ndcg@10.")
    if method not in ("random", "halving"):
        raise UnknownNameError("method", method, ("random", "halving"))
    if trials < 1:
        raise ArgumentValueError("trials", f"is {trials}, expected 1 or more full fits for each model")
    if seconds is not None and not seconds > 0:
        raise ArgumentValueError("seconds", f"is {seconds}, expected more than 0, or None for no limit")
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentValueError(
            "rng", f"is {seed!r}, expected a whole number from 0 on: a search has to be repeatable"
        )


def _rungs(
    train: Dataset, validation: pl.DataFrame, method: str, trials: int, shares: Sequence[float] | None, seed: int
) -> tuple[UserSubsample, ...]:
    if method == "random":
        if shares is not None:
            raise ArgumentValueError(
                "shares",
                "are given, but a random search fits on all users",
                advice=Advice("use_halving", (Setting("method", "halving"),), "Leave them out, or use {method}."),
            )
        return (UserSubsample(1.0, train, validation),)
    users = validation[USER].n_unique()
    chosen = list(shares) if shares is not None else [each for each in _SHARES if each * users >= 1.2 * FEWEST_USERS]
    rising = all(0 < low < high for low, high in itertools.pairwise(chosen))
    if len(chosen) < 2 or not rising or chosen[-1] != 1:
        if shares is None:
            raise UsageError(f"{users:,} users have a validation row, too few for rungs", advice=USE_RANDOM)
        raise ArgumentValueError("shares", f"are {chosen}, expected two or more that rise to 1, such as [1/9, 1/3, 1].")
    if trials < 2 * len(chosen):
        raise ArgumentValueError(
            "trials",
            f"is {trials}, expected {2 * len(chosen)} or more: each of {len(chosen)} rungs spends the same, and the "
            "last one needs two full fits",
            advice=USE_RANDOM,
        )
    return tuple(cut_part(train, validation, share, seed) for share in chosen)
