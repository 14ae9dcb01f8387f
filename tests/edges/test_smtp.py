"""Messages by e-mail, to a mail server of the test on this computer."""

from __future__ import annotations

import base64
import email
import socketserver
import threading
from email import policy

import pytest

import reclens as rl
from reclens.protocols import Notifier, adapter

PASSWORD = "p4ss-w0rd-secret"


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that speaks as much of RFC 5321 and 4954 as a client needs; ``answers`` says how it refuses."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.mails, self.recipients, self.logins = [], [], []
        self.answers: dict[str, list[str]] = {}
        self.account: bytes | None = None


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 test")
        to = []
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            refusals = self.server.answers.get(verb, [])
            if refusals:
                self.say(refusals.pop(0))
            elif verb == "EHLO":
                self.say("250-test")
                self.say("250 AUTH PLAIN")
            elif verb == "AUTH":
                given = base64.b64decode(line.split()[2])
                self.server.logins.append(given)
                self.say("235 ok" if given == self.server.account else f"535 wrong: {given!r}")
            elif verb == "RCPT":
                to.append(line.partition(":")[2].strip("<>"))
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part.removeprefix(b".") if part.startswith(b"..") else part
                self.server.mails.append(email.message_from_bytes(body, policy=policy.default))
                self.server.recipients.append(to)
                to = []
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


@pytest.fixture
def mailbox(monkeypatch):
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("RECLENS_SMTP_TLS", "none")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield server
        server.shutdown()
        thread.join()


def notifier(mailbox, to="ann@example.org,bob@example.org"):
    return adapter(f"smtp:127.0.0.1:{mailbox.server_address[1]}/{to}", Notifier)


def test_a_message_reaches_every_address_whole(mailbox, monkeypatch):
    monkeypatch.setenv("RECLENS_SMTP_FROM", "monitor@example.org")
    text = "CTR is 4.1 %\n.a line that begins with a dot\n<script>é"
    notifier(mailbox).send("CTR fell\r\nBcc: eve@example.org", text, severity="critical", key="a1", message_id="m1")
    notifier(mailbox).send("again", "", key="a1", link="http://x/y", message_id="m1", facts={"Usual": "4 %", "a": "b"})
    first, second = mailbox.mails
    assert mailbox.recipients[0] == ["ann@example.org", "bob@example.org"]
    assert first["Subject"] == "CTR fell Bcc: eve@example.org" and first["Bcc"] is None
    assert first["From"] == "monitor@example.org" and first["X-Priority"] == "1"
    assert first.get_content().replace("\r\n", "\n").rstrip() == text
    # The same identity again, and one thread.
    assert first["Message-ID"] == second["Message-ID"] and first["References"] == second["References"]
    assert second.get_content().replace("\r\n", "\n") == "Usual: 4 %\na: b\n\nhttp://x/y\n"
    assert first["Message-ID"] != first["References"]


def test_the_account_is_used_and_the_password_is_in_no_error(mailbox, monkeypatch):
    monkeypatch.setenv("RECLENS_SMTP_USER", "monitor@example.org")
    monkeypatch.setenv("RECLENS_SMTP_PASSWORD", PASSWORD)
    mailbox.account = f"\0monitor@example.org\0{PASSWORD}".encode()
    notifier(mailbox).send("one", "")
    assert mailbox.logins == [mailbox.account] and mailbox.mails[0]["From"] == "monitor@example.org"
    mailbox.account = b"changed"
    with pytest.raises(rl.errors.StoreError) as caught:
        notifier(mailbox).send("two", "")
    assert caught.value.code == "wrong_key" and len(mailbox.mails) == 1
    assert PASSWORD not in str(caught.value) and PASSWORD not in repr(notifier(mailbox))
    assert caught.value.__cause__ is None


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(mailbox):
    mailbox.answers = {"MAIL": ["451 later"]}
    notifier(mailbox).send("one", "")
    assert len(mailbox.mails) == 1
    for verb, said, code in (
        ("RCPT", "550 no such user", "refused"),
        ("MAIL", "550 not you", "refused"),
        ("RCPT", "450 box is full", "down"),
    ):
        mailbox.answers = {verb: [said] * (2 if code == "refused" else 9)}
        with pytest.raises(rl.errors.StoreError) as caught:
            notifier(mailbox).send("two", "")
        assert caught.value.code == code, said
        assert "127.0.0.1" in str(caught.value)
    assert len(mailbox.mails) == 1


def test_a_server_that_is_not_there_is_down(mailbox):
    mailbox.answers = {"EHLO": ["421 closing"] * 9, "HELO": ["421 closing"] * 9}
    with pytest.raises(rl.errors.StoreError) as caught:
        notifier(mailbox).send("one", "")
    assert caught.value.code == "down"
    port = mailbox.server_address[1]
    mailbox.shutdown()
    mailbox.server_close()
    with pytest.raises(rl.errors.StoreError, match=f"127.0.0.1:{port}") as caught:
        adapter(f"smtp:127.0.0.1:{port}/ann@example.org", Notifier).send("one", "")
    assert caught.value.code == "down"


@pytest.mark.parametrize("rest", ["", "localhost", "localhost/nobody", "localhost:x/ann@example.org"])
def test_an_address_that_cannot_be_is_refused(rest, monkeypatch):
    with pytest.raises(rl.errors.UsageError, match="smtp:HOST:PORT/TO"):
        adapter(f"smtp:{rest}", Notifier)
    monkeypatch.setenv("RECLENS_SMTP_TLS", "maybe")
    with pytest.raises(rl.errors.UsageError, match="expected starttls, ssl or none"):
        adapter("smtp:localhost/ann@example.org", Notifier)
