"""A system has one colour: by its name, among those that it was measured with."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reclens as rl
from reclens.report import build_report
from reclens.report._toolkit import html
from reclens.report._toolkit.charts import THEME
from reclens.report._toolkit.static_theme import PAPER
from reclens.report._toolkit.system_colours import COLOURS, colours_shared, places_of

NAMES = st.lists(st.text("abcdefg-", min_size=1, max_size=6), unique=True, min_size=1, max_size=14)


@given(NAMES, st.randoms())
def test_a_colour_follows_the_name_and_not_the_place(names: list[str], random) -> None:
    few, shuffled = names[:COLOURS], random.sample(names[:COLOURS], len(names[:COLOURS]))
    with colours_shared(few):
        every = places_of(few)
        assert places_of(shuffled) == every
        chosen = shuffled[: 1 + len(few) // 2]
        assert places_of(chosen) == {name: every[name] for name in chosen}, "a choice keeps the colours"
    assert sorted(each for each in every.values() if each is not None) == sorted(set(every.values()))
    assert any(place == zlib.crc32(name.encode()) % COLOURS for name, place in every.items())


@given(NAMES)
def test_no_two_that_are_shown_have_one_colour_and_those_beyond_are_grey(names: list[str]) -> None:
    with colours_shared([*names, *(f"run-{at}" for at in range(30))]):
        places = places_of(names)
    coloured = [each for each in places.values() if each is not None]
    assert len(set(coloured)) == len(coloured) == min(len(names), COLOURS)
    assert list(places) == names and all(places[name] is None for name in names[COLOURS:])


def test_a_report_on_some_has_the_colours_of_all(small_data) -> None:
    split = rl.split.last_n(small_data, n=2)
    results = {
        name: rl.evaluate(
            model.fit(split.train).recommend(split.test_users, k=5), split, metrics=["hit_rate@5"], replicates=10
        )
        for name, model in (
            ("popular", rl.models.Popular()),
            ("knn", rl.models.ItemKNN()),
            ("random", rl.models.Random()),
        )
    }

    def told(document) -> dict[str, str]:
        return {
            name: at for at, name in re.findall(r'<i style="background: var\(--(\w+)\)"></i>([\w-]+)<', document.html)
        }

    every = told(build_report(results))
    assert len(set(every.values())) == 3
    some = {name: results[name] for name in ("knn", "popular")}
    assert told(build_report(some, measured_alike=results)) == {name: every[name] for name in some}
    # A job calls its systems otherwise than the workspace does.
    renamed = {f"my {name}": name for name in results}
    other = build_report(
        {f"my-{name}": each for name, each in results.items()},
        kept_as={k.replace(" ", "-"): v for k, v in renamed.items()},
    )
    assert told(other) == {f"my-{name}": place for name, place in every.items()}
    # The dots of a chart are in the colours of the legend.
    scale = re.search(r'"domain": ?(\["[^]]*\]), ?"range": ?(\[[^]]*\])', other.html)
    assert scale is not None
    assert dict(zip(*(re.findall(r'"(?:var\(--)?([\w-]+)\)?"', part) for part in scale.groups()), strict=True)) == told(
        other
    )


def test_the_legend_of_a_report_counts_those_that_are_grey(small_data) -> None:
    split = rl.split.last_n(small_data, n=2)
    lists = rl.models.Popular().fit(split.train).recommend(split.test_users, k=5)
    result = rl.evaluate(lists, split, metrics=["hit_rate@5"], replicates=10)
    names = [f"system-{at}" for at in range(COLOURS + 3)]
    page = build_report(dict.fromkeys(names, result)).html
    legend = re.search(r'<ul class="legend".*?</ul>', page, flags=re.DOTALL)
    assert legend is not None
    found = re.findall(r"var\(--(\w+)\)\"></i>([\w -]+)<", legend[0])
    assert len({colour for colour, _ in found}) == len(found) == COLOURS + 1 and found[-1] == ("muted", "3 others")


def lab(colour: str) -> np.ndarray:
    """A colour in CIELAB (CIE 1976), under D65."""
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear / [0.95047, 1.0, 1.08883])  # none is so dark that the cube root ends
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_system_has_a_colour_of_gains_and_losses(theme: str) -> None:
    tones = {name: lab(PAPER[theme][name]) for name in ("good", "bad", "open", "high", "low", "favoured")}
    for name, tone in tones.items():
        nearest = min(float(np.linalg.norm(tone - lab(each))) for each in THEME[theme])
        assert nearest > 15, f"{name} is {nearest:.0f} from the colour of a system; 2 to 3 can just be told apart"
    page = (Path(html.__file__).parent / "templates" / "page.html.j2").read_text()
    assert all(f"--{name}: {PAPER[theme][name]};" in page for name in tones), "pages and documents have the same"
