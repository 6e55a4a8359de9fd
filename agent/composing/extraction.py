"""Extraction to a schema: rows of the user's own pydantic model, filled from lines, each field with the lines that hold it."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ...index.records import Evidence
from ...prompts import render
from ...tools.errors import QueryError
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured, complete_objects
from ...tools.words import MONTHS, canonical, stem, tokens
from ..records import Citation
from .drafts import ids_type
from .model_input import fitted, quoted, write_brief

__all__ = ["Extracted", "Form", "extract"]

MOST_ROWS = 20
_ANSWER_TOKENS = 900
_LISTS = (list, tuple, set, frozenset)
# No digits inside "B12" or after a point.
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
# "1.200,50 Euro"
_THOUSANDS_POINT = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d))")

_log = logging.getLogger(__name__)

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Extracted(Generic[Form]):
    """One row.

    Attributes:
        value: The user's model, filled.
        citations: The lines that the row was read from.
        fields: For each field with a value, the cited lines that hold it; none: no line holds it. Numbers and dates are
            compared by value. Fields that no line can hold as they are are not listed: true and false, durations, empty
            lists and nested models.
    """

    value: Form
    citations: tuple[Citation, ...]
    fields: dict[str, tuple[Citation, ...]]

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Fields whose value occurs in no cited line."""
        return tuple(name for name, cited in self.fields.items() if not cited)


def extract(
    llm: VideoLLM, request: str, form: type[Form], rows: Sequence[Evidence], *, seconds: float | None = None
) -> tuple[list[Extracted[Form]], TokenUsage]:
    """Fill rows of a form from lines.

    A row that cites no line it was given, or does not fit the form, is left out, as are rows for which the answer has no
    room. A warning is logged where something is left out.

    Args:
        llm: The model.
        request: What is wanted, e.g. "all prices".
        form: A pydantic model with the fields of a row.
        rows: Lines, best first.
        seconds: Time for it.

    Raises:
        QueryError: The form has a field `ids`, which the request needs itself.
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    if "ids" in form.model_fields or not form.model_fields:
        raise QueryError(f"{form.__name__}: a model with at least one field is wanted, and none called 'ids'")
    can, instructions = llm.capabilities, render("extract")
    asked = f"Request: {quoted(request)}"
    chosen = fitted(rows, (), can, can.tokens_of(instructions) + can.tokens_of(asked) + _ANSWER_TOKENS + 300)
    brief = write_brief(chosen.rows, ())
    if not brief.ids:
        return [], TokenUsage()
    kind = _rows_of(form, tuple(brief.ids))
    draft, usage = ask_structured(
        llm,
        [*brief.parts, asked],
        kind,
        instructions=instructions,
        max_tokens=_ANSWER_TOKENS,
        seconds=seconds,
        complete_part=partial(_complete_rows, kind, llm.source),
    )
    found = [_row(one, form, brief.ids) for one in getattr(draft, "rows", ())]
    kept = [one for one in found if one is not None]
    if len(kept) < len(found):
        _log.warning(
            "%d of %d rows are left out: they cite no line, or do not fit %s",
            len(found) - len(kept),
            len(found),
            form.__name__,
        )
    if len(found) >= MOST_ROWS:
        _log.warning("one request returns at most %d rows: there may be more. Narrow the request", MOST_ROWS)
    return kept, usage


def _rows_of(form: type[BaseModel], ids: tuple[str, ...]) -> type[BaseModel]:
    """The form of the answer: each field may be null, as a line may not hold it.

    It asks for each field and for a number of rows; an answer with fewer fields or more rows is read all the same.
    """
    fields: dict[str, Any] = {
        name: (field.annotation | None, Field(default=None, description=field.description))  # type: ignore[operator]
        for name, field in form.model_fields.items()
    }
    config = ConfigDict(extra="ignore", json_schema_extra={"required": [*fields, "ids"]})
    one = create_model("Row", __config__=config, **fields, ids=(ids_type(ids), ...))
    return create_model("Rows", rows=(list[one], Field(json_schema_extra={"maxItems": MOST_ROWS})))  # type: ignore[valid-type]


def _complete_rows(kind: type[BaseModel], source: str, text: str) -> BaseModel | None:
    """The complete rows of an answer that was cut off; None: there are no valid ones."""
    rows = complete_objects(text, "rows")
    try:
        draft = kind.model_validate_json(json.dumps({"rows": rows}))
    except ValidationError:
        return None
    if not rows:
        return None
    _log.warning(
        "the answer of %s was cut off: its first %d rows are kept, the rest is left out. Narrow the request",
        source,
        len(rows),
    )
    return draft


def _row(draft: BaseModel, form: type[Form], ids: dict[str, tuple[Evidence, ...]]) -> Extracted[Form] | None:
    given = draft.model_dump()
    cited = tuple(Citation.of(one) for name in given.pop("ids") for one in ids.get(name, ()))
    values = {name: value for name, value in given.items() if value is not None}
    try:
        value = form.model_validate(values, by_alias=False, by_name=True)
    except ValidationError:
        return None
    if not cited:
        return None
    held = {name: _holding(cited, one) for name, one in values.items() if _can_be_held(one)}
    return Extracted(value=value, citations=cited, fields=held)


def _can_be_held(value: object) -> bool:
    """Whether a line can hold a value as it is: none writes True, an empty list or a nested model."""
    if isinstance(value, Enum):
        return _can_be_held(value.value)
    if isinstance(value, _LISTS):
        return bool(value) and all(map(_can_be_held, value))
    return not isinstance(value, bool | dict | timedelta)


def _holding(cited: tuple[Citation, ...], value: object) -> tuple[Citation, ...]:
    """The lines that hold a value; for a list, those that hold any item, if each item is held."""
    if isinstance(value, _LISTS):
        each = [_holding(cited, one) for one in value]
        return tuple(one for one in cited if all(each) and any(one in lines for lines in each))
    return tuple(one for one in cited if _holds(one.quote, value))


def _holds(line: str, value: object) -> bool:
    """Whether a line holds a number or a date by its value, and other values by their words, in any form."""
    if isinstance(value, Enum):
        return _holds(line, value.value)
    if isinstance(value, int | float | Decimal):
        return Decimal(str(abs(value))) in _numbers(line)
    if isinstance(value, date):
        has_time = isinstance(value, datetime) and value.time() != time()
        return _holds_date(line, value) and (not has_time or _holds(line, value.time()))  # type: ignore[attr-defined]
    if isinstance(value, time):
        numbers = _whole_numbers(line)
        return not numbers.isdisjoint((value.hour, value.hour % 12 or 12)) and value.minute in {0, *numbers}
    wanted, words = _keys(str(value)), _keys(line)
    return bool(wanted) and wanted <= words


def _numbers(line: str) -> set[Decimal]:
    """The numbers of a line, in digits or in words. "1.200" is read both as 1.2 and, as in German, as 1200."""
    readings = (line, _DECIMAL_COMMA.sub(".", _THOUSANDS_POINT.sub("", line)))
    words = (canonical(word) for reading in readings for word in tokens(reading))
    parts = (re.sub(r"[.:]" if word.count(".") > 1 else ":", " ", word) for word in words)  # 3.5.2026
    return {Decimal(number) for part in parts for number in _NUMBER.findall(part)}


def _whole_numbers(line: str) -> set[int]:
    return {int(digits) for word in tokens(line) for digits in re.findall(r"\d+", canonical(word))}


def _holds_date(line: str, value: date) -> bool:
    """Whether a line holds year, month and day: 2026-05-03, 3.5.2026, "third of May 2026"."""
    numbers, month = _whole_numbers(line), MONTHS[value.month - 1]
    is_month = value.month in numbers or not {month, month[:3], month[:4]}.isdisjoint(tokens(line))
    return is_month and {value.year, value.day} <= numbers


def _keys(text: str) -> set[str]:
    return {word if word[:1].isdigit() else stem(word) for word in map(canonical, tokens(text))}
