"""The schema of the exported tables, shared by all formats."""

from __future__ import annotations

from typing import Final

from reclens.export.columns import ExportColumn, ExportTable

__all__ = ["DAILY_HEALTH", "EXPORTS", "LEADERBOARD", "SEGMENT_METRICS", "USER_METRICS"]

_RUN: Final = (
    ExportColumn(
        name="run",
        type="text",
        caption="Run",
        description="Name of the evaluation in the workspace: one system measured once.",
    ),
    ExportColumn(
        name="system",
        type="text",
        caption="System",
        description="Name that the system gave itself; two runs may share it.",
    ),
)
_METRIC: Final = (
    ExportColumn(
        name="metric",
        type="text",
        caption="Metric",
        description="The metric with its cut-off, such as ndcg@10. Numbers of different metrics are never added or "
        "averaged.",
    ),
    ExportColumn(
        name="metric_name",
        type="text",
        caption="Metric without cut-off",
        description="The metric without its cut-off, such as ndcg.",
    ),
    ExportColumn(
        name="k",
        type="whole",
        caption="Cut-off",
        description="The first k places of a list that count; empty for the whole list.",
    ),
    ExportColumn(
        name="kind",
        type="text",
        caption="Kind of metric",
        description="user: one value a user, averaged. catalogue: one value for all lists together, which is no "
        "mean of anything.",
    ),
    ExportColumn(
        name="better",
        type="text",
        caption="Better is",
        description="higher, lower, or neither where no direction is better by itself.",
    ),
)
_ESTIMATE: Final = (
    ExportColumn(
        name="value",
        type="real",
        caption="Value",
        description="The metric. It stands for one row alone: it is not added, and averaged "
        "only over users of one run by one metric.",
        measure=True,
        shown="value",
    ),
    ExportColumn(
        name="low",
        type="real",
        caption="Low",
        description="Lower end of the interval; empty where no honest one exists.",
        measure=True,
        shown="value",
    ),
    ExportColumn(
        name="high",
        type="real",
        caption="High",
        description="Upper end of the interval; empty where no honest one exists.",
        measure=True,
        shown="value",
    ),
    ExportColumn(
        name="n", type="whole", caption="Users", description="Users behind the value.", measure=True, shown="count"
    ),
    ExportColumn(
        name="level",
        type="real",
        caption="Level",
        description="Confidence level of the interval.",
        measure=False,
        shown="share",
    ),
    ExportColumn(
        name="coverage",
        type="real",
        caption="Coverage",
        description="How often such intervals held the truth in simulations, where that "
        "is less than their level; empty where they keep it.",
        measure=False,
        shown="share",
    ),
    ExportColumn(
        name="small", type="truth", caption="Few users", description="Whether there are too few users to conclude from."
    ),
    ExportColumn(
        name="note",
        type="text",
        caption="Note",
        description="Why there is no interval, or what to keep in mind, as a code.",
    ),
)
_VERDICT: Final = (
    ExportColumn(
        name="comparison",
        type="text",
        caption="Comparison",
        description="Name of the comparison in the workspace that the verdict is of; empty when this run was not "
        "compared.",
    ),
    ExportColumn(
        name="baseline", type="text", caption="Baseline", description="The system that this one was held against."
    ),
    ExportColumn(
        name="difference",
        type="real",
        caption="Difference",
        description="Mean difference from the baseline, over the users with a value under both.",
        measure=True,
        shown="signed",
    ),
    ExportColumn(
        name="difference_low",
        type="real",
        caption="Difference low",
        description="Lower end of the interval of the difference, for this difference alone.",
        measure=True,
        shown="signed",
    ),
    ExportColumn(
        name="difference_high",
        type="real",
        caption="Difference high",
        description="Upper end of the interval of the difference.",
        measure=True,
        shown="signed",
    ),
    ExportColumn(
        name="p_value",
        type="real",
        caption="p",
        description="p-value of the paired randomisation test by itself.",
        measure=True,
        shown="p",
    ),
    ExportColumn(
        name="p_adjusted",
        type="real",
        caption="Adjusted p",
        description="p-value of the paired randomisation test, corrected over the tests of its family.",
        measure=True,
        shown="p",
    ),
    ExportColumn(
        name="family",
        type="text",
        caption="Family",
        description="Tests that are corrected together: primary (the main question), metrics "
        "(the others over all users) or segments; empty where there is no test.",
    ),
    ExportColumn(
        name="tests", type="whole", caption="Tests", description="Tests of that family.", measure=True, shown="count"
    ),
    ExportColumn(
        name="significant",
        type="truth",
        caption="Significant",
        description="Whether the difference is significant after the correction; empty where there is no test.",
    ),
    ExportColumn(
        name="verdict",
        type="text",
        caption="Verdict",
        description="better, worse, different (where neither direction is better), "
        "undecided, not tested, baseline, or not compared.",
    ),
    ExportColumn(
        name="correction",
        type="text",
        caption="Correction",
        description="How p-values were corrected for the number of tests.",
    ),
)

LEADERBOARD: Final = ExportTable(
    name="leaderboard",
    caption="Leaderboard",
    description="One row a run and metric, over all evaluated users.",
    columns=(
        *_RUN,
        *_METRIC,
        ExportColumn(name="title", type="text", caption="Metric title", description="Name of the metric for people."),
        ExportColumn(
            name="definition",
            type="text",
            caption="Definition",
            description="What the metric is: formula, range, rules.",
        ),
        *_ESTIMATE,
        *_VERDICT,
        ExportColumn(
            name="wins",
            type="whole",
            caption="Users with a higher value",
            description="Users for whom this run has the higher value.",
            measure=True,
            shown="count",
        ),
        ExportColumn(
            name="ties",
            type="whole",
            caption="Users with equal values",
            description="Users with equal values.",
            measure=True,
            shown="count",
        ),
        ExportColumn(
            name="losses",
            type="whole",
            caption="Users with a lower value",
            description="Users for whom the baseline has the higher value.",
            measure=True,
            shown="count",
        ),
        ExportColumn(
            name="smallest_detectable",
            type="real",
            caption="Smallest detectable",
            description="The true difference that a single test of this size finds with 80 % power.",
            measure=True,
            shown="value",
        ),
        ExportColumn(
            name="truth",
            type="text",
            caption="Held-out data",
            description="Hash of the held-out data. Runs with different ones were not measured alike and must not be "
            "compared.",
        ),
        ExportColumn(
            name="convention",
            type="text",
            caption="Convention",
            description="The conventions of the metrics, such as trec.",
        ),
        ExportColumn(name="synthetic", type="truth", caption="Synthetic", description="Whether the data is synthetic."),
        ExportColumn(
            name="measured_at",
            type="moment",
            caption="Measured at (UTC)",
            description="When the evaluation was written.",
        ),
    ),
    key=("run", "metric"),
)
"""Runs × metrics over all users, with the verdict of a comparison."""

SEGMENT_METRICS: Final = ExportTable(
    name="segment_metrics",
    caption="Metrics by segment",
    description="One row a run, metric, segmentation and segment.",
    columns=(
        *_RUN,
        *_METRIC,
        ExportColumn(
            name="segmentation",
            type="text",
            caption="Segmentation",
            description="What users are grouped by. Each user is in one segment "
            "of each segmentation at most; different segmentations are never added.",
        ),
        ExportColumn(name="segment", type="text", caption="Segment", description="The group of users."),
        ExportColumn(
            name="place",
            type="whole",
            caption="Place of the segment",
            description="Display order of the segment, from 1.",
        ),
        *_ESTIMATE,
        *_VERDICT,
    ),
    key=("run", "metric", "segmentation", "segment"),
    empty="the evaluations are by no segment",
)
"""Runs × metrics × segments."""

USER_METRICS: Final = ExportTable(
    name="user_metrics",
    caption="Metrics of single users",
    description="One row a run, metric and user; metrics of the whole catalogue have no such rows.",
    columns=(
        *_RUN,
        _METRIC[0],
        ExportColumn(name="user_id", type="text", caption="User", description="Id of the user, as text."),
        ExportColumn(
            name="segments",
            type="text",
            caption="Segments",
            description="The segments of the user in this run, such as activity: heavy; age: 25-45. Filter by what it "
            "contains. "
            "Empty where the run was measured by no segment.",
        ),
        ExportColumn(
            name="value",
            type="real",
            caption="Value",
            description="The metric for this user; empty where it is not defined. Averaged over "
            "the users of one run by one metric it is the value of the leaderboard.",
            measure=True,
            shown="value",
        ),
        ExportColumn(
            name="n_relevant",
            type="whole",
            caption="Relevant items",
            description="Held-out relevant items of the user; the same in every row of the user in a run.",
            measure=True,
            shown="count",
        ),
        ExportColumn(
            name="list_length",
            type="whole",
            caption="List length",
            description="Items in the user's list; the same in every row of the user in a run.",
            measure=True,
            shown="count",
        ),
    ),
    key=("run", "metric", "user_id"),
    empty="the evaluations have no metric of single users",
)
"""Runs × metrics × users, in long form."""

DAILY_HEALTH: Final = ExportTable(
    name="daily_health",
    caption="Daily health",
    description="One row a day, system, indicator, segmentation and segment.",
    columns=(
        ExportColumn(name="day", type="day", caption="Day", description="The day, UTC."),
        ExportColumn(name="system", type="text", caption="System", description="The system that is watched."),
        ExportColumn(
            name="indicator",
            type="text",
            caption="Indicator",
            description="What is watched. Numbers of different indicators are never added or averaged.",
        ),
        ExportColumn(
            name="segmentation",
            type="text",
            caption="Segmentation",
            description="What users are grouped by; overall for all users.",
        ),
        ExportColumn(
            name="segment", type="text", caption="Segment", description="The group of users; all for all users."
        ),
        *_ESTIMATE[:5],
        ExportColumn(
            name="expected",
            type="real",
            caption="Expected",
            description="The value that the days before lead to expect.",
            measure=True,
            shown="value",
        ),
        ExportColumn(
            name="status",
            type="text",
            caption="Status",
            description="ok, warning or alert; empty where the day was not judged, and the note says why.",
        ),
        _ESTIMATE[-1],
    ),
    key=("day", "system", "indicator", "segmentation", "segment"),
    empty="nothing in this workspace watches a system day by day: reclens monitor run does",
)
"""Days × indicators, from artefacts of the kind ``health``."""

EXPORTS: Final = (LEADERBOARD, SEGMENT_METRICS, USER_METRICS, DAILY_HEALTH)
"""The tables, in the order they are written."""
