"""Members of an untrusted zip or folder: nothing is unpacked to disk, and no path outside can be reached."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from reclens.errors import DataError

__all__ = ["Members", "atomic_path", "open_members"]

_MOST_BYTES: Final = 8 << 30
_MOST_RATIO: Final = 200
"""Tables compress 3 to 20 times; a zip bomb 1,000 times."""
_RATIO_COUNTS_FROM: Final = 10 << 20


class Members:
    """The files of a zip or of a folder, by their path inside it.

    Args:
        path: A zip or a folder.
        depth: How deep a folder is searched: 2 finds its files and those of the folders in it.

    Raises:
        DataError: If it is neither, is broken, or has a member that leads outside.
    """

    def __init__(self, path: Path, *, depth: int = 2) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            self._names = {str(PurePosixPath(f.relative_to(path))): f for f in _files_below(path, depth)}
            return
        if not path.exists():
            raise DataError("there is no such file or folder", source=str(path), fix="Check the path.")
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise _broken(path, str(error)) from None
        except OSError as error:
            raise DataError(f"it cannot be read: {error.strerror or error}", source=str(path)) from None
        self._infos = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        for info in self._infos.values():
            self._check(info)

    def __enter__(self) -> Members:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    @property
    def names(self) -> list[str]:
        """Sorted paths of the members, without files that operating systems add."""
        every = self._infos if self._zip is not None else self._names
        hidden = (name for name in every if name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith("."))
        return sorted(set(every) - set(hidden))

    def where(self, name: str) -> str:
        """Name of a member for messages."""
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        """Read a member and verify its checksum.

        Raises:
            DataError: If it is broken or absurdly large.
        """
        if self._zip is None:
            try:
                return self._names[name].read_bytes()
            except OSError as error:
                raise DataError(f"it cannot be read: {error.strerror or error}", source=self.where(name)) from None
        info = self._infos[name]
        if info.flag_bits & 1:
            raise DataError("the member is encrypted", source=self.where(name), fix="Unpack it first.")
        packed = max(info.compress_size, 1)
        if info.file_size > _MOST_BYTES or (
            info.file_size > _RATIO_COUNTS_FROM and info.file_size / packed > _MOST_RATIO
        ):
            raise DataError(
                f"its {info.compress_size:,} bytes would unpack to {info.file_size:,}, as those of a zip bomb do",
                source=self.where(name),
                fix="If it is what it should be, unpack it first and name the folder.",
            )
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise _broken(self.path, f"member {name}: {error}") from None

    def _check(self, info: zipfile.ZipInfo) -> None:
        name = info.filename.replace("\\", "/")
        absolute = name.startswith("/") or (len(name) > 1 and name[1] == ":")
        link = stat.S_ISLNK(info.external_attr >> 16)
        if absolute or ".." in name.split("/") or link:
            raise DataError(
                f"its member '{info.filename}' leads out of the archive's folder",
                source=str(self.path),
                fix="Nothing was read. Fetch the archive again from where it is published.",
            )


def open_members(path: Path, *, depth: int = 2) -> Members:
    """Open a zip or a folder as a context manager; see :class:`Members`."""
    return Members(path, depth=depth)


@contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a temporary path next to ``path``; it is renamed if the block succeeds, and removed otherwise.

    Raises:
        DataError: If the folder cannot be made or written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"it cannot be written: {error.strerror or error}", source=str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _files_below(folder: Path, depth: int) -> Iterator[Path]:
    """Files of a folder and its subfolders up to a depth; links that lead outside are ignored."""
    root = folder.resolve()
    for pattern in ("/".join("*" * level) for level in range(1, depth + 1)):
        for file in folder.glob(pattern):
            if file.is_file() and file.resolve().is_relative_to(root):
                yield file


def _broken(path: Path, why: str) -> DataError:
    return DataError(
        f"the zip is broken or was cut short ({why})",
        source=str(path),
        fix="Fetch it again from where it is published.",
    )
