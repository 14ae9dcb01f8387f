"""The dashboard listens on this machine alone, unless there is a login or the analyst insists."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from reclens.dashboard import plan_launch
from reclens.errors import UsageError, WorkspaceError

APP = "from reclens.dashboard.app import main\nmain('workspace')\n"

LOGIN = """[auth]
redirect_uri = "https://example.org/oauth2callback"
cookie_secret = "long and random"
client_id = "reclens"
client_secret = "secret"
server_metadata_url = "https://example.org/.well-known/openid-configuration"
"""


def option(command: tuple[str, ...], name: str) -> str:
    return next(each.partition("=")[2] for each in command if each.startswith(f"--{name}="))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_no_login(tmp_path: Path, host: str) -> None:
    plan = plan_launch(tmp_path, host=host, secrets=[])
    assert option(plan.command, "server.address") == host
    assert option(plan.command, "browser.gatherUsageStats") == "false"
    assert option(plan.command, "logger.hideWelcomeMessage") == "true", "it advertises"
    assert plan.note == "only this machine can reach it"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_another_address_is_refused_and_told_why(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match=r"without a login.*--insecure"):
        plan_launch(tmp_path, host=host, secrets=[])
    assert "EVERYBODY" in plan_launch(tmp_path, host=host, insecure=True, secrets=[]).note


def test_a_login_opens_it(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(LOGIN)
    assert plan_launch(tmp_path, host="0.0.0.0", secrets=[secrets]).note == "who has logged in can reach it"
    secrets.write_text(LOGIN.replace("client_id", "clientid"))
    with pytest.raises(UsageError, match="without a login"):
        plan_launch(tmp_path, host="0.0.0.0", secrets=[secrets])
    secrets.write_text("[auth")
    with pytest.raises(UsageError, match="not TOML"):
        plan_launch(tmp_path, secrets=[secrets])


def test_the_first_start_asks_for_nothing(tmp_path: Path) -> None:
    # Streamlit asks who starts it for the first time for an address of mail, and waits: the port stays closed.
    assert option(plan_launch(tmp_path, browser=True, secrets=[]).command, "server.showEmailPrompt") == "false"


def test_secrets_that_are_moved_away_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was started with a login asks for it as long as it runs, and for the list of who is let in."""
    secrets = at_home(tmp_path, monkeypatch, LOGIN + "[reclens]\nallowed = ['ann@example.org']\n")
    plan = plan_launch(tmp_path / "workspace")
    monkeypatch.setattr("sys.argv", ["app.py", *plan.command[plan.command.index("--") + 1 :]])
    for text in (LOGIN, "", None):
        secrets.unlink() if text is None else secrets.write_text(text)
        app = AppTest.from_string(APP, default_timeout=60).run()
        assert "whose configuration is gone" in app.error[0].value and not app.title, text
    secrets.write_text("[auth")
    app = AppTest.from_string(APP, default_timeout=60).run()
    assert "not TOML" in app.error[0].value and not app.title


def test_each_provider_has_its_button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, rest = LOGIN.split("client_id")
    named = head + "".join(f"[auth.{name}]\nclient_id{rest}" for name in ("google", "okta"))
    at_home(tmp_path, monkeypatch, named)
    monkeypatch.setattr("streamlit.user", SimpleNamespace(is_logged_in=False))
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("streamlit.login", lambda *provider: asked.append(provider))
    app = AppTest.from_string(APP, default_timeout=60).run()
    assert [each.label for each in app.button] == ["Log in with google", "Log in with okta"]
    app.button[1].click().run()
    at_home(tmp_path, monkeypatch, LOGIN)
    AppTest.from_string(APP, default_timeout=60).run().button[0].click().run()
    assert asked == [("okta",), ()]


@pytest.mark.parametrize(
    ("user", "sees"),
    [
        ({"email": "Ann@example.org"}, True),
        ({"email": "bob@example.org"}, False),
        ({"email": "bob@team.org"}, True),
        ({"email": "ann@example.org", "email_verified": False}, False),
        ({"name": "ann@example.org"}, False),
    ],
)
def test_who_is_on_the_list_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: dict[str, object], sees: bool
) -> None:
    at_home(tmp_path, monkeypatch, LOGIN + "[reclens]\nallowed = ['ann@example.org', '@team.org']\n")
    monkeypatch.setattr("streamlit.user", SimpleNamespace(is_logged_in=True, to_dict=lambda: user))
    app = AppTest.from_string(APP, default_timeout=60).run()
    assert any("not on the list" in each.value for each in app.error) is not sees
    assert bool(app.title) is sees


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(LOGIN + "[reclens]\nallowed = 'ann@example.org'\n")
    with pytest.raises(UsageError, match="expected a list"):
        plan_launch(tmp_path, secrets=[secrets])


def test_the_names_that_it_answers_to(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(LOGIN)

    def names(host: str, **more: object) -> set[str]:
        command = plan_launch(tmp_path, host=host, **more).command
        return {each.partition("=")[2] for each in command if each.startswith("--server.allowedHosts=")}

    local = {"localhost", "127.0.0.1", "::1"}
    assert names("127.0.0.1", secrets=[]) == local
    assert names("192.168.1.5", secrets=[], insecure=True) == local | {"192.168.1.5"}
    assert names("0.0.0.0", secrets=[secrets]) == local | {"example.org"}
    assert names("0.0.0.0", secrets=[], insecure=True) == {"*"}, "it has names that nobody told us"


def test_a_page_from_elsewhere_gets_no_connection(serve, tmp_path: Path) -> None:
    """DNS rebinding: a name of somebody else that leads to this machine is refused, and nobody elsewhere is asked."""
    log = tmp_path / "log"
    with serve(tmp_path, log) as plan:
        port = int(plan.url.rpartition(":")[2])
        assert handshake(port, host=f"127.0.0.1:{port}") == 101
        assert handshake(port, host=f"localhost:{port}") == 101
        assert handshake(port, host=f"evil.example:{port}") == 403
        assert handshake(port, host=f"127.0.0.1:{port}", origin="http://evil.example") == 403
        for path in ("", "/_stcore/health", "/diagnostics"):
            with urllib.request.urlopen(plan.url + path, timeout=20) as answer:
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Frame-Options"] == "DENY"
    assert "external IP" not in log.read_text() and "External URL" not in log.read_text()


def handshake(port: int, *, host: str, origin: str | None = None) -> int:
    """The status of a WebSocket handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin or f'http://{host}'}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return int(line.recv(4096).split()[1])


def at_home(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """Secrets where Streamlit looks for them; gives their file."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    secrets = folder / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(exist_ok=True)
    secrets.write_text(text)
    return secrets


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="port is 0"):
        plan_launch(tmp_path, port=0, secrets=[])
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(WorkspaceError, match="is a file"):
        plan_launch(file, secrets=[])


def test_a_link_to_a_page_works_on_a_fresh_server(tmp_path: Path) -> None:
    """Streamlit would run the files of a folder ``pages`` beside the script by themselves."""
    script = next(Path(each) for each in plan_launch(tmp_path, secrets=[]).command if each.endswith(".py"))
    assert script.is_file() and not (script.parent / "pages").exists()
