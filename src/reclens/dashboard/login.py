"""Access to the dashboard: the login (OpenID Connect) and the allowed users in Streamlit's secrets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

from reclens.errors import UsageError

__all__ = ["Login", "is_allowed", "read_login"]

_KEYS: Final = {"client_id", "client_secret", "server_metadata_url"}


@dataclass(frozen=True)
class Login:
    """A valid login configuration.

    Attributes:
        providers: Names of the identity providers; ``""`` is the unnamed one.
        host: Host name of the dashboard, from ``redirect_uri``.
        allowed: Allowed addresses (``ann@example.org``) and domains (``@example.org``); None allows everyone with an
            account at the provider.
    """

    providers: tuple[str, ...]
    host: str | None
    allowed: tuple[str, ...] | None = None


def read_login(secrets: Sequence[Path] | None = None) -> Login | None:
    """Return the login in Streamlit's secrets (``[auth]``, and ``allowed`` in ``[reclens]``), or None.

    Args:
        secrets: Candidate files, later ones first; by default in this folder and in the home folder.

    Raises:
        UsageError: If a file is not TOML, or ``allowed`` is not a list of addresses.
    """
    if secrets is None:
        secrets = [folder / ".streamlit" / "secrets.toml" for folder in (Path.cwd(), Path.home())]
    found: dict[str, Any] = {}
    for path in reversed(secrets):
        if path.is_file():
            try:
                found |= tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{path}: it is not TOML: {error}.") from error
    auth, ours = (found.get(name) for name in ("auth", "reclens"))
    if not isinstance(auth, Mapping) or not {"redirect_uri", "cookie_secret"} <= set(auth):
        return None
    named = [name for name, each in auth.items() if isinstance(each, Mapping) and set(each) >= _KEYS]
    # Streamlit rejects names with an underscore.
    providers = [*([""] if set(auth) >= _KEYS else []), *(name for name in named if "_" not in name)]
    if not providers:
        return None
    allowed = ours.get("allowed") if isinstance(ours, Mapping) else None
    if allowed is not None and not (isinstance(allowed, list) and all(isinstance(each, str) for each in allowed)):
        raise UsageError(
            f"allowed in [reclens] of the secrets is {allowed!r}, expected a list such as "
            "['ann@example.org', '@example.org']."
        )
    host = urlparse(str(auth["redirect_uri"])).hostname
    return Login(tuple(providers), host, None if allowed is None else tuple(allowed))


def is_allowed(login: Login, user: Mapping[str, Any]) -> bool:
    """Return whether a logged-in user is allowed, based on the claims of the provider.

    >>> login = Login(("",), None, ("ann@example.org", "@example.com"))
    >>> [is_allowed(login, {"email": each}) for each in ("Ann@example.org", "bob@example.com", "bob@example.org", None)]
    [True, True, False, False]
    """
    if login.allowed is None:
        return True
    address = str(user.get("email") or "").casefold()
    if "@" not in address or str(user.get("email_verified", True)).lower() == "false":
        return False
    known = {each.casefold() for each in login.allowed}
    return address in known or f"@{address.rpartition('@')[2]}" in known
