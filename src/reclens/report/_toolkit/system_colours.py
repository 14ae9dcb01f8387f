"""One colour for each system, wherever it is shown: on every page, in every chart and in reports.

The colour follows the name and not the place among the runs that were chosen. Names prefer a colour by their CRC-32;
where two prefer one, the first by name has it, among all systems that were measured alike (:func:`share_colours`), and
the other has the next that is free. There are as many colours as people can tell apart; further systems are grey.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from reclens.report._toolkit.charts import THEME, legend_above

if TYPE_CHECKING:
    import altair as alt

__all__ = ["colours_shared", "places_of", "share_colours", "shared_colours", "system_colour"]

COLOURS: Final = len(THEME["light"])

_NO_NAMES: Final[Mapping[str, str]] = {}

_SHARED: ContextVar[tuple[str, ...]] = ContextVar("systems that share the colours", default=())
_KEPT_AS: ContextVar[Mapping[str, str]] = ContextVar("names that systems have elsewhere", default=_NO_NAMES)


def share_colours(names: Iterable[str]) -> None:
    """Say which systems were measured alike, for what this thread draws from here on."""
    _SHARED.set(tuple(sorted(set(names))))


def shared_colours() -> tuple[str, ...]:
    """The systems that :func:`share_colours` was told."""
    return _SHARED.get()


@contextmanager
def colours_shared(names: Iterable[str], *, kept_as: Mapping[str, str] = _NO_NAMES) -> Generator[None]:
    """As :func:`share_colours`, until the context ends; without names what was said before holds.

    Args:
        names: The systems that were measured alike.
        kept_as: System as it is called here -> its name among them, where it has another one.
    """
    token, names_token = _SHARED.set(tuple(sorted(set(names))) or _SHARED.get()), _KEPT_AS.set(kept_as)
    try:
        yield
    finally:
        _SHARED.reset(token)
        _KEPT_AS.reset(names_token)


def places_of(systems: Sequence[str]) -> dict[str, int | None]:
    """The place of the colour of each system among those of the theme; None for grey.

    Args:
        systems: What is shown; of more than there are colours, the first have one.

    Example:
        >>> places_of(["ease", "popular"]) | {} == places_of(["popular", "ease"])
        True
    """
    called = {name: _KEPT_AS.get().get(name, name) for name in systems}
    every = sorted({*_SHARED.get(), *called.values()})
    home = _placed({name: zlib.crc32(name.encode()) % COLOURS for name in every})
    found = _placed({name: home[name] for name in sorted(list(called.values())[:COLOURS])})
    return {name: found.get(known) for name, known in called.items()}


def _placed(wanted: Mapping[str, int]) -> dict[str, int]:
    """Each at the place that it wants, or at the next free one, in order; beyond as many as there are, as wanted."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name, place in wanted.items():
        if place not in taken:
            found[name] = place
            taken.add(place)
    for name, place in wanted.items():
        if name not in found:
            free = [at % COLOURS for at in range(place, place + COLOURS) if at % COLOURS not in taken]
            found[name] = free[0] if free else place
            taken.add(found[name])
    return found


def system_colour(systems: Sequence[str], *, extra: Mapping[str, str] | None = None, told: bool = False) -> alt.Color:
    """The colour of each system as an encoding.

    Args:
        systems: The systems, in the order of a legend.
        extra: Other curves of the chart and their colours.
        told: Whether a legend says which colour is which.
    """
    import altair as alt

    colours = ["var(--muted)" if place is None else f"var(--s{place})" for place in places_of(systems).values()]
    more = extra or {}
    scale = alt.Scale(domain=[*dict.fromkeys(systems), *more], range=[*colours, *more.values()])
    colour = alt.Color("system:N", scale=scale, legend=None)
    return legend_above(colour, symbol="circle") if told else colour
