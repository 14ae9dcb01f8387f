"""Messages to any address that accepts JSON by POST: ``webhook:VARIABLE`` or ``webhook:https://…``.

Addresses of webhooks are often secret: ``VARIABLE`` names an environment variable with the address. With
``RECLENS_WEBHOOK_SECRET`` each request is signed: ``X-RecLens-Signature`` is ``sha256=`` and the HMAC of its body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from http.client import HTTPMessage
from typing import IO, Final, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from reclens.edges._services import Service
from reclens.errors import UsageError

__all__ = ["WebhookNotifier", "connect"]

_SECONDS: Final = 10.0


def connect(rest: str) -> WebhookNotifier:
    """The notifier of an address.

    Raises:
        UsageError: If the variable is not set, or its value is no address.
    """
    address = rest if rest.startswith(("http://", "https://")) else os.environ.get(rest, "")
    if not address:
        raise UsageError(
            f"the environment has no variable '{rest}'. Expected webhook:VARIABLE, where it holds the address."
        )
    return WebhookNotifier(address, secret=os.environ.get("RECLENS_WEBHOOK_SECRET", ""))


class WebhookNotifier:
    """Posts messages as JSON: ``title, text, severity, key, link, message_id, facts``.

    ``Idempotency-Key`` identifies a message that is sent again after a crash. Redirects are not followed, because they
    could send the message to an unknown address.

    Args:
        address: Target address, http or https.
        secret: Key of the signature; empty for none.
        tries: Number of tries while the receiver is unavailable.
        pause: Seconds before the second try.
    """

    def __init__(self, address: str, *, secret: str = "", tries: int = 3, pause: float = 0.5) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the address of the webhook is none of http:// or https://.")
        self._address, self._secret = address, secret
        place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        secrets = [address, parts.path.strip("/"), parts.query, parts.password or "", secret]
        self._service = Service("the webhook", place, secrets, tries=tries, pause=pause)

    def __repr__(self) -> str:
        return f"WebhookNotifier({self._service.place})"

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
        """Post a message; it returns when the receiver answered with success.

        Raises:
            StoreError: If it did not; the message omits the path of the address.
        """
        content = {
            "title": title,
            "text": text,
            "severity": severity,
            "key": key,
            "link": link,
            "message_id": message_id,
            "facts": dict(facts or {}),
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "reclens"}
        if message_id is not None:
            headers["Idempotency-Key"] = hashlib.sha256(message_id.encode()).hexdigest()
        if self._secret:
            headers["X-RecLens-Signature"] = "sha256=" + hmac.new(self._secret.encode(), body, "sha256").hexdigest()
        self._service.ask("take the message", lambda: self._post(body, headers))

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        request = Request(self._address, data=body, headers=headers, method="POST")  # noqa: S310 - checked above
        try:
            with build_opener(_Stay).open(request, timeout=_SECONDS) as answer:
                answer.read()
        except HTTPError as error:
            error.close()  # it is the answer too, and holds the connection
            raise


class _Stay(HTTPRedirectHandler):
    """Follows no redirects and treats them as errors."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl
