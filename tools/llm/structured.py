"""Answers of a video LLM as pydantic models: finds JSON in its text, validates it, and retries once if it is not valid.

Some servers enforce a JSON schema, others ignore it (`transformers serve`). The answer is validated in both cases, and
never guessed. Two different JSON objects in one reply are an error.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from ...prompts import render
from ..errors import AnswerFormatError
from ..records import clean_text
from .protocol import Budget, Part, TokenUsage, VideoLLM

__all__ = ["THOUGHTS_FACTOR", "ask_structured", "complete_objects", "json_schema", "read_json", "without_thoughts"]

# Quoted back to the model, and to the user.
_QUOTED_TO_MODEL = 2000
_QUOTED_TO_USER = 200
_MOST_ERRORS = 5
# Tokens for thoughts and answer, for each token of the answer.
THOUGHTS_FACTOR = 4

_Kind = TypeVar("_Kind", bound=BaseModel)

_THOUGHTS_END = re.compile(r"</think(?:ing)?>|\[/THINK\]")
_THOUGHTS_BEGIN = re.compile(r"\s*(?:<think(?:ing)?>|\[THINK\])")
# What begins like a JSON object with members; `{dog}` in prose does not.
_OBJECT = re.compile(r'\{\s*["}]')
_NEXT_OBJECT = re.compile(r"[\s,]*(?=\{)")
_STRING_OR_BRACE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)


def ask_structured(
    llm: VideoLLM,
    parts: Sequence[Part],
    kind: type[_Kind],
    *,
    instructions: str = "",
    max_tokens: int = 1024,
    seconds: float | None = None,
    on_text: Callable[[str], None] | None = None,
    complete_part: Callable[[str], _Kind | None] | None = None,
) -> tuple[_Kind, TokenUsage]:
    """Request an answer in a given format. An answer that is not valid is sent back once with the error.

    Args:
        llm: The model.
        parts: As in `VideoLLM.ask`.
        kind: The format, a pydantic model. Its configuration decides whether extra fields are allowed.
        instructions: The task, without any text from a video; the format is added if the server does not
            enforce it.
        max_tokens: Each of the two answers is cut after this number of tokens; four times as many for a model that
            writes its thoughts first.
        seconds: Time for both together.
        on_text: Called with each new piece of the first answer's text.
        complete_part: Reads the complete part of an answer that was cut off; None: nothing is complete, and the answer
            is sent back.

    Returns:
        The answer, and its usage.

    Raises:
        AnswerFormatError: Both answers had another format, or there was no time for the second. The error's
            `usage` holds the tokens of the answers.
        ServerError: No usable answer came, or none in time.
        QueryError: There are no parts.
    """
    schema = json.dumps(json_schema(kind), ensure_ascii=False, separators=(",", ":"))
    form = render("json_answer", schema=schema)
    budget, usage, asked = Budget(seconds), TokenUsage(), list(parts)
    for is_last in (False, True):
        can = llm.capabilities
        # A grammar holds the answer to its form: the schema in words would only cost time to read.
        needs_form = is_last or not instructions or not (can.enforces_schema and can.json_schema)
        orders = "\n\n".join(filter(None, (instructions, form if needs_form else "")))
        most = max_tokens * THOUGHTS_FACTOR if can.reasons else max_tokens
        started = time.monotonic()
        left = None if seconds is None else budget.left
        try:
            reply = llm.ask(
                asked,
                instructions=orders,
                max_tokens=most,
                kind=kind,
                seconds=left,
                on_text=None if is_last else on_text,
            )
        except AnswerFormatError as error:
            usage += error.usage or TokenUsage(requests=1)
            if is_last or not budget.left or not (llm.capabilities.reasons and not can.reasons):
                raise AnswerFormatError(str(error), usage) from error
            continue  # It spent all of its tokens on thoughts: it gets more of them now.
        usage += TokenUsage.of(reply, time.monotonic() - started)
        try:
            return read_json(reply.text, kind), usage
        except ValueError as error:
            part = complete_part(reply.text) if reply.truncated and complete_part else None
            if part is not None:
                return part, usage
            wrong = f"{error}; it was cut off after {most} tokens" if reply.truncated else str(error)
            if is_last or not budget.left:
                again = "asked twice" if is_last else "no time was left to ask again"
                raise AnswerFormatError(
                    f"video LLM {llm.source} gave no answer of the form asked for ({again}): {wrong}. It begins "
                    f"{clean_text(reply.text)[:_QUOTED_TO_USER]!r}: take a larger model, or a server that holds it "
                    "to a JSON schema (vLLM, SGLang)",
                    usage,
                ) from error
        quoted = json.dumps(reply.text[:_QUOTED_TO_MODEL], ensure_ascii=False)
        asked = [*parts, render("repair", error=wrong, answer=quoted)]
    raise AssertionError("the last answer returns or raises")


def read_json(text: str, kind: type[_Kind]) -> _Kind:
    """The one JSON object of this kind in a model's text, in prose, in a code fence, or after its reasoning.

    Raises:
        ValueError: There is no object, it is broken or not valid, or there are several that differ. The message
            says what is wrong, on one line.
    """
    wrong, valid = "there is no JSON object in it", []
    for candidate in _candidates(without_thoughts(text)):
        try:
            value = json.dumps(
                json.loads(candidate, strict=False, object_pairs_hook=_unrepeated, parse_constant=_refused)
            )
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its JSON is broken: {clean_text(str(error))}") from error
        try:
            valid.append(kind.model_validate_json(value))
        except ValidationError as error:
            wrong = _said(error)
    if not valid:
        raise ValueError(wrong)
    if any(other != valid[0] for other in valid):
        raise ValueError("it holds several JSON objects that differ: give one")
    return valid[0]


def complete_objects(text: str, name: str) -> list[dict[str, Any]]:
    """The JSON objects of the list `name` that are complete, in a model's text that was cut off.

    `{"rows":[{"item":"bread"},{"item":"so` gives `{"item": "bread"}`.
    """
    text, found = without_thoughts(text), []
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_unrepeated, parse_constant=_refused)
    begin = re.search(rf'"{re.escape(name)}"\s*:\s*\[', text)
    place = _NEXT_OBJECT.match(text, begin.end()) if begin else None
    while place:
        try:
            one, end = decoder.raw_decode(text, place.end())
        except (ValueError, RecursionError):
            break
        found.append(one)
        place = _NEXT_OBJECT.match(text, end)
    return found


def json_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a kind, without the titles that only repeat its fields' names."""
    return kind.model_json_schema(schema_generator=_Untitled)


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (pydantic calls by this name)
        return False


def without_thoughts(text: str) -> str:
    """The text after a reasoning model's thoughts; chat templates may have begun them before its own text."""
    if text.lstrip().startswith(("{", "```")):
        return text
    end = _THOUGHTS_END.search(text)
    if end:
        return text[end.end() :]
    return "" if _THOUGHTS_BEGIN.match(text) else text


def _candidates(text: str) -> Iterator[str]:
    """Each JSON object that is not inside another; up to the end of the text if it is never closed."""
    begin = _OBJECT.search(text)
    while begin:
        end, depth = len(text), 0
        for mark in _STRING_OR_BRACE.finditer(text, begin.start()):
            depth += {"{": 1, "}": -1}.get(mark.group(), 0)
            if depth == 0:
                end = mark.end()
                break
        yield text[begin.start() : end]
        begin = _OBJECT.search(text, end)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"a name occurs twice in the object with {', '.join(members)}")
    return members


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _said(error: ValidationError) -> str:
    """What pydantic finds wrong, on one line."""
    said = []
    for problem in error.errors(include_url=False)[:_MOST_ERRORS]:
        where = ".".join(str(part) for part in problem["loc"]) or "the object"
        got = "" if isinstance(problem["input"], dict) else f" (got {str(problem['input'])[:60]!r})"
        said.append(f"{where}: {problem['msg']}{got}")
    more = error.error_count() - len(said)
    return clean_text("; ".join(said) + (f"; and {more} more" if more else ""))
