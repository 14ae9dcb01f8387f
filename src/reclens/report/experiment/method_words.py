"""How differences were computed and sizes were found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reclens.report._toolkit.format import percent, significant
from reclens.stats.method import Method, MethodCode
from reclens.stats.power.question import Adjustment, AdjustmentCode

__all__ = [
    "BOUND_NAMES",
    "BOUND_TEXTS",
    "FORMULA_SOURCES",
    "FORMULA_TITLES",
    "PRICED_PLANS",
    "adjustment_text",
    "method_text",
]

_METHODS: Final[Mapping[MethodCode, str]] = {
    "welch": "Welch's t",
    "welch_ratio": "ratio of means by the delta method, Welch's t",
    "score": "difference of shares, score test of Miettinen and Nurminen, corrected for skewness",
    "exact_score": "difference of shares, exact test at the most likely shares",
    "pooled_z": "difference of shares, pooled z test",
    "unpooled_z": "difference of shares, unpooled z test",
    "pooled_t": "difference of shares, pooled t test",
    "unpooled_t": "difference of shares, unpooled t test",
    "mid_quantiles": "difference of mid-quantiles ({quantile}), inverted test of the shares below a cut",
    "group_jackknife": "{statistic} of the arm, delete-a-group jackknife over users ({groups} groups)",
}
FORMULA_TITLES: Final[Mapping[str, str]] = {
    "student": "Student's t, noncentral",
    "normal": "normal approximation",
    "relative": "relative lift by the delta method",
    "score": "score test, variance under the null",
    "unpooled": "Wald's difference, unpooled",
    "baseline": "null variance from control alone",
    "arcsine": "arcsine effect h",
}
"""Formula of power -> what it is called."""
FORMULA_SOURCES: Final[Mapping[str, str]] = {
    "student": "Cohen (1988), ch. 2; R's power.t.test and pwr.t.test; with a relative margin the variance of Fieller's "
    "test",
    "normal": "Lehr (1992) in its general form; Deng, Knoblich and Lu (2018) for ratios",
    "relative": "Deng, Knoblich and Lu (2018), eq. 4; GrowthBook",
    "score": "Farrington and Manning (1990), for differences and ratios; without a margin Fleiss, Levin and Paik "
    "(2003), eq. 4.14, R's power.prop.test and statsmodels",
    "unpooled": "Fleiss, Levin and Paik (2003), sec. 4.2; matches the t tests of shares that are adjusted or clustered",
    "baseline": "the calculator of Evan Miller (2010)",
    "arcsine": "Cohen (1988), ch. 6; R's pwr.2p.test",
}
"""Formula of power -> where it comes from."""
BOUND_TEXTS: Final[Mapping[str, str]] = {
    "lan_demets_obrien_fleming": "almost nothing early, like O'Brien and Fleming's bounds: Lan and DeMets (1983)",
    "lan_demets_pocock": "evenly, like Pocock's bounds: Lan and DeMets (1983)",
    "power": "error · t^ρ: Kim and DeMets (1987); ρ = 3 is close to O'Brien and Fleming, ρ = 1 to Pocock",
    "hwang_shih_decani": "error · (1 − e^(−γt)) / (1 − e^(−γ)): Hwang, Shih and DeCani (1990); γ = −4 is close to "
    "O'Brien and Fleming, γ = 1 to Pocock",
    "pocock": "the same bound at every look: Pocock (1977)",
    "obrien_fleming": "a bound that falls with the root of the information: O'Brien and Fleming (1979)",
}
"""Bounds of interim looks -> how they spend the error."""
BOUND_NAMES: Final[Mapping[str, str]] = {
    "lan_demets_obrien_fleming": "Lan-DeMets, O'Brien-Fleming type",
    "lan_demets_pocock": "Lan-DeMets, Pocock type",
    "power": "power family",
    "hwang_shih_decani": "Hwang-Shih-DeCani",
    "pocock": "Pocock",
    "obrien_fleming": "O'Brien-Fleming",
}
"""Bounds -> what they are called."""
PRICED_PLANS: Final[Mapping[str, str]] = {
    "one_look": "one look at the end",
    "peeking": "peeking without a plan",
    **BOUND_NAMES,
    "power": f"{BOUND_NAMES['power']}, ρ = 3",
    "hwang_shih_decani": f"{BOUND_NAMES['hwang_shih_decani']}, γ = −4",
    "confidence_sequence": "confidence sequence",
    "msprt": "mSPRT",
}
"""Plans of looks, of which the price is told -> what they are called."""
_ADJUSTMENTS: Final[Mapping[AdjustmentCode, str]] = {
    "equivalence": "equivalence: the interval has to lie within ±{margin}",
    "non_inferiority": "non-inferiority: the interval has to exclude a loss of {margin}, one tail of it",
    "several_tests": "{tests} tests share the alpha of {alpha} ({correction}): {each} each",
    "covariates": "CUPED: variance × {factor} (R² = {r2})",
    "clusters": "clusters: variance × {factor} (ICC {icc}, {size} units a cluster)",
    "spread_scales": "an effect multiplies the values of every unit, and so their spread",
    "looks": "sequential looks: size × {factor}",
}


def method_text(method: Method) -> str:
    """How a difference was computed.

    Example:
        >>> method_text(Method(code="welch", covariates=("before",), strata=3))
        "Welch's t, adjusted by before (CUPED), post-stratified over 3 strata"
    """
    quantile = None if method.quantile is None else significant(method.quantile)
    facts = {"quantile": quantile, "statistic": method.statistic, "groups": method.groups}
    said = _METHODS[method.code].format(**facts)
    said += ", corrected for skewness (Hall)" if method.skewness else ""
    said += f", adjusted by {', '.join(method.covariates)} (CUPED)" if method.covariates else ""
    said += f", post-stratified over {method.strata} strata" if method.strata > 1 else ""
    if method.coverage is not None:
        seen = f"in simulated A/A tests (here {significant(method.rows, 2)} rows for each item)"
        said += f"; intervals of 95 % covered {percent(method.coverage, 0)} {seen}"
    return said


def adjustment_text(each: Adjustment) -> str:
    """What changed the variance, the alpha or the size.

    Example:
        >>> adjustment_text(Adjustment("looks", {"factor": 1.02815}))
        'sequential looks: size × 1.028'
    """
    digits = {"margin": 6, "icc": 6, "size": 6, "factor": 4 if each.code == "looks" else 3}
    facts = {
        name: significant(value, digits.get(name, 3)) if isinstance(value, float) else value
        for name, value in each.facts.items()
    }
    if each.facts.get("relative"):
        facts["margin"] = percent(each.facts["margin"])
    return _ADJUSTMENTS[each.code].format(**facts)
