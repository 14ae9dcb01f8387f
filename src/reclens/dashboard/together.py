"""The runs of a page: those of one group, measured on the same data and therefore comparable on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.widgets import choose, plain
from reclens.evaluation.protocol import not_alike
from reclens.report._toolkit.system_colours import share_colours
from reclens.report.evaluation.groups import titles_of_groups
from reclens.workspace import RunGroup, Workspace

__all__ = ["choose_group"]


def choose_group(workspace: Workspace, *, keys: Sequence[str]) -> RunGroup | None:
    """Let the reader choose what the runs of a page were measured on; return None if there is no run.

    The field is shown if there are several groups. It starts with the group of the first run in the URL; runs of
    other groups in the URL are listed with the reason why they are not comparable and a link to them.

    Args:
        workspace: The workspace.
        keys: Query parameters of the page that hold runs, such as ``("system", "baseline")``.
    """
    groups = store.groups(workspace)
    if not groups:
        return None
    titles = titles_of_groups([each.card for each in groups])
    asked = [name for key in keys for name in st.query_params.get_all(key)]
    first = next((at for name in asked for at, each in enumerate(groups) if name in each.names), 0)
    chosen = titles[first]
    if len(groups) > 1:
        chosen = choose(
            "Measured on",
            titles,
            key="measured",
            start=titles[first],
            help="Runs that were measured on the same data, split, truth and protocol can be compared.",
        )
    group = groups[titles.index(chosen)] if chosen in titles else groups[first]
    share_colours(group.names)
    _say_apart(groups, group, asked, keys)
    return group


def _say_apart(groups: Sequence[RunGroup], group: RunGroup, asked: Sequence[str], keys: Sequence[str]) -> None:
    """Name the runs in the URL that are not comparable with the others, and remove them from the URL."""
    apart = {name: each for name in asked for each in groups if name in each.names and each is not group}
    if not apart:
        return
    for key in keys:
        left = [name for name in st.query_params.get_all(key) if name not in apart]
        if left:
            st.query_params[key] = left
        elif key in st.query_params:
            del st.query_params[key]
    for name, home in apart.items():
        why = not_alike({group.names[0]: group.card, name: home.cards[name]})
        st.info(f"{plain(name)} stands apart, because it was not measured alike: {plain('; '.join(why))}.")
        link = urlencode({keys[0]: list(home.names) if keys[0] == "runs" else name}, doseq=True)
        st.link_button(f"Open {plain(name)} with the runs that it can be compared with", f"?{link}")
