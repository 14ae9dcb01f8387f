"""The dashboard: a Streamlit application over the artefacts of a workspace. One file per page; it computes nothing.

``reclens dashboard`` starts it. A page is a module in ``pages/`` with a ``PAGE`` and a function ``show(workspace)``;
the navigation lists every module in the folder.
"""

from __future__ import annotations

from reclens.dashboard.launch import LaunchPlan, plan_launch

__all__ = ["LaunchPlan", "plan_launch"]
