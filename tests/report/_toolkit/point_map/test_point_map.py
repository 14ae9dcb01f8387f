"""A map in a real browser with software WebGL: what a lasso, a search and a filter change in the picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.report._toolkit.point_map import MapColumn, MapFinding, MapLabel, MapView, map_page, pack_map
from three_discs import BLUE, GENRE, GENRES, GREEN, ORANGE, PAPER, drawn, middle, opened, points

pytestmark = pytest.mark.browser

STEPS = 12
NEAREST = ["Drama no. 3", "Drama no. 2", "Drama no. 5"]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    places = points()
    titles = pl.Series([f"{genre.title()} no. {at}" for at, genre in enumerate(GENRE)])
    titles[149] = "=Amélie, the 2nd"
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    packed = pack_map(
        [
            MapView(
                places=places,
                name="UMAP",
                labels=[MapLabel(text="a drama", x=0, y=1.6), MapLabel(text="a war", x=0, y=1.6, level=1)],
            ),
            MapView(places=places[:, ::-1], name="PCA"),
        ],
        [
            MapColumn(name="genre", values=pl.Series(GENRE)),
            MapColumn(name="price", values=pl.Series(np.arange(150) / 2), unit="€", ends=(0, 75)),
        ],
        titles=titles,
        details=pl.Series([None] * 60 + ["a baker " * 40] + [None] * 88 + ["a waitress"], dtype=pl.String),
        neighbours=np.argsort(distance, axis=1, kind="stable")[:, 1:4],
        findings=[MapFinding(text="3 items that nobody is shown", points=np.array([5, 70, 120]))],
        file="films",
    )
    return map_page(packed, title="Three discs").save(tmp_path_factory.mktemp("map") / "map.html")


@pytest.fixture
def shown(browser_page, page_file):
    """The page, and a function that gives the colour in the middle of each disc of the first view."""
    opened(browser_page, page_file)

    def middles():
        from PIL import Image

        box = browser_page.locator(".pm-view").first.bounding_box()
        picture = Image.open(io.BytesIO(browser_page.screenshot(clip=box))).convert("RGB")
        at = [middle(browser_page, genre) for genre in GENRES]
        return [picture.getpixel((round(x), round(y))) for x, y in at]

    return browser_page, middles


def selected(page) -> list[int]:
    return page.evaluate("() => map.model.selected && [...map.model.selected]")


def problems(page) -> list[str]:
    """What the console said, but for what the software renderer says of pictures being taken."""
    return [each for each in page.console_errors if "GPU stall due to ReadPixels" not in each]


def test_each_disc_has_the_colour_of_its_genre_and_nothing_is_fetched(browser_page, page_file, shown):
    page, middles = shown
    assert middles() == [BLUE, ORANGE, GREEN]
    assert page.locator(".pm-status").inner_text() == "150 points."
    assert problems(page) == []


def test_a_search_keeps_the_colour_of_what_it_finds_and_dims_the_rest(shown):
    page, middles = shown
    page.locator("input[type=search]").fill("HORROR")
    drawn(page)
    first, second, third = middles()
    assert third == GREEN and first == second
    assert min(first) > 200 and first != PAPER
    assert selected(page) == list(range(110, 149))
    assert page.locator(".pm-status").inner_text() == "150 points, 39 selected."
    page.locator("input[type=search]").fill("amelie waitress")  # no accents, and words of the text
    drawn(page)
    assert selected(page) == [149]
    page.get_by_role("button", name="Clear").click()
    drawn(page)
    assert middles() == [BLUE, ORANGE, GREEN]


def test_a_category_of_the_legend_leaves_nothing_of_the_others(shown):
    page, middles = shown
    page.locator(".pm-legend button", has_text="comedy").click()
    drawn(page)
    assert middles() == [PAPER, ORANGE, PAPER]
    page.locator(".pm-legend button", has_text="horror").click()
    drawn(page)
    assert middles() == [PAPER, ORANGE, GREEN]
    assert page.locator(".pm-status").inner_text() == "90 of 150 points are shown."
    assert page.locator(".pm-legend button", has_text="drama").get_attribute("aria-pressed") == "false"


def test_numbers_are_filtered_by_their_ends(shown):
    page, middles = shown
    page.get_by_label("Colour by", exact=True).select_option("price")
    page.get_by_label("price, highest").fill("29.5")
    page.get_by_label("price, highest").press("Enter")
    drawn(page)
    first, second, third = middles()
    assert first != PAPER and second == third == PAPER
    assert page.locator(".pm-status").inner_text() == "60 of 150 points are shown."


@pytest.mark.parametrize("how", ["shift", "button"])
def test_a_lasso_selects_what_lies_within(shown, how):
    page, middles = shown
    x, y = middle(page, "horror")
    box = page.locator(".pm-points").first.bounding_box()
    unit = page.evaluate("() => map.views[0].renderer.unit")
    radius = 1.3 / 12 * unit  # the whole is 12 wide, and a disc 2
    ring = [(np.cos(t) * radius + x + box["x"], np.sin(t) * radius + y + box["y"]) for t in np.linspace(0, 6.2, STEPS)]
    if how == "button":
        page.get_by_role("button", name="Lasso").click()
    else:
        page.keyboard.down("Shift")
    page.mouse.move(*ring[0])
    page.mouse.down()
    for place in ring[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    drawn(page)
    assert selected(page) == list(range(110, 150))
    first, second, third = middles()
    assert third == GREEN and first == second != BLUE
    assert page.locator(".pm-rows tbody tr").count() == 40


def coloured(page) -> dict[tuple[int, ...], int]:
    """How many pixels of the first view have each of the colours of the genres."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.locator(".pm-points").first.screenshot())).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    return {colour: int((pixels == colour).all(axis=1).sum()) for colour in (BLUE, ORANGE, GREEN)}


@pytest.mark.parametrize("how", ["wheel", "keys"])
def test_zoom_enlarges_what_is_in_the_middle_and_moves_the_rest_out(shown, how):
    page, _ = shown
    before = coloured(page)
    x, y = middle(page, "horror")
    box = page.locator(".pm-points").first.bounding_box()
    if how == "wheel":
        at = round(x + box["x"]), round(y + box["y"])  # the wheel tells whole pixels
        place = f"() => map.views[0].renderer.toPlace({at[0] - box['x']}, {at[1] - box['y']})"
        under = page.evaluate(place)
        page.mouse.move(*at)
        page.mouse.wheel(0, -1200)
        drawn(page)
        assert page.evaluate(place) == pytest.approx(under, abs=1e-6), "what is under the pointer stays there"
    else:
        page.locator(".pm-points").first.focus()
        page.evaluate("() => map.views[0].centre(110)")
        for _ in range(3):
            page.keyboard.press("+")
        drawn(page)
    after = coloured(page)
    assert after[GREEN] > 1.5 * before[GREEN] and after[BLUE] == after[ORANGE] == 0
    page.get_by_role("button", name="Whole map").click()
    drawn(page)
    assert coloured(page) == before


def test_closer_by_the_labels_are_those_of_the_finer_level(shown):
    page, _ = shown
    page.evaluate(
        """() => { const { prototype } = CanvasRenderingContext2D, write = prototype.fillText;
        prototype.fillText = function (...all) { written.push(all[0]); write.apply(this, all); };
        window.written = []; }"""
    )
    for zoom, told in ((1.1, {"a drama"}), (2, {"a drama"}), (1.2, {"a war"}), (0.5, {"a drama"})):
        # The middle of the first disc stays where it is: 1.1, 2.2, 2.64, 1.32 times as large.
        x, y = middle(page, "drama")
        page.evaluate(f"() => {{ written.length = 0; map.views[0].zoom({zoom}, {x}, {y}); }}")
        drawn(page)
        assert set(page.evaluate("() => written")) == told


def test_dragging_moves_the_picture_by_as_much(shown):
    page, middles = shown
    x, y = middle(page, "drama")
    box = page.locator(".pm-points").first.bounding_box()
    page.mouse.move(x + box["x"] + 40, y + box["y"] + 90)
    page.mouse.down()
    page.mouse.move(x + box["x"] + 70, y + box["y"] + 70, steps=4)
    page.mouse.up()
    drawn(page)
    assert middle(page, "drama") == pytest.approx((x + 30, y - 20), abs=1.5) and middles() == [BLUE, ORANGE, GREEN]


def test_the_pointer_shows_a_ring_and_the_title_of_what_is_under_it(shown):
    from PIL import Image

    page, _ = shown
    x, y = middle(page, "comedy")
    box = page.locator(".pm-view").first.bounding_box()
    near = {"x": box["x"] + x - 20, "y": box["y"] + y - 20, "width": 40, "height": 40}

    def around():
        return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=near))).convert("RGB")).astype(int)

    before = around()
    page.mouse.move(box["x"] + x, box["y"] + y)
    drawn(page)
    tip = page.locator(".pm-tip").first
    assert tip.is_visible() and tip.inner_text().startswith("Comedy no. 60")
    assert tip.locator("small").inner_text() == "a baker " * 20 + "…", "and of its text the beginning"
    assert np.abs(around() - before).max() > 40, "the point is marked"
    page.mouse.move(5, 5)
    drawn(page)
    assert not tip.is_visible() and np.abs(around() - before).max() <= 8


def test_at_a_user_the_history_and_the_list_stand_out_of_the_rest(browser_page, tmp_path):
    from PIL import Image

    mine = np.array(["neither"] * 150, dtype=object)
    mine[:60], mine[60:110] = "in the history", "in the list"
    packed = pack_map(
        [MapView(places=points(), name="UMAP")],
        [MapColumn(name="user 42", values=pl.Series(mine.tolist()), grey="neither")],
        titles=pl.Series([str(at) for at in range(150)]),
        colour="user 42",
    )
    opened(browser_page, map_page(packed, title="At a user").save(tmp_path / "user.html"))
    box = browser_page.locator(".pm-view").first.bounding_box()
    picture = Image.open(io.BytesIO(browser_page.screenshot(clip=box))).convert("RGB")
    had, listed, other = (picture.getpixel(tuple(map(round, middle(browser_page, genre)))) for genre in GENRES)
    assert len({had, listed, other}) == 3 and PAPER not in (had, listed, other)
    assert max(other) - min(other) < 20 < min(max(had) - min(had), max(listed) - min(listed)), "the rest is grey"


def test_what_stands_out_lies_above_the_grey_rest_whatever_the_order(browser_page, tmp_path):
    from PIL import Image

    places = np.concatenate([points(), points()[:60]])  # sixty of the rest lie exactly over the history
    mine = ["in the history"] * 60 + ["neither"] * 150
    packed = pack_map(
        [MapView(places=places, name="UMAP")],
        [MapColumn(name="user 42", values=pl.Series(mine), grey="neither")],
        titles=pl.Series([str(at) for at in range(210)]),
    )
    opened(browser_page, map_page(packed, title="At a user").save(tmp_path / "user.html"))
    box = browser_page.locator(".pm-view").first.bounding_box()
    picture = Image.open(io.BytesIO(browser_page.screenshot(clip=box))).convert("RGB")
    assert picture.getpixel(tuple(map(round, middle(browser_page, "drama")))) == BLUE
    grey = picture.getpixel(tuple(map(round, middle(browser_page, "comedy"))))
    assert min(grey) > 110 and max(grey) < 160, "paler than text, and three times as dark as the ground"


def test_rows_are_downloaded_as_they_are_selected_and_no_cell_is_a_formula(shown, tmp_path):
    page, _ = shown
    page.locator("input[type=search]").fill("waitress")
    drawn(page)
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download these rows as CSV").click()
    assert waited.value.suggested_filename == "films.csv"
    waited.value.save_as(tmp_path / "films.csv")
    with (tmp_path / "films.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["item", "genre", "price"], ["'=Amélie, the 2nd", "horror", "74.5"]]


def test_a_point_tells_what_is_known_of_it_and_leads_to_its_neighbours(shown):
    page, _ = shown
    x, y = middle(page, "drama")
    page.locator(".pm-points").first.click(position={"x": x, "y": y})
    card = page.locator(".pm-card")
    assert card.locator("h3").first.inner_text() == "Drama no. 0"
    assert card.locator("dd").all_inner_texts() == ["drama", "0 €"]
    # Of radii sqrt((at + 0.5) / 60) at multiples of the golden angle, 3, 2 and 5 lie next to 0.
    assert card.locator("li").all_inner_texts() == NEAREST
    card.locator("li button").first.click()
    assert card.locator("h3").first.inner_text() == NEAREST[0]
    card.get_by_role("button", name="Select these").click()
    assert len(selected(page)) == 4


def test_the_map_is_used_by_keyboard_alone(shown):
    page, _ = shown
    canvas = page.locator(".pm-points").first
    canvas.focus()
    view = "() => { const {x, y, zoom} = map.views[0].renderer.view; return [x, y, zoom]; }"
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    x, y, zoom = page.evaluate(view)
    assert zoom == pytest.approx(1.4) and x > 0.5 and y == 0.5
    page.keyboard.press("0")
    assert page.evaluate(view) == [0.5, 0.5, 1]
    page.locator("input[type=search]").fill("comedy no. 7")
    drawn(page)
    canvas.focus()
    page.keyboard.press("n")
    assert page.locator(".pm-card h3").first.inner_text() == "Comedy no. 70"
    page.keyboard.press("n")
    assert page.locator(".pm-card h3").first.inner_text() == "Comedy no. 71"
    page.keyboard.press("Escape")
    assert selected(page) is None and page.locator(".pm-card").inner_text() == ""


def test_a_finding_shows_the_points_it_is_about_in_both_views(shown):
    page, _ = shown
    page.get_by_role("button", name="3 items that nobody is shown").click()
    drawn(page)
    assert selected(page) == [5, 70, 120]
    states = page.evaluate("() => map.views.map((view) => [5, 6, 70, 120].map((at) => view.renderer.states[at]))")
    assert states == [[2, 1, 2, 2]] * 2


def test_a_frame_is_one_draw_call(browser_page, page_file):
    browser_page.add_init_script(
        "globalThis.calls = 0; const draw = WebGL2RenderingContext.prototype.drawArrays;"
        "WebGL2RenderingContext.prototype.drawArrays = function (...given) {"
        "  calls++; return draw.apply(this, given); };"
    )
    opened(browser_page, page_file)
    before = browser_page.evaluate("() => calls")
    browser_page.evaluate("() => { for (let at = 0; at < 5; at++) map.views[0].zoom(1.1); }")
    drawn(browser_page)
    assert browser_page.evaluate("() => calls") == before + 1  # five changes within a frame are drawn once


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_keeps_to_its_width_and_can_be_read(browser_page, page_file, worst_contrast, width, scheme):
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.set_viewport_size({"width": width, "height": 844})
    opened(browser_page, page_file)
    assert browser_page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    rows = browser_page.locator(".pm-rows")
    assert rows.evaluate("each => each.scrollWidth <= each.clientWidth"), "the table scrolls sideways"
    first = rows.locator("tbody tr").first.locator("th, td").all_inner_texts()
    heads = "each => getComputedStyle(each.querySelector('td'), '::before').content.replaceAll('\"', '')"
    if width == 390:  # each row is a card, which names its cells
        assert rows.locator("tbody tr").count() == 20 and "The first 20 of 150 rows" in rows.inner_text()
        assert not rows.locator("thead").is_visible() and rows.locator("tbody tr").first.evaluate(heads) == "genre "
    else:
        assert rows.locator("tbody tr").count() == 100 and rows.locator("thead").is_visible()
    assert first == ["Drama no. 0", "drama", "0"]
    worst, where = worst_contrast(browser_page)
    assert worst >= 4.5, where


def test_without_webgl2_there_is_a_picture_and_the_table_works(browser_page, page_file):
    browser_page.add_init_script(
        "const context = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...given) {"
        "  return kind === 'webgl2' ? null : context.call(this, kind, ...given); };"
    )
    browser_page.goto(page_file.as_uri())
    assert browser_page.get_by_text("The map needs WebGL2, and this browser has no WebGL2.").is_visible()
    tone = (
        "() => [...document.querySelector('.pm-picture').getContext('2d').getImageData(%d, %d, 1, 1).data].slice(0, 3)"
    )
    # The wider side takes 850 of 900 pixels; y grows upwards, around the middle.
    places = points()
    low, high = places.min(axis=0), places.max(axis=0)
    x, y = np.array([450, 450]) + 850 / (high - low).max() * (places[0] - (low + high) / 2) * [1, -1]
    assert browser_page.evaluate(tone % (round(x) + 1, round(y) + 1)) == list(BLUE)
    assert browser_page.evaluate(tone % (450, 450)) == list(PAPER)
    browser_page.locator("input[type=search]").fill("horror")
    drawn(browser_page)
    assert browser_page.locator(".pm-rows tbody tr").count() == 39
