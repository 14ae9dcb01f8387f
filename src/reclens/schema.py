"""The names and contracts of the tables: written here once, imported everywhere.

``interactions(user_id, item_id, timestamp?, rating?, weight?)``, ``users(user_id, …attributes)``,
``items(item_id, …attributes)``, ``recommendations(user_id, item_id, rank, score?)``; and the log of what was shown,
``impressions(timestamp, user_id, item_id, position, clicked, converted?, score?, propensity?, model?, model_version?,
variant?, surface?, request_id?, received_at?, latency_ms?, retriever?, feature.*?)``.

Ids are external (strings or 64-bit integers) at every public boundary and int32 codes inside; a
:class:`Vocabulary` is the bridge. Times are UTC with microseconds.
"""

from __future__ import annotations

import hashlib
import math
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import ListsCard
from reclens.hashing import mix64
from reclens.tabular import Tabular
from reclens.vocabulary import CODE_MISSING, Vocabulary

__all__ = [
    "CLICKED",
    "CODE_MISSING",
    "CONDITIONAL",
    "CONVERTED",
    "FEATURE",
    "ITEM",
    "LATENCY",
    "MODEL",
    "POSITION",
    "PROPENSITY",
    "RANK",
    "RATING",
    "RECEIVED",
    "RELEVANCE",
    "REQUEST",
    "RETRIEVER",
    "SCORE",
    "SURFACE",
    "TIMESTAMP",
    "TIMESTAMP_TYPE",
    "USER",
    "VARIANT",
    "VERSION",
    "WEIGHT",
    "Recommendations",
    "Vocabulary",
    "combine_hashes",
    "fingerprint",
    "fingerprint_of_total",
    "hash_of_total",
    "read_arrays",
    "stable_hash",
    "total_of_hashes",
    "total_of_rows",
    "versions",
]

USER: Final = "user_id"
ITEM: Final = "item_id"
TIMESTAMP: Final = "timestamp"
RATING: Final = "rating"
WEIGHT: Final = "weight"
RANK: Final = "rank"
SCORE: Final = "score"
RELEVANCE: Final = "relevance"
POSITION: Final = "position"
CLICKED: Final = "clicked"
PROPENSITY: Final = "propensity"
"""Probability of the item at its place, whatever stands elsewhere."""
CONDITIONAL: Final = "conditional_propensity"
"""The same given the places above: the product over a list is the probability of the list."""
MODEL: Final = "model"
VERSION: Final = "model_version"
VARIANT: Final = "variant"
SURFACE: Final = "surface"
REQUEST: Final = "request_id"
CONVERTED: Final = "converted"
"""Whether the click led to what the click is for: a purchase, a film watched to its end."""
RECEIVED: Final = "received_at"
"""When the row arrived in the log: later than it happened, now and then by hours."""
LATENCY: Final = "latency_ms"
"""Milliseconds from the request to the list."""
RETRIEVER: Final = "retriever"
"""What brought the item among the candidates."""
FEATURE: Final = "feature."
"""Prefix of the columns that hold inputs of the model."""

TIMESTAMP_TYPE: Final = pl.Datetime("us", "UTC")

_PIECE: Final = 16384
"""Rows that are hashed at a time, so that what one step writes is still in the cache for the next."""


@dataclass(frozen=True, eq=False)
class Recommendations(Tabular):
    """The lists of one system: the ranked items shown to each user.

    Attributes:
        table: Polars frame ``user_id, item_id, rank, score?``; rank counts from 1.
        name: The name of the system.
        card: What made the lists and how: model, parameters, data, rules applied with their counts.
    """

    table: pl.DataFrame
    name: str = "system"
    card: ListsCard = field(default_factory=ListsCard)

    def __len__(self) -> int:
        return self.table.height

    def _about(self) -> str:
        return f"Recommendations '{self.name}' for {self.table[USER].n_unique():,} users"

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, as dictionaries."""
        return self.table.to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """The rows as a Polars frame: :attr:`table`."""
        return self.table

    def _first_rows(self, most: int) -> tuple[list[dict[str, Any]], int]:
        return self.table.head(most).to_dicts(), self.table.height


def fingerprint(*tables: pl.DataFrame | pl.Series | None) -> str:
    """A short content hash of tables that does not depend on row order, chunks, machine or Polars version.

    Every row is hashed from its column names and values; the row hashes are added, so that order does not matter.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> import polars as pl
        >>> fingerprint(pl.DataFrame({"a": [1, 2]})) == fingerprint(pl.DataFrame({"a": [2, 1]}))
        True
    """
    digest = hashlib.blake2b(digest_size=8)
    for table in tables:
        if table is None:
            digest.update(b"none")
            continue
        frame = table.to_frame() if isinstance(table, pl.Series) else table
        _add_table(digest, frame.height, frame.schema, total_of_rows(frame))
    return digest.hexdigest()


def _add_table(digest: Any, height: int, schema: Mapping[str, Any], total: int) -> None:
    digest.update(repr((height, [(name, str(schema[name])) for name in sorted(schema)])).encode())
    digest.update((total % 2**64).to_bytes(8, "little"))


def total_of_rows(frame: pl.DataFrame) -> int:
    """What the rows of a table come to: the totals of its parts add up, modulo 2⁶⁴, to that of the table."""
    values = [frame[name] for name in sorted(frame.columns)]
    numeric = [column.dtype.is_numeric() or column.dtype.is_temporal() for column in values]
    words = [_bits(column) if plain else stable_hash(column) for column, plain in zip(values, numeric, strict=True)]
    total = 0
    for at in range(0, frame.height, _PIECE):
        rows = np.zeros(min(_PIECE, frame.height - at), np.uint64)
        for word, plain in zip(words, numeric, strict=True):
            part = word[at : at + _PIECE]
            rows = mix64(rows ^ (mix64(part + np.uint64(0x9E3779B97F4A7C15)) if plain else part))
        total += int(rows.sum(dtype=np.uint64))
    return total % 2**64


def fingerprint_of_total(height: int, schema: Mapping[str, Any], total: int) -> str:
    """The :func:`fingerprint` of a table from the :func:`total_of_rows` of its parts."""
    digest = hashlib.blake2b(digest_size=8)
    _add_table(digest, height, schema, total)
    return digest.hexdigest()


def stable_hash(values: pl.Series) -> np.ndarray:
    """A 64-bit hash of each value that is the same on every machine and in every version.

    Values are hashed through their text, so that the integer 7 and the string "7" agree: the length and then the
    UTF-8 bytes, eight a step, are each folded in by the finaliser of splitmix64 (Steele, Lea, Flood 2014).

    Args:
        values: Ids or labels, shape (n,); null hashes as a value of its own.

    Returns:
        uint64 array, shape (n,).

    Example:
        >>> import polars as pl
        >>> bool((stable_hash(pl.Series([7])) == stable_hash(pl.Series(["7"]))).all())
        True
    """
    text = values.cast(pl.String)
    lengths = text.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    state = mix64(lengths.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    if text.null_count():
        state[text.is_null().to_numpy()] = np.uint64(0xD1B54A32D192ED03)
    if not lengths.sum():
        return state
    joined: str = text.fill_null("").str.join("").item()
    data = np.frombuffer(joined.encode() + bytes(8), np.uint8)
    words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))  # the 8 bytes from each byte on
    starts = np.cumsum(lengths) - lengths
    for step in range(0, int(lengths.max()), 8):
        live = np.flatnonzero(lengths > step)
        unused_bits = (64 - 8 * np.minimum(lengths[live] - step, 8)).astype(np.uint64)
        word = (words[starts[live] + step] << unused_bits) >> unused_bits
        state[live] = mix64(state[live] ^ mix64(word + np.uint64(step + 1)))
    return state


def combine_hashes(rows: np.ndarray) -> str:
    """One hash of many 64-bit row hashes, whatever their order; 16 hexadecimal digits."""
    return hash_of_total(len(rows), total_of_hashes(rows))


def total_of_hashes(rows: np.ndarray) -> int:
    """What row hashes come to: the totals of the parts of a table add up, modulo 2⁶⁴, to that of the table."""
    return sum(int(mix64(rows[at : at + _PIECE]).sum(dtype=np.uint64)) for at in range(0, len(rows), _PIECE)) % 2**64


def hash_of_total(n: int, total: int) -> str:
    """The hash of n rows, as of :func:`combine_hashes`, from their :func:`total_of_hashes`."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(n.to_bytes(8, "little"))
    digest.update((total % 2**64).to_bytes(8, "little"))
    return digest.hexdigest()


def _bits(values: pl.Series) -> np.ndarray:
    """Numbers or times as 64 bits each."""
    physical = values.to_physical()
    kind, null = (pl.Float64, float("nan")) if physical.dtype.is_float() else (pl.Int64, -(2**63))
    wide = physical.cast(kind, wrap_numerical=True)
    return (wide.fill_null(null) if wide.null_count() else wide).to_numpy().view(np.uint64)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file as ``np.savez`` writes it: not compressed, and never a pickle.

    No array can state more than the file holds: without that, a few bytes could ask for all memory.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is cut off or is no such file.
    """
    # np.load leaves a file that it opened itself open when it is broken.
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    _check_member(archive, member, path.stat().st_size)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except OSError:
            raise
        # The readers of zip and npy are driven to anything by a file that is broken on purpose.
        except Exception as error:
            raise ValueError(f"{path.name}: {error or 'cut off'}") from error


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int) -> None:
    """Raise ValueError unless a member of an ``.npz`` file is an array of just the bytes that are there."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"{member.filename} has format {version} of npy, expected 1.0 or 2.0")
        shape, _, dtype = readers[version](file)
        stated = file.tell() + math.prod(shape) * dtype.itemsize
    stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size <= size
    if dtype.hasobject or min(shape, default=0) < 0 or not stored or stated != member.file_size:
        raise ValueError(f"{member.filename} states {stated:,} bytes and holds {member.file_size:,}")


def versions() -> dict[str, str]:
    """Versions of RecLens and of what its numbers rest on, for cards."""
    return dict(_versions())


@cache  # every card states them, and reading them takes milliseconds
def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("reclens", "numpy", "polars", "scipy", "numba"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
