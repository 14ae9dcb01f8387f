"""A team's reverse proxy shows the dashboard under a path of its own name."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import tomllib
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from reclens.dashboard import plan_launch
from reclens.errors import UsageError
from reclens.workspace import Workspace

TEAM = "https://reclens.example.org/team"


@contextmanager
def proxy(to: int, prefix: str) -> Iterator[tuple[int, list[str]]]:
    """A proxy on this machine that passes on what is below the prefix, and answers 404 to all else.

    Gives its port and the paths that it was asked for. It asks for a connection for every request, as what is under way
    on one is not looked into.
    """
    asked: list[str] = []

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while part := await source.read(65_536):
                target.write(part)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        path = head.split(" ", 2)[1]
        asked.append(path)
        if not (path + "/").startswith(f"/{prefix}/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        if "upgrade: websocket" not in head.lower():
            head = re.sub(r"(?im)^connection:.*\r\n", "", head)
            head = head.removesuffix("\r\n") + "Connection: close\r\n\r\n"
        back, forth = await asyncio.open_connection("127.0.0.1", to)
        forth.write(head.encode("latin-1"))
        await asyncio.gather(pass_on(reader, forth), pass_on(back, writer), return_exceptions=True)

    ready: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        over = asyncio.Event()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            ready.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), over))
            await over.wait()

    # The browser's driver has a loop of its own in this thread.
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    port, loop, over = ready.result(timeout=20)
    try:
        yield port, asked
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(timeout=20)


def test_a_page_stands_behind_a_proxy_under_a_prefix(serve, workspace: Workspace, tmp_path: Path, browser_page) -> None:
    with serve(workspace.folder, tmp_path / "log", public_url=TEAM, insecure=True) as plan:
        assert plan.url.endswith("/team")
        with proxy(int(plan.url.split(":")[2].split("/")[0]), "team") as (port, asked):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/team/_stcore/health", timeout=20) as answer:
                assert answer.read() == b"ok" and answer.headers["X-Frame-Options"] == "DENY"
            browser_page.goto(f"http://127.0.0.1:{port}/team/diagnostics")
            browser_page.get_by_role("heading", name="Diagnostics").wait_for(timeout=60_000)
            browser_page.get_by_role("link", name="Compare").first.click()
            browser_page.get_by_role("heading", name="Compare").first.wait_for(timeout=60_000)
            assert browser_page.url.split("?")[0] == f"http://127.0.0.1:{port}/team/compare"
            browser_page.wait_for_load_state("networkidle")
            browser_page.goto("about:blank")
    assert len(asked) > 10 and all(path.startswith("/team") for path in asked), asked


def option(command: tuple[str, ...], name: str) -> list[str]:
    return [each.partition("=")[2] for each in command if each.startswith(f"--{name}=")]


def test_the_proxy_needs_a_login_or_the_word_of_the_analyst(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"https://reclens.example.org/team, without a login"):
        plan_launch(tmp_path, public_url=TEAM, secrets=[])
    plan = plan_launch(tmp_path, public_url=TEAM, insecure=True, secrets=[])
    assert "EVERYBODY who can reach https://reclens.example.org/team" in plan.note
    assert "reclens.example.org" in option(plan.command, "server.allowedHosts")
    assert "*" not in option(plan.command, "server.allowedHosts")
    assert option(plan.command, "server.baseUrlPath") == ["team"]
    assert option(plan_launch(tmp_path, secrets=[]).command, "server.baseUrlPath") == [""]


@pytest.mark.parametrize(
    "wrong", ["example.org/team", "ftp://example.org", "https://", "https://x/a b", "https://x/?a=1"]
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match="expected an address such as"):
        plan_launch(tmp_path, public_url=wrong, insecure=True, secrets=[])


def test_the_service_of_the_documentation_starts(
    in_process, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the secrets and the options of docs/deploy.md, in the service and in the container, which listens to all."""
    text = (repository / "docs" / "deploy.md").read_text(encoding="utf-8")
    (tmp_path / ".streamlit").mkdir()
    (secrets,) = re.findall(r"```toml\n(.*?)```", text, re.S)
    (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets)
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr("reclens.cli.dashboard._serve", lambda command: started.append(tuple(command)) or 0)
    (unit,) = re.findall(r"ExecStart=\S+/reclens (.*?)\nRestart", text, re.S)
    (container,) = re.findall(r"CMD (\[.*?\])", text, re.S)
    for words in (unit.replace("\\\n", " ").split(), json.loads(container.replace("\\\n", ""))[1:]):
        done = in_process(*words, cwd=tmp_path)
        assert done.returncode == 0 and "who has logged in can reach it" in done.stderr, done.stderr
    for command in started:
        assert option(command, "server.baseUrlPath") == ["team"]
        assert "reclens.example.org" in option(command, "server.allowedHosts")
        assert "--require-login" in command and "--require-list" in command
    assert len(started) == 2
    redirect = tomllib.loads(secrets)["auth"]["redirect_uri"]
    assert redirect == option_of(unit, "--public-url") + "/oauth2callback"


def option_of(words: str, name: str) -> str:
    return words.split(name, 1)[1].split()[0]
