"""Streamed answers: joins the server-sent events of the OpenAI protocol to one completion.

A server that ignores `stream` answers with one JSON object, which is returned unchanged.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import ServerError
from ...records import clean_text

if TYPE_CHECKING:
    import openai

__all__ = ["AnswerText", "ContinuedText", "streamed_body"]


async def streamed_body(client: "openai.AsyncOpenAI", body: Mapping[str, Any], on_text: Callable[[str], None]) -> bytes:
    """Send a request with `stream`, and return the body of a completion that was not streamed.

    Args:
        client: Of the server.
        body: The request.
        on_text: Called with each new piece of the answer's text.

    Raises:
        ServerError: The server reported an error in the middle of its answer.
        openai.APIConnectionError: The connection ended in the middle of the answer, or the answer without an end.
    """
    import httpx2
    import openai

    async with client.chat.completions.with_streaming_response.create(**body) as response:
        if "text/event-stream" not in response.headers.get("content-type", ""):
            return await response.read()
        whole, rest = _Whole(on_text), b""
        try:
            # Not `iter_lines`: it also splits at line separators such as U+2028 inside the JSON.
            async for piece in response.iter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    whole.add(line)
        except httpx2.TransportError as error:  # openai wraps those of a request, and not those of its stream
            raise openai.APIConnectionError(request=response.http_request) from error
        whole.add(rest)
        if not whole.is_complete:
            # A server that is killed, or a proxy that closes, may end its chunks in order.
            raise openai.APIConnectionError(
                message="the stream ended before the answer was complete", request=response.http_request
            )
    return whole.as_completion()


class ContinuedText:
    """Passes on the text of an answer whose request is repeated after a broken stream. No piece is passed on twice.

    Sampling is off, so each try should give the same text. If a try gives another text, nothing more is passed on.
    """

    def __init__(self, on_text: Callable[[str], None]) -> None:
        """Call `on_text` with each new piece of the text."""
        self._on_text = on_text
        self._given = ""

    def new_try(self) -> Callable[[str], None]:
        """Return what takes the pieces of one try."""
        text = ""

        def add(piece: str) -> None:
            nonlocal text
            text += piece
            given = len(self._given)
            if len(text) > given and text.startswith(self._given):
                self._given = text
                self._on_text(text[given:])

        return add


class _Whole:
    """The pieces of one answer."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._finish: str | None = None
        self._usage: Any = None
        self._is_done = False

    @property
    def is_complete(self) -> bool:
        """Whether the server has said that the answer ends here. Some servers do so with `[DONE]` only."""
        return self._is_done or self._finish is not None

    def add(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        self._is_done |= data == b"[DONE]"
        try:
            chunk = json.loads(data)
        except ValueError:
            return
        if not isinstance(chunk, dict):
            return
        if "error" in chunk:
            said = clean_text(json.dumps(chunk["error"], ensure_ascii=False))[:300]
            raise ServerError(f"the server ended its answer with an error: {said}")
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                self._thoughts.append(str(thought))
            if text := delta.get("content"):
                self._text.append(str(text))
                self._on_text(str(text))
            self._finish = choice.get("finish_reason") or self._finish

    def as_completion(self) -> bytes:
        message = {"content": "".join(self._text), "reasoning_content": "".join(self._thoughts) or None}
        choice = {"message": message, "finish_reason": self._finish}
        return json.dumps({"choices": [choice], "usage": self._usage}).encode()


_ANSWER = re.compile(r'"(?:answer|text)"\s*:\s*"')
_ESCAPES = {"n": " ", "t": " ", "r": " ", '"': '"', "\\": "\\", "/": "/"}


class AnswerText:
    """The text of an answer inside a JSON object that is still incomplete.

    Example: after `{"answer": "It gr` the words are `It gr`.
    """

    def __init__(self, on_words: Callable[[str], None]) -> None:
        """Call `on_words` with each new piece of the words."""
        self._on_words = on_words
        self._text = ""
        self._place = 0  # up to where the text was read
        self._is_inside = False

    def add(self, piece: str) -> None:
        """Read one more piece of the JSON text."""
        self._text += piece
        words: list[str] = []
        while True:
            if not self._is_inside:
                begin = _ANSWER.search(self._text, self._place)
                if begin is None:
                    break
                self._place, self._is_inside = begin.end(), True
                if words:
                    words.append(" ")
            read = self._read(words)
            if not read:
                break
        if said := "".join(words):
            self._on_words(said)

    def _read(self, words: list[str]) -> bool:
        """Read to the end of the string; returns whether it ended."""
        while self._place < len(self._text):
            letter = self._text[self._place]
            if letter == '"':
                self._place += 1
                self._is_inside = False
                words.append(" ")
                return True
            width = 1
            if letter == "\\":
                escape = self._text[self._place + 1 : self._place + 6]
                if not escape or (escape[0] == "u" and len(escape) < 5):
                    return False  # the rest is still to come
                width = 6 if escape[0] == "u" else 2
                letter = _unicode(escape[1:]) if escape[0] == "u" else _ESCAPES.get(escape[0], "")
            words.append(letter)
            self._place += width
        return False


def _unicode(digits: str) -> str:
    try:
        code = int(digits, 16)
    except ValueError:
        return ""
    return "" if 0xD800 <= code < 0xE000 else chr(code)
