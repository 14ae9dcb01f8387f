"""Cache of the charts of ``report/``, one for each result and choice: making a chart is slower than showing it."""

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
    """Return a chart made by a function of ``report/``, or None if the function returns None.

    Args:
        make: The function.
        sources: The data that it draws: results (compared by object identity, since the store loads each content
            once), mappings of them, or plain data (compared by content).
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
    """Number each object on first sight; unlike an address, a number is never reused."""
    return WeakKeyDictionary(), itertools.count()


def _token(source: Any) -> Any:
    if isinstance(source, Mapping):
        return [(name, _token(each)) for name, each in source.items()]
    numbers, fresh = _known()
    try:
        return numbers.setdefault(source, next(fresh))
    except TypeError:  # a list or a text: compared by content
        return source
