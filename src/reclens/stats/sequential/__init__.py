"""Valid interim analyses of an experiment: bounds, intervals, and their cost in power.

Everything is in terms of a z-statistic and of *information*, the share of the planned sample that has been seen. It is
independent of users and items.
"""

from __future__ import annotations

from reclens.stats.sequential.always_valid import (
    always_valid_bounds,
    confidence_sequence,
    mixture_variance,
    msprt,
)
from reclens.stats.sequential.group import GroupSequential, group_sequential
from reclens.stats.sequential.integrate import exit_probabilities, peeking_error
from reclens.stats.sequential.price import Price, price_in_power
from reclens.stats.sequential.spending import SPENDINGS, spent
from reclens.stats.sequential.stopping import Stopped, at_stopping, repeated_interval

__all__ = [
    "SPENDINGS",
    "GroupSequential",
    "Price",
    "Stopped",
    "always_valid_bounds",
    "at_stopping",
    "confidence_sequence",
    "exit_probabilities",
    "group_sequential",
    "mixture_variance",
    "msprt",
    "peeking_error",
    "price_in_power",
    "repeated_interval",
    "spent",
]
