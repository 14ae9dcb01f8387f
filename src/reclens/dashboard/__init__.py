"""The dashboard: a Streamlit application over the artefacts of a workspace. One file a page; nothing is computed here.

``reclens dashboard`` starts it. A page is a module of ``pages/`` with a ``PAGE`` and a function ``show(workspace)``:
the folder is the navigation.
"""

from __future__ import annotations

from reclens.dashboard.launch import LaunchPlan, plan_launch

__all__ = ["LaunchPlan", "plan_launch"]
