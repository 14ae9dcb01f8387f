"""A pipeline as a diagram, with counts and times on the arrows: Mermaid for a README, SVG for a page.

Both are drawn from the rows of a run (``PipelineRun.to_dicts()``): top to bottom, the retrievers beside each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reclens.errors import UsageError
from reclens.report._toolkit.format import decimal, significant, whole
from reclens.report._toolkit.html import environment

__all__ = ["pipeline_mermaid", "pipeline_svg"]

_BOX, _TALL, _GAP, _ROW = 176, 44, 24, 108
"""Width and height of a box, the gap between boxes, and the height of a row, in pixels."""


@dataclass(frozen=True, kw_only=True)
class _Node:
    key: str
    title: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class _Arrow:
    source: _Node
    target: _Node
    label: str
    weight: float


def pipeline_mermaid(steps: Sequence[Mapping[str, Any]], *, k: int) -> str:
    """The diagram in Mermaid, which GitHub, GitLab and most wikis draw.

    Args:
        steps: Rows of a run.
        k: Length of the final lists.

    Raises:
        UsageError: If there are no rows.
    """
    nodes, arrows = _layout(steps, k)
    shapes = {"end": '(["{}"])', "store": '[("{}")]', "stage": '["{}"]'}
    lines = ["flowchart TB"]
    lines += [f"  {node.key}{shapes[node.kind].format(_mermaid(node.title))}" for node in nodes]
    lines += [f'  {each.source.key} -->|"{_mermaid(each.label)}"| {each.target.key}' for each in arrows]
    return "\n".join(lines) + "\n"


def pipeline_svg(steps: Sequence[Mapping[str, Any]], *, k: int, title: str = "Pipeline") -> str:
    """The diagram as a self-contained SVG that follows light and dark.

    The width of an arrow grows with the fourth root of the items that a user has at that point.

    Args:
        steps: Rows of a run.
        k: Length of the final lists.
        title: Accessible title.

    Raises:
        UsageError: If there are no rows.
    """
    nodes, arrows = _layout(steps, k)
    template = environment().get_template("diagram.svg.j2")
    width = max(node.x for node in nodes) + _BOX + 2
    height = max(node.y for node in nodes) + _TALL + 2
    return template.render(nodes=nodes, arrows=arrows, width=width, height=height, box=_BOX, tall=_TALL, title=title)


def _layout(steps: Sequence[Mapping[str, Any]], k: int) -> tuple[list[_Node], list[_Arrow]]:
    if not steps:
        raise UsageError("there is nothing to draw: the run has no steps.")
    retrievers = [step for step in steps if step["stage"] == "retrieve"]
    others = [step for step in steps if step["stage"] != "retrieve"]
    columns = max(len(retrievers), 1)
    middle = 1 + (columns - 1) * (_BOX + _GAP) / 2
    users = _Node(key="users", title=f"{whole(retrievers[0]['users'])} users", kind="end", x=middle, y=1)
    nodes, arrows = [users], []
    brought = [
        _Node(key=f"retrieve{at}", title=step["label"], kind="stage", x=1 + at * (_BOX + _GAP), y=1 + _ROW)
        for at, step in enumerate(retrievers)
    ]
    arrows += [_Arrow(users, node, f"{whole(step['rows_in'])} items", 1.5) for node, step in zip(brought, retrievers)]  # noqa: B905
    nodes += brought
    merged = _Node(key="candidates", title="candidates", kind="store", x=middle, y=1 + 2 * _ROW)
    arrows += [_arrow(node, merged, step) for node, step in zip(brought, retrievers)]  # noqa: B905
    nodes.append(merged)
    last, before = merged, others[0]
    for row, step in enumerate(others[1:], 3):
        node = _Node(
            key=f"stage{row}", title=f"{step['stage']}: {step['label']}", kind="stage", x=middle, y=1 + row * _ROW
        )
        arrows.append(_arrow(last, node, before))
        nodes.append(node)
        last, before = node, step
    final = _Node(key="shown", title=f"the first {k}", kind="end", x=middle, y=last.y + _ROW)
    arrows.append(_arrow(last, final, before))
    return [*nodes, final], arrows


def _arrow(source: _Node, target: _Node, step: Mapping[str, Any]) -> _Arrow:
    """What leaves a stage: items and milliseconds a user."""
    users = max(step["users"], 1)
    each = step["rows_out"] / users
    shown = whole(each) if each >= 10 else decimal(each, 1)
    label = f"{shown} a user · {_time(1000 * step['seconds'] / users)}"
    return _Arrow(source, target, label, 1.5 + max(each, 1.0) ** 0.25)


def _time(ms: float) -> str:
    return f"{decimal(ms / 1000, 1)} s" if ms >= 1000 else f"{whole(ms)} ms" if ms >= 10 else f"{significant(ms, 2)} ms"


def _mermaid(text: str) -> str:
    """Text that Mermaid takes literally: everything but letters, digits and plain signs as entity codes."""
    return re.sub(r"[^\w ,.:·/+-]", lambda found: f"#{ord(found[0])};", text)
