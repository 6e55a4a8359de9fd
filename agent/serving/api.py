"""The HTTP API for other programs, below `/v1`, described by `/openapi.json`; and a library as an OpenAI chat model.

The routes join the page's application: the same access rules, the same `LibraryService`.
"""

import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from pydantic import ConfigDict, Field

from ...tools.errors import PlayheadError, QueryError
from ...tools.records import Record, clean_text
from ..async_iteration import in_background
from ..checking.claims import StatedClaim
from ..records import Answer
from .service import LibraryService, between_of

__all__ = ["Asked", "Conditions", "Count", "Names", "QueryText", "Seconds", "api_router"]

# Parameters of requests, for the page's routes, too.
QueryText = Annotated[str, Query(min_length=1, max_length=2000)]
Names = Annotated[list[str], Query()]
Conditions = Annotated[
    list[Annotated[str, Field(max_length=500)]],
    Query(alias="where", max_length=20, description="Conditions on metadata, such as `date>=2026-01`: all must hold."),
]
Seconds = Annotated[float | None, Query(ge=0)]
Count = Annotated[int, Query(ge=1, le=50)]

_MODEL = "playhead"
_MOST_MESSAGES = 200
_MOST_PICTURE_BYTES = 20_000_000


class Asked(Record):
    """A question to a library."""

    question: str = Field(min_length=1, max_length=2000, description="In plain words.")
    videos: tuple[str, ...] = Field(default=(), max_length=1000, description="Ids of videos; empty: all.")
    where: tuple[Annotated[str, Field(max_length=500)], ...] = Field(
        default=(), max_length=20, description="Conditions on metadata, such as `date>=2026-01`: all must hold."
    )
    thread: str | None = Field(default=None, max_length=200, description="Name of a conversation to keep.")
    stream: bool = Field(default=False, description="Send each step as a server-sent event; the answer is last.")


class ClipAsked(Record):
    """A moment to cut out."""

    moment: str = Field(max_length=500, description="An evidence id, or `talk.mp4@10:02-10:40`.")
    mode: Literal["exact", "fast"] = Field(default="exact", description="Re-encoded to exact edges, or copied.")


class ClaimsAsked(Record):
    """Claims to check."""

    claims: tuple[StatedClaim, ...] = Field(min_length=1, max_length=100, description="Each with its video and time.")


class Message(Record):
    """A message of a chat, as the OpenAI protocol has it. Only text is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: str = Field(description="`user` for questions; other roles are not read.")
    content: str | list[dict[str, Any]] | None = Field(default=None, description="Text, or parts with text.")

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(str(part.get("text", "")) for part in self.content or () if part.get("type") == "text")


class StreamOptions(Record):
    """What a stream holds besides the answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: bool = Field(default=False, description="End with a chunk that counts tokens.")


class Chat(Record):
    """A request for a chat completion. Parameters that Playhead does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str = Field(default=_MODEL, description="Ignored: one library is served.")
    messages: tuple[Message, ...] = Field(max_length=_MOST_MESSAGES, description="The last one of a user is asked.")
    stream: bool = Field(default=False, description="Send the answer as server-sent events.")
    stream_options: StreamOptions | None = Field(default=None, description="With `stream`.")


def api_router(service: LibraryService) -> APIRouter:
    """The routes over one library."""
    router = APIRouter(prefix="/v1", tags=["library"])
    model = {"id": _MODEL, "object": "model", "created": int(time.time()), "owned_by": "playhead"}

    @router.get("/videos")
    def videos() -> dict[str, Any]:
        """The indexed videos, and the kinds of evidence."""
        return service.overview()

    @router.get("/videos/{video_id}")
    def video(video_id: str) -> dict[str, Any]:
        """A video with its observations and chapters."""
        return service.video(video_id)

    @router.get("/chapters/{video_id}")
    def chapters(video_id: str) -> dict[str, Any]:
        """The chapters of a video."""
        return {"chapters": service.video(video_id)["chapters"]}

    @router.get("/search")
    def search(
        q: QueryText,
        kind: Names = [],  # noqa: B006 (FastAPI copies it)
        video: Names = [],  # noqa: B006
        where: Conditions = [],  # noqa: B006
        start: Seconds = None,
        end: Seconds = None,
        k: Count = 10,
    ) -> dict[str, Any]:
        """Evidence that fits a query, best first."""
        return service.search(q, kind, video, between_of(start, end), k, where)

    @router.get("/find")
    def find(
        q: QueryText,
        video: Names = [],  # noqa: B006
        where: Conditions = [],  # noqa: B006
        k: Count = 5,
    ) -> dict[str, Any]:
        """Moments that fit a description, best first, each with start and end."""
        return {"moments": service.find(q, video, k, where)}

    @router.post("/ask", response_model=None)
    def ask(asked: Asked) -> Any:
        """An answer with checked citations; with `stream`, its steps as server-sent events."""
        if asked.stream:
            return StreamingResponse(
                _events(service, asked), media_type="text/event-stream", headers={"cache-control": "no-store"}
            )
        *_, last = service.ask(asked.question, asked.videos, asked.thread, asked.where)
        return last["answer"]

    @router.post("/check")
    def check(asked: ClaimsAsked) -> dict[str, Any]:
        """A verdict and evidence for each claim that somebody else made."""
        return {"checked": service.check(asked.claims)}

    @router.get("/similar")
    def similar(
        moment: QueryText,
        video: Names = [],  # noqa: B006
        k: Count = 10,
    ) -> dict[str, Any]:
        """The frames similar to a moment such as `talk.mp4@10:02`, best first; `nearest` if none is."""
        return service.similar(moment, video, k)

    @router.post("/similar", openapi_extra={"requestBody": {"content": {"image/*": {}}, "required": True}})
    async def similar_to_picture(request: Request, k: Count = 10) -> dict[str, Any]:
        """The frames similar to the picture in the body, at most 20 MB, best first; `nearest` if none is."""
        picture = bytearray()
        async for part in request.stream():
            picture += part
            if len(picture) > _MOST_PICTURE_BYTES:
                raise QueryError(f"the picture has more than {_MOST_PICTURE_BYTES} bytes: scale it down")
        return await run_in_threadpool(service.similar, bytes(picture), k=k)

    @router.get("/keyframes/{evidence_id}")
    def keyframe(evidence_id: str) -> Response:
        """The picture (WebP) of a piece of evidence."""
        data = service.keyframe(evidence_id)
        return Response(data or b"", media_type="image/webp", status_code=200 if data else 404)

    @router.post("/clips")
    def clip(asked: ClipAsked) -> Response:
        """A moment as an MP4 file."""
        with tempfile.TemporaryDirectory(prefix="playhead-") as folder:
            target = Path(folder) / "clip.mp4"
            service.library.clip(asked.moment, target, mode=asked.mode)
            return Response(target.read_bytes(), media_type="video/mp4")

    @router.post("/index", status_code=202)
    def start_indexing() -> dict[str, Any]:
        """Index what is new in the library's folder; returns at once."""
        return {"started": service.job.start()}

    @router.get("/index")
    def indexing() -> dict[str, Any]:
        """How far indexing is."""
        return service.job.state()

    @router.get("/models")
    def models() -> dict[str, Any]:
        """The library, as the OpenAI protocol lists models."""
        return {"object": "list", "data": [model]}

    @router.get(f"/models/{_MODEL}")
    def one_model() -> dict[str, Any]:
        """The library as a model."""
        return model

    @router.post("/chat/completions", response_model=None)
    def chat(request: Request, asked: Chat) -> Any:
        """The last question of a chat, answered from the library; citations are annotations."""
        question = next((message.text for message in reversed(asked.messages) if message.role == "user"), "")
        if not question.strip():
            raise QueryError("there is no text in the last user message: ask a question")
        answer = service.library.ask(question)
        message = _message(answer, str(request.base_url))
        if asked.stream:
            usage = _usage(answer) if asked.stream_options and asked.stream_options.include_usage else None
            return StreamingResponse(_chunks(message, usage), media_type="text/event-stream")
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": _MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(answer),
        }

    return router


async def _events(service: LibraryService, asked: Asked) -> AsyncIterator[str]:
    try:
        async for event in in_background(lambda: service.ask(asked.question, asked.videos, asked.thread, asked.where)):
            yield f"event: {event['kind']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
    except PlayheadError as error:
        yield f"event: error\ndata: {json.dumps({'error': clean_text(str(error))})}\n\n"


def _message(answer: Answer, base: str) -> dict[str, Any]:
    """The answer as a chat message. Each cited span is a `url_citation` to the moment in the page."""
    text = str(answer)
    annotations, position = [], 0
    for claim in answer.claims:
        begin = text.find(claim.text, position)
        position = begin + len(claim.text)
        annotations += [
            {
                "type": "url_citation",
                "url_citation": {
                    "url": f"{base}#v={quote(citation.video_id)}&t={citation.start:.3f}",
                    "title": f"{clean_text(Path(citation.video).name)} {citation.span}",
                    "start_index": begin,
                    "end_index": position,
                },
            }
            for citation in claim.citations
        ]
    return {"role": "assistant", "content": text, "annotations": annotations}


async def _chunks(message: dict[str, Any], usage: dict[str, int] | None) -> AsyncIterator[str]:
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": _MODEL,
    }
    for delta, reason in ((message, None), ({}, "stop")):
        chunk = head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
    if usage is not None:
        yield f"data: {json.dumps(head | {'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.usage.prompt_tokens or 0, answer.usage.completion_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
