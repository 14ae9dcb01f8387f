"""The dashboard listens on this machine alone, unless there is a login or the analyst insists."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.dashboard import plan_launch
from reclens.errors import UsageError, WorkspaceError

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
