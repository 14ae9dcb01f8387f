"""The dashboard in a real browser: every page is drawn, filters, downloads, keeps to its width, and fetches nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from reclens.dashboard.navigation import ALIASES, pages
from reclens.workspace import Workspace

pytestmark = pytest.mark.browser

RUNS = ["small-ease", "small-item_knn", "small-popular"]
VIEWS = ["Leaderboard", "Segments", "Trade-off", "Long tail", "Per k", "Users"]


@pytest.fixture(scope="module")
def workspace(workspace: Workspace, watched: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the small workspace, in which a shop is watched too."""
    folder = shutil.copytree(workspace.folder, tmp_path_factory.mktemp("browser") / "workspace")
    watched.keep(folder)
    return Workspace(folder)


@pytest.fixture(scope="module")
def address(serve, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application over the small workspace, started as `reclens dashboard` starts it."""
    with serve(workspace.folder, tmp_path_factory.mktemp("server") / "log") as plan:
        yield plan.url


def opened(page, url: str) -> None:
    """Open a page and wait until it stands still."""
    page.goto(url)
    settled(page)


def settled(page) -> None:
    page.locator("h1").first.wait_for(timeout=60_000)
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached", timeout=60_000)
    page.locator("[data-stale=true]").first.wait_for(state="detached", timeout=60_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    # What is drawn fetches the scripts it needs, one after the other; a fifth of a second without any is the end.
    still = 0
    while still < 4 and hasattr(page, "under_way"):
        page.wait_for_timeout(50)
        still = 0 if page.under_way else still + 1


def problems_of(page) -> list[str]:
    """What the console said, but for two things: opened at the address of a page, Streamlit first asks for its server
    below that address, and takes the answer 404 as the hint to look at the root; and Chromium without a GPU says that
    the map of the explorer is slow to read back."""
    expected = ("404 (Not Found)", "GPU stall due to ReadPixels")
    return [each for each in page.console_errors if not any(known in each for known in expected)]


# Of each list of cards that is seen, whether all that it shows lies within it.
CARDS = """lists => lists.filter(list => list.offsetParent).map(list => {
    const box = list.getBoundingClientRect();
    return [...list.querySelectorAll("b, span")].every(each => each.getBoundingClientRect().right <= box.right + 1);
})"""


SAID = {"health": "2 of 7 series are beyond their bands"}
"""Page -> what it has to say, where it could be drawn with nothing to show."""


# Each width and each scheme once: what a width breaks no scheme mends. A phone is the narrower of the two.
@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [pytest.param(1280, 800, "light", marks=pytest.mark.slow), (390, 844, "dark")],
)
def test_every_page(
    browser_page, worst_contrast, address: str, repository: Path, width: int, height: int, scheme: str
) -> None:
    requests: list[str] = []
    browser_page.on("request", lambda request: requests.append(request.url))
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.set_viewport_size({"width": width, "height": height})
    folder = repository / "tests" / "artefacts"
    folder.mkdir(exist_ok=True)
    shown = 0
    for page in pages():
        query = {"home": "", "users": "users?user=7", "items": "items?q=a"}.get(page.path)
        if query is None:
            # As a reader goes on, within the application: to load it again takes most of the time.
            link = browser_page.get_by_test_id("stSidebarNav").get_by_role("link", name=page.title, include_hidden=True)
            link.evaluate("each => each.click()")
            browser_page.get_by_role("heading", name=page.title, level=1).wait_for(timeout=60_000)
            settled(browser_page)
        else:
            opened(browser_page, f"{address}/{query}")
        assert browser_page.locator("[data-testid=stException]").count() == 0, page.path
        main = browser_page.locator("[data-testid=stMain]")
        assert SAID.get(page.path, "") in main.inner_text(), page.path
        assert main.evaluate("each => each.scrollWidth <= each.clientWidth"), f"{page.path} is wider than {width}"
        # A grid cuts its columns off on a phone: there each row is a card with all of its cells.
        grids = browser_page.locator("[data-testid=stDataFrame]:visible").count()
        cards = browser_page.locator("ul.cards").evaluate_all(CARDS)
        assert grids == 0 if width < 640 else not cards, f"{page.path}: {grids} grids and {len(cards)} lists of cards"
        assert all(fits for fits in cards), f"{page.path}: a card is wider than the phone"
        shown += len(cards) + grids
        worst, where = worst_contrast(browser_page)
        assert worst >= 4.5, f"{page.path}: contrast {worst:.2f} of {where}"
        tall = main.evaluate("each => each.scrollHeight")
        browser_page.set_viewport_size({"width": width, "height": min(max(height, tall), 5000)})
        browser_page.screenshot(path=folder / f"dashboard-{page.path}-{width}-{scheme}.png")  # for people to look at
        browser_page.set_viewport_size({"width": width, "height": height})
    assert shown > 5, "no table was looked at"
    assert problems_of(browser_page) == []
    elsewhere = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []


def test_pages_are_reached_by_keyboard_with_a_clean_console(browser_page, address: str) -> None:
    opened(browser_page, address)
    for title in ("Diagnostics", "Compare"):
        link = browser_page.get_by_test_id("stSidebarNav").get_by_role("link", name=title)
        link.focus()
        assert link.evaluate("each => getComputedStyle(each).outlineStyle") != "none", "focus can be seen"
        browser_page.keyboard.press("Enter")
        browser_page.get_by_role("heading", name=title, level=1).wait_for(timeout=60_000)
        settled(browser_page)
    assert browser_page.console_errors == []


def test_a_view_filters_and_its_link_reproduces_it(browser_page, chromium, address: str) -> None:
    opened(browser_page, f"{address}/diagnostics")
    for view in VIEWS:
        browser_page.get_by_test_id("stMain").get_by_role("radio", name=view).or_(
            browser_page.get_by_test_id("stMain").get_by_role("button", name=view, exact=True)
        ).first.click()
        browser_page.wait_for_url(f"**/diagnostics*{view.split()[0]}*" if view != "Leaderboard" else "**/diagnostics*")
        settled(browser_page)
        assert browser_page.locator("[data-testid=stVegaLiteChart]").count() > 0, view
    # The address changes before the server answers: until then the view before is on the page, and nothing is running.
    browser_page.get_by_text("serves worst").wait_for()
    assert browser_page.get_by_text("serves worst").is_visible()
    link = browser_page.url
    with browser_page.expect_download() as saved:
        browser_page.get_by_role("button", name="Save as report").click()
        browser_page.get_by_role("button", name="Download HTML").click()
    document = Path(saved.value.path()).read_text()
    assert "Users without a hit, by activity" in document and "Lorenz curve" not in document, "what is seen now"
    assert "view=Users" in document and "Use small-ease" in document, "its link, and what stands around the view"
    browser_page.keyboard.press("Escape")
    other = chromium.new_context().new_page()
    opened(other, link)
    other.get_by_text("serves worst").wait_for()
    assert other.get_by_text("serves worst").is_visible()
    other.context.close()
    assert problems_of(browser_page) == []


def test_a_row_that_is_chosen_in_a_view_changes_all_of_the_page(browser_page, address: str) -> None:
    """The table of runs is redrawn alone with its view; the runs that it chooses are those of the whole page."""
    opened(browser_page, f"{address}/diagnostics?view=Segments")
    browser_page.get_by_test_id("stMain").get_by_role("radio", name="Leaderboard").click()
    table = browser_page.locator("[data-testid=stDataFrame] canvas").first
    table.wait_for()
    settled(browser_page)
    legend = browser_page.locator("ul.legend")
    assert sorted(legend.inner_text().split()) == RUNS
    # The box of the second row, below the head.
    table.click(position={"x": 18, "y": 35 * 2 + 18}, force=True)
    browser_page.wait_for_function("document.querySelectorAll('ul.legend li').length === 2", timeout=30_000)
    settled(browser_page)
    left = sorted(legend.inner_text().split())
    assert len(left) == 2 and sorted(re.findall(r"runs=(small-\w+)", browser_page.url)) == left
    assert "2 systems" in browser_page.locator("section.decision").inner_text()
    assert problems_of(browser_page) == []


def test_a_chart_is_saved_as_svg_and_its_numbers_as_csv(browser_page, address: str, workspace: Workspace) -> None:
    opened(browser_page, f"{address}/diagnostics")
    title = "ndcg@5 of every system"
    chart = browser_page.locator(f"[data-testid=stVegaLiteChart][aria-label='{title}']")
    chart.scroll_into_view_if_needed()
    empty = chart.locator("svg").evaluate(
        """svg => svg.getBoundingClientRect().bottom
          - Math.max(...[...svg.querySelectorAll("text")].map(each => each.getBoundingClientRect().bottom))"""
    )
    assert 0 <= empty <= 10, "what is drawn fills its place down to the title of the axis"
    chart.hover()
    with browser_page.expect_download() as png:
        browser_page.get_by_role("button", name=f"Download as PNG: {title}").press("Enter")
    assert Path(png.value.path()).read_bytes().startswith(b"\x89PNG")
    with browser_page.expect_download() as svg:
        browser_page.get_by_role("button", name="SVG").first.click()
    text = Path(svg.value.path()).read_text()
    assert svg.value.suggested_filename == "leaderboard-ndcg@5.svg" and "<svg" in text and "small-ease" in text
    assert "var(--" not in text, "a file knows no style sheet"
    with browser_page.expect_download() as table:
        browser_page.get_by_role("button", name="CSV").nth(1).click()
    rows = pl.read_csv(table.value.path())
    value = workspace.load("evaluation", "small-ease")["ndcg@5"].overall.value
    mine = rows.filter((pl.col("system") == "small-ease") & (pl.col("metric") == "ndcg@5"))
    assert mine["value"].item() == pytest.approx(value)


def test_a_mark_tells_its_numbers_on_hover(browser_page, address: str) -> None:
    opened(browser_page, f"{address}/compare?system=small-ease&baseline=small-popular")
    # Behind the differences by two segmentations and the changes of users stand those who gain and who lose.
    chart = browser_page.locator("[data-testid=stVegaLiteChart]").nth(3)
    chart.locator("svg, canvas").first.wait_for()
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg, canvas").first.bounding_box()
    tip = browser_page.locator("#vg-tooltip-element")
    for share in (0.75, 0.65, 0.55, 0.85):
        browser_page.mouse.move(box["x"] + box["width"] * share, box["y"] + 13)
        browser_page.wait_for_timeout(300)
        if tip.count() and tip.is_visible():
            break
    assert "users gain" in tip.inner_text() and "[" in tip.inner_text()


def test_a_dot_that_is_clicked_leads_to_the_users_of_its_segment(browser_page, address: str) -> None:
    opened(browser_page, f"{address}/diagnostics?view=Segments")
    chart = browser_page.locator("[data-testid=stVegaLiteChart]").first
    chart.locator("path[aria-roledescription=circle]").first.click(force=True)
    link = browser_page.get_by_role("link", name="Users of activity")
    link.wait_for(timeout=60_000)
    link.click()
    browser_page.get_by_text("serves worst").wait_for(timeout=60_000)
    settled(browser_page)
    assert "view=Users" in browser_page.url and "segment=activity" in browser_page.url
    assert browser_page.locator("[data-testid=stException]").count() == 0


def test_files_are_uploaded_measured_kept_and_taken_back(
    browser_page, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    good, truth, bad = tmp_path / "brought.csv", tmp_path / "truth.parquet", tmp_path / "bad.csv"
    workspace.load("run", "small-ease").table.write_csv(good)
    workspace.load("split", "small").test.write_parquet(truth)
    bad.write_text("user,item,rank\n1,2,3,4\n")
    opened(browser_page, f"{address}/upload?against=a+file+with+the+truth")
    files = browser_page.locator("input[type=file]")
    files.nth(0).set_input_files(bad)
    browser_page.get_by_text("the row has 4 fields").wait_for()
    settled(browser_page)  # a reload would end the fetching of what the options of reading need
    browser_page.reload()
    settled(browser_page)
    files.nth(0).set_input_files(good)
    browser_page.get_by_text("rows, 4 columns").first.wait_for()
    files.nth(1).set_input_files(truth)
    browser_page.get_by_role("button", name="Evaluate").click()
    browser_page.get_by_role("button", name="Keep in the workspace").click()
    browser_page.get_by_text("Kept as brought").wait_for()
    value = workspace.load("evaluation", "small-ease")["ndcg@10"].overall.value
    assert workspace.load("evaluation", "brought")["ndcg@10"].overall.value == pytest.approx(value)
    browser_page.get_by_role("button", name="Undo").click()
    browser_page.get_by_role("button", name="Keep in the workspace").wait_for()
    assert "brought" not in [each.name for each in workspace.list("evaluation")]
    assert problems_of(browser_page) == []


def test_a_query_is_asked_and_its_rows_are_saved(browser_page, address: str, workspace: Workspace) -> None:
    opened(browser_page, f"{address}/data?view=SQL&sql=SELECT+*+FROM+split_small_test")
    coloured = "pre.sql-colours span"
    browser_page.locator(coloured).nth(1).wait_for()
    assert browser_page.locator(coloured).all_inner_texts() == ["SELECT", "FROM"]
    field, typed = browser_page.locator(".st-key-sql textarea"), "SELECT 'a''b' AS \"from\", 2.5 -- why <b>"
    field.fill(typed)
    browser_page.locator(coloured, has_text="why").wait_for()
    kinds = browser_page.locator(coloured).evaluate_all("all => all.map(each => [each.dataset.kind, each.textContent])")
    assert kinds == [
        ["keyword", "SELECT"],
        ["text", "'a''b'"],
        ["keyword", "AS"],
        ["number", "2.5"],
        ["note", "-- why <b>"],
    ]
    layer = browser_page.locator("pre.sql-colours")
    assert layer.text_content() == f"{typed}\n", "what is typed is text"
    over = "(each, other) => ['font', 'padding', 'lineHeight'].map(name => getComputedStyle(each)[name])"
    assert layer.evaluate(over) == field.evaluate(over), "its letters lie on those of the field"
    opened(browser_page, f"{address}/data?view=SQL&sql=SELECT+*+FROM+split_small_test")
    browser_page.get_by_role("button", name="Run").click()
    browser_page.get_by_text("rows, ").last.wait_for()
    settled(browser_page)
    with browser_page.expect_download() as table:
        browser_page.get_by_role("button", name="CSV", exact=True).click()
    expected = workspace.load("split", "small").test.select("user_id", "item_id").sort("user_id", "item_id")
    found = pl.read_csv(table.value.path()).select("user_id", "item_id").sort("user_id", "item_id")
    assert found.equals(expected)
    assert not browser_page.get_by_role("button", name="Download as CSV").is_visible(), "it would keep formulas alive"
    assert problems_of(browser_page) == []


def test_a_range_that_is_drawn_over_a_chart_chooses_its_users(browser_page, address: str, workspace: Workspace) -> None:
    opened(browser_page, f"{address}/compare?system=small-ease&baseline=small-popular&metric=ndcg%4010")
    chart = browser_page.locator(".st-key-chart-change svg.marks, .st-key-chart-change canvas.marks").first
    chart.wait_for()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    browser_page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 12)
    browser_page.mouse.down()
    browser_page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=8)
    browser_page.mouse.up()
    said = browser_page.get_by_text(re.compile(r"[1-9]\d* users? with a change from "))
    said.wait_for(timeout=30_000)
    settled(browser_page)
    told = re.search(r"(\d+) users? with a change from ([-+][\d.]+) to ([-+][\d.]+)", said.inner_text())
    assert told is not None, said.inner_text()
    count, low, high = told.groups()
    ours, theirs = (workspace.load("evaluation", f"small-{name}").per_user for name in ("ease", "popular"))
    change = ours.join(theirs, on="user_id").select(pl.col("ndcg@10") - pl.col("ndcg@10_right")).to_series()
    rounded = 5e-5  # the ends stand on the page with four decimals
    assert (change.is_between(float(low) + rounded, float(high) - rounded)).sum() <= int(count)
    assert int(count) <= (change.is_between(float(low) - rounded, float(high) + rounded)).sum()
    assert int(count) > 0 and problems_of(browser_page) == []


def test_an_address_that_a_reader_may_type_leads_to_its_page(browser_page, address: str) -> None:
    known = {page.path for page in pages()}
    assert known & set(ALIASES) == {"home"}, "that one stands at the root"
    assert {page for page, _ in ALIASES.values()} <= known
    for typed, title, choices in (
        ("home", "RecLens", ""),
        ("tradeoff?x=ndcg%4010", "Diagnostics", "view=Trade-off"),
        ("sql", "Data", "view=SQL"),
    ):
        opened(browser_page, f"{address}/{typed}")
        browser_page.get_by_role("heading", name=title, level=1).wait_for(timeout=60_000)
        browser_page.wait_for_url(f"**/{ALIASES[typed.partition('?')[0]][0].replace('home', '')}*{choices}*")
        settled(browser_page)
        assert browser_page.get_by_text("Page not found").count() == 0, typed
        assert "x=ndcg" in browser_page.url or "?" not in typed, "what the address asked for is kept"
    assert browser_page.get_by_test_id("stSidebarNavLink").count() == len(known), "they are not in the navigation"


def test_dots_that_a_range_is_drawn_over_are_compared_alone(browser_page, address: str, workspace: Workspace) -> None:
    """Over all dots of Trade-off but the lowest: the other two systems are offered, and Compare has them alone."""
    opened(browser_page, f"{address}/diagnostics?view=Trade-off&x=ndcg%4010&y=novelty%4010")
    chart = browser_page.locator("[data-testid=stVegaLiteChart][aria-label='ndcg@10 against novelty@10'] svg").first
    chart.wait_for()
    chart.scroll_into_view_if_needed()
    dots = [each.bounding_box() for each in chart.locator("path[aria-roledescription=circle]").all()]
    rows = sorted((each["y"] + each["height"] / 2, each["x"] + each["width"] / 2) for each in dots)
    assert len(rows) == 3
    left, right = min(x for _, x in rows[:2]) - 12, max(x for _, x in rows[:2]) + 12
    browser_page.mouse.move(left, rows[0][0] - 12)
    browser_page.mouse.down()
    browser_page.mouse.move(right, (rows[1][0] + rows[2][0]) / 2, steps=8)
    browser_page.mouse.up()
    values = {name: workspace.load("evaluation", name)["novelty@10"].overall.value for name in RUNS}
    inside = sorted(sorted(values, key=values.get)[1:])  # more novelty is higher up
    link = browser_page.get_by_role("link", name=re.compile("Compare small-.* alone"))
    link.wait_for(timeout=30_000)
    settled(browser_page)
    assert sorted(re.findall(r"small-\w+", link.inner_text())) == inside
    link.click()
    browser_page.get_by_role("heading", name="Compare", level=1).wait_for(timeout=60_000)
    settled(browser_page)
    assert sorted(re.findall(r"runs=(small-\w+)", browser_page.url)) == inside, "a copied link shows the same"
    browser_page.get_by_test_id("stSidebarNav").get_by_role("link", name="Diagnostics").click()
    browser_page.get_by_role("heading", name="Diagnostics", level=1).wait_for(timeout=60_000)
    settled(browser_page)
    assert sorted(re.findall(r"runs=(small-\w+)", browser_page.url)) == inside, "other pages look at the same runs"
    assert problems_of(browser_page) == []
