"""The forms of a model's answers, as pydantic models: strict in the JSON schema, tolerant in what they accept.

The ids are an enum of the request's own: a grammar lets the model write no other. A model without a grammar writes
`"[E2, F2]"` or thirteen ids: these are read, and unknown ids are counted and left out.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from ..records import Verdict

__all__ = [
    "MOST_CLAIMS",
    "AnswerDraft",
    "ClaimDraft",
    "ClaimsDraft",
    "VerdictDraft",
    "answer_draft",
    "claims_draft",
    "ids_type",
]

MOST_CLAIMS = 8
_MOST_MISSING = 6
_MOST_IDS = 6
_ID = re.compile(r"\b([EFN])\s?(\d{1,4})\b", re.IGNORECASE)
# "[E2, F2]" and "E2: its text"; an id somewhere inside a text is no citation.
_ONLY_IDS = re.compile(r"[\s\[\]()\"',;]*(?:[EFN]\s?\d{1,4}[\s\[\]()\"',;]*)+", re.IGNORECASE)
_LEADING_ID = re.compile(r"\s*([EFN]\d{1,4})\b(?=[\s:.])", re.IGNORECASE)


def _read_ids(value: object, letter: str) -> object:
    """`["E2"]`, `"E2, F2"`, `["[E2, F2]"]`, `[2]` and `["2"]` as a list of ids; a bare number gets the letter."""
    items = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in items:
        if isinstance(item, int):
            found.append(f"{letter}{item}")
        elif isinstance(item, str) and (bare := item.strip(" []()\"',;")).isdecimal():
            found.append(f"{letter}{int(bare)}")
        elif isinstance(item, str):
            leading = _LEADING_ID.match(item)
            text = item if _ONLY_IDS.fullmatch(item) else leading.group() if leading else ""
            found += [f"{kind.upper()}{int(number)}" for kind, number in _ID.findall(text)] or [item]
    return list(dict.fromkeys(found))


def ids_type(ids: Sequence[str]) -> Any:
    """The type of a list of ids, of which at least one is wanted. A number without a letter means a line, or a note where there are no lines."""
    letter = "E" if not ids or any(name.startswith("E") for name in ids) else ids[0][0]
    schema = {"type": "array", "items": {"type": "string", "enum": list(ids)}, "minItems": 1, "maxItems": _MOST_IDS}
    read = BeforeValidator(lambda value: _read_ids(value, letter))
    return Annotated[list[str], read, WithJsonSchema(schema)]


def _joined(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _letter(value: object) -> object:
    """The letter in `"B"`, `"b)"` and `"B) It grew."`; none in `"A red car"`, the text of an answer option."""
    if not isinstance(value, str):
        return ""
    found = re.match(r"\s*\(?([A-Za-z])\s*(?:[.):]|$)", value)
    return found.group(1).upper() if found else ""


_Words = Annotated[str, BeforeValidator(_joined)]


def _lower(value: object) -> object:
    return value.strip().strip(".").lower() if isinstance(value, str) else value


class AnswerDraft(BaseModel):
    """One sentence and its ids: the form for small models. `found` comes last: the verdict must follow the words."""

    model_config = ConfigDict(extra="ignore")

    if TYPE_CHECKING:  # The fields, in the order of the request: `answer_draft` makes them.
        answer: str
        ids: list[str]
        option: str
        found: bool


class _ChoiceDraft(AnswerDraft):
    """`AnswerDraft` with the letter of an answer option. The schema requires the letter; an answer without it is accepted."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"required": ["answer", "ids", "option", "found"]})


class ClaimDraft(BaseModel):
    """One sentence of an answer and its ids."""

    model_config = ConfigDict(extra="ignore")

    answer: _Words = Field(min_length=1, max_length=600)
    ids: list[str]


class ClaimsDraft(BaseModel):
    """Several sentences, each with its ids."""

    # A grammar makes the model write both; an answer without them is read all the same.
    model_config = ConfigDict(extra="ignore", json_schema_extra={"required": ["claims", "found"]})

    if TYPE_CHECKING:  # `claims_draft` makes them.
        claims: list[ClaimDraft]
        option: str
        found: bool
        missing: list[str]


class _ChoiceClaimsDraft(ClaimsDraft):
    """`ClaimsDraft` with the letter of an answer option, as in `_ChoiceDraft`."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"required": ["claims", "option", "found"]})


class VerdictDraft(BaseModel):
    """The verdict on one claim."""

    model_config = ConfigDict(extra="ignore")

    verdict: Annotated[Verdict, BeforeValidator(_lower)]


@lru_cache(maxsize=64)
def answer_draft(ids: tuple[str, ...], options: int = 0) -> type[AnswerDraft]:
    """`AnswerDraft` for one request: its ids, and a letter where there are answers to choose from."""
    fields: dict[str, Any] = {"answer": (_Words, Field(max_length=2000)), "ids": (ids_type(ids), ...)}
    if options:
        fields["option"] = (_option_type(options), "")
    base = _ChoiceDraft if options else AnswerDraft
    return create_model("AnswerDraft", __base__=base, **fields, found=(bool, ...))


@lru_cache(maxsize=64)
def claims_draft(ids: tuple[str, ...], options: int = 0, most: int = MOST_CLAIMS) -> type[ClaimsDraft]:
    """`ClaimsDraft` for one request."""
    claim = create_model("Claim", __base__=ClaimDraft, ids=(ids_type(ids), ...))
    listed: Any = Field(default_factory=list, max_length=most)
    fields: dict[str, Any] = {"claims": (list[claim], listed)}  # type: ignore[valid-type]
    if options:
        fields["option"] = (_option_type(options), "")
    fields["found"] = (bool, True)
    fields["missing"] = (list[str], Field(default_factory=list, max_length=_MOST_MISSING))
    return create_model("Claims", __base__=_ChoiceClaimsDraft if options else ClaimsDraft, **fields)


def _option_type(options: int) -> Any:
    letters = [chr(ord("A") + number) for number in range(options)]
    return Annotated[str, BeforeValidator(_letter), WithJsonSchema({"type": "string", "enum": [*letters, ""]})]
