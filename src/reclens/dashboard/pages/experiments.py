"""Experiments: readouts, plans, checks of an assignment, and the calculator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from reclens.dashboard.assignment import show_assignment
from reclens.dashboard.calculator import show_calculator
from reclens.dashboard.navigation import Page
from reclens.dashboard.plans import show_plans
from reclens.dashboard.results import show_results
from reclens.dashboard.widgets import choose_view
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_VIEWS: Final[Mapping[str, Callable[[Workspace], None]]] = {
    "Results": show_results,
    "Plans": show_plans,
    "Assignment": show_assignment,
    "Calculator": show_calculator,
}


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Experiments")
    st.caption("What an A/B test can find before it runs, whether it is assigned as planned, and what it decides.")
    _VIEWS[choose_view(tuple(_VIEWS))](workspace)


PAGE = Page(
    title="Experiments", icon=":material/science:", section="Experiment", order=60, show=show, path="experiments"
)
