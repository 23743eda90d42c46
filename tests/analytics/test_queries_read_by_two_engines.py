"""Queries say what they take, take nothing else, and are written so that Spark can run them, too."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
import sqlglot

from analytics.lake import spark
from analytics.reports import definitions, library, queries
from analytics.reports.queries import Query
from tests.analytics.lakes import utc

QUERIES = queries.every()
#: What our texts call, by the names of https://spark.apache.org/docs/latest/api/sql/. A name goes in here
#: when it was looked up there: sqlglot passes on what it does not know.
SPARK_FUNCTIONS = {
    *("bool_or", "coalesce", "concat", "count", "datediff", "dense_rank", "explode"),
    *(
        "greatest",
        "grouping",
        "lag",
        "lead",
        "least",
        "max",
        "min",
        "min_by",
        "round",
        "row_number",
    ),
    *("sequence", "struct", "sum"),
}
#: Words with a parenthesis behind them that are no function.
KEYWORDS = {
    *("and", "as", "by", "decimal", "filter", "from", "in", "join", "not", "on", "or", "over"),
    *(
        "select",
        "sets",
        "using",
        "when",
        "where",
        "then",
        "interval",
        "else",
        "with",
        "cast",
        "div",
    ),
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_text_can_be_written_for_spark(query: Query) -> None:
    (written,) = sqlglot.transpile(
        query.text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )

    assert sqlglot.parse_one(written, read="spark") is not None
    assert set(_called(written)) - KEYWORDS <= SPARK_FUNCTIONS
    assert not re.search(r"\b(int128|hugeint|qualify|group by all)\b", written, re.IGNORECASE)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_value_goes_to_spark_under_its_name_and_with_its_type(query: Query) -> None:
    of = {"moment": utc("2026-03-01 00:00"), "integer": 1, "text": "a", "boolean": True}
    given = query.bind({name: of[each.kind] for name, each in query.parameters.items()})
    nothing = {
        name: None if query.parameters[name].may_be_null else value for name, value in given.items()
    }

    whole = spark.written(query.text, given)
    sparse = spark.written(query.text, nothing)

    assert set(re.findall(r":(\w+)", _plain(whole.query))) == set(given)
    assert set(re.findall(r":(\w+)", _plain(sparse.query))) == {
        name for name, value in nothing.items() if value is not None
    }
    assert not whole.query.upper().startswith(("CREATE", "INSERT"))


def _plain(statement: str) -> str:
    return re.sub(r"/\*.*?\*/|'[^']*'", "", statement, flags=re.DOTALL)


def test_a_table_is_made_or_added_to_under_its_name() -> None:
    made = spark.written("CREATE OR REPLACE TEMP TABLE a AS SELECT $x AS x FROM b", {"x": 1})
    added = spark.written("INSERT INTO a FROM piece", {})

    assert (made.table, made.adds, made.query) == (
        "a",
        False,
        "SELECT CAST(:x AS BIGINT) AS x FROM b",
    )
    assert (added.table, added.adds, added.query) == ("a", True, "SELECT * FROM piece")


def _called(statement: str) -> Iterator[str]:
    plain = _plain(statement)
    # What a WITH names comes before its query, and is no function either.
    plain = re.sub(r"\b\w+\s+AS\s+\(", "(", plain)
    return (found[1].lower() for found in re.finditer(r"\b([A-Za-z_]+)\s*\(", plain))


def test_a_function_of_duckdb_alone_is_found() -> None:
    (written,) = sqlglot.transpile("SELECT epoch_us(x) FROM t", read="duckdb", write="spark")

    assert set(_called(written)) - KEYWORDS - SPARK_FUNCTIONS == {"epoch_us"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_the_head_names_all_that_the_text_takes(query: Query) -> None:
    body = "\n".join(line for line in query.text.splitlines() if not line.startswith("-- $"))

    assert set(re.findall(r"\$(\w+)", body)) == set(query.parameters)


def test_every_figure_that_a_query_counts_is_defined_and_every_defined_one_is_counted() -> None:
    counted = {key for query in QUERIES for key in query.defines}

    assert counted == {definition.key for definition in definitions.ALL}


#: What looks for fraud asks.
FRAUD = {"implausible_sessions", "implausible_viewers", "shared_installs", "unshown_rewards"}


def test_every_query_is_of_a_report_or_of_the_ranking_or_looks_for_fraud() -> None:
    of_reports = {name for entry in library.REPORTS.values() for name in entry.queries}

    assert {query.name for query in QUERIES} - of_reports == {"dearest_coin", "ranking"} | FRAUD
    assert of_reports <= {query.name for query in QUERIES}


NOTHING_SOLD = {"watermark": utc("2026-03-01 00:00")}


@pytest.mark.parametrize(
    "given",
    [
        {},
        NOTHING_SOLD | {"series_id": None},
        {"watermark": None},
        {"watermark": "2026-03-01"},
        {"watermark": 1},
    ],
)
def test_a_query_takes_what_its_head_says_and_nothing_else(given: dict[str, Any]) -> None:
    with duckdb.connect() as connection, pytest.raises(TypeError):
        queries.run(connection, "dearest_coin", **given)


def test_a_boolean_is_no_integer_and_a_null_is_taken_where_the_head_says_so() -> None:
    money = {"first_day": None, "last_day": 3, "series_id": None}
    bound = queries.named("title_revenue").bind(money)

    assert bound == money
    with pytest.raises(TypeError, match="last_day is True"):
        queries.named("title_revenue").bind(money | {"last_day": True})


def test_moments_are_bound_as_the_lake_keeps_them() -> None:
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)

    assert queries.named("starts").bind({"watermark": at}) == {"watermark": at.replace(tzinfo=None)}


@pytest.mark.parametrize(
    "text",
    [
        "-- name: other\n-- A sentence.\nSELECT 1",
        "-- name: one\nSELECT 1",
        "-- name: one\n-- No sentence\nSELECT 1",
        "-- name: one\n-- A sentence.\n-- $day: date\nSELECT $day",
        "-- name: one\n-- A sentence.\n-- $day\nSELECT $day",
    ],
)
def test_a_text_without_its_head_is_no_query(text: str) -> None:
    with pytest.raises(ValueError, match=r"one\.sql"):
        queries.parsed("one", text)
