"""Compiled loops: numba is imported, and a loop compiled, when the loop is first called.

A kernel has explicit signatures, releases the interpreter lock and is cached on disk: beside its source, or in the
user's cache folder where the source cannot be written (numba decides; ``NUMBA_CACHE_DIR`` overrides). It is compiled
once for each machine, and takes tens of milliseconds to load from then on. Kernels use no threads of their own: RecLens
runs them in chunks on plain threads, so that results do not depend on a thread pool.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from reclens.engine import LocalEngine, Progress, quiet

__all__ = ["Kernel", "kernel", "warm_up"]

_KERNELS: list[Kernel] = []
_LOCK = threading.RLock()


class Kernel:
    """A function that is compiled when it is first called; kernels may call each other.

    Args:
        function: The function, in the part of Python that numba compiles.
        signatures: Its numba signatures.
        fast: Whether sums may be taken in another order, which is what it takes to add up in vector registers. The
            order is the compiled code's, the same in every call. NaN and infinities keep their meaning.
    """

    def __init__(self, function: Callable[..., Any], signatures: tuple[str, ...], fast: bool = False) -> None:
        self.function, self.signatures, self.fast = function, signatures, fast
        self.__doc__, self.__name__, self.__module__ = function.__doc__, function.__name__, function.__module__
        self._compiled: Any = None
        _KERNELS.append(self)

    def __call__(self, *arguments: Any) -> Any:
        """Call the compiled function."""
        return (self._compiled or self.compile())(*arguments)

    def compile(self) -> Any:
        """Compile, or load from the disk cache; returns numba's dispatcher."""
        with _LOCK:
            if self._compiled is None:
                numba = _numba()
                loose = {"reassoc", "nsz", "contract"} if self.fast else False
                # Division by zero gives infinity or NaN, as in NumPy: a test and an exception would keep every loop
                # with a division from fitting vector registers.
                options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": loose, "error_model": "numpy"}
                self._compiled = numba.njit(list(self.signatures), **options)(self.function)
        return self._compiled

    @property
    def from_cache(self) -> bool:
        """Whether the compiled code came from the disk cache."""
        return bool(self.compile().stats.cache_hits)


@cache
def _numba() -> Any:
    """Import numba, and register that a kernel called by another kernel stands for its compiled function."""
    import numba
    from numba.extending import typeof_impl

    @typeof_impl.register(Kernel)
    def _(value: Kernel, context: Any) -> Any:
        return typeof_impl(value.compile(), context)

    return numba


def kernel(*signatures: str, fast: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function a :class:`Kernel` with the given numba signatures; see there for ``fast``."""

    def wrap(function: Callable[..., Any]) -> Kernel:
        return Kernel(function, signatures, fast)

    return wrap


def warm_up(progress: Progress = quiet, *, rooms: Sequence[str] = (), processes: int | None = None) -> int:
    """Compile or load every kernel of the modules imported so far.

    Where the first of them has to be compiled, the others are compiled in processes side by side, since numba compiles
    in one thread, and are then loaded from the disk cache.

    Args:
        progress: Called for each kernel.
        rooms: Only the kernels of these, such as ``"metrics"``; all of them by default.
        processes: How many compile; None for one a core.

    Returns:
        How many had to be compiled, and were not in the disk cache.
    """
    what = "prepare compiled loops (once for each machine)"
    chosen = [each for each in _KERNELS if not rooms or each.__module__.split(".")[1] in rooms]
    elsewhere = 0
    for done, each in enumerate(chosen):
        progress(what, done, len(chosen))
        new = each._compiled is None
        each.compile()
        if not done and new and not each.from_cache:
            elsewhere = _compile_apart(sorted({other.__module__ for other in chosen}), LocalEngine(processes).threads)
    progress(what, len(chosen), len(chosen))
    return elsewhere + sum(not each.from_cache for each in chosen)


def _compile_apart(modules: list[str], processes: int) -> int:
    """Compile the kernels of some modules into the disk cache by other processes; returns how many they compiled.

    What a process fails to compile is left to this one.
    """
    if processes == 1:
        return 0
    parts = [part for part in (modules[at::processes] for at in range(processes)) if part]
    warm = "from reclens.kernels import warm_up; print(warm_up(processes=1))"
    running = [
        subprocess.Popen(  # noqa: S603 - this interpreter, and names of our modules
            [sys.executable, "-c", f"import {', '.join(part)}; {warm}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for part in parts
    ]
    return sum(int(process.communicate()[0] or 0) for process in running)
