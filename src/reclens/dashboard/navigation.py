"""What a page is, and which there are: one module of ``pages/`` each."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from reclens.workspace import Workspace

__all__ = ["Page", "pages"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of the application.

    Attributes:
        title: Its name in the navigation.
        icon: A Material symbol, such as ``":material/home:"``.
        section: The heading it stands under.
        order: Pages stand by (order, title).
        show: Draws it.
        path: Its place in the URL: the name of its module.
    """

    title: str
    icon: str
    section: str
    order: int
    show: Callable[[Workspace], None]
    path: str


def pages() -> list[Page]:
    """All pages, in the order of the navigation: every module of ``pages/`` has a ``PAGE``."""
    package = importlib.import_module("reclens.dashboard.pages")
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    found: list[Page] = [importlib.import_module(f"reclens.dashboard.pages.{name}").PAGE for name in names]
    return sorted(found, key=lambda page: (page.order, page.title))
