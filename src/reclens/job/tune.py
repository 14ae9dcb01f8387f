"""The searches of a job: hyper-parameters and weights, on the validation part of its split."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from reclens import models
from reclens.errors import UnknownNameError, UsageError
from reclens.job.settings import JobSettings, TuneSettings
from reclens.models import Recommender, WeightedHybrid
from reclens.report.evaluation.tuning import best_lines, cautions_in_words, weights_line
from reclens.settings import to_toml
from reclens.tuning.hybrid_weights import tune_weights
from reclens.tuning.journal import holds_another
from reclens.tuning.ranges import spaces_of
from reclens.tuning.tune import plan_search
from reclens.workspace import Workspace

if TYPE_CHECKING:
    from reclens.data.split import Split
    from reclens.engine import Progress
    from reclens.tuning import Tuning

__all__ = ["check_searches", "run_searches"]


def check_searches(settings: JobSettings) -> None:
    """Check the searches of a job before anything is read.

    Raises:
        UsageError: If the split has no validation part, or a named model cannot be searched.
        UnknownNameError: If a model is named that the job does not have.
    """
    how = settings.split
    if how.method == "given":
        how = how.model_copy(update={"validation_n": 0, "validation_share": 0.0})  # refused where the parts are read
    if how.validation_n and how.method != "last_n":
        raise UsageError(
            f'[split] validation_n belongs to method = "last_n"; with "{how.method}" say validation_share.'
        )
    if how.validation_share and how.method == "last_n":
        raise UsageError(
            '[split] validation_share belongs to method = "random" or "by_time"; with "last_n" say validation_n.'
        )
    searched = ["[tune]"] if settings.tune is not None else []
    searched += [f"[tune_weights.{label}]" for label in settings.tune_weights]
    if not searched:
        return
    if not (how.validation_n or how.validation_share or how.validation or how.kept):
        key = "validation_n = 1" if how.method == "last_n" else "validation_share = 0.1"
        raise UsageError(f"{searched[0]} searches on a validation part, and [split] holds none out. Add {key} to it.")
    if settings.tune is not None:
        _contestants(settings, settings.tune)
    for label in settings.tune_weights:
        if label not in settings.models:
            raise UnknownNameError("model of the job to weigh", label, settings.models)
        if not isinstance(models.build(label, settings.models[label]), WeightedHybrid):
            raise UsageError(
                f"[tune_weights.{label}]: [models.{label}] is no weighted hybrid. Give it model = "
                '"weighted_hybrid" and its models, or leave the weights alone.'
            )


def run_searches(
    settings: JobSettings, made: Split, *, workspace: Workspace, step: Callable[[str], None], progress: Progress
) -> JobSettings:
    """Run the searches of a job and keep the results.

    Hyper-parameters come first; the models inside a hybrid keep those that the job gives them.

    Returns:
        The job with the best parameters in ``[models]``, and no remaining searches. It is also written to
        ``reports/NAME-tuned.toml``.
    """
    found = {label: dict(parameters) for label, parameters in settings.models.items()}
    if settings.tune is not None:
        labels = {model.name: label for label, model in _contestants(settings, settings.tune).items()}
        tuning = _search(settings, settings.tune, made, workspace, step, progress)
        for model, parameters in tuning.to_models().items():
            name = {"model": model} if labels[model] != model else {}
            found[labels[model]] = {**name, **parameters}
    for label, about in settings.tune_weights.items():
        parameters = models.build(label, found[label])
        assert isinstance(parameters, WeightedHybrid) and made.validation is not None
        weights = tune_weights(
            parameters.models,
            made.train,
            made.validation,
            scale=parameters.scale,
            rng=settings.seed,
            progress=progress,
            **about.model_dump(),
        )
        workspace.save(weights, f"{settings.name}-{label}", overwrite=True)
        found[label]["weights"] = dict(weights.weights)
        step(weights_line(label, weights))
    if settings.tune is None and not settings.tune_weights:
        return settings
    tuned = settings.model_copy(update={"models": found, "tune": None, "tune_weights": {}})
    path = workspace.save_text(to_toml(tuned), f"{settings.name}-tuned.toml")
    step(f"the job with what was found: {path}")
    return tuned


def _contestants(settings: JobSettings, about: TuneSettings) -> dict[str, Recommender]:
    """The models that take part, by label."""
    labels = list(settings.models) if about.models is None else about.models
    for label in labels:
        if label not in settings.models:
            raise UnknownNameError("model of the job to tune", label, settings.models)
    built = {label: models.build(label, settings.models[label]) for label in labels}
    names = [model.name for model in built.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"[tune]: several models of the job are of kind {twice[0]}, and a search tunes each kind "
            "once. Name those to tune in models = [...]."
        )
    spaces_of(about.ranges)
    return built


def _search(
    settings: JobSettings,
    about: TuneSettings,
    made: Split,
    workspace: Workspace,
    step: Callable[[str], None],
    progress: Progress,
) -> Tuning:
    taking_part = list(_contestants(settings, about).values())
    search = plan_search(
        made,
        taking_part,
        metric=about.metric,
        method=about.method,
        trials=about.trials,
        seconds=about.seconds,
        spaces=spaces_of(about.ranges),
        convention=settings.evaluate.convention,
        level=settings.evaluate.level,
        rng=settings.seed,
    )
    journal = workspace.folder / "tuning" / f".{settings.name}"
    if holds_another(journal, search.settings()):  # a job starts anew when it was changed, and goes on when it was not
        shutil.rmtree(journal)
    tuning = search.run(folder=journal, progress=progress)
    workspace.save(tuning, settings.name, overwrite=True)
    for line in best_lines(tuning):
        step(line)
    for line in cautions_in_words(tuning):
        step(f"tune: {line}")
    return tuning
