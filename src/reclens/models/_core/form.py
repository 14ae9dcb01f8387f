"""Type, shape and range of the arrays of a saved model, declared by each model and checked here.

Compiled loops do not check bounds: an invalid index from a file would read foreign memory or crash the process. So
every array is checked before it is used. Shapes are written in names of sizes: ``users``, ``items``, ``cells`` (of the
histories) and integer hyper-parameters are known; any other name stands for the first size that it is compared with.
``items+1`` is one more than ``items``, and ``1`` is 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import DataError

__all__ = ["Form", "bytes_", "check_arrays", "codes", "flags", "numbers", "pointers", "word"]

_SIZE: Final = re.compile(r"([a-z_]+|\d+)(?:\+(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Form:
    """Declared type, shape and range of an array; made by :func:`numbers`, :func:`codes`, :func:`pointers` etc.

    Attributes:
        dtype: Name of the type.
        shape: Name of the size of each dimension.
        low: Least value; None where any finite one is allowed.
        high: Largest value, a number or a name of a size; None for none.
        below: Name of a size that every value stays below.
        ends_at: Values rise from 0 to this size, as pointers into a list do.
        words: The texts that are allowed.
    """

    dtype: str
    shape: tuple[str, ...]
    low: float | None = None
    high: float | str | None = None
    below: str | None = None
    ends_at: str | None = None
    words: tuple[str, ...] = ()


def numbers(*shape: str, dtype: str = "float32", low: float | None = None, high: float | str | None = None) -> Form:
    """Finite numbers, from ``low`` to ``high`` where given."""
    return Form(dtype=dtype, shape=shape, low=low, high=high)


def codes(*shape: str, of: str) -> Form:
    """Codes from 0 to below the size named ``of``: int32."""
    return Form(dtype="int32", shape=shape, low=0, below=of)


def pointers(rows: str, *, cells: str) -> Form:
    """Row pointers into a list of ``cells`` (CSR): int64, rising from 0."""
    return Form(dtype="int64", shape=(f"{rows}+1",), ends_at=cells)


def flags(*shape: str) -> Form:
    """True or false."""
    return Form(dtype="bool", shape=shape)


def bytes_(size: str) -> Form:
    """Bytes of a text or a file; their content is checked by their reader."""
    return Form(dtype="uint8", shape=(size,))


def word(*words: str) -> Form:
    """A scalar text with one of the given values."""
    return Form(dtype="str", shape=(), words=words)


def check_arrays(
    arrays: Mapping[str, np.ndarray], forms: Mapping[str, Form], sizes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Check arrays against their forms.

    Args:
        arrays: Name -> array.
        forms: Name -> form; exactly these arrays are required.
        sizes: Name of a size -> its value.

    Returns:
        The arrays, laid out by rows as compiled loops need them.

    Raises:
        DataError: If an array is missing, unexpected or not of its form; names it, what was seen and what was
            expected.

    Example:
        >>> check_arrays({"near": np.array([0, 2], np.int32)}, {"near": codes("items", of="items")}, {"items": 2})
        Traceback (most recent call last):
        reclens.errors.DataError: the array 'near' holds 2, expected codes from 0 to below items = 2
    """
    known = dict(sizes)
    for name in [*forms, *arrays]:
        if name not in arrays or name not in forms:
            wrong = "is missing" if name in forms else f"is one too many, expected {', '.join(forms) or 'none'}"
            raise DataError(f"the array '{name}' {wrong}")
    # Shapes first: a range may refer to a size that a later array defines.
    for name, form in forms.items():
        _check_shape(name, arrays[name], form, known)
    for name, form in forms.items():
        _check_values(name, arrays[name], form, known)
    return {name: np.require(array, requirements="C") for name, array in arrays.items()}


def _check_shape(name: str, array: np.ndarray, form: Form, known: dict[str, int]) -> None:
    right = array.dtype.kind == "U" if form.dtype == "str" else array.dtype == np.dtype(form.dtype)
    fits = right and array.dtype.isnative and array.ndim == len(form.shape)
    for size, written in zip(array.shape, form.shape, strict=False):
        parts = _SIZE.fullmatch(written)
        assert parts is not None
        own = size - int(parts[2] or 0)
        expected = int(parts[1]) if parts[1].isdigit() else known.setdefault(parts[1], own)
        fits = fits and own == expected >= 0
    if not fits:
        expected = ", ".join(f"{each} = {known[each]}" if each in known else each for each in form.shape)
        raise DataError(
            f"the array '{name}' is {array.dtype} of shape {array.shape}, expected {form.dtype} of shape ({expected})"
        )


def _check_values(name: str, array: np.ndarray, form: Form, known: Mapping[str, int]) -> None:
    if form.words:
        if str(array) not in form.words:
            raise DataError(f"the array '{name}' says {str(array)!r:.40}, expected {' or '.join(form.words)}")
        return
    if form.ends_at is not None:
        end = known.get(form.ends_at, -1)
        if array[0] != 0 or array[-1] != end or (array[1:] < array[:-1]).any():
            raise DataError(f"the array '{name}' does not rise from 0 to {form.ends_at} = {end}")
        return
    if not array.size or form.dtype in ("bool", "uint8"):
        return
    least, most = array.min(), array.max()  # NaN if there is one
    if not np.isfinite(least) or not np.isfinite(most):
        raise DataError(f"the array '{name}' holds what is no finite number")
    if form.below is not None and (least < 0 or most >= known[form.below]):
        wrong = least if least < 0 else most
        raise DataError(
            f"the array '{name}' holds {wrong}, expected codes from 0 to below {form.below} = {known[form.below]}"
        )
    high = known[form.high] if isinstance(form.high, str) else form.high
    if (form.low is not None and least < form.low) or (high is not None and most > high):
        wrong = least if form.low is not None and least < form.low else most
        limits = [f"{form.low:g} or more"] if form.low is not None else []
        limits += [f"{high:g} at most"] if high is not None else []
        raise DataError(f"the array '{name}' holds {wrong:g}, expected {' and '.join(limits)}")
