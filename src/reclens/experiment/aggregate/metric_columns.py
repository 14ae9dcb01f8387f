"""Where each metric stands in the columns of the aggregates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reclens.experiment.planning.metric import Metric
from reclens.stats.arms import Quantity

__all__ = ["MetricColumns", "capped", "complete", "effective", "metric_columns_of", "missing", "there"]


@dataclass(frozen=True)
class MetricColumns:
    """Where a metric stands in the sums.

    Attributes:
        metric: The metric.
        of: Its column, or its numerator and denominator.
        covariates: Columns or pairs that adjust it.
    """

    metric: Metric
    of: Quantity
    covariates: tuple[Quantity, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether it is a share of independent units, which is tested by its counts: they need not vary."""
        return self.metric.kind == "proportion" and isinstance(self.of, str) and not self.covariates

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it needs, once."""
        parts = [name for each in (self.of, *self.covariates) for name in ((each,) if isinstance(each, str) else each)]
        return tuple(dict.fromkeys(parts))


def metric_columns_of(
    metrics: Iterable[Metric], *, rows: str | None = None, indicators: Sequence[str] = ()
) -> dict[str, MetricColumns]:
    """Where each metric stands in the sums; those of kinds that need more than sums are left out.

    Args:
        metrics: The metrics of a plan.
        rows: The column that counts rows where the unit of the sums is a cluster of them: means are then ratios.
        indicators: Covariate columns that are missing for some units. Where one is, it counts 0, and the share of the
            missing becomes a covariate of its own (``"COLUMN is missing"``), so that the adjustment stays unbiased.
            And columns of :func:`there` and :func:`complete`, of metrics whose own values are missing for some.
    """
    found: dict[str, MetricColumns] = {}
    for metric in metrics:
        read = effective(metric, indicators)
        if read.value is None or read.kind not in ("mean", "proportion", "ratio"):
            continue
        value = read.value if metric.cap is None else capped(read.value, metric.cap)
        below = read.per if read.kind == "ratio" else rows
        of: Quantity = value if below is None else (value, below)
        adjusting: list[Quantity] = []
        for name in metric.covariates:
            top, _, bottom = (part.strip() for part in name.partition("/"))
            under = bottom or rows
            adjusting.append((top, under) if under else top)
            lacking = [missing(part) for part in (top, bottom) if part in indicators]
            adjusting += [(part, rows) if rows else part for part in lacking]
        found[metric.name] = MetricColumns(metric, of, tuple(dict.fromkeys(adjusting)))
    return found


def effective(metric: Metric, indicators: Sequence[str]) -> Metric:
    """The metric as it is summed up: where values are missing and left out, a mean is one over the units with a value.

    That is the ratio of two sums over all units, so that every metric keeps to one n and its interval is the delta
    method's. A ratio takes both of its sums over the rows that have both.
    """
    if metric.value is None or metric.missing == "zero":
        return metric
    if metric.per and complete(metric.per, metric.name) in indicators:
        both = {"value": complete(metric.value, metric.name), "per": complete(metric.per, metric.name)}
        return metric.model_copy(update=both)
    if metric.kind in ("mean", "proportion") and there(metric.value) in indicators:
        return metric.model_copy(update={"kind": "ratio", "per": there(metric.value)})
    return metric


def there(column: str) -> str:
    """The name of the column that counts the units which have a value of another.

    >>> there("clicks")
    'units with clicks'
    """
    return f"units with {column}"


def complete(column: str, metric: str) -> str:
    """The name of a column of a ratio, summed over the rows that have both of its columns.

    >>> complete("views", "click-through rate")
    'views in complete rows of click-through rate'
    """
    return f"{column} in complete rows of {metric}"


def capped(column: str, cap: float) -> str:
    """The name of a column whose values are cut off.

    >>> capped("rounds", 500.0)
    'rounds up to 500'
    """
    return f"{column} up to {cap:g}"


def missing(column: str) -> str:
    """The name of the column that is 1 where another is missing.

    >>> missing("clicks_before")
    'clicks_before is missing'
    """
    return f"{column} is missing"
