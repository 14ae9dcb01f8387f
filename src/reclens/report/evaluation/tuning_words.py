"""What stands against the outcome of a search, and what to know of every search, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.errors import Setting, in_python
from reclens.models._core.search_space import Float, Whole
from reclens.report._toolkit.format import decimal, format_estimate, in_words, significant
from reclens.tuning import Tuning
from reclens.tuning.results import CautionKind, TuningNote

__all__ = ["CAUTIONS", "caution_text", "note_texts"]

Facts = Mapping[str, Any]
Named = Callable[[Setting], str]


def _edge(model: str, facts: Facts, named: Named) -> str:
    parameter, value, low, high = (facts[each] for each in ("parameter", "value", "low", "high"))
    if low <= value <= high:
        end = "upper" if facts["side"] == "high" else "lower"
        place = (
            f"({significant(value)}) lies in the outer tenth of the range {significant(low)} … {significant(high)}, at "
            f"its {end} end"
        )
    else:
        place = (
            f"is the default, {significant(value)}, which the range {significant(low)} … {significant(high)} leaves out"
        )
    ends = facts["wider"]
    wider = (Whole if ends["whole"] else Float)(ends["low"], ends["high"], ends["log"])
    further = named(Setting("spaces", {model: {parameter: wider}}))
    return (
        f"{model} looks underfitted: its best {parameter} {place}. Search further by {further}. If the parameter "
        "itself ends there, let it stand."
    )


def _rising(model: str, facts: Facts, named: Named) -> str:
    return (
        f"{model} looks underfitted: {facts['metric']} was still rising, from {decimal(facts['half'], 4)} expected of "
        f"half of its {facts['configurations']} configurations to {decimal(facts['best'], 4)} of all. Give every model "
        f"more: {named(Setting('trials', 2 * facts['trials']))}."
    )


def _default(model: str, facts: Facts, named: Named) -> str:
    more = f"give every model more: {named(Setting('trials', 2 * facts['trials']))}."
    if "value" in facts:
        return f"what tuning {model} gained cannot be told from luck: {_signed(facts)}. Keep its default, or {more}"
    method = few = ""
    if facts["by_rungs"]:
        method = f"try {named(Setting('method', 'random'))}, "
        few = " What is best for few users need not be best for all."
    return (
        f"{model} may be underfitted: none of {facts['others']} other configurations beat its default. Look at its "
        f"ranges, {method}or {more}{few}"
    )


def _popular(model: str, facts: Facts, _named: Named) -> str:
    return (
        f"{model} at its best is not better than popular: {_signed(facts)}. Check the data and the split before "
        "anything is concluded from it; a model that works beats popular."
    )


def _fewer(model: str, facts: Facts, named: Named) -> str:
    needed = float(significant(facts["needed"], 2))
    return (
        f"{model} got {decimal(facts['spent'], 1)} of {facts['trials']} full fits before its "
        f"{significant(facts['seconds'])} s ran out. Equal budgets need "
        f"{named(Setting('seconds', round(needed) if needed >= 10 else needed))} or more, or fewer trials for every "
        "model."
    )


def _failed(model: str, facts: Facts, named: Named) -> str:
    return (
        f"{facts['count']} of {facts['of']} trials of {model} failed, and their budget is lost. The first, "
        f"{facts['parameters']}: {facts['error'].rstrip('.')}. Narrow its ranges by {named(Setting('spaces'))}."
    )


def _warned(model: str, facts: Facts, _named: Named) -> str:
    return (
        f"{facts['count']} of {facts['of']} trials of {model} warned ({', '.join(facts['kinds'])}). The first, "
        f"{facts['parameters']}: {facts['warning'].rstrip('.')}."
    )


def _untuned(model: str, facts: Facts, named: Named) -> str:
    return (
        f"{model} stands at its defaults while others were tuned, although it has hyper-parameters "
        f"({', '.join(facts['parameters'])}). It must not be called beaten (Rendle, Zhang, Koren 2019): give it ranges "
        f"by {named(Setting('spaces'))}."
    )


def _alone(model: str, _: Facts, _named: Named) -> str:
    return (
        f"{model} alone was tuned. What it will be compared with needs the same budget (Ferrari Dacrema et al. 2019): "
        "name the baselines in the same search."
    )


def _close(_: str, facts: Facts, _named: Named) -> str:
    return (
        f"{facts['first']} and {facts['second']} cannot be told apart on the validation part: {_signed(facts)}. Do not "
        "name a winner by it; compare both once on the test part."
    )


def _signed(facts: Facts) -> str:
    return format_estimate(facts, signed=True, digits=4)


CAUTIONS: Final[dict[CautionKind, Callable[[str, Facts, Named], str]]] = {
    "popular": _popular,
    "failed": _failed,
    "warned": _warned,
    "untuned": _untuned,
    "fewer": _fewer,
    "alone": _alone,
    "close": _close,
    "edge": _edge,
    "rising": _rising,
    "default": _default,
}
"""Kind of caution -> its sentence."""


def caution_text(kind: CautionKind, model: str | None, facts: Facts, named: Named = in_python) -> str:
    """A caution in a sentence or a few; of one that an older version saved, without facts, what it is of.

    Args:
        kind: What it is.
        model: The model concerned, or None for all models.
        facts: What was seen.
        named: How the surface writes a setting.

    Example:
        >>> caution_text("alone", "ease", {})[:22]
        'ease alone was tuned. '
    """
    if not facts and kind != "alone":
        return f"{model or 'the models'}: {in_words(kind)}; an older version kept no more of it."
    return CAUTIONS[kind](model or "", facts, named)


def note_texts(tuning: Tuning) -> list[str]:
    """What to know of a search."""
    most = max((each.configurations for each in tuning.best), default=1)
    rungs = len(tuning.card.get("rungs", ())) > 1
    words: dict[TuningNote, str] = {
        "budget": f"Each model had {tuning.card.get('trials')} full fits"
        + ("; a fit on a share of the users costs that share." if rungs else "."),
        "winners_curse": f"The validation value of the best of up to {most} configurations is too good, because it was "
        "chosen for being good; optimism says by about how much.",
        "test_part": "The test part was not looked at. Fit the configurations above, and report the test part once, by "
        "evaluate.",
    }
    return [words[each] for each in tuning.notes]
