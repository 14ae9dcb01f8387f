"""Messages to a webhook, to a server of the test on this computer."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import reclens as rl
from reclens.protocols import Notifier, adapter

SECRET_PATH = "T0K3N/abc-secret"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers, body))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args):
        del args


@pytest.fixture
def receiver(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ALERTS_URL", f"http://127.0.0.1:{server.server_port}/{SECRET_PATH}?q=1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_message_is_posted_whole_and_signed(receiver, monkeypatch):
    monkeypatch.setenv("RECLENS_WEBHOOK_SECRET", "k3y")
    notifier = adapter("webhook:ALERTS_URL", Notifier)
    about = {"key": "a1", "link": "http://x/y", "message_id": "m1", "facts": {"Usual": "4 % to 6 %"}}
    notifier.send("CTR fell", "é\n2", severity="warning", **about)
    notifier.send("again", "", message_id="m1")
    notifier.send("other", "", message_id="m2")
    (path, headers, body), second, third = receiver.requests
    assert path == f"/{SECRET_PATH}?q=1" and headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(body) == {
        "title": "CTR fell",
        "text": "é\n2",
        "severity": "warning",
        **about,
    }
    assert headers["X-RecLens-Signature"] == "sha256=" + hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    assert headers["Idempotency-Key"] == second[1]["Idempotency-Key"] != third[1]["Idempotency-Key"]


def test_a_busy_receiver_is_asked_again(receiver):
    receiver.answers = [503, 429]
    adapter("webhook:ALERTS_URL", Notifier).send("one", "")
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(400, "refused", 1), (401, "wrong_key", 1), (404, "refused", 1), (302, "refused", 1), (503, "down", 3)],
)
def test_what_is_not_accepted_is_said_without_the_secret_address(receiver, status, code, requests):
    receiver.answers = [status] * 5
    notifier = adapter("webhook:ALERTS_URL", Notifier)
    with pytest.raises(rl.errors.StoreError) as caught:
        notifier.send("one", "")
    assert caught.value.code == code
    assert len(receiver.requests) == requests and all(path != "/elsewhere" for path, _, _ in receiver.requests)
    said = str(caught.value) + repr(notifier)
    assert "127.0.0.1" in said and "T0K3N" not in said and "abc-secret" not in said


def test_a_receiver_that_is_not_there_is_down(receiver):
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(rl.errors.StoreError) as caught:
        adapter("webhook:ALERTS_URL", Notifier).send("one", "")
    assert caught.value.code == "down" and "T0K3N" not in str(caught.value)


def test_an_address_that_cannot_be_is_refused(monkeypatch):
    with pytest.raises(rl.errors.UsageError, match="no variable 'NOWHERE'"):
        adapter("webhook:NOWHERE", Notifier)
    monkeypatch.setenv("ALERTS_URL", "ftp://user:pw@host/x")
    with pytest.raises(rl.errors.UsageError, match="none of http") as caught:
        adapter("webhook:ALERTS_URL", Notifier)
    assert "pw" not in str(caught.value)
