"""The registry of pages; each is one module of ``pages/``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reclens.workspace import Workspace

__all__ = ["ALIASES", "Page", "pages"]

ALIASES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "home": ("home", {}),
    "index": ("home", {}),
    "overview": ("home", {}),
    "user": ("users", {}),
    "item": ("items", {}),
    "experiment": ("experiments", {}),
    "runs": ("diagnostics", {}),
    "leaderboard": ("diagnostics", {"view": "Leaderboard"}),
    "segments": ("diagnostics", {"view": "Segments"}),
    "trade-off": ("diagnostics", {"view": "Trade-off"}),
    "tradeoff": ("diagnostics", {"view": "Trade-off"}),
    "long-tail": ("diagnostics", {"view": "Long tail"}),
    "history": ("diagnostics", {"view": "History"}),
    "sql": ("data", {"view": "SQL"}),
    "results": ("experiments", {"view": "Results"}),
    "plans": ("experiments", {"view": "Plans"}),
    "calculator": ("experiments", {"view": "Calculator"}),
}
"""Address that a reader may type -> the page that it means, with its choices. Streamlit has none for the page that
stands at the root, and answers any that is not a page's by "Page not found"."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of the application.

    Attributes:
        title: Its name in the navigation.
        icon: A Material symbol, such as ``":material/home:"``.
        section: Its heading in the navigation.
        order: Pages are sorted by (order, title).
        show: Function that draws it.
        path: Its path in the URL: the name of its module.
    """

    title: str
    icon: str
    section: str
    order: int
    show: Callable[[Workspace], None]
    path: str


def pages() -> list[Page]:
    """Return all pages in the order of the navigation: the ``PAGE`` of every module of ``pages/``."""
    package = importlib.import_module("reclens.dashboard.pages")
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    found: list[Page] = [importlib.import_module(f"reclens.dashboard.pages.{name}").PAGE for name in names]
    return sorted(found, key=lambda page: (page.order, page.title))
