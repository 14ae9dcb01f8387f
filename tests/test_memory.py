"""What is available is read from the kernel's own files, and what does not fit is refused before it is allocated."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from reclens import memory
from reclens.data.read.packed import unpack
from reclens.data.read.tables import read
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import NotEnoughMemoryError, RecLensError, UsageError, show_bytes
from reclens.memory import available_memory, require_memory
from reclens.stats.aa import aa_tests


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Files of a kernel that are written as given, path -> text."""
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    write(proc__meminfo="MemTotal:  8000 kB\nMemFree:  100 kB\nMemAvailable:  5000 kB\nBuffers: 1 kB\n")
    return write


def test_without_groups_it_is_what_the_machine_has_available(kernel) -> None:
    assert available_memory() == 5000 * 1024
    kernel(proc__self__cgroup="0::/user.slice\n")  # a group without a limit file
    assert available_memory() == 5000 * 1024


def test_the_tightest_group_of_version_2_decides(kernel) -> None:
    kernel(
        proc__self__cgroup="0::/batch/job\n",
        cgroup__batch__memory_dot_max="3000000\n",
        cgroup__batch__memory_dot_current="1000000\n",
        cgroup__batch__memory_dot_stat="anon 600000\nactive_file 100000\ninactive_file 300000\n",
        cgroup__batch__job__memory_dot_max="max\n",
        cgroup__batch__job__memory_dot_current="900000\n",
    )
    # The kernel can drop the inactive pages of files: 3,000,000 - 1,000,000 + 300,000.
    assert available_memory() == 2_300_000


def test_a_container_that_sees_its_own_group_as_the_root(kernel) -> None:
    kernel(
        proc__self__cgroup="0::/docker/abc\n", cgroup__memory_dot_max="700000\n", cgroup__memory_dot_current="900000\n"
    )
    assert available_memory() == 0  # over the limit already: never below nothing


def test_groups_of_version_1(kernel) -> None:
    kernel(
        proc__self__cgroup="4:cpu,cpuacct:/a\n3:memory:/a/b\n1:name=systemd:/a\n0::/\n",
        cgroup__memory__memory_dot_limit_in_bytes="9223372036854771712\n",  # none
        cgroup__memory__memory_dot_usage_in_bytes="4000000\n",
        cgroup__memory__a__b__memory_dot_limit_in_bytes="2000000\n",
        cgroup__memory__a__b__memory_dot_usage_in_bytes="1500000\n",
        cgroup__memory__a__b__memory_dot_stat="cache 5\ninactive_file 1\ntotal_inactive_file 250000\n",
    )
    assert available_memory() == 750_000


def test_it_is_refused_with_the_bytes_and_a_smaller_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 10**9)
    require_memory(10**9, "a table", advice="Take fewer rows.")
    with pytest.raises(NotEnoughMemoryError) as caught:
        require_memory(10**9 + 1, "ease on 60,000 items", advice="Use item_knn.")
    assert str(caught.value) == ("ease on 60,000 items takes 1.0 GB of memory, and 1.0 GB is available. Use item_knn.")
    assert (caught.value.needed, caught.value.available) == (10**9 + 1, 10**9)
    assert isinstance(caught.value, UsageError) and isinstance(caught.value, RecLensError)


def test_where_nothing_is_known_only_the_impossible_is_refused(kernel, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "proc" / "meminfo").unlink()
    assert available_memory() == memory.os.sysconf("SC_PAGE_SIZE") * memory.os.sysconf("SC_PHYS_PAGES")
    monkeypatch.delattr(memory.os, "sysconf")  # as on Windows
    assert available_memory() is None
    require_memory(2**62, "much", advice="")
    with pytest.raises(NotEnoughMemoryError, match=r"takes 9\.2 EB of memory, and no computer has that\. Less"):
        require_memory(2**63, "more than an address can reach", advice="Less.")


@pytest.mark.parametrize(("size", "text"), [(999, "999 bytes"), (1000, "1.0 kB"), (28_800_000_000, "28.8 GB")])
def test_bytes_as_people_read_them(size: int, text: str) -> None:
    assert show_bytes(size) == text


@pytest.mark.parametrize(("answers", "expected"), [(1, 123_456_789), (0, None)])
def test_windows_says_what_is_free_or_nothing(answers: int, expected: int | None, tmp_path, monkeypatch) -> None:
    """GlobalMemoryStatusEx fills MEMORYSTATUSEX: 64 bytes, of which the 17th to 24th are the free physical memory."""

    def fill(reference) -> int:
        status = reference._obj
        assert ctypes.sizeof(status) == status.dwLength == 64
        status_bytes = (ctypes.c_char * 64).from_address(ctypes.addressof(status))
        status_bytes[16:24] = (123_456_789).to_bytes(8, "little")
        return answers

    kernel32 = SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.delattr(memory.os, "sysconf")
    assert available_memory() == expected
    require_memory(10_000_000, "a step", advice="Take less.")
    if expected is not None:
        with pytest.raises(NotEnoughMemoryError, match="a step"):
            require_memory(200_000_000, "a step", advice="Take less.")


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda: synthetic_movielens(n_users=10**8, n_items=10**6, n_ratings=10**9), "1,000,000,000 synthetic ratings"),
        (lambda: aa_tests({"x": np.arange(8.0)}, ["x"], splits=10**9), "1,000,000,000 splits"),
        (lambda: read(b"user,item\n" + b"1,2\n" * 1_200_000), "reading"),
        (lambda: unpack(packed_of(10**9), "x.zst"), "unpacking"),
    ],
)
def test_numbers_beyond_the_machine_are_refused_before_they_are_taken(monkeypatch, step, says: str) -> None:
    """Where Polars or the kernel would end the process: the bytes, and a smaller way."""
    monkeypatch.setattr(memory, "available_memory", lambda: 9_000_000)
    with pytest.raises(NotEnoughMemoryError, match=says) as told:
        step()
    assert re.search(r"[\d.]+ [MGT]i?B", str(told.value))


def packed_of(size: int) -> bytes:
    """A frame of zstd that says that it unpacks to so many bytes, and is large enough not to be a bomb."""
    header = b"\x28\xb5\x2f\xfd\xa0" + size.to_bytes(4, "little")
    block = (100_000 << 3).to_bytes(3, "little") + bytes(100_000)
    return header + block * 80 + b"\x01\x00\x00"
