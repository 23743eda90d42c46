"""What may be exported, and what may be asked of each: by a report's query, or by a data set's."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from analytics.exports.datasets import DATASETS, DatasetQuery, read_cursor
from analytics.reports import library
from analytics.reports.questions import ReportQuery
from config.pages import CursorInvalid
from config.problems import Problem

Exportable = StrEnum(  # type: ignore[misc]  # mypy wants its members spelled out
    "Exportable", {name: name for name in [*library.REPORTS, *DATASETS]}
)

Given = Mapping[str, str | int]


class QuestionInvalid(Problem):
    code = "export_question_invalid"
    title = "The report or data set cannot be asked that"


def read(name: str, given: Given) -> ReportQuery | DatasetQuery:
    """The question as the report or data set takes it. Raises QuestionInvalid."""
    shape: type[ReportQuery | DatasetQuery] = (
        DatasetQuery if name in DATASETS else library.REPORTS[name].query
    )
    if "format" in given:
        raise QuestionInvalid("The format is beside the query, not in it.")
    try:
        query = msgspec.convert(dict(given), type=shape, strict=False)
        if isinstance(query, DatasetQuery) and query.cursor:
            read_cursor(name, query.cursor)
    except msgspec.ValidationError as error:
        raise QuestionInvalid(str(error)) from error
    except CursorInvalid as error:
        raise QuestionInvalid("The cursor is not one of this data set.") from error
    return query
