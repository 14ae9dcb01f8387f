"""What is available is read from the kernel's own files, and what does not fit is refused before it is allocated."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens import memory
from reclens.errors import NotEnoughMemoryError, RecLensError, UsageError, show_bytes
from reclens.memory import available_memory, require_memory


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
