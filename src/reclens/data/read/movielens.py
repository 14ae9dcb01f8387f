"""MovieLens in its official layouts: 100K, 1M, 10M, 20M, 25M and latest, as the published zip or as a folder.

What a reader of MovieLens has to know: 100K and 1M have users with age, gender, occupation and zip code; in 1M the age
is a code for a band (1 under 18, 18, 25, 35, 45, 50, 56 and over) and stays that number. The others have no users.
Titles end with the year, which goes into a column of its own. "(no genres listed)" and the flag "unknown" of 100K are
no genres.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.attributes import clean_attributes
from reclens.data.read.clean import Cleaner
from reclens.data.read.delimited import read_delimited
from reclens.data.read.raw import Raw
from reclens.data.read.tables import make_dataset
from reclens.data.read.zips import Members, open_members
from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, RATING, TIMESTAMP, USER

__all__ = ["read_movielens"]

_GENRES_100K: Final = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_OCCUPATIONS_1M: Final = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
"""What the codes 0 … 20 of 1M mean, from its README."""
_LAYOUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "100k": ("u.data", "u.item", "u.user"),
    "1m": ("ratings.dat", "movies.dat", "users.dat"),
    "10m": ("ratings.dat", "movies.dat"),
    "csv": ("ratings.csv", "movies.csv"),
}
"""The members that each layout must have; tried in this order."""
_TYPES: Final = {USER: pl.Int64(), ITEM: pl.Int64(), RATING: pl.Float64(), TIMESTAMP: pl.Int64()}
_NONE: Final = ("", "(no genres listed)", "unknown")


def read_movielens(path: str | Path, *, tags: bool = False) -> Dataset:
    """Read a MovieLens data set.

    The layout is told by the members that are there, not by the hash of the zip, so that a folder, a rebuilt zip or a
    sample in an official layout can be read. Relevance scores of tags ("genome"), links and ready-made splits are not
    read.

    Args:
        path: The zip as GroupLens publishes it, or the folder that it unpacks to.
        tags: Whether to add the tags that users gave (10M, 20M, 25M, latest) to the items, in lower case, as one more
            list-valued attribute.

    Returns:
        Interactions with ``rating`` and ``timestamp`` in the order of the file; ``items`` with ``title``, ``year`` and
        ``genres``; for 100K and 1M ``users`` with ``age``, ``gender``, ``occupation`` and ``zip``.

    Raises:
        DataError: If the path is no MovieLens data, or a member is broken.

    References:
        Harper, Konstan (2015), The MovieLens Datasets: History and Context; ACM TiiS 5(4).
    """
    path = Path(path).expanduser()
    if path.is_file() and path.suffix.lower() in (".csv", ".dat", ".data"):
        raise DataError(
            "this is one file of a data set",
            source=str(path),
            fix="Name the folder it stands in or the zip, or read it alone with read(path).",
        )
    with open_members(path) as members:
        layout, prefix = _layout(members)
        raw = _ratings(members, layout, prefix)
        items = _items(members, layout, prefix, tags=tags)
        users = _users(members, layout, prefix)
    name = prefix.rstrip("/").rpartition("/")[2] or path.name.removesuffix(".zip")
    return make_dataset(raw, users=users, items=items, name=name, card={"layout": f"MovieLens {layout}"})


def _layout(members: Members) -> tuple[str, str]:
    """Detect the layout; returns it and the folder inside the zip, with a trailing slash."""
    names = set(members.names)
    for layout, needed in _LAYOUTS.items():
        for found in sorted(name for name in names if name.rpartition("/")[2] == needed[0]):
            prefix = found.removesuffix(needed[0])
            if all(prefix + each in names for each in needed):
                return layout, prefix
    for layout, needed in _LAYOUTS.items():
        for found in sorted(name for name in names if name.rpartition("/")[2] == needed[0]):
            prefix = found.removesuffix(needed[0])
            gone = [prefix + each for each in needed if prefix + each not in names]
            if layout != "1m":
                raise DataError(
                    f"it has {found} but not {', '.join(gone)}",
                    source=str(members.path),
                    fix="Fetch the data set again; it is not complete.",
                )
    raise DataError(
        f"this is no MovieLens data set: it has {', '.join(sorted(names)[:8]) or 'no files'}",
        source=str(members.path),
        fix="Expected u.data (100K), ratings.dat (1M, 10M) or ratings.csv (20M, 25M, latest).",
    )


def _ratings(members: Members, layout: str, prefix: str) -> Raw:
    """Read the ratings with their types; if that fails, as text, so that the error names the row."""
    member = prefix + _LAYOUTS[layout][0]
    where, data = members.where(member), members.read(member)
    header = layout == "csv"
    delimiter = {"100k": "\t", "csv": ","}.get(layout, "::")
    if not data.strip():
        raise DataError("the file is empty", source=where, fix="Fetch the data set again.")
    try:
        # Ratings hold neither quotes nor "::" within fields: a tab is as good a delimiter, and known to the reader.
        frame = pl.read_csv(
            data.replace(b"::", b"\t") if delimiter == "::" else data,
            separator="," if header else "\t",
            has_header=header,
            quote_char=None,
            schema=None if header else _TYPES,
            schema_overrides={
                "userId": _TYPES[USER],
                "movieId": _TYPES[ITEM],
                "rating": _TYPES[RATING],
                "timestamp": _TYPES[TIMESTAMP],
            }
            if header
            else None,
        )
        return Raw(frame=frame, where=where, name=prefix)
    except pl.exceptions.PolarsError:
        frame = read_delimited(data, source=where, delimiter=delimiter, header=header)
    if not header:
        if frame.width != len(_TYPES):
            raise DataError(f"the rows have {frame.width} fields, expected {len(_TYPES)}", source=where)
        frame = frame.rename(dict(zip(frame.columns, _TYPES, strict=True)))
    return Raw(frame=frame, where=where, name=prefix, text=True)


def _users(members: Members, layout: str, prefix: str) -> tuple[pl.DataFrame, Cleaner] | None:
    if layout == "100k":
        member, delimiter, names = prefix + "u.user", "|", [USER, "age", "gender", "occupation", "zip"]
    elif layout == "1m":
        member, delimiter, names = prefix + "users.dat", "::", [USER, "gender", "age", "occupation", "zip"]
    else:
        return None
    where = members.where(member)
    frame = read_delimited(members.read(member), source=where, delimiter=delimiter, encoding="latin-1", header=False)
    if frame.width != len(names):
        raise DataError(f"the rows have {frame.width} fields, expected {len(names)}: {', '.join(names)}", source=where)
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    zips = frame["zip"]
    table, cleaner = clean_attributes(Raw(frame=frame.drop("zip"), where=where, name="users", text=True), USER)
    if table.height != frame.height:
        zips = zips.gather(frame[USER].is_first_distinct().arg_true())
    table = table.with_columns(zips)  # zip codes are text, even if all of them look like numbers
    if layout == "1m":
        codes = dict(enumerate(_OCCUPATIONS_1M))
        table = table.with_columns(pl.col("occupation").replace_strict(codes, default=None, return_dtype=pl.String))
    return table.select(USER, "age", "gender", "occupation", "zip"), cleaner


def _items(members: Members, layout: str, prefix: str, *, tags: bool) -> tuple[pl.DataFrame, Cleaner]:
    cleaner_rows: pl.DataFrame
    if layout == "100k":
        member = prefix + "u.item"
        cleaner_rows, unknown = _items_100k(members, member, prefix)
    else:
        member = prefix + ("movies.csv" if layout == "csv" else "movies.dat")
        cleaner_rows, unknown = _items_listed(members, member, layout)
    where = members.where(member)
    title = pl.col("title").str.strip_chars()
    # "Toy Story (1995)", and with a mark behind it "Shiloh 2 (1999) (V)" or a span "(2006–2007)".
    pattern = r"^(.*?)\s*\((\d{4})(?:[–-]\d{0,4})?\)\s*(\([^()]*\))?$"
    split = cleaner_rows.with_columns(
        title.str.extract(pattern, 2).cast(pl.Int64).alias("year"),
        pl.when(title.str.contains(pattern))
        .then(pl.concat_str(title.str.extract(pattern, 1), pl.lit(" "), title.str.extract(pattern, 3).fill_null("")))
        .otherwise(title)
        .str.strip_chars()
        .alias("title"),
    ).select(ITEM, "title", "year", "genres")
    table, cleaner = clean_attributes(Raw(frame=split, where=where, name="items"), ITEM)
    table = table.with_columns(table[ITEM].cast(pl.Int64)) if table[ITEM].dtype != pl.Int64 else table
    cleaner.note("films_without_genre", unknown, table=where)
    if tags:
        table = table.join(_tags(members, layout, prefix), on=ITEM, how="left", maintain_order="left")
        table = table.with_columns(pl.col("tags").fill_null([]))
    return table, cleaner


def _items_100k(members: Members, member: str, prefix: str) -> tuple[pl.DataFrame, int]:
    where = members.where(member)
    genres = list(_GENRES_100K)
    if prefix + "u.genre" in members.names:
        lines = members.read(prefix + "u.genre").decode("latin-1").splitlines()
        genres = [line.partition("|")[0] for line in lines if line.strip()]
    frame = read_delimited(members.read(member), source=where, delimiter="|", encoding="latin-1", header=False)
    if frame.width != 5 + len(genres):
        raise DataError(f"the rows have {frame.width} fields, expected 5 and {len(genres)} genres", source=where)
    flags = frame.columns[5:]
    marked = [pl.when(pl.col(flag) == "1").then(pl.lit(genre)) for flag, genre in zip(flags, genres, strict=True)]
    listed = pl.concat_list(marked).list.drop_nulls()
    table = frame.select(_whole(frame["column_1"], where), pl.col("column_2").alias("title"), listed.alias("genres"))
    return _without_none(table)


def _items_listed(members: Members, member: str, layout: str) -> tuple[pl.DataFrame, int]:
    where, data = members.where(member), members.read(member)
    if layout == "csv":
        frame = read_delimited(data, source=where, delimiter=",")
        absent = [name for name in ("movieId", "title", "genres") if name not in frame.columns]
        if absent:
            raise DataError(f"there is no column '{absent[0]}'", source=where, fix="Fetch the data set again.")
    else:
        frame = _movies_dat(data, where)
    table = frame.select(
        _whole(frame["movieId"], where), pl.col("title"), pl.col("genres").fill_null("").str.split("|").alias("genres")
    )
    return _without_none(table)


def _movies_dat(data: bytes, where: str) -> pl.DataFrame:
    """Read ``id::title::genres``; only the title may contain the delimiter."""
    try:
        text = data.decode("utf-8")  # 10M
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # 1M
    rows: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        first, _, rest = line.partition("::")
        title, delimiter, genres = rest.rpartition("::")
        if not delimiter and line.strip():
            raise DataError(f"the line is {line[:60]!r}, expected id::title::genres", source=where, row=number)
        if line.strip():
            rows.append([first, title, genres])
    return pl.DataFrame(rows, schema=dict.fromkeys(("movieId", "title", "genres"), pl.String()), orient="row")


def _without_none(table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Remove the placeholders for "no genre"; also returns the number of films without a genre."""
    real = table.with_columns(pl.col("genres").list.eval(pl.element().filter(~pl.element().is_in(_NONE))))
    return real, int((real["genres"].list.len() == 0).sum())


def _whole(ids: pl.Series, where: str) -> pl.Series:
    whole = ids.cast(pl.Int64, strict=False)
    if whole.null_count():
        row = int(whole.is_null().arg_true()[0])
        raise DataError(f"the film's id is {ids[row]!r}, expected a whole number", source=where, row=row + 1)
    return whole.alias(ITEM)


def _tags(members: Members, layout: str, prefix: str) -> pl.DataFrame:
    member = prefix + ("tags.csv" if layout == "csv" else "tags.dat")
    if member not in members.names:
        raise DataError(
            f"there are no tags: '{member}' is missing",
            source=str(members.path),
            fix=Advice("without_tags", (Setting("tags", False),), "Read with {tags}."),
        )
    where = members.where(member)
    frame = read_delimited(
        members.read(member), source=where, delimiter="," if layout == "csv" else "::", header=layout == "csv"
    )
    names: dict[str, Any] = dict(zip(frame.columns, ("user", "movie", "tag"), strict=False))
    frame = frame.rename(names)
    return (
        frame.select(_whole(frame["movie"], where), pl.col("tag").str.strip_chars().str.to_lowercase().alias("tags"))
        .drop_nulls()
        .group_by(ITEM)
        .agg(pl.col("tags").unique().sort())
    )
