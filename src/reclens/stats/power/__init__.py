"""Sample size, detectable effect and power. Every answer names its formula, and shows the results of the others.

``Question`` holds what is known; ``size``, ``effect`` and ``power_at`` answer. It is independent of users and items.
"""

from __future__ import annotations

from reclens.stats.power.formulas import FORMULAS, Formula, t_power, z_power
from reclens.stats.power.question import Answer, Question, corrected_alpha, design_effect
from reclens.stats.power.spread import (
    coefficient_of_determination,
    intraclass_correlation,
    quantile_sd,
    ratio_sd,
)

__all__ = [
    "FORMULAS",
    "Answer",
    "Formula",
    "Question",
    "coefficient_of_determination",
    "corrected_alpha",
    "design_effect",
    "intraclass_correlation",
    "quantile_sd",
    "ratio_sd",
    "t_power",
    "z_power",
]
