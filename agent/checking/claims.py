"""Claims to check, as a person or a program wrote them, and what the check found."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from ...tools.errors import QueryError
from ...tools.records import Record, Span, Text, parse_clock
from ..records import Citation

__all__ = ["CheckedClaim", "ClaimVerdict", "StatedClaim", "claims_in", "stated"]

# `weak`: near it, but not enough to rely on. `out of range`: no such video, or past its end.
ClaimVerdict = Literal["verified", "weak", "contradicted", "out of range", "nothing there"]

# Longer text is not one claim.
MOST_CHARACTERS = 4000
# A time without an end is this second.
_POINT_SECONDS = 1.0


class StatedClaim(Record):
    """One claim, and where it is said to be true."""

    claim: Text = Field(min_length=1, max_length=MOST_CHARACTERS, description="The claim, as one sentence.")
    video: str = Field(default="", description="Path, file name or id of the video; empty: any.")
    at: Span | None = Field(
        default=None,
        description='When: seconds (`602`), a clock time (`"10:02"`) or a stretch (`"10:02-10:40"`); missing: any time.',
    )

    @field_validator("at", mode="before")
    @classmethod
    def _read_time(cls, at: Any) -> Any:
        if at is None or at == "" or isinstance(at, Span | Mapping):
            return at or None
        if isinstance(at, bool) or not isinstance(at, str | int | float):
            raise ValueError(f"at={at!r}: give seconds, a clock time such as 10:02, or a stretch such as 10:02-10:40")
        start, _, end = str(at).replace("–", "-").partition("-")
        first = parse_clock(start)
        return {"start": first, "end": parse_clock(end) if end else first + _POINT_SECONDS}


class CheckedClaim(Record):
    """A claim with its verdict, and the evidence behind it."""

    claim: Text = Field(description="The claim.")
    video: str = Field(description="The video as the claim names it; empty: any.")
    at: Span | None = Field(description="When the claim says; None: any time.")
    verdict: ClaimVerdict = Field(description="What the check found.")
    probability: float = Field(
        ge=0, le=1, description="The reader's calibrated probability that the best evidence there shows the claim."
    )
    reason: Text = Field(description="Why it has this verdict, in one sentence.")
    evidence: tuple[Citation, ...] = Field(description="Evidence at the claim's time, best first.")
    elsewhere: tuple[Citation, ...] = Field(
        default=(), description="Evidence for the claim at another time or in another video, best first."
    )
    judged_by: str = Field(description="`reader`, or the language model that gave the verdict.")


def stated(claims: str | Sequence[str | StatedClaim | Mapping[str, Any]]) -> list[StatedClaim]:
    """Return the claims as records; a claim in words is true at any time of any video.

    Raises:
        QueryError: One of them has an unknown field, no text, or a time that cannot be read.
    """
    made: list[StatedClaim] = []
    for number, one in enumerate([claims] if isinstance(claims, str) else claims, start=1):
        fields = {"claim": one} if isinstance(one, str) else one
        try:
            made.append(fields if isinstance(fields, StatedClaim) else StatedClaim.model_validate(fields))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "claim"
            message = first["msg"].removeprefix("Value error, ")
            raise QueryError(
                f'claim {number}, {field}: {message}. A claim is {{"claim": "…", "video": "a.mp4", "at": "10:02"}}; '
                "video and at may be missing"
            ) from error
    return made


def claims_in(text: str) -> list[StatedClaim]:
    """Return the claims of a JSON list.

    Raises:
        QueryError: It is not JSON, not a list, or a claim is not valid.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise QueryError(f"the claims are not JSON: {error}") from error
    if not isinstance(data, list):
        raise QueryError('the claims must be a JSON list: [{"claim": "…", "video": "a.mp4", "at": "10:02"}]')
    return stated(data)
