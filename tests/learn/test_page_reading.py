"""Reading reports: what is in them, and what they would load, by hand and from attack strings."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from reclens.learn.page_reading import read_page

PAGE = """<!doctype html><html lang="en"><head><title>A &amp; B</title><style>p { color: red }</style></head><body>
<h1>Head</h1><p class="big claim" data-measure="ndcg" data-segment="a">Worse by <b>0.1</b> &lt; 1</p>
<figure data-measure="ndcg"><svg role="img" aria-label="bars of all"><circle data-segment="a" cx="3.5" cy="x"/>
<text>hidden</text></svg><script type="application/json">[{"segment": "a"}]</script>
<figcaption>cap</figcaption></figure>
<table data-measure="ndcg"><tr><th>segment<th>n</tr><tr><td>a<td>1,2<b>00</b></tr></table><p>tail<br>end</p></body>"""


def test_a_page_by_hand() -> None:
    page = read_page(PAGE)
    assert (page.language, page.title, page.loads) == ("en", "A & B", [])
    [figure] = page.figures
    assert (figure.measure, figure.label, figure.data) == ("ndcg", "bars of all", '[{"segment": "a"}]')
    assert figure.marks == {"a": {"cx": 3.5}}
    assert page.tables == {"ndcg": [["segment", "n"], ["a", "1,200"]]}
    [claim] = page.claims
    assert (claim.measure, claim.segment, claim.text) == ("ndcg", "a", "Worse by 0.1 < 1")
    assert page.text.split() == ["Head", "cap", "tail", "end"]


def test_values_and_metas_are_kept_and_the_first_of_an_id_counts() -> None:
    page = read_page(
        '<meta name=viewport content=w><b id=a data-value="1 &lt; 2"></b><b id=a data-value=3></b><b id=c>'
    )
    assert (page.values, page.metas) == ({"a": "1 < 2"}, {"viewport": "w"})


def test_steps_grow_with_a_page_of_open_elements_and_not_with_its_square() -> None:
    def steps(n: int) -> int:
        seen = 0

        def step(*_: Any) -> None:
            nonlocal seen
            seen += 1

        sys.setprofile(step)
        try:
            page = read_page("<b>x" * n + "<p class=claim>y" + "<i>" * n + "z</p></u>" + "w" + "</b>" * n)
        finally:
            sys.setprofile(None)
        assert page.text.count("x") == n and page.text.endswith("w")
        assert [each.text for each in page.claims] == ["yz"]
        return seen

    assert steps(800) < 2.2 * steps(400)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("<script>alert(1)</script>", "script"),
        ("<script type=application/json src=x.json></script>", "script"),
        ("<img src=https://x.example/a.png>", "src"),
        ("<img src='//x.example/a.png'>", "src"),
        ("<img src=x onerror=alert(1)>", "onerror"),
        ("<a href=' java\tscript:alert(1)'>x</a>", "href"),
        ("<link rel=stylesheet href=a.css>", "link"),
        ("<style>@import 'a.css'</style>", "style"),
        ("<p style='background: url(http://x.example/a)'>x</p>", "style"),
        ("<iframe srcdoc='<b>'></iframe>", "iframe"),
        ("<meta http-equiv=refresh content='0'>", "meta"),
        ("<svg><image xlink:href='http://x.example/a'/></svg>", "xlink:href"),
        ("<SVG/ONLOAD=alert(1)>", "onload"),
        ("<object data=a.swf></object>", "object"),
    ],
)
def test_what_a_page_would_load_or_run_is_seen(source: str, seen: str) -> None:
    assert seen in read_page(source).loads


@pytest.mark.parametrize(
    "source",
    [
        "<a href='https://x.example'>link</a>",
        "<img alt='x' src='data:image/png;base64,AA'>",
        "<svg><use href='#a'/></svg>",
        "<style>p { background: url('#a') }</style>",
        "<script type=application/json>[]</script>",
        "<meta charset=utf-8>",
    ],
)
def test_what_lies_in_the_page_is_let_through(source: str) -> None:
    assert read_page(source).loads == []
