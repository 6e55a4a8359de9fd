"""Extraction to a schema: rows of the user's own pydantic model, filled from lines, each field with the lines that hold it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ...index.records import Evidence
from ...prompts import render
from ...tools.errors import QueryError
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.words import canonical, stem, tokens
from ..records import Citation
from .drafts import ids_type
from .model_input import fitted, quoted, write_brief

__all__ = ["Extracted", "Form", "extract"]

MOST_ROWS = 20
_ANSWER_TOKENS = 900

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Extracted(Generic[Form]):
    """One row.

    Attributes:
        value: The user's model, filled.
        citations: The lines that the row was read from.
        fields: For each field with a value, the cited lines that hold it; none: no line holds it as it is written.
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

    A row that cites no line it was given, or does not fit the form, is left out.

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
    draft, usage = ask_structured(
        llm,
        [*brief.parts, asked],
        _rows_of(form, tuple(brief.ids)),
        instructions=instructions,
        max_tokens=_ANSWER_TOKENS,
        seconds=seconds,
    )
    found = [_row(one, form, brief.ids) for one in getattr(draft, "rows", ())]
    return [one for one in found if one is not None], usage


def _rows_of(form: type[BaseModel], ids: tuple[str, ...]) -> type[BaseModel]:
    """The form of the answer: each field may be null, as a line may not hold it."""
    fields: dict[str, Any] = {name: (field.annotation | None, None) for name, field in form.model_fields.items()}  # type: ignore[operator]
    one = create_model("Row", __config__=ConfigDict(extra="ignore"), **fields, ids=(ids_type(ids), ...))
    return create_model("Rows", rows=(list[one], ...))  # type: ignore[valid-type]


def _row(draft: BaseModel, form: type[Form], ids: dict[str, tuple[Evidence, ...]]) -> Extracted[Form] | None:
    given = draft.model_dump()
    cited = tuple(Citation.of(one) for name in given.pop("ids") for one in ids.get(name, ()))
    values = {name: value for name, value in given.items() if value is not None}
    try:
        value = form.model_validate(values)
    except ValidationError:
        return None
    if not cited:
        return None
    held = {name: tuple(c for c in cited if _holds(c.quote, text)) for name, text in values.items()}
    return Extracted(value=value, citations=cited, fields=held)


def _holds(line: str, value: object) -> bool:
    """Whether the words of a value occur in a line, in any form."""
    wanted, words = _keys(str(value)), _keys(line)
    return bool(wanted) and wanted <= words


def _keys(text: str) -> set[str]:
    return {word if word[:1].isdigit() else stem(word) for word in map(canonical, tokens(text))}
