"""The report in a real browser: marks are drawn, the console is clean, nothing is fetched, phones can read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.report import build_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(measured, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = build_report(measured.results, comparison=measured.comparison, title="In the browser")
    return page.save(tmp_path_factory.mktemp("report") / "report.html")


# Of each chart, pairs of labels in it that lie on each other.
OVERPRINTED = """charts => charts.flatMap(chart => {
    const labels = [...chart.querySelectorAll("g.mark-text text")]
        .filter(each => each.textContent.trim() && getComputedStyle(each).opacity > 0)
        .map(each => [each.textContent, each.getBoundingClientRect()]);
    return labels.flatMap(([one, a], at) => labels.slice(at + 1).filter(([, b]) =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        .map(([other]) => [one, other]));
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_in_a_browser(
    browser_page, worst_contrast, page_file: Path, repository: Path, width: int, scheme: str
) -> None:
    requests: list[str] = []
    browser_page.on("request", lambda request: requests.append(request.url))
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.set_viewport_size({"width": width, "height": 900})
    browser_page.goto(page_file.as_uri())
    charts = browser_page.locator(".chart")
    count = charts.count()
    assert count >= 15
    browser_page.wait_for_function(
        "document.querySelectorAll('.chart svg.marks').length === document.querySelectorAll('.chart').length"
    )
    for at in range(count):
        marks = charts.nth(at).locator("g.mark-symbol path, g.mark-rule line, g.mark-line path")
        assert marks.count() > 0, f"chart {at} is empty"
    assert charts.evaluate_all(OVERPRINTED) == []
    assert browser_page.console_errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
    worst, where = worst_contrast(browser_page)
    assert worst >= 4.5, f"contrast {worst:.2f} of {where}"
    folder = repository / "tests" / "artefacts"
    folder.mkdir(exist_ok=True)
    browser_page.screenshot(path=folder / f"report-{width}-{scheme}.png", full_page=True)


def test_a_mark_tells_its_numbers_on_hover(browser_page, page_file: Path) -> None:
    browser_page.goto(page_file.as_uri())
    dot = browser_page.locator(".chart").first.locator("g.mark-symbol path").nth(1)
    dot.scroll_into_view_if_needed()
    dot.hover()
    tip = browser_page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert "ndcg@10" in tip.inner_text() and "n = " in tip.inner_text()


def test_it_prints(browser_page, page_file: Path) -> None:
    browser_page.goto(page_file.as_uri())
    browser_page.wait_for_function("document.querySelectorAll('.chart svg.marks').length > 10")
    # On paper it is dark on white whatever the screen's theme, and no table is wider than A4 within its margins.
    browser_page.emulate_media(media="print", color_scheme="dark")
    browser_page.set_viewport_size({"width": 688, "height": 900})
    assert browser_page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 688
    folded = "document.querySelectorAll('details.numbers:not([open])').length"
    assert browser_page.evaluate(folded) > 0
    tall = "drawn[0][1].height()"
    browser_page.evaluate("void drawn[0][1].height(1404).run()")  # eighteen segments of six systems
    browser_page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser_page.evaluate(folded) == 0, "paper cannot be unfolded"
    assert browser_page.evaluate(tall) < 900, "a chart is taller than a page"
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 688
    browser_page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser_page.evaluate(folded) > 0 and browser_page.evaluate(tall) == 1404
    pdf = browser_page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000


def test_titles_are_not_run(browser_page, page_file: Path) -> None:
    dialogs: list[str] = []
    browser_page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    browser_page.goto(page_file.as_uri())
    browser_page.wait_for_function("document.querySelectorAll('.chart svg.marks').length > 10")
    assert dialogs == []
    assert browser_page.locator(".legend li", has_text="<script>alert").count() == 1


def test_the_report_on_paper_and_on_a_phone(paper, measured) -> None:
    first = paper(build_report(measured.results, comparison=measured.comparison, title="On paper"), "evaluation")
    for said in ("On paper", "Verdict", "Lift", "Who loses", "Cost", "How sure"):
        assert said in first, f"page 1 does not say {said}"
