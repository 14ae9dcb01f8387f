"""What to do about a file that cannot be read: as arguments of Python, options of the command line, keys of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.data.read.open import translated
from reclens.data.read.request import named_by
from reclens.data.read.tables import read
from reclens.errors import DataError


def test_each_surface_names_what_to_do_in_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,timestamp\n1,1,2020-01-01\n1,2,\n")
    with pytest.raises(DataError) as caught:
        read(path)
    error = caught.value
    assert str(error).endswith(
        "the time is missing. Without times, leave the column out by columns={'timestamp': None}. Mend the rows, or "
        'leave them out by bad_rows="drop" (they are counted).'
    )
    assert error.said(named_by("options", "test:")).endswith(
        "leave the column out by --column test:timestamp=. Mend the rows, or leave them out by --read "
        "test:bad_rows=drop (they are counted)."
    )
    with pytest.raises(DataError) as caught, translated("toml"):
        read(path)
    assert 'by columns = { timestamp = "" }. Mend' in str(caught.value)
    assert 'by read = { bad_rows = "drop" } (they' in str(caught.value)
