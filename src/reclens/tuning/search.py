"""A prepared search: it runs the trials one after the other and evaluates them.

It receives the training and the validation part only, not the test part.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from reclens.data.split import task_of
from reclens.engine import Progress, quiet
from reclens.errors import RecLensError, UsageError
from reclens.evaluation.results import OVERALL
from reclens.evaluation.run import evaluate
from reclens.metrics.registry import MetricSpec, in_unit_range
from reclens.models import FitWarning, Recommender, get
from reclens.schema import USER, fingerprint, versions
from reclens.stats.bootstrap import estimate
from reclens.stats.summary import Summary
from reclens.tuning.cards import SearchCard
from reclens.tuning.journal import Journal
from reclens.tuning.results import Trial, Tuned, Tuning, TuningNote, grouped
from reclens.tuning.schedule import Candidate, UserSubsample, in_words, promote, rank, rung_sizes, seconds_left
from reclens.tuning.warnings import SearchDiagnostics, cautions_of, optimism

__all__ = ["Search"]

_REPLICATES: Final = 1000
_ALWAYS: Final = 2
"""Trials of a rung that are made whatever the time: the default and one to hold against it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """A prepared search.

    Attributes:
        spec: The metric.
        candidates: The models.
        rungs: Users of each rung; the last one has all users.
        drafts: Model -> its configurations, the default first.
        about: The other settings, as JSON values.
    """

    spec: MetricSpec
    candidates: tuple[Candidate, ...]
    rungs: tuple[UserSubsample, ...]
    drafts: Mapping[str, list[dict[str, Any]]]
    about: Mapping[str, Any]

    @property
    def sign(self) -> int:
        """1 if a higher value is better, else -1."""
        return 1 if self.spec.info.higher_is_better else -1

    def settings(self) -> dict[str, Any]:
        """Settings that identify the search: data, models, ranges, budget, seed."""
        whole = self.rungs[-1]
        kept = {"train": whole.train.interactions, "users": whole.train.users, "items": whole.train.items}
        models = {
            each.name: {
                "class": f"{type(each.base).__module__}.{type(each.base).__qualname__}",
                "defaults": {name: repr(value) for name, value in asdict(each.base).items()},
                "space": {name: repr(space) for name, space in each.space.items()},
            }
            for each in self.candidates
        }
        hashes = {name: _hash(table) for name, table in (*kept.items(), ("validation", whole.truth))}
        return {"form": 1, "data": hashes, "models": models, **self.about}

    def sizes(self, name: str) -> list[int]:
        """Number of configurations of a model in each rung; rungs that would drop none are skipped (0)."""
        found: list[int] = []
        left = len(self.drafts[name])
        wanted = rung_sizes(self.about["trials"], [part.share for part in self.rungs])
        for rung, size in enumerate(wanted):
            left = min(left, size)
            skipped = rung + 1 < len(wanted) and left <= wanted[rung + 1]
            found.append(0 if skipped else left)
        return found

    def run(
        self, *, folder: str | Path | None = None, threads: int | None = None, progress: Progress = quiet
    ) -> Tuning:
        """Run the remaining trials and evaluate them; see :func:`tune`."""
        journal = Journal(None if folder is None else Path(folder), self.settings())
        try:
            known = {(trial.model, trial.number, trial.rung): trial for trial in journal.trials}
            done: list[Trial] = []
            for one, number, rung in self._agenda(done):
                trial = known.get((one.name, number, rung))
                if trial is None:
                    trial, summary = self._try(one, number, rung, threads, self._telling(done, one, progress))
                    journal.add(trial, summary)
                done.append(replace(trial, parameters=self.drafts[one.name][number]))
            progress("tune · all trials are made", len(done), len(done))
            popular = journal.summaries.get(("popular", 0))
            if popular is None:
                with warnings.catch_warnings(record=True):
                    popular = self._measure(get("popular")(), self.rungs[-1], threads, quiet)
            return self._conclude(done, journal.summaries, popular)
        finally:
            journal.close()

    def _agenda(self, done: list[Trial]) -> Iterator[tuple[Candidate, int, int]]:
        """Trials to run, model by model and rung by rung; the next one depends on ``done`` alone."""
        for rung in range(len(self.rungs)):
            queues = {one.name: self._queue(one.name, rung, done) for one in self.candidates}
            for turn in range(max(map(len, queues.values()))):
                for one in self.candidates:
                    if turn < len(queues[one.name]) and (turn < _ALWAYS or not self._late(one.name, rung, done)):
                        yield one, queues[one.name][turn], rung

    def _queue(self, name: str, rung: int, done: list[Trial]) -> list[int]:
        """Configurations of a model in a rung: the default first, then the best first."""
        size = self.sizes(name)[rung]
        before = [trial for trial in done if trial.model == name]
        if not before or not size:
            return list(range(size))
        chosen = promote(before, size, sign=self.sign)
        return [0, *(number for number in chosen if number != 0)]

    def _late(self, name: str, rung: int, done: list[Trial]) -> bool:
        limit = self.about["seconds"]
        took = sum(trial.seconds for trial in done if trial.model == name)
        return limit is not None and took >= limit * (rung + 1) / len(self.rungs)

    def _telling(self, done: list[Trial], one: Candidate, progress: Progress) -> Progress:
        """Progress of a trial, as a part of the search."""
        costs = {
            each.name: sum(part.share * size for part, size in zip(self.rungs, self.sizes(each.name), strict=True))
            for each in self.candidates
        }
        total = sum(sum(self.sizes(each.name)) for each in self.candidates)
        left = seconds_left(done, costs, self.about["seconds"])
        about = f"trial {len(done) + 1:,} of {total:,}" + ("" if left is None else f", about {in_words(left)} left")
        progress(f"tune · {about}, {one.name}", len(done), total)
        return lambda what, at, of, /: progress(f"{what} · {about}", at, of)

    def _try(
        self, one: Candidate, number: int, rung: int, threads: int | None, progress: Progress
    ) -> tuple[Trial, Summary | None]:
        part, parameters = self.rungs[rung], self.drafts[one.name][number]
        started = time.perf_counter()
        trial = Trial(
            model=one.name, number=number, rung=rung, share=part.share, parameters=parameters, value=None, seconds=0.0
        )
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")  # a search makes the same fit many times: they are counted, not shown
                summary = self._measure(one.build(parameters), part, threads, progress)
        except (RecLensError, ArithmeticError, ValueError) as error:
            # ValueError is what NumPy's and SciPy's factorisations raise.
            if number == 0:
                raise UsageError(
                    f"the default configuration of {one.name} cannot be fitted: {error} Leave {one.name} out, or give "
                    "a model with other defaults."
                ) from error
            return replace(trial, seconds=time.perf_counter() - started, error=str(error)), None
        if caught:
            kinds = ", ".join(dict.fromkeys(each.category.__name__ for each in caught))
            trial = replace(trial, warned=kinds, warning=str(caught[0].message))
        value = float(summary.total[0, 0] / summary.n[0, 0]) if summary.n[0, 0] else None
        took = time.perf_counter() - started
        if value is None:
            return replace(trial, seconds=took, error=f"no user has a value of {self.spec.text}"), None
        return replace(trial, value=value, seconds=took), summary if part.share >= 1 else None

    def _measure(self, model: Recommender, part: UserSubsample, threads: int | None, progress: Progress) -> Summary:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)  # a search tries what degenerates; the cautions judge the best
            return self._measured(model, part, threads, progress)

    def _measured(self, model: Recommender, part: UserSubsample, threads: int | None, progress: Progress) -> Summary:
        model.fit(part.train, threads=threads, progress=progress)
        k = self.spec.k or int(part.truth.group_by(USER).len()["len"].max() or 1)  # type: ignore[arg-type]
        exclude = task_of(part.train.card.get("split")) != "with_repeats"
        lists = model.recommend(part.users, k=k, exclude_seen=exclude, threads=threads, progress=progress)
        # Intervals and pairs are needed of whole fits only.
        replicates = _REPLICATES if part.share >= 1 else 0
        return evaluate(
            lists,
            part.truth,
            train=part.train,
            metrics=[self.spec.text],
            relevance=self.about["relevance"],
            convention=self.about["convention"],
            level=self.about["level"],
            replicates=replicates,
            rng=self.about["rng"],
            threads=threads,
            progress=progress,
        ).summary

    def _conclude(self, done: list[Trial], summaries: Mapping[tuple[str, int], Summary], popular: Summary) -> Tuning:
        level, metric = self.about["level"], self.spec.text
        field = SearchDiagnostics(
            metric=metric,
            sign=self.sign,
            level=level,
            trials=self.about["trials"],
            rungs=len(self.rungs),
            seconds=self.about["seconds"],
            candidates=self.candidates,
            best=(),
            done=done,
            summaries=summaries,
            popular=popular,
        )
        best = [self._best(one, field) for one in self.candidates]
        best.sort(key=lambda each: -self.sign * each.value.value)
        field = replace(field, best=tuple(best))
        whole = self.rungs[-1]
        users = [
            {
                "share": part.share,
                "users": len(part.train.user_vocabulary),
                "validation_users": len(part.users),
                "rows": part.train.interactions.height,
            }
            for part in self.rungs
        ]
        card = {
            **self.settings(),
            "rungs": users,
            "split": whole.train.card.get("split"),
            "synthetic": bool(whole.train.card.get("synthetic")),
            "test_part": "unused",
            "versions": versions(),
        }
        cautions = tuple(cautions_of(field))
        card["cautions"] = [row for group in grouped(cautions) for row in group.to_dicts()]
        chosen = max(each.configurations for each in best) > 1
        notes: tuple[TuningNote, ...] = ("budget", "winners_curse", "test_part") if chosen else ("budget", "test_part")
        return Tuning(
            metric=metric,
            method=self.about["method"],
            best=tuple(best),
            trials=tuple(done),
            cautions=cautions,
            notes=notes,
            card=cast("SearchCard", card),
        )

    def _best(self, one: Candidate, field: SearchDiagnostics) -> Tuned:
        mine = [trial for trial in field.done if trial.model == one.name]
        last = sorted((trial for trial in mine if trial.share >= 1), key=lambda trial: rank(trial, self.sign))
        finalists = [trial for trial in last if trial.value is not None]
        winner = finalists[0].number
        found = {trial.number: field.summaries[one.name, trial.number] for trial in finalists}
        gain = None if winner == 0 else field.gap(found[winner], found[0])
        ahead = None if len(finalists) < 2 else field.gap(found[winner], found[finalists[1].number])
        drafts = self.drafts[one.name]
        planned = rung_sizes(field.trials, [part.share for part in self.rungs])[0]
        tried = len({trial.number for trial in mine})
        share = in_unit_range(field.metric)
        return Tuned(
            model=one.name,
            parameters={**one.fixed, **drafts[winner]},
            number=winner,
            value=estimate(found[winner], OVERALL, field.metric, level=field.level, share=share),
            default=estimate(found[0], OVERALL, field.metric, level=field.level, share=share),
            gain=gain,
            ahead=ahead,
            optimism=optimism(list(found.values()), field.metric, sign=self.sign),
            configurations=tried,
            trials=len(mine),
            spent=sum(trial.share for trial in mine),
            seconds=sum(trial.seconds for trial in mine),
            exhausted=len(drafts) < planned and tried == len(drafts),
            stopped=len(mine) < sum(self.sizes(one.name)),
        )


def _hash(table: pl.DataFrame | None) -> str | None:
    """Content hash of a table; lists are hashed as text."""
    if table is None:
        return None
    nested = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
    texts = (pl.col(name).list.eval(pl.element().cast(pl.String)).list.join("\x1f") for name in nested)
    return fingerprint(table.with_columns(*texts))
