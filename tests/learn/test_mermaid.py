"""Edges of a flowchart, by hand."""

from __future__ import annotations

import pytest

from reclens.learn.mermaid import edges_of


@pytest.mark.parametrize(
    ("line", "edges"),
    [
        ("a --> b", {("a", "b")}),
        ("a-->b-->c", {("a", "b"), ("b", "c")}),
        ("a & b --> c & d", {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}),
        ('a["one, two"] -->|"10 items · 2 ms"| b(["the end"])', {("one, two", "the end")}),
        ('a{{"x"}} ==> b[("y")];', {("x", "y")}),
        ("a -- some words --> b", {("a", "b")}),
        ("a -.-> b:::red", {("a", "b")}),
        ('a["5#37; off"] --> b', {("5% off", "b")}),
        ("ended --> graphed", {("ended", "graphed")}),
        ("a --- b", set()),
        ("%% a --> b", set()),
        ("subgraph a --> b", set()),
        ("", set()),
    ],
)
def test_lines(line: str, edges: set[tuple[str, str]]) -> None:
    assert edges_of(f"flowchart TB\n  {line}\n") == edges


def test_a_title_that_is_given_once_holds_everywhere() -> None:
    assert edges_of("graph LR\n  a --> b\n  b[ranker]\n  b --> c") == {("a", "ranker"), ("ranker", "c")}
