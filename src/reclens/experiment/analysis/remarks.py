"""What a readout tells beside its effects: what was adjusted, what to keep in mind, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reclens.errors import Advice, Setting
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.analysis.decision import Decision
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import Crossing, InterimAnalysis
from reclens.experiment.analysis.segments import Heterogeneity
from reclens.experiment.analysis.trust_checks import CHECKED
from reclens.experiment.check_result import TrustCheck
from reclens.experiment.planning.plan import Plan
from reclens.stats.estimate import EstimateNote
from reclens.tabular import Tabular

__all__ = [
    "AdjustmentCode",
    "CaveatCode",
    "Number",
    "Remark",
    "RemarkCode",
    "StepCode",
    "Unit",
    "adjustments_of",
    "caveats_of",
    "next_steps_of",
]

AdjustmentCode = Literal[
    "level_each",
    "level_simultaneous",
    "triggered_only",
    "primary_family",
    "secondary_family",
    "guardrails_not_corrected",
    "valid_at_this_look",
    "lost_by_correction",
    "stopped_here",
    "crossed_before",
    "post_stratified",
    "cuped",
    "capped",
    "segments_corrected",
]
"""What was adjusted, and how."""

CaveatCode = Literal[
    "check_warns",
    "check_skipped",
    "note",
    "crossed_before",
    "segments_differ",
    "small_segments",
    "not_known",
    "not_measured",
    "interference",
]
"""What to keep in mind."""

StepCode = Literal[
    "fix_check",
    "roll_out",
    "keep_control_for_harm",
    "choose_by_cost",
    "keep_control_for_futility",
    "go_on",
    "keep_control_at_the_end",
]
"""What to do next."""

RemarkCode = AdjustmentCode | CaveatCode | StepCode

Unit = Literal["share", "relative", "p", "z", "tests", "units", "look", "times", "metric", "coefficient", "q"]
"""What a number counts: ``metric`` is the unit of the metric, ``times`` a factor, ``relative`` a lift."""


@dataclass(frozen=True)
class Number:
    """A number of a remark.

    Attributes:
        name: What it is.
        value: The number.
        unit: What it counts.
    """

    name: str
    value: float
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class Remark(Tabular):
    """One thing to tell beside the effects.

    ``reclens.report.experiment`` says it in a sentence.

    Attributes:
        code: What it is.
        metric: The metric that it is about, if one.
        arm: The treated arm that it is about, if one.
        names: Other names: metrics, segments, arms, or the code of a check or of what is not known.
        numbers: Its numbers.
        advice: What the reader can do, where a parameter of the call helps.
        note: A note that the statistic itself gives, as a code.
    """

    code: RemarkCode
    metric: str = ""
    arm: str = ""
    names: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    advice: Advice | None = None
    note: EstimateNote | None = None

    def __getitem__(self, name: str) -> float:
        return next(each.value for each in self.numbers if each.name == name)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "code": self.code,
                "metric": self.metric or None,
                "arm": self.arm or None,
                "names": ", ".join(self.names) or None,
                **{each.name: each.value for each in self.numbers},
            }
        ]


def adjustments_of(plan: Plan, effects: Sequence[Effect], *, segmented: bool, strata: int = 0) -> tuple[Remark, ...]:
    """What was adjusted and how.

    Args:
        plan: The plan.
        effects: Its effects.
        segmented: Whether effects were read by segment.
        strata: Strata that means are weighted to; 0 where they are not.
    """
    together = any(e.simultaneous for e in effects)
    level = Number("level", plan.level, "share")
    asked = sum(e.metric.role == "primary" for e in effects)
    found = [Remark(code="level_simultaneous" if together else "level_each", numbers=(level,))]
    if plan.triggered is not None:
        found.append(Remark(code="triggered_only"))
    if asked > 1:
        found.append(
            Remark(code="primary_family", names=(plan.correction,), numbers=(Number("tests", asked, "tests"),))
        )
    if any(e.metric.role == "secondary" for e in effects):
        found.append(Remark(code="secondary_family"))
    if plan.guardrails:
        both = tuple(metric.name for metric in plan.guardrails if metric.equivalence)
        found.append(Remark(code="guardrails_not_corrected", names=both))
    if plan.sequential is not None:
        found.append(Remark(code="valid_at_this_look"))
    found += [_lost(e) for e in effects if e.disagrees(plan.alpha)]
    found += _stops(effects)
    if strata > 1:
        found.append(Remark(code="post_stratified", numbers=(Number("strata", strata, "tests"),)))
    for e in effects:
        details = {each.name: each for each in _cuped(e)}
        if "variance_removed" in details:
            found.append(Remark(code="cuped", metric=e.metric.name, arm=e.arm, numbers=tuple(details.values())))
        if e.metric.cap is not None:
            found.append(Remark(code="capped", metric=e.metric.name, numbers=(Number("cap", e.metric.cap, "metric"),)))
    if segmented:
        found.append(Remark(code="segments_corrected"))
    return tuple(dict.fromkeys(found))


def _lost(effect: Effect) -> Remark:
    """An effect that is significant alone, but not after the correction."""
    return Remark(
        code="lost_by_correction",
        metric=effect.metric.name,
        arm=effect.arm,
        names=(effect.family,),
        numbers=(
            Number("p_value", effect.p_value, "p"),
            Number("p_adjusted", effect.p_adjusted, "p"),
            Number("tests", effect.family_size, "tests"),
        ),
    )


def _cuped(effect: Effect) -> list[Number]:
    return [
        Number(name, value, "share" if name == "variance_removed" else "coefficient")
        for name, value in effect.found.details
    ]


def _stops(effects: Sequence[Effect]) -> list[Remark]:
    """The lift that is shown after a bound was crossed, and the alternative estimate."""
    found: list[Remark] = []
    for effect in effects:
        name, arm = effect.metric.name, effect.arm
        if effect.stopped is not None:
            plain = Number("plain", effect.relative.value, "relative")
            found.append(Remark(code="stopped_here", metric=name, arm=arm, numbers=(plain,)))
        elif effect.crossing is not None:
            found.append(Remark(code="crossed_before", metric=name, arm=arm))
    return found


def caveats_of(
    plan: Plan,
    effects: Sequence[Effect],
    checks: Sequence[TrustCheck],
    differing: Sequence[Heterogeneity],
    small: Sequence[str],
    unknown: Sequence[Unknown] = (),
) -> tuple[Remark, ...]:
    """What to keep in mind."""
    found = [Remark(code="check_warns", names=(check.code,)) for check in checks if check.status == "warn"]
    found += [Remark(code="check_skipped", names=(check.code,)) for check in checks if check.status == "skipped"]
    found += [
        Remark(code="note", metric=e.metric.name, arm=e.arm, note=note) for e in effects for note in e.found.notes
    ]
    found += [_crossed(e.crossing) for e in effects if e.crossing is not None]
    found += [
        Remark(
            code="segments_differ",
            metric=each.metric,
            arm=each.arm,
            names=(each.by,),
            numbers=(Number("q", each.q, "q"), Number("p_adjusted", each.p_adjusted, "p")),
        )
        for each in differing
        if each.p_adjusted <= plan.alpha
    ]
    if small:
        found.append(Remark(code="small_segments", names=tuple(small)))
    found += [Remark(code="not_known", names=(each.code, *each.of)) for each in unknown if each.code not in CHECKED]
    missing = [m.name for m in plan.metrics if m.name not in {e.metric.name for e in effects}]
    if missing:
        shown = Advice("give_exposures", (Setting("exposures"),))
        found.append(Remark(code="not_measured", names=tuple(missing), advice=shown))
    found.append(Remark(code="interference"))
    return tuple(found)


def _crossed(crossing: Crossing) -> Remark:
    return Remark(
        code="crossed_before",
        metric=crossing.metric,
        arm=crossing.arm,
        names=(crossing.day,),
        numbers=(
            Number("look", crossing.look, "look"),
            Number("information", crossing.information, "share"),
            Number("z", crossing.z, "z"),
            Number("bound", crossing.bound, "z"),
        ),
    )


def next_steps_of(
    interim: InterimAnalysis, decisions: Sequence[Decision], checks: Sequence[TrustCheck], effects: Sequence[Effect]
) -> tuple[Remark, ...]:
    """What to do next."""
    found = [Remark(code="fix_check", names=(check.code,)) for check in checks if check.status == "fail"]
    winners = tuple(decision.arm for decision in decisions if decision.code == "ship")
    codes: dict[str, StepCode] = {
        "do_not_ship": "keep_control_for_harm",
        "no_material_difference": "choose_by_cost",
        "stop_for_futility": "keep_control_for_futility",
    }
    for decision in decisions:
        if decision.code == "ship":
            arms = (decision.arm,) if len(winners) == 1 else winners
            found.append(Remark(code="roll_out", names=arms))
        elif decision.code in codes:
            found.append(Remark(code=codes[decision.code], arm=decision.arm))
        elif decision.code == "undecided":
            needed = [
                (e.metric.name, e.detectable / e.metric.effect)
                for e in effects
                if e.arm == decision.arm
                and e.metric.role == "primary"
                and e.metric.effect
                and e.detectable > e.metric.effect
            ]
            found.append(
                Remark(
                    code="go_on" if interim.early else "keep_control_at_the_end",
                    names=tuple(name for name, _ in needed),
                    numbers=tuple(Number(name, ratio**2, "times") for name, ratio in needed),
                )
            )
    return tuple(dict.fromkeys(found))
