"""Exercise 4.2: an audit as data and as a page, both recomputed from the lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.bias_page import Row, bias_page
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import fingerprint
from reclens.learn.page_reading import Figure, Page, read_page
from reclens.learn.shop import PLACES, Shop, gumbel, ndcg, top_items

__all__ = ["BiasReport"]

_SEGMENTS: Final = ("commuters", "families", "newcomers", "seniors", "students", "weekenders")
_SIZES: Final = (430, 420, 120, 120, 24, 14)
_MEASURES: Final = ("ndcg", "genres")
_FEWEST: Final = 30
"""Users of a segment about which something may be concluded."""
_LEVEL: Final = 0.05
_CLEAR: Final = (0.01, 0.1)
"""Adjusted p-values between these are not drawn, so that no verdict hangs on a decimal place."""
_EXACT: Final = 1e-4
_SHOWN: Final = 6e-4
"""How far a number on the page may lie from the same in the data: three decimals are enough."""
_ROOM: Final = 0.1
"""How far an end of an interval may lie from Welch's, as a share of its width."""
_LARGEST: Final = 1e9
"""No number of an audit is as large."""
_KEYS: Final = ("n", "n_others", "estimate", "low", "high", "p_adjusted", "verdict")
_CLAIM_WORDS: Final = re.compile(
    r"\b(worse|better|unfair\w*|biased|discriminat\w*|disadvantage\w*|significant\w*|under-served|favou?red)\b", re.I
)
_NUMBER: Final = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?")
_FREE: Final = frozenset({*range(13), 30, 95, 0.05})
"""Numbers of the method, which a text may hold."""


class BiasReport(Exercise):
    """Every number of the data is recomputed, and every number and claim of the page is looked up in them."""

    code = "4.2"
    name = "a_report_a_director_can_sign"
    files = ("audit.json", "report.html")
    minutes = 120

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The fewest users, and who the learner is."""
        return {"fewest": _FEWEST, "learner": fingerprint(draw.seed), "places": PLACES}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Users, lists and truth."""
        shop, lists, segments = _world(draw)[:3]
        ranks = np.broadcast_to(np.arange(1, PLACES + 1), lists.shape)
        users = shop.users.select("user_id").with_columns(pl.Series("segment", segments.tolist()))
        users.write_parquet(folder / "users.parquet")
        shop.items.select("item_id", "genre").write_parquet(folder / "items.parquet")
        shop.pairs(lists, rank=ranks).write_parquet(folder / "lists.parquet")
        shop.pairs(shop.truth).write_parquet(folder / "truth.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """No finding, and the frame of a page."""
        return {"audit.json": '{"findings": []}\n', "report.html": bias_page(draw, [], [], fewest=_FEWEST)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Hold the data against the lists, and the page against the data."""
        right = _world(draw)[3]
        try:
            given: Any = json.loads(answer["audit.json"])
        except (ValueError, RecursionError) as error:
            yield Remark("no_json", {"file": "audit.json", "error": str(error)})
            return
        found = list(_data(given, right))
        yield from found
        if not found:
            own = [Row(**{key: each[key] for key in ("measure", "segment", *_KEYS)}) for each in given["findings"]]
            yield from _read(read_page(answer["report.html"]), own)

    def solve(self, draw: Draw, folder: Path) -> None:
        """Welch's intervals, Holm's correction, and a page made from them."""
        _write(draw, folder, _world(draw)[3])


def _data(given: Any, right: Sequence[Row]) -> Iterator[Remark]:
    findings = given.get("findings") if isinstance(given, dict) else None
    held = findings if isinstance(findings, list) else []
    rows = {(str(each.get("measure")), str(each.get("segment"))): each for each in held if isinstance(each, dict)}
    if len(rows) != len(right) or len(held) != len(right):
        yield Remark("no_comparisons", {"expected": len(right), "seen": len(rows)})
        return
    for each in right:
        row = rows.get((each.measure, each.segment))
        if row is None:
            yield Remark("comparison_missing", {"measure": each.measure, "segment": each.segment})
            continue
        wrong = [key for key in _KEYS if not _fits(key, row.get(key), each)]
        if wrong:
            yield Remark("comparison_differs", {"measure": each.measure, "segment": each.segment, "keys": wrong})


def _fits(key: str, value: Any, row: Row) -> bool:
    expected = getattr(row, key)
    if key == "verdict" or expected is None:
        return value == expected
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return False
    if key == "p_adjusted":
        # A normal approximation or a bootstrap is as good: what has to agree is the order of magnitude.
        return 0 <= value <= 1 and (abs(value - expected) <= 0.03 and (value < _LEVEL) is (expected < _LEVEL))
    room = _ROOM * (row.high - row.low) if key in {"low", "high"} else _EXACT
    return abs(value - expected) <= room


def _read(page: Page, findings: Sequence[Row]) -> Iterator[Remark]:
    if not page.language or not page.title:
        yield Remark("no_language_or_title")
    for each in dict.fromkeys(page.loads):
        yield Remark("page_loads", {"seen": each})
    for measure in _MEASURES:
        rows = [each for each in findings if each.measure == measure]
        figures = [each for each in page.figures if each.measure == measure]
        yield from _figure(figures[0], rows) if figures else [Remark("no_figure", {"measure": measure})]
        yield from _table(page.tables.get(measure, []), rows)
    yield from _claims(page, findings)


def _figure(figure: Figure, rows: Sequence[Row]) -> Iterator[Remark]:
    measure = figure.measure
    if len(figure.label) < 20:
        yield Remark("no_alternative_text", {"measure": measure})
    try:
        held: Any = json.loads(figure.data)
        shown = {each["segment"]: [float(each[key]) for key in ("estimate", "low", "high")] for each in held}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        yield Remark("no_chart_data", {"measure": measure})
        return
    expected = {each.segment: [each.estimate, each.low, each.high] for each in rows}
    wrong = [
        name
        for name, values in expected.items()
        if name not in shown or not all(abs(a - b) <= _SHOWN for a, b in zip(values, shown[name], strict=True))
    ]
    if wrong or len(shown) != len(rows):
        yield Remark("chart_data_differ", {"measure": measure, "segments": wrong or sorted(map(str, shown))})
    if not _drawn_to_scale(figure, rows):
        yield Remark("marks_do_not_fit", {"measure": measure})


def _drawn_to_scale(figure: Figure, rows: Sequence[Row]) -> bool:
    """Whether some attribute of the marks is a straight line of the estimates."""
    estimates = np.array([each.estimate for each in rows])
    marks = [figure.marks.get(each.segment, {}) for each in rows]
    for name in set.intersection(*(set(each) for each in marks)):
        places = np.array([each[name] for each in marks])
        slope, middle = np.polyfit(estimates, places, 1)
        drawn = slope * (estimates.max() - estimates.min())
        if abs(drawn) > 10 and np.abs(places - slope * estimates - middle).max() < 0.02 * abs(drawn):
            return True
    return False


def _table(cells: Sequence[Sequence[str]], rows: Sequence[Row]) -> Iterator[Remark]:
    held = {line[0]: line[1:] for line in cells if line}
    for each in rows:
        line = held.get(each.segment, [])
        expected = [each.n, each.estimate, each.low, each.high, each.p_adjusted]
        rooms = [0, _SHOWN, _SHOWN, _SHOWN, 2 * _SHOWN]  # "< 0.001" is near enough
        values = [_parsed(text) for text in line[:5]]
        fits = len(line) == 6 and line[5] == each.verdict
        for value, right, room in zip(values, expected, rooms, strict=False):
            fits = fits and (value is None if right is None else value is not None and abs(value - right) <= room)
        if not fits:
            yield Remark("table_differs", {"measure": each.measure, "segment": each.segment})


def _claims(page: Page, findings: Sequence[Row]) -> Iterator[Remark]:
    rows = {(each.measure, each.segment): each for each in findings}
    carried = {key for key, each in rows.items() if each.verdict in {"worse", "better"}}
    said = {(each.measure, each.segment) for each in page.claims}
    for measure, segment in sorted(said - carried):
        yield Remark("claim_not_carried", {"measure": measure, "segment": segment})
    for measure, segment in sorted(carried - said):
        yield Remark("finding_hidden", {"measure": measure, "segment": segment})
    for each in page.claims:
        row = rows.get((each.measure, each.segment))
        other = "" if row is None else {"worse": "better", "better": "worse"}.get(row.verdict, "")
        if row is not None and other and re.search(rf"\b{other}\b", each.text, re.IGNORECASE):
            about: dict[str, Fact] = {"measure": row.measure, "segment": row.segment, "word": other}
            yield Remark("claim_reversed", {**about, "verdict": row.verdict})
        numbers = [value for _, value, _ in _numbers(each.text)]
        ends = () if row is None else (row.estimate, row.low, row.high)
        if any(all(abs(abs(number) - abs(end)) > _SHOWN for number in numbers) for end in ends):
            yield Remark("claim_without_interval", {"measure": each.measure, "segment": each.segment})
    loose = sorted({found.group().lower() for found in _CLAIM_WORDS.finditer(page.text)})
    if loose:
        yield Remark("claim_without_finding", {"words": loose})
    small = [each.segment for each in findings if each.verdict == "inconclusive"]
    unsaid = sorted({segment for segment in small if segment not in page.text})
    if unsaid:
        yield Remark("small_not_named", {"segments": unsaid})
    yield from _without_source([page.text, *(each.text for each in page.claims)], findings)


def _without_source(texts: Sequence[str], rows: Sequence[Row]) -> Iterator[Remark]:
    known = [abs(float(value)) for row in rows for key in _KEYS[:-1] if (value := getattr(row, key)) is not None]
    known += [float(sum(_SIZES))]
    for text in texts:
        strange = [
            word
            for word, value, room in _numbers(text)
            if abs(value) not in _FREE and min(abs(abs(value) - each) for each in known) > room
        ]
        if strange:
            yield Remark("number_not_in_audit", {"numbers": strange})


def _numbers(text: str) -> list[tuple[str, float, float]]:
    """The numbers of a text: as written, value, and half a unit of the last place, somewhat widened."""
    found: list[tuple[str, float, float]] = []
    for each in _NUMBER.finditer(text):
        word = each.group()
        plain = word.replace("−", "-").replace(",", "")
        digits = len(plain.partition(".")[2])
        found.append((word, float(plain), 0.6 * 10.0**-digits))
    return found


def _parsed(text: str) -> float | None:
    found = _numbers(text)
    return found[0][1] if len(found) == 1 else None


@lru_cache(maxsize=8)
def _world(draw: Draw) -> tuple[Shop, np.ndarray, np.ndarray, tuple[Row, ...]]:
    """Lists that serve one segment worse and show another fewer genres, with verdicts that are clear."""
    rng = draw.rng("world")
    while True:
        names = rng.permutation(_SEGMENTS)
        segments = rng.permutation(np.repeat(names, _SIZES))
        shop = Shop.drawn(rng, users=sum(_SIZES), items=120)
        utility = shop.utility.copy()
        utility[segments == names[3]] *= 0.4
        narrow = segments == names[2]
        held = shop.affinity[narrow]
        utility[narrow] += 1.0 * (held >= held.max(1, keepdims=True) - 1e-6)
        lists = top_items(utility + gumbel(rng, utility), PLACES)
        rows = _rows(shop, lists, segments)
        tested = [each for each in rows if each.p_adjusted is not None]
        clear = all(not _CLEAR[0] < (each.p_adjusted or 0) < _CLEAR[1] for each in tested)
        planted = {(each.measure, each.segment) for each in tested if each.verdict == "worse"}
        if clear and {("ndcg", names[3]), ("genres", names[2])} <= planted:
            return shop, lists, segments, rows


def _rows(shop: Shop, lists: np.ndarray, segments: np.ndarray) -> tuple[Row, ...]:
    """Welch's interval and p-value of each comparison; Holm's correction over those of large segments."""
    from scipy import stats

    genre = shop.of_item("genre")[lists]
    values = {"ndcg": ndcg(lists, shop.truth), "genres": np.array([len(set(row)) for row in genre.tolist()], float)}
    rows: list[Row] = []
    for measure in _MEASURES:
        for segment in _SEGMENTS:
            mine, others = values[measure][segments == segment], values[measure][segments != segment]
            test: Any = stats.ttest_ind(mine, others, equal_var=False)
            interval = test.confidence_interval(0.95)
            rows.append(
                Row(
                    measure=measure,
                    segment=segment,
                    n=len(mine),
                    n_others=len(others),
                    estimate=float(mine.mean() - others.mean()),
                    low=float(interval.low),
                    high=float(interval.high),
                    p_adjusted=float(test.pvalue) if len(mine) >= _FEWEST else None,
                    verdict="inconclusive",
                )
            )
    return _holm(rows)


def _holm(rows: Sequence[Row]) -> tuple[Row, ...]:
    tested = sorted((each.p_adjusted, at) for at, each in enumerate(rows) if each.p_adjusted is not None)
    done, largest = list(rows), 0.0
    for place, (p, at) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - place) * p))
        shown = "no_gap_shown" if largest >= _LEVEL else "worse" if rows[at].estimate < 0 else "better"
        done[at] = replace(rows[at], p_adjusted=largest, verdict=shown)
    return tuple(done)


def _write(draw: Draw, folder: Path, rows: Sequence[Row], drawn: Sequence[Row] | None = None) -> None:
    held = [{key: getattr(each, key) for key in ("measure", "segment", *_KEYS)} for each in rows]
    (folder / "audit.json").write_text(json.dumps({"findings": held}, indent=1), encoding="utf-8")
    page = bias_page(draw, rows, rows if drawn is None else drawn, fewest=_FEWEST)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _other_rows(change: Callable[[Row], Row]) -> Callable[[Draw, Path], None]:
    """A wrong answer: the audit says something else, and the page says the same."""
    return lambda draw, folder: _write(draw, folder, [change(each) for each in _world(draw)[3]])


def _otherbias_page(change: Callable[[str, Draw], str]) -> Callable[[Draw, Path], None]:
    """A wrong answer: the audit is right, and the page is not."""

    def write(draw: Draw, folder: Path) -> None:
        _write(draw, folder, _world(draw)[3])
        path = folder / "report.html"
        path.write_text(change(path.read_text(encoding="utf-8"), draw), encoding="utf-8")

    return write


def _concluded(row: Row) -> Row:
    small = row.verdict == "inconclusive"
    return replace(row, verdict="worse" if row.estimate < 0 else "better", p_adjusted=0.01) if small else row


def _uncorrected(row: Row) -> Row:
    return replace(row, p_adjusted=row.p_adjusted and row.p_adjusted / 8)


def _copied(draw: Draw, folder: Path) -> None:
    """The report of another learner."""
    _write(draw, folder, _world(replace(draw, seed=draw.seed + 1))[3])


BiasReport.wrong = {
    "no correction": _other_rows(_uncorrected),
    "concludes from small groups": _other_rows(_concluded),
    "copied": _copied,
    "chart of other numbers": lambda draw, folder: _write(
        draw, folder, _world(draw)[3], [replace(each, estimate=each.estimate + 0.01) for each in _world(draw)[3]]
    ),
    "marks not to scale": _otherbias_page(lambda page, draw: re.sub(r'cx="[^"]*"', 'cx="200"', page)),
    "no alternative text": _otherbias_page(lambda page, draw: re.sub(r'aria-label="[^"]*"', "", page)),
    "loads a library": _otherbias_page(
        lambda page, draw: page.replace("</head>", '<script src="https://cdn.example/vega.js"></script></head>')
    ),
    "claims without a finding": _otherbias_page(
        lambda page, draw: page.replace("</h1>", "</h1>\n<p>The system is significantly biased.</p>")
    ),
    "says better of what is worse": _otherbias_page(lambda page, draw: page.replace(" worse off", " better off")),
    "hides a finding": _otherbias_page(lambda page, draw: re.sub(r'<p class="claim".*?</p>', "", page, count=1)),
    "invents a number": _otherbias_page(
        lambda page, draw: page.replace("</h1>", "</h1>\n<p>This costs 48,211 users a list that fits.</p>")
    ),
}
