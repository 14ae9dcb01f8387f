"""Reading the edges of a flowchart in Mermaid: nodes with titles, chains, labels on arrows, and ``&``."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise
from typing import Final

__all__ = ["edges_of"]

_NODE: Final = re.compile(r"""^\s*([\w-]*\w)\s*(?:[(\[{>/\\]+\s*(?:"([^"]*)"|([^"()\[\]{}]*?))\s*[)\]}/\\]+)?\s*$""")
_ARROW: Final = re.compile(r"\s*(?:--[^->|]+-->|==[^=>|]+==>|<?-{2,}>|={2,}>|-\.+->)\s*(?:\|[^|]*\|)?\s*")
_ENTITY: Final = re.compile(r"#(\d+|\w+);")
_NO_EDGES: Final = frozenset(
    {"flowchart", "graph", "subgraph", "end", "style", "class", "classDef", "click", "linkStyle", "direction"}
)
"""First words of lines that hold no edge."""


def edges_of(text: str) -> set[tuple[str, str]]:
    r"""The edges of a flowchart, by the titles of their nodes; a node without a title has its id.

    >>> sorted(edges_of('flowchart TB\n  a["new user"] -->|10 items| b & c\n  b --> d(list)'))
    [('b', 'list'), ('new user', 'b'), ('new user', 'c')]
    """
    titles: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for line in (each.strip().rstrip(";") for each in text.splitlines()):
        if not line or line.partition(" ")[0] in _NO_EDGES or line.startswith("%%"):
            continue
        groups = [_nodes(part, titles) for part in _ARROW.split(line)]
        for sources, targets in pairwise(groups):
            edges += [(source, target) for source in sources for target in targets]
    return {(titles.get(source, source), titles.get(target, target)) for source, target in edges}


def _nodes(part: str, titles: dict[str, str]) -> list[str]:
    """Ids of the nodes of a part between two arrows; their titles are kept."""
    found: list[str] = []
    for each in re.split(r"\s&\s", part):
        node = _NODE.match(each.split(":::")[0])
        if node is None:
            continue
        title = node[2] if node[2] is not None else node[3]
        if title is not None:
            titles[node[1]] = unescape(_ENTITY.sub(r"&#\1;", title)).strip()
        found.append(node[1])
    return found
