"""Charts of ``report/`` that are made once for each result and choice: making one takes longer than showing it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import streamlit as st

from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.system_colours import shared_colours

__all__ = ["draw"]


def draw(make: Callable[..., Any], *sources: Any, **options: Any) -> Figure | None:
    """A chart, made by a function of ``report/``; None where that gives None.

    Args:
        make: The function.
        sources: What it draws: results (told apart by being the same object, which the store loads once for each
            content), mappings of them, or plain data (told apart by content).
        options: Its other arguments.
    """
    names = f"{make.__module__}.{make.__qualname__}"
    tokens = [shared_colours(), *(_token(each) for each in sources)]
    return _drawn(names, tokens, options, _make=make, _sources=sources)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _drawn(name: str, tokens: Any, options: Any, *, _make: Callable[..., Any], _sources: Any) -> Figure | None:
    del name, tokens
    chart = _make(*_sources, **options)
    return None if chart is None else figure_of(chart, "")


@st.cache_resource(show_spinner=False)
def _known() -> tuple[WeakKeyDictionary[Any, int], Iterator[int]]:
    """The number of each object seen; a number is never given twice, though an address may be."""
    return WeakKeyDictionary(), itertools.count()


def _token(source: Any) -> Any:
    if isinstance(source, Mapping):
        return [(name, _token(each)) for name, each in source.items()]
    numbers, fresh = _known()
    try:
        return numbers.setdefault(source, next(fresh))
    except TypeError:  # a list, a text: told apart by content
        return source
