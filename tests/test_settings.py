"""Settings: defaults, round trip, and errors that name the section and suggest the key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from reclens.errors import UsageError
from reclens.job.settings import JobSettings, load_settings, validate_settings
from reclens.settings import to_toml


def test_an_empty_file_is_the_demo(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text("")
    assert load_settings(tmp_path / "job.toml") == JobSettings()


def test_settings_survive_being_written() -> None:
    content = {
        "name": "x",
        "title": 'quotes " and \\ and\nlines and ünïcode',
        "seed": 3,
        "data": {"path": "a b.csv", "columns": {"user_id": "my user"}},
        "segments": {"home town": {"column": "town"}},
        "models": {
            "ease": {"l2": 5.5},
            "both": {
                "model": "weighted_hybrid",
                "weights": {"ease": 2.0},
                "models": {"ease": {"l2": 5}, "popular": {}},
            },
        },
        "evaluate": {"by": ["home town"], "level": 0.9},
    }
    settings = validate_settings(content, source="test")
    assert JobSettings.model_validate(tomllib.loads(to_toml(settings))) == settings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nam = 'x'", "has no key 'nam'. Did you mean 'name'?"),
        ("[data]\npaht = 'x'", "[data] has no key 'paht'. Did you mean 'path'?"),
        ("[segments.age]\nbin = [1]", "[segments.age] has no key 'bin'. Did you mean 'bins'?"),
        ("[split]\ntest_share = 2", "[split] test_share is 2"),
        ("[compare]\ncorrection = 'hol'", "[compare] correction is 'hol'"),
        ("[evaluate]\nk = 'ten'", "[evaluate] k is 'ten'"),
        ("x = ", "it is not TOML"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        load_settings(tmp_path / "job.toml")
    assert says in str(error.value) and "job.toml" in str(error.value)


def test_a_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_settings(tmp_path / "latin.toml")
