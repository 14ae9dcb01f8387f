"""A whole job: data, split, segments, models, evaluations, comparison, report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reclens import models
from reclens.data import filters, segments, split
from reclens.data.read.open import load_data, load_split
from reclens.data.read.request import ADVICE_TEXTS, Reading, named_by
from reclens.engine import Progress, TableEngine, quiet
from reclens.errors import UsageError, expect_type
from reclens.evaluation import (
    Comparison,
    Evaluation,
    EvaluationWarning,
    compare,
    evaluate,
    gate,
)
from reclens.evaluation.against_split import usual_metrics
from reclens.job.checks import check_job, check_job_data, segmenters_of, with_models
from reclens.job.reading import reading_of
from reclens.job.settings import JobSettings, SplitSettings, load_settings, validate_settings
from reclens.job.tune import check_searches, run_searches
from reclens.pipeline import Pipeline, PipelineWarning
from reclens.pipeline.ranker_check import hold_ranker, judged_metrics, with_ranker
from reclens.protocols import adapter
from reclens.report import build_report, other_names
from reclens.report._toolkit.format import decimal, whole
from reclens.report.data.words import note_line, rule_line, split_text
from reclens.report.evaluation.gate import gate_in_words
from reclens.report.evaluation.problem_words import fit_problems, id_problems, task_problems
from reclens.report.pipeline import words as pipeline_words
from reclens.settings import to_toml
from reclens.stats.gate import GateResult
from reclens.tabular import Tabular
from reclens.tuning import hold_against_popular
from reclens.workspace import Workspace
from reclens.workspace.groups import measured_alike

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset, Segmenter
    from reclens.data.split import Split
    from reclens.schema import Recommendations

__all__ = ["JobResult", "run_job"]


@dataclass(frozen=True)
class JobResult(Tabular):
    """The results of a job.

    Attributes:
        results: System -> evaluation.
        comparison: Comparison with the baseline; None if the job has none.
        report: Location of the report.
        gate: Result of ``[gate]``; None if the job has none.
    """

    results: dict[str, Evaluation]
    comparison: Comparison | None
    report: Path
    gate: GateResult | None = None

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per system, metric and segment."""
        return [row for result in self.results.values() for row in result.to_dicts()]


def run_job(
    job: JobSettings | str | Path | Mapping[str, Any],
    *,
    reading: Reading | None = None,
    workspace: Workspace | str | Path = "workspace",
    say: Callable[[str], None] = lambda line: None,
    progress: Progress = quiet,
    before_fit: Callable[[], None] = lambda: None,
) -> JobResult:
    """Run a job and keep everything in the workspace, as ``reclens run job.toml`` does.

    Args:
        job: A TOML file, its content as a mapping, or settings that were checked.
        reading: How its files are read; by default as the job says in ``[data]``.
        workspace: Where everything is kept: a workspace, or its folder.
        say: Called with a line for every step.
        progress: Callback for the progress.
        before_fit: Called after all checks of the job, before anything is fitted.

    Returns:
        The evaluations, their comparison, and where the report lies.

    Raises:
        ArgumentTypeError: If the job is no file, mapping or settings.
        UsageError: If the job has an unknown key, or is not possible; raised before anything is fitted.
    """
    settings = _checked(job)
    workspace = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    started, asked = time.monotonic(), settings

    def step(text: str) -> None:
        say(f"[{decimal(time.monotonic() - started, 1):>5} s] {text}")

    check_job(settings, workspace)
    check_searches(settings)
    progress("read the data", 0, 0)
    made = _prepared(settings, reading or reading_of(settings), workspace, step)
    train = made.train.with_segments(**_segmenters(made.train, settings))
    made = replace(made, train=train)
    check_job_data(settings, train, _metrics(settings, train))
    progress("read the data", 1, 1)
    before_fit()
    sizes = f"{whole(train.interactions.height)} to learn from, {whole(made.test.height)} held out"
    step(f"split: {sizes}; {split_text(made.card)}")
    for rule in made.card.get("rules", ()):
        step(f"split: {rule_line(rule)}")
    for note in made.card.get("notes", []) if made.card.get("method") == "given" else ():
        step(f"split: {note_line(note)}")
    workspace.save(made, settings.name, overwrite=True)
    settings = with_models(run_searches(settings, made, workspace=workspace, step=step, progress=progress))
    results: dict[str, Evaluation] = {}
    for name, system in _systems(settings, train, step).items():
        results[name] = _serve_and_measure(name, system, made, settings, workspace, step, progress)
    comparison = None
    if settings.compare.baseline in results and len(results) > 1:
        comparison = compare(
            results,
            baseline=settings.compare.baseline,
            correction=settings.compare.correction,
            primary=settings.compare.primary,
            intervals=settings.compare.intervals,
            rng=settings.seed,
        )
        workspace.save(comparison, settings.name, overwrite=True)
        step(f"compared with {settings.compare.baseline}: {whole(comparison.card['tests'])} tests")
    elif len(results) > 1:
        step(f"not compared: no system is called '{settings.compare.baseline}'; name the baseline in [compare]")
    held = None
    if settings.gate:
        held = gate(results, [row.rule() for row in settings.gate], comparison=comparison)
        step(gate_in_words(held))
    report = _report(results, comparison, held, settings, workspace)
    workspace.save_text(to_toml(asked), f"{settings.name}.toml")
    step("report written")
    workspace.check()
    return JobResult(results, comparison, report, held)


def _report(
    results: Mapping[str, Evaluation],
    comparison: Comparison | None,
    held: GateResult | None,
    settings: JobSettings,
    workspace: Workspace,
) -> Path:
    """Write the report, in the colours that the systems have on the pages of the workspace."""
    kept_as = {name: f"{settings.name}-{name}" for name in results}
    alike = measured_alike(workspace.list("evaluation"), next(iter(kept_as.values()), ""))
    page = build_report(
        results, comparison=comparison, gate=held, title=settings.title, measured_alike=alike, kept_as=kept_as
    )
    return workspace.save_report(page.html, settings.name)


def _checked(job: Any) -> JobSettings:
    """The settings of a job from a file, mapping or settings."""
    if isinstance(job, JobSettings):
        return job
    if isinstance(job, Mapping):
        return validate_settings(dict(job), source="the job")
    expect_type("job", job, (str, Path), expected="a TOML file, its content, or settings", fix="Pass 'job.toml'.")
    return load_settings(job)


def _serve_and_measure(
    name: str,
    system: models.Recommender | Pipeline,
    made: Split,
    settings: JobSettings,
    workspace: Workspace,
    step: Callable[[str], None],
    progress: Progress,
) -> Evaluation:
    """Fit one system, recommend to the test users, measure the lists, and keep all three."""
    busy = [time.process_time()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", models.FitWarning)  # the job says it in a line of its own
        model = system.fit(made.train, progress=progress)
    busy.append(time.process_time())
    if isinstance(model, models.Recommender):
        hold_against_popular(model, made)
        for line in fit_problems(name, [asdict(each) for each in model.problems_]):
            step(line)
    workspace.save(model, f"{settings.name}-{name}", overwrite=True)
    busy.append(time.process_time())
    lists, *rest = _recommend(model, made, settings.evaluate.k, progress)
    busy.append(time.process_time())
    cost = {"fit_cpu_seconds": busy[1] - busy[0], "list_cpu_seconds": busy[3] - busy[2], "users": len(made.test_users)}
    lists = replace(lists, card={**lists.card, "cost": cost})
    workspace.save(lists, f"{settings.name}-{name}", overwrite=True)
    result = _evaluate(lists, made, settings, name, progress)
    if rest:
        ranked, fused = rest
        result = _with_ranker(result, ranked, fused, made, settings, progress)
    workspace.save(result, f"{settings.name}-{name}", overwrite=True)
    for said in [*_odd_of(result.card), *_cut(lists)]:
        step(f"{name}: {said}")
    step(f"{name}: {result.metrics[0]} {result[result.metrics[0]].overall}")
    return result


def _prepared(settings: JobSettings, reading: Reading, workspace: Workspace, step: Callable[[str], None]) -> Split:
    """The split of the job: of its data, one that was made elsewhere, or one of the workspace."""
    how = settings.split
    if how.kept is not None:
        return _kept(settings, how.kept, workspace, step)
    if how.test is not None or how.validation is not None or how.method == "given":
        return _given(settings, reading)
    data = _read(settings, reading)
    label = "synthetic data (nobody in it exists)" if data.card.get("synthetic") else "data"
    step(
        f"{label}: {whole(data.interactions.height)} interactions, {whole(len(data.user_vocabulary))} users, "
        f"{whole(len(data.item_vocabulary))} items"
    )
    if not data.has_timestamps and "method" not in how.model_fields_set:
        step("the data has no timestamps: a share of each user's interactions is held out at random")
        how = how.model_copy(update={"method": "random", "validation_share": 0.1 if how.validation_n else 0.0})
    return _split(data, how, settings.seed)


def _kept(settings: JobSettings, name: str, workspace: Workspace, step: Callable[[str], None]) -> Split:
    beside = [f"[data] {key}" for key in sorted(settings.data.model_fields_set)]
    beside += [f"[split] {key}" for key in sorted(settings.split.model_fields_set - {"kept"})]
    if beside:
        raise UsageError(f'[split] kept = "{name}" holds data and parts: leave {", ".join(beside)} out.')
    made = workspace.load("split", name)
    step(f"the split '{name}' of the workspace")
    return made


def _given(settings: JobSettings, reading: Reading) -> Split:
    about, how = settings.data, settings.split
    said = how.model_fields_set - {"test", "validation", "task"} - ({"method"} if how.method == "given" else set())
    if about.path is None or how.test is None or said:
        odd = f"leave {', '.join(sorted(said))} out" if said else "name [data] path to learn from and [split] test"
        raise UsageError(f"[split] of a split that was made elsewhere: {odd}.")
    filtered = about.min_rating is not None or about.k_core is not None
    return load_split(about.path, reading, test=how.test, validation=how.validation, task=how.task, filtered=filtered)


def _read(settings: JobSettings, reading: Reading) -> Dataset:
    about = settings.data
    data = load_data(about.path, reading, seed=settings.seed)
    if about.min_rating is not None:
        data = filters.min_rating(data, about.min_rating)
    if about.k_core is not None:
        data = filters.k_core(data, users=about.k_core, items=about.k_core)
    return data


def _split(data: Dataset, how: SplitSettings, seed: int) -> Split:
    share = how.validation_share
    if how.method == "by_time":
        return split.by_time(data, test_share=how.test_share, validation_share=share, task=how.task)
    if how.method == "random":
        return split.random(data, test_share=how.test_share, validation_share=share, task=how.task, rng=seed)
    return split.last_n(data, n=how.n, validation_n=how.validation_n, ties=how.ties, task=how.task, rng=seed)


def _recommend(
    model: models.Recommender | Pipeline, made: Split, k: int, progress: Progress
) -> tuple[Recommendations, ...]:
    """Lists for the test users, with the filter of seen items that belongs to the task; a pipeline has its own.

    Those of a pipeline with a ranker are followed by the lists to compare the ranker with: its own and the fusion's.
    """
    if not isinstance(model, Pipeline):
        return (model.recommend(made.test_users, k=k, exclude_seen=made.exclude_seen, progress=progress),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)  # the job says it in a line of its own
        if model.rank is None:
            return (model.recommend(made.test_users, k=k, progress=progress),)
        return model.recommend_with_fusion(made.test_users, k=k, progress=progress)


def _cut(lists: Recommendations) -> list[str]:
    """A message that a pipeline cannot return lists as long as requested."""
    return [pipeline_words.rule_detail(rule) for rule in lists.card.get("rules", ()) if rule["code"] == "keep_below_k"]


def _evaluate(
    lists: Recommendations,
    made: Split,
    settings: JobSettings,
    name: str,
    progress: Progress,
    metrics: list[str] | None = None,
) -> Evaluation:
    about, train = settings.evaluate, made.train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)  # the job says it in a line of its own
        return evaluate(
            lists,
            made,
            metrics=metrics or _metrics(settings, train),
            by=_by(settings, train),
            convention=about.convention,
            level=about.level,
            replicates=about.replicates,
            rng=settings.seed,
            name=name,
            engine=None if about.engine is None else adapter(about.engine, TableEngine),
            progress=progress,
        )


def _odd_of(card: Mapping[str, Any]) -> list[str]:
    said = (named_by("toml"), ADVICE_TEXTS)
    problems = [*id_problems(card, *said), *task_problems(card, *said)]
    return [*problems, *other_names(card), *pipeline_words.ranker_problems(card)]


def _with_ranker(
    result: Evaluation,
    ranked: Recommendations,
    fused: Recommendations,
    made: Split,
    settings: JobSettings,
    progress: Progress,
) -> Evaluation:
    """Evaluate a pipeline; its card compares the ranker with plain fusion of the same candidates."""
    metrics = judged_metrics(result.metrics)
    if not metrics:
        return result
    ours, plain = (_evaluate(each, made, settings, each.name, progress, metrics) for each in (ranked, fused))
    return with_ranker(result, hold_ranker(ranked.name, ours, plain, level=settings.evaluate.level))


def _segmenters(train: Dataset, settings: JobSettings) -> dict[str, Segmenter]:
    named = segmenters_of(settings)
    return segments.usual(train) if named is None else named


def _systems(
    settings: JobSettings, train: Dataset, step: Callable[[str], None]
) -> dict[str, models.Recommender | Pipeline]:
    """The models and pipelines by name, not fitted yet."""
    found: dict[str, models.Recommender | Pipeline] = {}
    for name, parameters in settings.models.items():
        if name == "recent_popular" and not parameters and not train.has_timestamps:
            step("recent_popular left out: the data has no timestamps")
        else:
            found[name] = models.build(name, parameters)
    for name, about in settings.pipelines.items():
        pipeline = found[name] = Pipeline(**about.model_dump())
        if "exclude_seen" not in about.model_fields_set:
            pipeline.exclude_seen = settings.split.task == "new_items"
    return found


def _metrics(settings: JobSettings, train: Dataset) -> list[str]:
    """The metrics asked for; the default ones that need genres only where there are genres."""
    asked = settings.evaluate
    return asked.metrics if "metrics" in asked.model_fields_set else usual_metrics(train)


def _by(settings: JobSettings, train: Dataset) -> list[str]:
    if settings.evaluate.by is not None:
        return settings.evaluate.by
    return [] if train.segments is None else [name for name in train.segments.columns if name != "user_id"]
