"""Start the dashboard, or refuse to.

The dashboard shows the workspace to everyone who can reach it. Therefore it listens on this machine only, unless there
is a login (Streamlit's OpenID Connect) or the analyst explicitly opens it.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reclens.dashboard.login import Login, read_login
from reclens.engine import need
from reclens.errors import UsageError, WorkspaceError

__all__ = ["LOOK", "UPLOAD_MB", "LaunchPlan", "plan_launch"]

UPLOAD_MB: Final = 200
"""Largest file that can be uploaded, in MB."""

LOOK: Final = {
    "theme.base": "light",
    "theme.baseRadius": "8px",
    "theme.light.primaryColor": "#0072b2",
    "theme.light.textColor": "#1b1f24",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f6f8fa",
    "theme.light.linkColor": "#0059a8",
    "theme.dark.primaryColor": "#56b4e9",
    "theme.dark.textColor": "#e6e9ee",
    "theme.dark.backgroundColor": "#14171c",
    "theme.dark.secondaryBackgroundColor": "#1c2128",
    "theme.dark.linkColor": "#8ecbff",
}
"""The colours of the HTML report, for the application."""


_QUIET: Final = {
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    # The address has been printed already; the rest of the message is advertising.
    "logger.hideWelcomeMessage": "true",
}
"""What Streamlit would ask for, send or print."""


@dataclass(frozen=True)
class LaunchPlan:
    """The command that starts the dashboard.

    Attributes:
        command: The command, for ``subprocess`` or ``exec``.
        url: Address of the dashboard.
        note: A note about who can reach it.
    """

    command: tuple[str, ...]
    url: str
    note: str


def plan_launch(
    workspace: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    insecure: bool = False,
    browser: bool = True,
    secrets: Sequence[Path] | None = None,
    public_url: str | None = None,
) -> LaunchPlan:
    """Plan how to start the dashboard.

    Args:
        workspace: The folder of artefacts; it need not exist yet.
        host: Address to listen on.
        port: Port to listen on.
        insecure: Listen on an address other than this machine's own without a login.
        browser: Open a browser.
        secrets: Candidate files of Streamlit's secrets; by default in this folder and in the home folder.
        public_url: Address behind a reverse proxy, such as ``https://example.org/team``: its path is the prefix of all
            pages, and requests for its host are accepted.

    Raises:
        MissingExtraError: If Streamlit is not installed.
        UsageError: If the address is open to others without protection, or the port or ``public_url`` is
            invalid.
        WorkspaceError: If the workspace is a file.
    """
    need("streamlit", extra="dashboard")
    folder = Path(workspace)
    if folder.exists() and not folder.is_dir():
        raise WorkspaceError(f"{folder} is a file, not a workspace folder. Name a folder.")
    if not 0 < port < 65536:
        raise UsageError(f"port is {port}, expected a number from 1 to 65535.")
    login = read_login(secrets)
    public_host, prefix = ("", "") if public_url is None else _parts_of(public_url)
    if not (_is_loopback(host) and public_url is None) and login is None and not insecure:
        raise UsageError(
            f"the dashboard would show the whole workspace to everybody who can reach {public_url or host}, without a "
            "login. Configure one (OpenID Connect, in the [auth] section of .streamlit/secrets.toml; see "
            "docs/dashboard.md), "
            "listen on 127.0.0.1 and tunnel to it (ssh -L), or pass --insecure if the network is trusted, or the "
            "proxy lets in whom it knows."
        )
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.baseUrlPath": prefix,
        "server.headless": str(not browser).lower(),
        "server.fileWatcherType": "none",
        "server.maxUploadSize": str(UPLOAD_MB),
        "browser.serverAddress": host if _is_loopback(host) else "localhost",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        # A field initialised from another page has a default too, which the URL leaves out.
        "global.disableWidgetStateDuplicationWarning": "true",
        **LOOK,
        **_QUIET,
    }
    app = Path(__file__).parent / "entry" / "app.py"
    command = [sys.executable, "-m", "reclens.dashboard.serve", "run", str(app)]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += [f"--server.allowedHosts={name}" for name in _names(host, login, public_host)]
    command += ["--", "--workspace", str(folder.resolve())]
    if login is not None:
        # Removing the secrets later must not open a dashboard that was started with a login.
        command += ["--require-login", *(["--require-list"] if login.allowed is not None else [])]
    note = (
        "only this machine can reach it"
        if _is_loopback(host) and public_url is None
        else "who has logged in can reach it"
        if login is not None
        else f"EVERYBODY who can reach {public_url or 'this address'} sees the workspace"
    )
    shown = f"[{host}]" if ":" in host else host
    return LaunchPlan(tuple(command), f"http://{shown}:{port}/{prefix}".rstrip("/"), note)


def _parts_of(public_url: str) -> tuple[str, str]:
    """Return the host and the path of an address, the path without surrounding slashes."""
    try:
        found = urlsplit(public_url)
    except ValueError:  # for example unbalanced brackets
        found = urlsplit("")
    host = found.hostname
    plain = re.fullmatch(r"[\w./~-]*", found.path) if host else None
    if not host or plain is None or found.scheme not in ("http", "https") or found.query or found.fragment:
        raise UsageError(
            f"--public-url is {public_url!r}, expected an address such as https://example.org/team, where the reverse "
            "proxy shows the dashboard."
        )
    return host, found.path.strip("/")


def _names(host: str, login: Login | None, public_host: str) -> list[str]:
    """Return the host names under which a browser may request the dashboard.

    A foreign page whose host name resolves to this machine (DNS rebinding) sends that name.
    """
    known = ["localhost", "127.0.0.1", "::1"]
    known += [name for name in (login.host if login is not None else None, public_host) if name]
    bare = host.strip("[]")
    if bare not in ("0.0.0.0", "::"):  # noqa: S104 - compared
        return list(dict.fromkeys([*known, bare]))
    # Listening on every address without a login means many names, and the user has declared the network trusted.
    return list(dict.fromkeys(known)) if login is not None else ["*"]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
