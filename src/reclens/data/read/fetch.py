"""Downloads of MovieLens from GroupLens, resumed after a broken connection and verified by their MD5.

Pooch is not used: it restarts broken downloads from the beginning and depends on requests.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reclens.engine import Progress, quiet
from reclens.errors import Advice, ArgumentValueError, DataError, UnknownNameError

__all__ = ["GROUPLENS", "fetch", "fetchable"]

GROUPLENS: Final = "https://files.grouplens.org/datasets/movielens/"
"""Where GroupLens publishes MovieLens."""

_MD5: Final[dict[str, str | None]] = {
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-latest-small": None,
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
}
"""Published MD5 of the zips that do not change; the MD5 of the other one is downloaded from GroupLens."""
_BLOCK: Final = 1 << 18
_ATTEMPTS: Final = 4
_TIMEOUT: Final = 30.0


def fetchable() -> list[str]:
    """Names of the data sets that can be downloaded.

    Example:
        >>> fetchable()
        ['ml-100k', 'ml-1m', 'ml-latest-small', 'ml-20m', 'ml-25m']
    """
    return list(_MD5)


def fetch(name: str, *, folder: str | Path = ".", progress: Progress = quiet, base_url: str = GROUPLENS) -> Path:
    """Download a MovieLens data set, unless it is there already.

    The bytes go to ``NAME.zip.part``, which stays when the connection breaks, so that the next call goes on from there;
    it becomes ``NAME.zip`` only when its MD5 is the published one. The data may be used for research; read the licence
    in the zip's README before anything else.

    Args:
        name: One of :func:`fetchable`.
        folder: Where to put the zip; made if it is not there.
        progress: Called with bytes done and bytes in all.
        base_url: Another place that serves the same files, such as a mirror inside a company.

    Returns:
        The path of the zip.

    Raises:
        UnknownNameError: If there is no such data set.
        DataError: If there is no network (it says what to download by hand and where to put it), the download is not
            the published file, or another file stands in the way.
    """
    if name not in _MD5:
        raise UnknownNameError("data set", name, _MD5)
    if not base_url.startswith(("https://", "http://")):
        raise ArgumentValueError("base_url", f"is {base_url!r}, expected an address that begins with https://")
    target = Path(folder).expanduser() / f"{name}.zip"
    job = _Job(
        name=name,
        url=base_url.rstrip("/") + f"/{name}.zip",
        target=target,
        part=target.with_name(target.name + ".part"),
        progress=progress,
    )
    if target.exists():
        return _checked_target(job)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        expected = _MD5[name] or _published_md5(job)
        # A partial file of an earlier run may belong to another file: then download everything again.
        resumed = _download(job)
        if _md5(job.part) != expected and resumed:
            job.part.unlink()
            _download(job)
        found = _md5(job.part)
        if found != expected:
            job.part.unlink()
            raise DataError(
                f"the download has MD5 {found}, published is {expected}; it was removed",
                source=job.url,
                fix="Try again; if it stays so, the file was changed on its way or by its publisher.",
            )
        job.part.replace(target)
    except OSError as error:
        raise DataError(f"it cannot be written: {error.strerror or error}", source=str(target)) from None
    return target


@dataclass(frozen=True, kw_only=True)
class _Job:
    name: str
    url: str
    target: Path
    part: Path
    progress: Progress

    def offline(self, reason: str) -> DataError:
        """Instructions for a manual download, in one line."""
        there = self.target.resolve()
        return DataError(f"cannot download {self.url} ({reason})", fix=f"Download it by hand and put it at {there}")


def _checked_target(job: _Job) -> Path:
    """The existing file, if it is the published one as far as can be checked offline."""
    expected = _MD5[job.name]
    if expected is not None and _md5(job.target) != expected:
        raise DataError(
            f"there is a {job.target.name} already, but not the published one",
            source=str(job.target),
            fix=Advice(
                "read_own_file", text="Move it away to fetch the published file, or read it as it is by rl.load(path)."
            ),
        )
    if expected is None:
        from reclens.data.read.zips import open_members

        with open_members(job.target):
            pass
    job.progress(f"fetch {job.name}", job.target.stat().st_size, job.target.stat().st_size)
    return job.target


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _published_md5(job: _Job) -> str:
    """The MD5 that GroupLens publishes next to the zip, in either of the two common formats."""
    request = urllib.request.Request(job.url + ".md5")  # noqa: S310 - the scheme was checked
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            text = response.read(4096).decode("ascii", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise job.offline(_reason(error)) from None
    found = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if found is None:
        raise DataError(
            f"expected an MD5, found {text[:40]!r}",
            source=job.url + ".md5",
            fix=f"Download {job.url} by hand and put it at {job.target.resolve()}.",
        )
    return found[0].lower()


def _download(job: _Job) -> bool:
    """Download the rest of the file, with several attempts; returns whether a partial file was there before."""
    resumed = job.part.exists() and job.part.stat().st_size > 0
    reason = "it broke off"
    for _ in range(_ATTEMPTS):
        have = job.part.stat().st_size if job.part.exists() else 0
        try:
            if _load_rest(job, have):
                return resumed
            reason = "it broke off again and again; what came is kept, and the next call goes on from there"
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                    total = _total(error.headers, have)
                    if total == have:
                        return resumed
                    job.part.unlink()  # longer than the file: it belongs to another one
                    continue
            raise job.offline(_reason(error)) from None
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = _reason(error)
            if not job.part.exists() or job.part.stat().st_size == have:
                break
    raise job.offline(reason)


def _load_rest(job: _Job, have: int) -> bool:
    """Make one attempt; returns whether the file is complete."""
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(job.url, headers=headers)  # noqa: S310 - the scheme was checked
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
        start = have if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if start and (sent is None or int(sent[1]) != have):
            raise http.client.HTTPException("the server sent another part than was asked for")
        total = _total(response.headers, start)
        done = start
        # A server without support for ranges sends the whole file: start again.
        with job.part.open("ab" if start else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                done += len(block)
                job.progress(f"fetch {job.name}", done, total)
    return done == total if total else True


def _total(headers: Any, start: int) -> int:
    """Size of the whole file in bytes; 0 if the server does not send it."""
    whole = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    if whole:
        return int(whole[1])
    length = headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = getattr(error, "reason", None) or error
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
