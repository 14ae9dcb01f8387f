"""Two systems with hostile names and items, measured and compared; and documents on paper and on a phone.

Chromium prints a document, poppler reads its pages back, and what is seen is measured.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest
from PIL import Image

from reclens import models
from reclens.data import segments
from reclens.data import split as splits
from reclens.evaluation import Comparison, Evaluation, compare, evaluate

HOSTILE = '<script>alert("x")</script>'


@dataclass(frozen=True)
class Measured:
    results: dict[str, Evaluation]
    comparison: Comparison


@pytest.fixture(scope="session")
def measured(small_data) -> Measured:
    assert small_data.users is not None
    users = small_data.users.with_columns(town=pl.when(pl.col("age") < 30).then(pl.lit(HOSTILE)).otherwise(pl.lit("b")))
    split = splits.random(replace(small_data, users=users), rng=1)
    train = split.train.with_segments(
        age=segments.bins("age", [25, 45]),
        activity=segments.quantiles("n_interactions", ["light", "heavy"]),
        town="town",
    )
    metrics = ["ndcg@10", "recall@10", "diversity@10", "novelty@10", "coverage@10", "gini@10"]
    results = {}
    for name, model in {
        "popular": models.Popular(),
        "ease </b>": models.EASE(l2=100),
        HOSTILE: models.Random(),
    }.items():
        lists = model.fit(train).recommend(split.test_users)
        results[name] = evaluate(
            lists, split.test, train=train, metrics=metrics, by=["age", "activity", "town"], name=name
        )
    return Measured(results, compare(results, baseline="popular"))


DPI = 40
MARGIN = 14 / 25.4 * DPI  # of @page, in pixels
DRAWN = "document.querySelectorAll('.chart svg.marks').length === document.querySelectorAll('.chart').length"
WORDS = "each => each.textContent.trim().split(/\\s+/).join(' ')"
HEADINGS = f"[...document.querySelectorAll('h1, h2, h3, caption, figcaption, .legend li')].map({WORDS}).filter(Boolean)"
HEADS = f"[...document.querySelectorAll('thead tr')].map(row => [...row.cells].map({WORDS}).filter(Boolean))"
# Each heading that is followed by charts, with the caption of the first one.
OPENINGS = f"""[...document.querySelectorAll("section")].map(each => [each.querySelector("h2"),
    each.querySelector("h2, .lead")?.parentElement.querySelector(":scope > h2 + .charts, :scope > .lead + .charts")])
    .filter(([head, charts]) => head && charts)
    .map(([head, charts]) => [head, charts.querySelector("figcaption")].map({WORDS}))"""
# How far each chart is from the size that it was drawn at, and what stands out of its box, while it is printed.
CHARTS = """[...document.querySelectorAll(".chart")].map(place => {
    const svg = place.querySelector("svg.marks"), box = svg.getBoundingClientRect();
    return [box.width / svg.width.baseVal.value, box.height / svg.height.baseVal.value,
            box.right - place.getBoundingClientRect().right];
})"""
# Text and charts that leave the page or their own box, and are in nothing that scrolls.
CLIPPED = """width => [...document.querySelectorAll("main *")].filter(each => {
    if (each.closest(".scroll, .code, script, style, .vega-actions, details:not([open]) > :not(summary)")) return false;
    if (each.ownerSVGElement && !(each instanceof SVGTextElement)) return false;  // marks may be clipped on purpose
    const box = each.getBoundingClientRect();
    const svg = each instanceof SVGTextElement ? each.ownerSVGElement.getBoundingClientRect() : null;
    if (!box.width || !box.height) return false;
    return box.right > width + 1 || box.left < -1
        || (svg && (box.right > svg.right + 1 || box.left < svg.left - 1));
}).map(each => `${each.tagName} ${each.textContent.trim().slice(0, 60)}`)"""

# Heads of tables that go on beyond the width: they do not scroll into sight as cells do.
CUT_HEADS = """width => [...document.querySelectorAll("caption")].filter(each => {
    const text = document.createRange();
    text.selectNodeContents(each);
    return text.getBoundingClientRect().right > width + 1;
}).map(each => each.textContent.trim())"""

# Sentences, names and words in cells that are not read from the left; the heads of numbers stand over the numbers.
PROSE = "h1, h2, h3, p, li, dt, dd, summary, caption, figcaption, tbody th, tbody td"
NOT_LEFT = f"""[...document.querySelectorAll("{PROSE}")]
    .filter(each => each.textContent.match(/\\p{{L}}{{3}}/u))
    .filter(each => each.tagName !== "TD" || !/\\d/.test(each.textContent))
    .filter(each => !["left", "start"].includes(getComputedStyle(each).textAlign))
    .map(each => each.tagName + " " + each.textContent.trim().slice(0, 60))"""


@dataclass(frozen=True)
class Sheet:
    """A printed page: its lines of text from top to bottom with their place, and the share of its height in use."""

    lines: list[tuple[float, str]]
    used: float
    ink: np.ndarray


def printed(page, file: Path, folder: Path) -> list[Sheet]:
    """The pages of a document as A4, read back from its PDF."""
    if not (shutil.which("pdftotext") and shutil.which("pdftoppm")):
        pytest.skip("needs poppler to read a PDF back: apt-get install poppler-utils")
    page.emulate_media(media="null")  # what an earlier check asked for would hold on paper too
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(file.as_uri())
    page.wait_for_function(DRAWN)
    pdf = folder / f"{file.stem}.pdf"
    page.pdf(path=pdf, format="A4", prefer_css_page_size=True)
    subprocess.run(["pdftoppm", "-r", str(DPI), "-gray", "-png", pdf, folder / "sheet"], check=True, timeout=60)
    text = subprocess.run(
        ["pdftotext", "-bbox-layout", pdf, "-"], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text).replace(' xmlns="http://www.w3.org/1999/xhtml"', ""))
    sheets = []
    for about, picture in zip(root.iter("page"), sorted(folder.glob("sheet*.png")), strict=True):
        lines = sorted(
            (float(line.attrib["yMax"]), " ".join(word.text or "" for word in line.iter("word")))
            for line in about.iter("line")
        )
        ink = np.asarray(Image.open(picture)) < 245
        rows = np.flatnonzero(ink.any(axis=1))
        inside = ink.shape[0] - 2 * MARGIN
        sheets.append(Sheet(lines, (rows.max() - MARGIN) / inside if rows.size else 0.0, ink))
    return sheets


def check_paper(page, file: Path, folder: Path) -> list[Sheet]:
    """What holds of every printed document; returns its pages."""
    sheets = printed(page, file, folder)
    headings, heads = set(page.evaluate(HEADINGS)), page.evaluate(HEADS)
    for number, sheet in enumerate(sheets[:-1], 1):  # the last page ends where the document ends
        assert sheet.used >= 0.25, f"page {number} is three quarters empty ({sheet.used:.0%} in use)"
    for number, sheet in enumerate(sheets, 1):
        assert sheet.lines, f"page {number} has no text"
        at, last = sheet.lines[-1]
        below = sheet.ink[int((at + 3) * DPI / 72) :].any()  # a chart may follow without any text
        assert below or last not in headings, f"page {number} ends with the heading {last!r}"
        # The head of a table is one row of the page: its cells all end at about the height of the last line.
        end = {text for height, text in sheet.lines if height > at - 8}
        alone = [head for head in heads if len(head) > 1 and len(end) > 1 and head[0] in end and end <= set(head)]
        assert below or not alone, f"page {number} ends with the head of a table alone: {alone}"
    texts = [" ".join(text for _, text in sheet.lines) for sheet in sheets]
    for heading, caption in page.evaluate(OPENINGS):
        together = [text for text in texts if heading in text and " ".join(caption.split()[:2]) in text]
        assert together, f"the heading {heading!r} is cut from its first chart"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 900})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_timeout(50)
    for wide, high, over in page.evaluate(CHARTS):
        assert abs(wide - 1) < 0.01 and abs(high - 1) < 0.01, "a chart is shrunk or stretched on paper"
        assert over < 1.5, "a chart is wider than its place on paper"
    return sheets


def check_phone(page, file: Path, pictures: Path) -> None:
    """Nothing is cut off on a phone, and words are read from the left."""
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(file.as_uri())
    page.wait_for_function(DRAWN)
    page.screenshot(path=pictures / f"{file.stem}-390.png", full_page=True)
    assert page.evaluate(CLIPPED, 390) == []
    assert page.evaluate(CUT_HEADS, 390) == []
    panels = page.evaluate("[...document.querySelectorAll('details.reading')].map(each => each.open)")
    assert panels in ([], [False]), "how to read a document stands in one panel, closed"
    assert page.evaluate(NOT_LEFT) == []


@pytest.fixture
def paper(browser_page, tmp_path: Path, repository: Path) -> Callable[[Any, str], str]:
    """Checks a document on paper and on a phone; returns the text of its first page."""

    def check(document: Any, name: str) -> str:
        pictures = repository / "tests" / "artefacts"
        pictures.mkdir(exist_ok=True)
        folder = tmp_path / name
        folder.mkdir()
        file = document.save(folder / f"{name}.html")
        sheets = check_paper(browser_page, file, folder)
        shutil.copy(folder / f"{name}.pdf", pictures)
        shutil.copy(file, pictures)
        check_phone(browser_page, file, pictures)
        assert browser_page.console_errors == []
        return " ".join(text for _, text in sheets[0].lines)

    return check
