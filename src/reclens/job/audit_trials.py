"""The trials of an audit: its mitigations, and the feedback loop that its lists would make."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reclens.audit.loop import with_groups
from reclens.audit.mitigate import Mitigation, candidates_of, mitigation
from reclens.audit.procedure import position_bias_of
from reclens.engine import Progress
from reclens.errors import UsageError
from reclens.job.audit_again import tells_all
from reclens.job.audit_settings import ESTIMATED

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.job.audit_inputs import AuditInputs
    from reclens.job.audit_settings import AuditJobSettings
    from reclens.lab.feedback import FeedbackLoop

__all__ = ["loop_of", "mitigation_of", "with_estimated"]


def mitigation_of(settings: AuditJobSettings, inputs: AuditInputs, *, progress: Progress) -> Mitigation | None:
    """What ``[mitigation]`` asks for; None if there is no such section.

    Raises:
        UsageError: If the data do not have what it needs.
    """
    about = settings.mitigation
    if about is None:
        return None
    if inputs.truth is None or inputs.train is None:
        raise UsageError("[mitigation] needs the truth and the training data: name [data] split, or truth and train.")
    made = settings.settings()
    metrics = made.metrics_of(truth=True)
    if not metrics:
        raise UsageError("[mitigation] needs a metric that is lost: leave [audit] metrics out, or name one.")
    loop = settings.loop.settings(made.seed) if settings.loop is not None and about.long_run else None
    model = None if settings.model is None else (settings.model.name, settings.model.parameters)
    candidates = candidates_of(
        inputs.candidates.table,
        inputs.truth,
        train=inputs.train,
        validation=inputs.validation,
        model=model,
        depth=about.depth,
        exclude_seen=inputs.exclude_seen,
    )
    return mitigation(candidates, about.asked(metrics[0], loop), train=inputs.train, settings=made, progress=progress)


def with_estimated(settings: AuditJobSettings, log: pl.DataFrame | None) -> AuditJobSettings:
    """The same audit with the weights that the log tells, where ``attention = "estimated"`` asks for them.

    Raises:
        UsageError: If the log cannot tell them for every place of the lists.
    """
    if settings.audit.attention != ESTIMATED or log is None:
        return settings
    made = settings.settings()
    found = position_bias_of(log, made)
    if not tells_all(found, made.k):
        raise UsageError(
            f'[audit] attention = "{ESTIMATED}": the log does not tell the attention of all {made.k} places. It has to '
            "hold items that several rankers put to different places. Say log or rbp instead."
        )
    return settings.with_weights(found.weights)


def loop_of(settings: AuditJobSettings, train: Dataset | None, *, progress: Progress) -> FeedbackLoop | None:
    """What ``[loop]`` asks for: the model, retrained in a world that is fitted to the training data.

    Raises:
        UsageError: If there are no training data.
    """
    if settings.loop is None or settings.model is None:
        return None
    if train is None:
        raise UsageError("[loop] is fitted to the training data: name [data] split, or train.")
    from reclens.lab.feedback import feedback_loop
    from reclens.lab.model_strategy import ModelStrategy

    data, made, model = with_groups(train), settings.settings(), settings.model
    known = [] if data.users is None else data.users.columns
    columns = [] if data.items is None else data.items.columns
    named = [made.by] if isinstance(made.by, str) else list(made.by)
    how: dict[str, Any] = asdict(settings.loop.settings(made.seed))
    category = next((each for each in made.attributes if each in columns), None)
    how |= {} if category is None else {"category": category}
    return feedback_loop(
        data,
        lambda world, seed: ModelStrategy(model.name, model.parameters, world=world),
        by=[each for each in named if isinstance(each, str) and each in known],
        k=made.k,
        level=made.level,
        progress=progress,
        **how,
    )
