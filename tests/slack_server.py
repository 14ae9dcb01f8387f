"""A server that plays Slack, and blocks held against the limits of Slack."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import slackblocks

SECRET = "T0AAAA/B0BBBB/c0ffee"


class Handler(BaseHTTPRequestHandler):
    """Answers what the server was told to: a status, ``break`` or ``cut`` (the connection ends) or ``slow``."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        server.requests.append((self.path, json.loads(body)))
        answer = server.answers.pop(0) if server.answers else (200, "ok")
        if answer in ("break", "cut"):  # before the answer, and within it
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le" if answer == "cut" else b"")
            self.close_connection = True
            return
        if answer == "slow":
            server.wait.wait(5)
            return
        status, said = answer
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *args: Any, **more: Any) -> None:
        del args, more


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server whose address stands in the environment; it keeps requests, and how long was slept between them."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.answers, server.slept, server.wait = [], [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("RECLENS_SLACK_WEBHOOK", f"http://127.0.0.1:{server.server_port}/services/{SECRET}")
    monkeypatch.setattr("time.sleep", server.slept.append)
    yield server
    server.wait.set()
    server.shutdown()
    server.server_close()
    thread.join()


def rebuilt(blocks: list[dict[str, Any]]) -> slackblocks.Message:
    """The blocks, made anew by a library that raises where Slack would refuse one."""
    plain = slackblocks.PlainText
    found: list[Any] = []
    for block in blocks:
        match block:
            case {"type": "header", "text": text}:
                found.append(slackblocks.HeaderBlock(plain(text["text"])))
            case {"type": "section", "text": {"type": "plain_text", "text": text}}:
                found.append(slackblocks.SectionBlock(plain(text)))
            case {"type": "section", "text": {"type": "mrkdwn", "text": text}}:
                found.append(slackblocks.SectionBlock(slackblocks.Text(text)))
            case {"type": "table", "rows": rows}:
                found.append(
                    slackblocks.TableBlock([[slackblocks.RawText(cell["text"]) for cell in row] for row in rows])
                )
            case _:
                raise AssertionError(f"unknown block {block}")
    return slackblocks.Message("C1", "text", blocks=found)
