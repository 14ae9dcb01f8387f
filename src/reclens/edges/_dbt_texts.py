"""The parts of a dbt project that do not depend on settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["COLUMNS", "MACROS", "OVERVIEW", "PROFILES", "SOURCES", "TESTS"]

PROFILES: Final = """\
# Where the marts are made: in a DuckDB file beside this one, or by --target postgres on a server, whose address and
# password are in the variables of the environment that every client of PostgreSQL reads.
reclens_monitor:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: "{{ env_var('RECLENS_WAREHOUSE', 'warehouse.duckdb') }}"
      threads: 1
    postgres:
      type: postgres
      host: "{{ env_var('PGHOST', 'localhost') }}"
      port: "{{ env_var('PGPORT', '5432') | as_number }}"
      user: "{{ env_var('PGUSER', 'postgres') }}"
      password: "{{ env_var('PGPASSWORD', '') }}"
      dbname: "{{ env_var('PGDATABASE', 'postgres') }}"
      schema: marts
      threads: 1
"""

MACROS: Final = """\
{# dbt-postgres merges the rows of a batch by a unique key. A group can have nulls in its key, which equal nothing: here
   the day of the batch is taken away and put in again, as dbt-duckdb does it. #}
{% macro postgres__get_incremental_microbatch_sql(arg_dict) %}
    {%- set batch = model.get('batch') -%}
    {%- set within -%}
        day >= '{{ batch.get('event_time_start') }}' and day < '{{ batch.get('event_time_end') }}'
    {%- endset -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }} where {{ within }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }} where {{ within }};
{% endmacro %}
"""

TESTS: Final[Mapping[str, str]] = {
    "one_row_each": """\
{% test one_row_each(model, columns) %}
select {% for column in columns %}"{{ column }}", {% endfor %}count(*) as n
from {{ model }}
group by {% for column in columns %}"{{ column }}"{{ ", " if not loop.last }}{% endfor %}

having count(*) > 1
{% endtest %}
""",
    "at_least": """\
{% test at_least(model, column_name, least) %}
select * from {{ model }} where {{ column_name }} < {{ least }}
{% endtest %}
""",
    "at_most_column": """\
{% test at_most_column(model, column_name, other) %}
select * from {{ model }} where {{ column_name }} > {{ other }}
{% endtest %}
""",
}

OVERVIEW: Final = """\
{% docs __overview__ %}
# Marts of a recommender's health

`impressions` and `lists` are views over what the monitor landed; the marts are sums a day and combination of slices, so
that a week is the sum of its days. Each mart is made day by day, and a day can be made again at any time:

    dbt build --event-time-start 2026-01-05 --event-time-end 2026-01-12

makes the seven days from 5 to 11 January. The exposures are the indicators, each with its owner and its runbook.
{% enddocs %}
"""

SOURCES: Final[Mapping[str, str]] = {
    "days": "How many items a list should have, and whether the day passed its data gate.",
    "events": "The log in the names and types of the schema: a row an impression.",
    "user_facts": "Segment of each user of the day, and whether it is new.",
    "item_facts": "Category of each item of the day, whether it is new or fresh, and its self-information.",
    "retriever_log": "Candidates that each retriever brought to a request.",
    "stage_log": "Relevant items that each stage of the pipeline lost.",
    "click_log": "Clicks, and whether an impression was found for each.",
}

_SLICES: Final = ("surface", "model", "model_version", "variant", "segment")
_Tests = tuple[str | dict[str, object], ...]


def _least(value: int) -> dict[str, object]:
    return {"at_least": {"arguments": {"least": value}}}


def _most(other: str) -> dict[str, object]:
    return {"at_most_column": {"arguments": {"other": other}}}


_PIPELINE: Final[Mapping[str, tuple[str, _Tests]]] = {"n": ("Rows.", ("not_null", _least(0)))}

COLUMNS: Final[Mapping[str, tuple[tuple[str, ...], Mapping[str, tuple[str, _Tests]]]]] = {
    "daily_metrics": (
        (*_SLICES, "position", "retriever"),
        {
            "impressions": ("Items that were shown.", ("not_null", _least(1))),
            "clicks": ("Impressions with a click.", ("not_null", _least(0), _most("judged"))),
            "judged": ("Impressions of which a click is known or its absence.", (_most("impressions"),)),
            "conversions": ("Impressions with a conversion.", ("not_null",)),
        },
    ),
    "daily_lists": (
        _SLICES,
        {
            "requests": ("Lists that were asked for.", ("not_null", _least(1))),
            "clicked": ("Lists with a click at a known place.", (_most("requests"),)),
            "hits": ("Lists with a click at the first places.", (_most("clicked"),)),
            "ndcg": ("Sum of NDCG over the lists with a click.", (_least(0),)),
        },
    ),
    "item_exposure": (
        ("item_id", "dimension", "slice"),
        {
            "shown": ("How often the item was shown.", ("not_null", _least(1))),
            "clicks": ("How often it was clicked.", (_most("shown"),)),
        },
    ),
    "user_cohort": (
        ("user_id",),
        {
            "requests": ("Lists that the user asked for.", ("not_null", _least(1))),
            "clicks": ("Clicks of the user.", (_least(0),)),
        },
    ),
    "duplicates": (_SLICES, {"repeated": ("Rows that repeat an item of their list.", ("not_null", _least(0)))}),
    "latency": ((*_SLICES, "bin"), {"n": ("Lists.", ("not_null", _least(1)))}),
    "retrievers": (("what", "name"), _PIPELINE),
    "stages": (("what", "name"), _PIPELINE),
    "joins": (("what", "name"), _PIPELINE),
}
"""Mart -> the columns that tell its rows apart; its other columns, each with what it is and its tests."""
