"""Messages to a channel of Slack by an incoming webhook: ``slack:`` or ``slack:VARIABLE``.

The address of the webhook is a secret and is read from an environment variable, ``RECLENS_SLACK_WEBHOOK`` by
default. A message is a header, its text, a table of its facts, and links to the page and to facts that are addresses,
such as that of a runbook; a workspace that does not know tables gets plain sections. (Alert blocks are for modals
only.) Texts are sent as plain text without markup.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from reclens.edges._services import Service
from reclens.engine import need
from reclens.errors import UsageError

__all__ = ["SlackNotifier", "blocks_of", "connect"]

VARIABLE: Final = "RECLENS_SLACK_WEBHOOK"
_TITLE: Final = 150
_SECTION: Final = 3_000
_CELL: Final = 200
_ROWS: Final = 20
_ALL: Final = 12_000
"""Characters of a whole message. Slack refuses about 13,200; its documentation does not say so."""
_SECTIONS: Final = 20
_ADDRESS: Final = re.compile(r"https?://\S+")


def connect(rest: str) -> SlackNotifier:
    """The notifier of a webhook.

    Args:
        rest: The environment variable with its address; empty for ``RECLENS_SLACK_WEBHOOK``.

    Raises:
        UsageError: If the variable is not set, or its value is no address.
        MissingExtraError: If slack-sdk is not installed.
    """
    variable = rest or VARIABLE
    address = os.environ.get(variable, "")
    if "/" in variable or not address:
        raise UsageError(
            "the address of a Slack webhook is a secret: put it into a variable of the environment, "
            f"{VARIABLE} or another one, and say slack: or slack:VARIABLE."
        )
    return SlackNotifier(address)


class SlackNotifier:
    """Posts messages to the channel of an incoming webhook.

    Requests are retried if Slack is busy (429, after the requested pause), fails (5xx) or is unreachable. Webhooks
    cannot edit or thread messages, so that each message names its subject.

    Args:
        address: Address of the webhook.
        tries: Number of tries per message.
        seconds: Timeout of a request in seconds.
    """

    def __init__(self, address: str, *, tries: int = 3, seconds: float = 10.0) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the variable of the Slack webhook holds no address: expected https://hooks.slack.com/….")
        sdk = need("slack_sdk.webhook", extra="slack")
        handlers: Any = need("slack_sdk.http_retry.builtin_handlers", extra="slack")
        again = tries - 1
        self._client = sdk.WebhookClient(
            address,
            timeout=int(max(1, seconds)),
            retry_handlers=[
                handlers.ConnectionErrorRetryHandler(max_retry_count=again),
                handlers.RateLimitErrorRetryHandler(max_retry_count=again),
                handlers.ServerErrorRetryHandler(max_retry_count=again),
            ],
        )
        place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        secrets = [address, parts.path.strip("/"), *parts.path.strip("/").split("/")[1:], parts.query]
        self._service = Service("Slack", place, secrets, tries=1)  # the client tries again by itself

    def __repr__(self) -> str:
        return f"SlackNotifier({self._service.place})"

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
        """Post a message; it returns when Slack has accepted it.

        Raises:
            StoreError: If it did not; the message has its answer, but not the path of the address.
        """
        # The title says how severe it is; a webhook has neither threads nor a way to tell a message that it has seen.
        del severity, key, message_id
        how: dict[str, Any] = {"link": link, "facts": facts or {}}
        status, said = self._post(title, blocks_of(title, text, **how))
        if status == 400 and "block" in said:  # a workspace without these blocks
            status, said = self._post(title, blocks_of(title, text, plain=True, **how))
        if status != 200:
            raise self._service.failed("take the message", _RefusedError(status, said), _code(status))

    def _post(self, title: str, blocks: list[dict[str, Any]]) -> tuple[int, str]:
        answer = self._service.ask(
            "take the message", lambda: self._client.send(text=_escaped(_cut(title, _SECTION)), blocks=blocks)
        )
        return answer.status_code, answer.body


class _RefusedError(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"status {status}, {said[:100] or 'without a word'}")
        self.status = status


def _code(status: int) -> Any:
    known = {403: "wrong_key", 404: "wrong_key", 410: "wrong_key", 429: "rate_limited"}
    return known.get(status, "down" if status >= 500 else "refused")


def blocks_of(
    title: str,
    text: str,
    *,
    link: str | None,
    facts: Mapping[str, str],
    plain: bool = False,
) -> list[dict[str, Any]]:
    """The blocks of a message, within the limits of Slack; longer content is truncated visibly.

    Args:
        title: One line.
        text: Lines of plain text.
        link: Address of the page that shows more.
        facts: Short facts, label -> value; addresses become links.
        plain: Whether only headers and sections are used.
    """
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(_cut(title, _TITLE))}]
    if len(title) > _TITLE:  # whole, where there is room for it
        text = f"{title}\n{text}"
    left = _ALL - _TITLE
    shown = list(facts.items())[:_ROWS]
    links = [("Open the page", link)] if link else []
    links += [(_cut(label, _CELL), value) for label, value in shown if _is_address(value)]
    rows = [(_cut(label, _CELL), _cut(value, _CELL)) for label, value in shown if not _is_address(value)]
    pointed = _links(links)
    left -= len(pointed) + sum(len(label) + len(value) for label, value in rows)
    blocks += [{"type": "section", "text": _plain(part)} for part in _sections(text, left)]
    if rows and plain:
        told = "\n".join(f"{label}: {value}" for label, value in rows)
        blocks.append({"type": "section", "text": _plain(_cut(told, _SECTION))})
    elif rows:
        blocks.append({"type": "table", "rows": [[_raw(label), _raw(value)] for label, value in rows]})
    if pointed:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": pointed}})
    return blocks


def _is_address(value: str) -> bool:
    return bool(_ADDRESS.fullmatch(value))


def _links(links: Sequence[tuple[str, str]]) -> str:
    """Links of a section, as many as fit without truncation."""
    found = ""
    for label, address in links:
        name = _escaped(label).replace("|", "/") or "link"
        each = f"<{_escaped(address).replace('|', '%7C')}|{name}>"
        joined = f"{found} · {each}" if found else each
        found = joined if len(joined) <= _SECTION else found
    return found


def _sections(text: str, most: int) -> Iterator[str]:
    """Pieces of at most 3,000 characters, split between lines if possible."""
    text, piece = _cut(text, min(most, _SECTION * _SECTIONS)), ""
    for line in text.splitlines():
        for start in range(0, max(len(line), 1), _SECTION):
            part = line[start : start + _SECTION]
            if piece and len(piece) + 1 + len(part) > _SECTION:
                yield piece
                piece = part
            else:
                piece = f"{piece}\n{part}" if piece else part
    if piece.strip():
        yield piece


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or "–", "emoji": False}


def _raw(text: str) -> dict[str, str]:
    return {"type": "raw_text", "text": text or "–"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
