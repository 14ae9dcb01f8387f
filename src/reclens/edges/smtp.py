"""Messages by e-mail: ``smtp:HOST/TO`` or ``smtp:HOST:PORT/TO,TO``.

The account is read from ``RECLENS_SMTP_USER`` and ``RECLENS_SMTP_PASSWORD``; without them there is no login.
``RECLENS_SMTP_FROM`` is the sender, by default the user. ``RECLENS_SMTP_TLS`` is ``starttls`` (the default, port 587),
``ssl`` (port 465) or ``none`` (port 25), for a server on the same computer.
"""

from __future__ import annotations

import hashlib
import os
import re
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final, Literal

from reclens.edges._services import Service, problem_of
from reclens.errors import StoreProblem, UsageError

__all__ = ["MailNotifier", "connect"]

_ADDRESS: Final = re.compile(r"(?P<host>\[[^\]]+\]|[^/:\s]+)(?::(?P<port>\d+))?/(?P<to>\S+@\S+)")
_PORTS: Final = {"starttls": 587, "ssl": 465, "none": 25}
_SECONDS: Final = 20.0
_BUSY: Final = range(400, 500)
_NO_ACCESS: Final = (530, 534, 535)


def connect(rest: str) -> MailNotifier:
    """The notifier of a list of addresses.

    Raises:
        UsageError: If the server or the addresses are missing, or an environment variable is invalid.
    """
    found = _ADDRESS.fullmatch(rest)
    if found is None:
        raise UsageError(f"'{rest}' is no server with addresses. Expected smtp:HOST:PORT/TO,TO.")
    mode = os.environ.get("RECLENS_SMTP_TLS", "starttls").lower()
    if mode not in _PORTS:
        raise UsageError(f"RECLENS_SMTP_TLS is '{mode}', expected starttls, ssl or none.")
    return MailNotifier(
        found["host"].strip("[]"),
        found["to"].split(","),
        port=int(found["port"] or _PORTS[mode]),
        tls=mode,
        user=os.environ.get("RECLENS_SMTP_USER", ""),
        password=os.environ.get("RECLENS_SMTP_PASSWORD", ""),
        sender=os.environ.get("RECLENS_SMTP_FROM", ""),
    )


class MailNotifier:
    """Sends plain text by SMTP.

    A message has an identity of its own (``Message-ID``), so that one that is sent again after a crash is seen to be
    the same; messages of one key are one thread.

    Args:
        host: The server.
        to: Recipients.
        port: Port of the server.
        tls: ``starttls``, ``ssl`` or ``none``.
        user: Account; empty for none.
        password: Its password.
        sender: Address of the sender; empty for the user, or ``reclens@`` the server.
        tries: Number of tries while the server is unavailable.
        pause: Seconds before the second try.
    """

    def __init__(
        self,
        host: str,
        to: list[str],
        *,
        port: int,
        tls: str = "starttls",
        user: str = "",
        password: str = "",
        sender: str = "",
        tries: int = 2,
        pause: float = 1.0,
    ) -> None:
        self._host, self._port, self._tls, self._to = host, port, tls, to
        self._user, self._password = user, password
        self._sender = sender or (user if "@" in user else f"reclens@{host}")
        self._service = Service("the mail server", f"{host}:{port}", [password], tries=tries, pause=pause)

    def __repr__(self) -> str:
        return f"MailNotifier({self._host}:{self._port})"

    def send(
        self,
        title: str,
        text: str,
        *,
        severity: Literal["info", "warning", "critical"] = "info",
        key: str | None = None,
        link: str | None = None,
        message_id: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message; it returns once the server has accepted it for every address.

        Raises:
            StoreError: If it has not; the message omits the password.
        """
        mail = EmailMessage()
        mail["Subject"] = " ".join(title.split())
        mail["From"], mail["To"] = self._sender, ", ".join(self._to)
        mail["Date"] = formatdate()
        mail["X-Priority"] = {"critical": "1", "warning": "2"}.get(severity, "3")
        mail["Message-ID"] = _named(message_id or f"{title}\n{text}")
        if key is not None:
            mail["References"] = _named(f"thread {key}")
        told = "\n".join(f"{label}: {value}" for label, value in (facts or {}).items())
        mail.set_content("\n\n".join(part for part in (text, told, link) if part) + "\n")
        self._service.ask("take the message", lambda: self._deliver(mail), problem=_problem)

    def _deliver(self, mail: EmailMessage) -> None:
        with self._open() as server:
            if self._tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
            refused = server.send_message(mail)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)

    def _open(self) -> smtplib.SMTP:
        if self._tls == "ssl":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=_SECONDS)


def _named(text: str) -> str:
    return f"<{hashlib.sha256(text.encode()).hexdigest()[:32]}@reclens>"


def _problem(error: BaseException) -> StoreProblem:
    """Classify a response of a mail server by its code."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = {code for code, _ in error.recipients.values()}
        return "down" if codes and all(code in _BUSY for code in codes) else "refused"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "down"
    code = getattr(error, "smtp_code", None)
    if code in _NO_ACCESS:
        return "wrong_key"
    if isinstance(code, int):
        return "down" if code in _BUSY else "refused"
    return problem_of(error)
