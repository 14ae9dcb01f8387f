"""Exercise 5.1: a page that answers by links, asked as a server asks it, with other data; and in a browser."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from reclens.cards import Fact
from reclens.learn.browser import opened_in_browser
from reclens.learn.child import call_functions
from reclens.learn.code_rules import forbidden
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.page_reading import Page, read_page

__all__ = ["OwnDashboard"]

_SEGMENTS: Final = ("new", "light", "regular", "heavy", '<script>alert("1")</script>', "\" onmouseover='alert(1)' x=\"")
_SURFACES: Final = ("home", "search", "item")
_METRICS: Final = ("impressions", "clicks", "ctr")
_DAYS: Final = 14
_QUESTIONS: Final = 5
_SECONDS: Final = 5.0
_EXACT: Final = 1e-6
_NOBODY: Final = "no_such_segment"

Row = list[Any]
"""Day, segment, surface, impressions and clicks."""
Question = tuple[str, str, str]
"""Metric, segment and surface."""


class OwnDashboard(Exercise):
    """The links are opened on the learner's data and on others, and with another choice put into them."""

    code = "5.1"
    name = "deploy_and_answer"
    files = ("app.py", "links.toml")
    minutes = 120

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The questions."""
        asked = [
            f"{number}. `{metric}` of segment `{segment}` on surface `{surface}`"
            for number, (metric, segment, surface) in enumerate(_questions(draw), 1)
        ]
        return {"questions": "\n".join(asked), "days": _DAYS, "seconds": round(_SECONDS)}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The rows, and a program that serves the page on this machine alone."""
        (folder / "rows.json").write_text(json.dumps(_rows(draw)), encoding="utf-8")
        (folder / "serve.py").write_text(_SERVE, encoding="utf-8")

    def templates(self, draw: Draw) -> dict[str, str]:
        """A page without an answer, and links without a choice."""
        return {"app.py": toml_header(draw) + _TEMPLATE, "links.toml": _links(draw, ["/"] * _QUESTIONS)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Ask the page for each link: on two sets of data, with another choice, and for a segment that is not there."""
        given = tomllib.loads(answer["links.toml"]).get("links")
        if not isinstance(given, list) or len(given) != _QUESTIONS or not all(_is_link(each) for each in given):
            yield Remark("no_links", {"expected": _QUESTIONS})
            return
        found = list(forbidden("app.py", answer["app.py"]))
        yield from found
        if found:
            return
        asked = list(_asked(draw, given))
        rows = [_rows(draw), _rows(draw.hidden(1)[0])]
        calls = [("_opened", [rows[at], [link for which, _, link in asked if which == at]]) for at in (0, 1)]
        results = call_functions("app.py", answer["app.py"] + _DRIVER, calls, as_json=True)
        if isinstance(results, Remark):
            yield results
            return
        for at, result in enumerate(results):
            if result.failed:
                yield Remark("page_failed", {"error": result.failed})
                return
            mine = [(question, link) for which, question, link in asked if which == at]
            remarks = list(_judged(mine, result.value, rows[at]))
            yield from remarks[:4]
            if remarks:
                return
        yield from _shown([(link, str(page[2])) for link, page in _own(asked, results[0].value)])

    def solve(self, draw: Draw, folder: Path) -> None:
        """A form, a number, and every choice in the address."""
        _write(draw, folder, _SOLUTION)


def _is_link(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable():  # a tab would vanish in an address
        return False
    return value.startswith("/") and not value.startswith("//") and len(value) < 2000


def _asked(draw: Draw, links: Sequence[str]) -> Iterator[tuple[int, Question | None, str]]:
    """Which data, the question (None for a segment that is not there), and the link."""
    for question, link in zip(_questions(draw), links, strict=True):
        metric, segment, surface = question
        others = [(metric, each, surface) for each in _SEGMENTS if each != segment]
        others += [(metric, segment, each) for each in _SURFACES if each != surface]
        for which in (0, 1):
            yield which, question, link
            for other in others[which::2]:
                yield which, other, _with_other(link, {segment: other[1], surface: other[2]})
        yield 0, None, _with_other(link, {segment: _NOBODY})


def _with_other(link: str, changes: Mapping[str, str]) -> str:
    """A link with other values in its query."""
    parts = urlsplit(link)
    query = [(name, changes.get(value, value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    return f"{parts.path}?{urlencode(query)}"


def _judged(asked: Sequence[tuple[Question | None, str]], opened: Any, rows: Sequence[Row]) -> Iterator[Remark]:
    for (question, link), (status, kind, body, seconds) in zip(asked, opened, strict=True):
        if seconds > _SECONDS:
            yield Remark("page_slow", {"link": link, "seconds": round(seconds, 1), "most": round(_SECONDS)})
        if question is None:
            if not str(status).startswith("4"):
                yield Remark("unknown_choice", {"link": link, "seen": str(status)[:40]})
            continue
        if not str(status).startswith("200") or not str(kind).startswith("text/html"):
            yield Remark("page_not_there", {"link": link, "seen": f"{status} {kind}"[:60]})
            continue
        page = read_page(str(body))
        yield from _page(page, link)
        value = _number(page.values.get("answer", ""))
        if value is None or not abs(value - _value(rows, question)) <= _EXACT:
            metric, segment, surface = question
            facts: dict[str, Fact] = {"metric": metric, "segment": segment, "surface": surface}
            yield Remark("wrong_answer_of_link", {"link": link, "seen": page.values.get("answer", ""), **facts})


def _own(asked: Sequence[tuple[int, Question | None, str]], opened: Any) -> Iterator[tuple[str, Any]]:
    """The links of the questions with what they gave on the learner's data."""
    links = [(question, link) for which, question, link in asked if which == 0]
    given: set[str] = set()
    for (question, link), page in zip(links, opened, strict=True):
        if question is not None and link not in given:
            given.add(link)
            yield link, page


def _shown(pages: Sequence[tuple[str, str]]) -> Iterator[Remark]:
    """Open the pages in a browser, where there is one."""
    own = pages[:_QUESTIONS]
    for each in opened_in_browser([body for _, body in own]) or ():
        link = own[each.page][0]
        if each.ran:
            yield Remark("page_ran_in_browser", {"link": link})
        elif each.failed:
            yield Remark("page_fails_in_browser", {"link": link, "error": each.failed[0]})
        elif each.wide > each.width:
            yield Remark("page_too_wide", {"link": link, "width": each.width, "seen": each.wide})
        elif not each.answer:
            yield Remark("answer_not_seen", {"link": link, "width": each.width})
        else:
            continue
        return


def _page(page: Page, link: str) -> Iterator[Remark]:
    for each in dict.fromkeys(page.loads):
        yield Remark("page_runs", {"link": link, "seen": each})
    if not page.language or not page.title:
        yield Remark("page_without_title", {"link": link})
    if "width=device-width" not in page.metas.get("viewport", "").replace(" ", ""):
        yield Remark("no_viewport", {"link": link})
    hidden = [each for each in _SEGMENTS if each not in page.text]
    if hidden:
        yield Remark("segments_not_offered", {"link": link, "segments": hidden})


def _value(rows: Sequence[Row], question: Question) -> float:
    """A number by its definition: a ratio is one of sums."""
    metric, segment, surface = question
    mine = [each for each in rows if each[1] == segment and each[2] == surface]
    impressions, clicks = sum(each[3] for each in mine), sum(each[4] for each in mine)
    return {"impressions": impressions, "clicks": clicks, "ctr": clicks / impressions}[metric]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _questions(draw: Draw) -> list[Question]:
    """Five questions of the learner: all metrics, and one segment whose name is an attack."""
    rng = draw.rng("questions")
    plain = rng.permutation(_SEGMENTS[:4]).tolist()
    segments = [*plain, str(rng.choice(_SEGMENTS[4:]))]
    metrics = [*rng.permutation(_METRICS).tolist(), "ctr", "ctr"]
    surfaces = [str(rng.choice(_SURFACES)) for _ in segments]
    return list(zip(metrics, segments, surfaces, strict=True))


@lru_cache(maxsize=16)
def _rows(draw: Draw) -> list[Row]:
    rng = draw.rng("rows")
    rows: list[Row] = []
    for day in range(1, _DAYS + 1):
        for segment in _SEGMENTS:
            for surface in _SURFACES:
                impressions = int(rng.integers(200, 4000))
                clicks = int(rng.binomial(impressions, rng.uniform(0.01, 0.15)))
                rows.append([f"2026-05-{day:02}", segment, surface, impressions, clicks])
    return [rows[at] for at in rng.permutation(len(rows)).tolist()]


def _links(draw: Draw, links: Sequence[str]) -> str:
    listed = "".join(f"  {json.dumps(each)},\n" for each in links)
    return f"{toml_header(draw)}links = [  # of question 1 to {_QUESTIONS}\n{listed}]\n"


_TEMPLATE: Final = '''

def application(environ, start_response):
    """The page: environ["QUERY_STRING"] has the choices, environ["shop.rows"] the data."""
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [b"<!doctype html>"]
'''
_SERVE: Final = '''"""Serves app.py to this machine alone, until you press Ctrl-C: python serve.py"""

import json
from pathlib import Path
from wsgiref.simple_server import make_server

from app import application

rows = json.loads(Path("rows.json").read_text())
print("http://127.0.0.1:8765/")
server = make_server("127.0.0.1", 8765, lambda environ, start: application({**environ, "shop.rows": rows}, start))
server.serve_forever()
'''
_DRIVER: Final = """

def _opened(rows, links):
    import json
    import time

    opened = []
    for link in links:
        path, _, query = link.partition("?")
        said = []
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8765",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "shop.rows": json.loads(json.dumps(rows)),
        }
        start = time.perf_counter()
        parts = list(application(environ, lambda status, headers, *more: said.append((status, dict(headers)))))
        seconds = time.perf_counter() - start
        status, headers = said[-1]
        kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        opened.append([status, kind, b"".join(parts).decode("utf-8"), seconds])
    return opened
"""
_SOLUTION: Final = '''
from html import escape
from urllib.parse import parse_qs

METRICS = ("impressions", "clicks", "ctr")


def options(name, values, chosen):
    listed = (
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(value)}</option>'
        for value in values
    )
    return f'<label>{name} <select name="{name}">{"".join(listed)}</select></label>'


def number(rows, metric):
    impressions, clicks = sum(row[3] for row in rows), sum(row[4] for row in rows)
    return {"impressions": impressions, "clicks": clicks, "ctr": clicks / impressions}[metric]


def application(environ, start_response):
    rows = environ["shop.rows"]
    choices = {
        "metric": METRICS,
        "segment": sorted({row[1] for row in rows}),
        "surface": sorted({row[2] for row in rows}),
    }
    query = parse_qs(environ["QUERY_STRING"])
    chosen = {name: query.get(name, [values[0]])[0] for name, values in choices.items()}
    html = [("Content-Type", "text/html; charset=utf-8")]
    unknown = [name for name, value in chosen.items() if value not in choices[name]]
    if unknown:
        start_response("404 Not Found", html)
        return [f"<!doctype html><title>Not found</title><p>There is no such {unknown[0]}.".encode()]
    mine = [row for row in rows if row[1] == chosen["segment"] and row[2] == chosen["surface"]]
    value = number(mine, chosen["metric"])
    form = "".join(options(name, values, chosen[name]) for name, values in choices.items())
    start_response("200 OK", html)
    return [
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clicks of the shop</title><style>label {{ display: block }}</style></head>
<body><h1>Clicks of the shop</h1><form>{form}<button>Show</button></form>
<p>{escape(chosen["metric"])} of {escape(chosen["segment"])} on {escape(chosen["surface"])}:
<output id="answer" data-value="{value!r}">{value:.6g}</output></p></body></html>""".encode()
    ]
'''


def _write(draw: Draw, folder: Path, source: str, changes: Mapping[str, str] | None = None) -> None:
    chosen = [dict(zip(("metric", "segment", "surface"), each, strict=True)) for each in _questions(draw)]
    links = [f"/?{urlencode(each | dict(changes or {}))}" for each in chosen]
    (folder / "app.py").write_text(toml_header(draw) + source, encoding="utf-8")
    (folder / "links.toml").write_text(_links(draw, links), encoding="utf-8")


def _coded(old: str, new: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: one thing of the page is otherwise."""
    assert old in _SOLUTION
    return lambda draw, folder: _write(draw, folder, _SOLUTION.replace(old, new))


def _fixed(draw: Draw, folder: Path) -> None:
    """The numbers of the learner's data, written down."""
    answers = {
        segment: _value(_rows(draw), (metric, segment, surface)) for metric, segment, surface in _questions(draw)
    }
    old = '    value = number(mine, chosen["metric"])\n'
    _write(draw, folder, _SOLUTION.replace(old, f'    value = {answers!r}.get(chosen["segment"], 0.0)\n'))


OwnDashboard.wrong = {
    "numbers written down": _fixed,
    "escapes nothing": _coded("from html import escape", "escape = str"),
    "no number": _coded('data-value="{value!r}"', 'data-value="nan"'),
    "mean of daily ratios": _coded(
        '"ctr": clicks / impressions}', '"ctr": sum(row[4] / row[3] for row in rows) / len(rows)}'
    ),
    "ignores the surface": _coded(' and row[2] == chosen["surface"]', ""),
    "another link": lambda draw, folder: _write(draw, folder, _SOLUTION, {"metric": "impressions"}),
    "fails at what is not there": _coded("    if unknown:\n", "    if not chosen:\n"),
    "not for a phone": _coded('<meta name="viewport" content="width=device-width, initial-scale=1">', ""),
}
