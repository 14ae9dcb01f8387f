"""Downloads against a server of our own: resumed, verified, never half a file."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reclens.data.read.fetch import fetch, fetchable
from reclens.data.read.movielens import read_movielens
from reclens.errors import DataError, UnknownNameError, UsageError


def make_zip() -> bytes:
    ratings = "userId,movieId,rating,timestamp\n" + "".join(f"{u},{u % 9},4.0,{10**9 + u}\n" for u in range(40_000))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored, so that it takes several blocks
        archive.writestr("ml-latest-small/ratings.csv", ratings)
        archive.writestr("ml-latest-small/movies.csv", "movieId,title,genres\n1,A (2000),Drama\n")
    return buffer.getvalue()


ZIP = make_zip()
MD5 = hashlib.md5(ZIP).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    body: bytes = ZIP
    md5: str = f"MD5 (ml-latest-small.zip) = {MD5}\n"
    ranges: bool = True
    cut_at: list[int] = field(default_factory=list)
    """For each answer in turn: after how many bytes to hang up."""
    wrong_start: bool = False
    status: int | None = None
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if state.status is not None:
                self.send_error(state.status)
                return
            if self.path.endswith(".md5"):
                self.answer(200, state.md5.encode(), {})
                return
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start >= len(state.body):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(state.body)}"})
            elif start:
                shown = start + 1 if state.wrong_start else start
                extent = f"bytes {shown}-{len(state.body) - 1}/{len(state.body)}"
                self.answer(206, state.body[start:], {"Content-Range": extent})
            else:
                self.answer(200, state.body, {})

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            cut = state.cut_at.pop(0) if state.cut_at and not self.path.endswith(".md5") else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{listener.server_address[1]}/datasets/"
    yield state
    listener.shutdown()
    listener.server_close()
    thread.join()


def get(server: Server, folder: Path, name: str = "ml-latest-small", **options) -> Path:
    return fetch(name, folder=folder, base_url=server.url, **options)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    path = get(server, tmp_path / "new" / "folder", progress=lambda *step: steps.append(step))
    assert path == tmp_path / "new" / "folder" / "ml-latest-small.zip"
    assert path.read_bytes() == ZIP
    assert files(path.parent) == ["ml-latest-small.zip"]
    assert len(steps) > 1 and steps[-1] == ("fetch ml-latest-small", len(ZIP), len(ZIP))
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert read_movielens(path).interactions.height == 40_000


@pytest.mark.parametrize(
    "form", [f"{MD5}  ml-latest-small.zip\n", f"MD5 (x.zip) = {MD5}", MD5.upper()], ids=["GNU", "BSD", "bare"]
)
def test_every_form_of_md5_file(server: Server, tmp_path: Path, form: str) -> None:
    server.md5 = form
    assert get(server, tmp_path).read_bytes() == ZIP


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path)
    server.status = 500
    assert get(server, tmp_path).read_bytes() == ZIP
    assert len(server.asked) == 1


def test_an_earlier_part_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-latest-small.zip.part").write_bytes(ZIP[:100_000])
    assert get(server, tmp_path).read_bytes() == ZIP
    assert server.asked == ["bytes=100000-"]
    assert files(tmp_path) == ["ml-latest-small.zip"]


def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cut_at = [300_000, 200_000]
    assert get(server, tmp_path).read_bytes() == ZIP
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_a_connection_that_breaks_for_good_keeps_the_part(server: Server, tmp_path: Path) -> None:
    server.cut_at = [100_000] * 4
    with pytest.raises(DataError, match=r"broke off again and again.*the next call goes on"):
        get(server, tmp_path)
    assert files(tmp_path) == ["ml-latest-small.zip.part"]
    assert (tmp_path / "ml-latest-small.zip.part").read_bytes() == ZIP[:400_000]
    assert get(server, tmp_path).read_bytes() == ZIP


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "ml-latest-small.zip.part").write_bytes(ZIP[:100_000])
    assert get(server, tmp_path).read_bytes() == ZIP


def test_a_server_that_sends_another_range(server: Server, tmp_path: Path) -> None:
    server.wrong_start = True
    (tmp_path / "ml-latest-small.zip.part").write_bytes(ZIP[:100_000])
    with pytest.raises(DataError, match="another part than was asked for"):
        get(server, tmp_path)
    assert files(tmp_path) == ["ml-latest-small.zip.part"]


@pytest.mark.parametrize("part", [b"x" * 100_000, ZIP, ZIP + b"more"])
def test_an_odd_part_does_no_harm(server: Server, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "ml-latest-small.zip.part").write_bytes(part)
    assert get(server, tmp_path).read_bytes() == ZIP
    assert files(tmp_path) == ["ml-latest-small.zip"]


def test_a_wrong_md5_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.body = ZIP[:-1] + b"!"
    with pytest.raises(DataError, match=f"the download has MD5 .*, published is {MD5}; it was removed"):
        get(server, tmp_path)
    assert files(tmp_path) == []


def test_the_known_md5_is_believed_before_the_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="published is 0e33842e24a9c977be4e0107933c0723"):
        get(server, tmp_path, "ml-100k")
    assert files(tmp_path) == []


def test_an_md5_file_that_is_none(server: Server, tmp_path: Path) -> None:
    server.md5 = "<html>please log in</html>"
    with pytest.raises(DataError, match="expected an MD5, found '<html>please log in"):
        get(server, tmp_path)
    assert files(tmp_path) == []


def test_another_file_in_the_way_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip").write_bytes(ZIP)
    with pytest.raises(DataError, match=r"not the published one\. Move it away"):
        get(server, tmp_path, "ml-100k")
    assert (tmp_path / "ml-100k.zip").read_bytes() == ZIP
    (tmp_path / "ml-latest-small.zip").write_bytes(ZIP[:1000])
    with pytest.raises(DataError, match="zip is broken"):
        get(server, tmp_path)


def test_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as probe:  # a port that nothing listens on
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("ml-1m", "ml-latest-small"):
        with pytest.raises(DataError) as caught:
            fetch(name, folder=tmp_path, base_url=f"http://127.0.0.1:{port}/")
        message = str(caught.value)
        assert "\n" not in message
        assert f"cannot download http://127.0.0.1:{port}/{name}.zip" in message
        assert message.endswith(f"Download it by hand and put it at {tmp_path / name}.zip")
    assert files(tmp_path) == []


def test_a_server_that_refuses(server: Server, tmp_path: Path) -> None:
    for status in (404, 503):
        server.status = status
        with pytest.raises(DataError, match=f"the server answered {status}.*by hand"):
            get(server, tmp_path, "ml-20m")


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="it cannot be written"):
        get(server, tmp_path / "file")


def test_wrong_use(tmp_path: Path) -> None:
    assert fetchable() == ["ml-100k", "ml-1m", "ml-latest-small", "ml-20m", "ml-25m"]
    with pytest.raises(UnknownNameError, match="Did you mean 'ml-100k'"):
        fetch("ml-100", folder=tmp_path)
    with pytest.raises(UsageError, match="https"):
        fetch("ml-1m", folder=tmp_path, base_url="file:///etc")
