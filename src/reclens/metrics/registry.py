"""The registry of metrics: one decorated function is a metric, everywhere."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import ArgumentTypeError, UnknownNameError, UsageError, expect_type
from reclens.metrics.conventions import Convention
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.lists import Lists
from reclens.metrics.of_predictions import OF_PREDICTIONS, RATED
from reclens.tabular import Tabular

__all__ = [
    "ALIASES",
    "MOST_PLACES",
    "Asked",
    "Family",
    "Metric",
    "MetricSpec",
    "asked_name",
    "canonical",
    "describe",
    "direction",
    "family_of",
    "in_unit_range",
    "is_count",
    "is_share",
    "metric",
    "names",
    "needs_of",
    "parse",
    "preferred_side",
]

UserMetric = Callable[[Lists, Convention], np.ndarray]
Family = Literal["accuracy", "diversity", "novelty", "popularity", "exposure", "service", "calibration", "other"]
CatalogueMetric = Callable[[Exposure], float]


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric(Tabular):
    """A metric: its function and its definition. ``ndcg @ 10`` and ``ndcg.at(10)`` are the metric with a cut-off.

    It is called as its function is, and pickles with it: also one that was written in a notebook.

    Attributes:
        name: Name without the cut-off, such as ``"ndcg"``.
        title: Name for people.
        kind: ``"user"``: one value a user, averaged; ``"catalogue"``: one value for all lists together.
        function: The function.
        higher_is_better: None where neither direction is better by itself.
        low: Lower bound of the value.
        high: Upper bound, or None when it depends on the data.
        unit: Unit of the value, such as ``"bits"``; ``"count"`` for whole numbers, ``"share"`` for what is shown in %,
            "" for a plain number.
        cut: Whether the name takes a cut-off, as in ``ndcg@10``.
        needs: What it needs beside the lists: any of ``truth, catalogue, profiles, features, distributions, requests``.
        family: Family of the metric, by which charts and reports choose metrics.
        toward: Whether more of it is what accuracy is traded for, where neither direction is better by itself.
    """

    name: str
    title: str
    kind: Literal["user", "catalogue"]
    function: Callable[..., Any]
    higher_is_better: bool | None
    low: float
    high: float | None
    unit: str
    cut: bool
    needs: tuple[str, ...]
    family: Family = "other"
    toward: bool | None = None

    def __post_init__(self) -> None:
        function: Any = self.function
        facts = {name: getattr(function, name, None) for name in ("__module__", "__name__", "__qualname__", "__doc__")}
        vars(self).update(facts, __wrapped__=function)

    def __call__(self, *args: Any) -> Any:
        """The values of the function: of each user, or of the catalogue."""
        return self.function(*args)

    def __matmul__(self, k: Any) -> MetricSpec:
        return self.at(k)

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "function"}
        return _restored, (self.function, facts)

    def at(self, k: int) -> MetricSpec:
        """The metric over the first ``k`` places of each list.

        Raises:
            ArgumentTypeError: If k is no whole number.
            UsageError: If the metric takes no cut-off, or k is out of range.

        Example:
            >>> (describe("ndcg") @ 10).text
            'ndcg@10'
        """
        expect_type("the cut-off", k, (int, np.integer), expected="a whole number", fix=f"Write {self.name} @ 10.")
        return parse(f"{self.name}@{k}")

    @property
    def doc(self) -> str:
        """The docstring without its markup: formula, range, denominator and rules."""
        return re.sub(r":\w+:`~?([^`]+)`", r"\1", inspect.getdoc(self.function) or "").replace("``", "")

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.split("\n", 1)[0]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the docstring says after its first line: (label, text), such as ("Range", "0 … 1."); "" for no label."""
        found: list[str] = []
        text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.getdoc(self.function) or "").replace("``", "`")
        for line in text.splitlines()[1:]:
            # A fact begins where the line before ended a sentence.
            if line[:1].isupper() and (not found or found[-1].endswith(".")):
                found.append(line.strip())
            elif line.strip():
                found[-1:] = [f"{found[-1]} {line.strip()}" if found else line.strip()]
        labelled = [re.match(r"([A-Z][a-z]+(?: [a-z]+)?): (.*)", fact) for fact in found]
        return [(m[1], m[2]) if m else ("", fact) for m, fact in zip(labelled, found, strict=True)]

    @property
    def use_when(self) -> str:
        """When to use it: the docstring's line of that name; "" if there is none."""
        return dict(self.facts).get("Use when", "")

    @property
    def misleads_when(self) -> str:
        """When its value misleads: the docstring's line of that name; "" if there is none."""
        return dict(self.facts).get("Misleads when", "")

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        shown = "name title family kind higher_is_better low high unit cut needs summary use_when misleads_when"
        return [{name: getattr(self, name) for name in shown.split()}]


@dataclass(frozen=True)
class MetricSpec:
    """A metric with its cut-off: ``ndcg@10``.

    Attributes:
        text: The requested name.
        info: The metric.
        k: The cut-off, or None for the whole list.
    """

    text: str
    info: Metric
    k: int | None

    def __str__(self) -> str:
        return self.text


ALIASES: Final[Mapping[str, str]] = {"hit": "hit_rate", "hr": "hit_rate", "p": "precision", "r": "recall"}
"""Other names of metrics -> the names they have here. Capitals make no difference: ``HR@10``, ``NDCG@10``."""

MOST_PLACES: Final = 1_000_000
"""The largest cut-off. Every place of every list is a cell of a table, whether an item stands there or not."""

Asked = str | MetricSpec | Metric
"""A metric as it is asked for: ``"ndcg@10"``, ``ndcg @ 10``, or ``r_precision``, which takes no cut-off."""

_REGISTERED: dict[str, Metric] = {}


def metric(
    *,
    title: str,
    kind: Literal["user", "catalogue"] = "user",
    higher_is_better: bool | None = True,
    low: float = 0.0,
    high: float | None = 1.0,
    unit: str = "",
    cut: bool = True,
    needs: tuple[str, ...] = (),
    family: Family = "other",
    toward: bool | None = None,
) -> Callable[[Callable[..., Any]], Metric]:
    """Make a function a metric, under its own name: the CLI, the docs, the reports and the contract tests have it.

    A user metric takes ``(lists, convention)`` and returns float64 of shape (users,), NaN where it is not defined. A
    catalogue metric takes ``(exposure)`` and returns one float. The docstring is the definition that people read.

    Args:
        title: Name for people.
        kind: ``"user"`` or ``"catalogue"``.
        higher_is_better: None where neither direction is better by itself.
        low: Lower bound.
        high: Upper bound, or None when it depends on the data.
        unit: Unit of the value.
        cut: Whether the name takes a cut-off.
        needs: Any of ``truth, catalogue, profiles, features, distributions, requests``.
        family: Family of the metric.
        toward: Whether more of it is what accuracy is traded for, where neither direction is better by itself.

    Raises:
        UsageError: If the name is taken by another function.
    """

    def register(function: Callable[..., Any]) -> Metric:
        name = getattr(function, "__name__", "metric")
        taken = _REGISTERED.get(name)
        if taken is not None and taken.function.__module__ != function.__module__:
            raise UsageError(f"a metric named '{name}' exists already, in {taken.function.__module__}: choose another.")
        sort: dict[str, Any] = {
            "title": title,
            "kind": kind,
            "unit": unit,
            "cut": cut,
            "needs": needs,
            "family": family,
        }
        sense: dict[str, Any] = {"higher_is_better": higher_is_better, "toward": toward, "low": low, "high": high}
        made = Metric(name=name, function=function, **sort, **sense)
        # The name of the function in its module is that of the metric now; by this one a pickle finds the function.
        function.__qualname__ = f"{function.__qualname__}.function"
        _REGISTERED[name] = made
        return made

    return register


def _restored(function: Callable[..., Any], facts: Mapping[str, Any]) -> Metric:
    """A metric that was pickled: the one of this process, or, where its function came along, a new one."""
    known = _REGISTERED.get(facts["name"])
    if known is not None and known.function is function:
        return known
    made = _REGISTERED[facts["name"]] = Metric(function=function, **facts)
    return made


def asked_name(asked: Any) -> str:
    """A metric as asked for, as text: ``"ndcg@10"``, ``ndcg @ 10`` or ``ndcg``.

    Raises:
        ArgumentTypeError: If it is none of these, such as a function that was not made a metric.
    """
    if isinstance(asked, str):
        return asked
    if isinstance(asked, MetricSpec | Metric):
        return str(asked)
    called = getattr(asked, "__name__", "first_place")
    mend = f"Decorate it: @rl.metric(title=…) above def {called}(lists, convention), and ask for {called} @ 10."
    raise ArgumentTypeError(
        "a metric",
        asked,
        expected="a name such as 'ndcg@10', or rl.metrics.ndcg @ 10",
        fix=mend if callable(asked) else "rl.metrics.names() lists them.",
    )


def _registered() -> Mapping[str, Metric]:
    package = importlib.import_module("reclens.metrics")
    _find_metrics(tuple(package.__path__))
    return _REGISTERED


@cache
def _find_metrics(folders: tuple[str, ...]) -> None:
    """Import every module of the package, once a set of folders: to look through them takes longer than to ask."""
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"reclens.metrics.{module.name}")


def names() -> list[str]:
    """The names of all metrics, without cut-offs, in alphabetical order."""
    return sorted(_registered())


def describe(name: Asked) -> Metric:
    """The definition of a metric; ``name`` can have a cut-off.

    Raises:
        UnknownNameError: If there is no such metric.
    """
    bare = asked_name(name).split("@", 1)[0]
    known = _registered()
    found = known.get(_named_here(bare))
    if found is None:
        raise UnknownNameError("metric", bare, known)
    return found


def canonical(text: Asked) -> str:
    """The canonical name of a metric; a text that is not a metric is returned unchanged.

    Example:
        >>> canonical("HR@10"), canonical("ndcg@5"), canonical("clicks")
        ('hit_rate@10', 'ndcg@5', 'clicks')
    """
    bare, at, cut = asked_name(text).partition("@")
    return _named_here(bare) + at + cut


def _named_here(bare: str) -> str:
    known = _registered()
    small = ALIASES.get(bare.lower(), bare.lower())
    return small if bare not in known and small in known else bare


def _known(name: str) -> Metric | None:
    return _registered().get(name.split("@", 1)[0])


def direction(name: str) -> bool | None:
    """Whether higher values are better; None where neither is by itself, or the metric is not registered here."""
    known = _known(name)
    return None if known is None else known.higher_is_better


def preferred_side(name: str) -> bool:
    """Whether more of a metric is aimed at; by convention (``toward``) where neither direction is better by itself."""
    known = _known(name)
    if known is None:
        return True
    aim = known.toward if known.higher_is_better is None else known.higher_is_better
    return aim is not False


def is_share(name: str) -> bool:
    """Whether values are shares, which are shown in %; False where the metric is not registered here."""
    return (known := _known(name)) is not None and known.unit == "share"


def family_of(name: str) -> Family:
    """The family of a metric; ``"other"`` if it is not registered."""
    return "other" if (known := _known(name)) is None else known.family


def needs_of(name: str) -> tuple[str, ...]:
    """The data that a metric needs besides the lists; () if it is not registered."""
    return () if (known := _known(name)) is None else known.needs


def in_unit_range(name: str) -> bool:
    """Whether values lie in 0 … 1 by definition; False where the metric is not registered here."""
    known = _known(name)
    return known is not None and (known.low, known.high) == (0.0, 1.0)


def is_count(name: str) -> bool:
    """Whether values are whole numbers; False where the metric is not registered here."""
    return (known := _known(name)) is not None and known.unit == "count"


def parse(text: Asked) -> MetricSpec:
    """Read a metric as asked for, such as ``"ndcg@10"``, ``ndcg @ 10`` or ``"r_precision"``.

    Raises:
        UnknownNameError: If there is no such metric.
        UsageError: If the cut-off is missing, superfluous, not a positive integer, or above 1,000,000.

    Example:
        >>> parse("ndcg@10").k
        10
    """
    text = asked_name(text)
    match = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)(?:@(.*))?", text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a metric. Write name@k, such as ndcg@10.")
    if match[1] in OF_PREDICTIONS:
        raise UsageError(f"{match[1]} is a metric of predicted ratings, not of lists", advice=RATED)
    info = describe(match[1])
    if match[2] is None:
        if info.cut:
            raise UsageError(f"'{text}' needs a cut-off. Write {info.name}@10 for the first ten places.")
        return MetricSpec(info.name, info, None)
    if not info.cut:
        raise UsageError(f"'{info.name}' takes no cut-off. Write {info.name}.")
    if not re.fullmatch(r"[0-9]+", match[2]) or not (digits := match[2].lstrip("0")):
        raise UsageError(f"the cut-off of '{text}' is not a positive whole number. Write {info.name}@10.")
    # Looked at as text first: Python reads no more than 4,300 digits.
    if len(digits) > len(str(MOST_PLACES)) or int(digits) > MOST_PLACES:
        raise UsageError(
            f"the cut-off of '{text}' is too large: the largest is {MOST_PLACES:,}, and no list is longer "
            f"than the catalogue. Write {info.name}@10."
        )
    return MetricSpec(f"{info.name}@{digits}", info, int(digits))
