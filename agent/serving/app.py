"""Makes the web application: the page, the data that it shows, and the videos.

Another interface adds its routes with `app.include_router`; `app.state.service` is the shared `LibraryService`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, Form, Query, Request
from fastapi.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from ...tools.errors import LibraryError, PlayheadError, QueryError
from ...tools.records import clean_text
from ..async_iteration import in_background
from ..graph.events import Event
from .access import Access, AccessControl
from .api import Asked, Conditions, Count, Names, QueryText, Seconds, api_router
from .playback import Pieces, media_type
from .running_page import PageQuestion, error_line
from .service import LibraryService, between_of

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["create_app"]

_PAGE = Path(str(files(__package__) / "page"))
_STATIC = {
    "main.js": "text/javascript", "api.js": "text/javascript", "dom.js": "text/javascript",
    "player.js": "text/javascript", "timeline.js": "text/javascript", "results.js": "text/javascript",
    "video.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml",
}  # fmt: skip
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_WRONG_PASSWORD_SECONDS = 1.0


def create_app(library: "Library", access: Access, *, api: bool = False) -> FastAPI:
    """Return the web application for a library.

    Args:
        library: The library.
        access: Who may use it.
        api: Whether the HTTP API for other programs is served, too.
    """
    app = FastAPI(title="Playhead", docs_url=None, redoc_url=None, openapi_url="/openapi.json" if api else None)
    service, pieces, control = LibraryService(library), Pieces(), AccessControl(app, access)
    app.state.service = service
    _add_page(app, access, control)
    _add_data(app, service)
    _add_media(app, service, pieces)
    if access.is_local:
        _add_steps(app, service)
    if api:
        app.include_router(api_router(service))
    app.add_middleware(AccessControl, access=access)

    @app.exception_handler(PlayheadError)
    async def explain(request: Request, error: PlayheadError) -> JSONResponse:
        del request
        status = 404 if isinstance(error, LibraryError) else 400 if isinstance(error, QueryError) else 500
        return JSONResponse({"error": clean_text(str(error))}, status)

    return app


def _add_page(app: FastAPI, access: Access, control: AccessControl) -> None:
    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html", media_type="text/html", headers={"cache-control": "no-store"})

    @app.get("/login")
    def form() -> FileResponse:
        return FileResponse(_PAGE / "login.html", media_type="text/html", headers={"cache-control": "no-store"})

    @app.post("/login")
    async def login(request: Request, password: Annotated[str, Form(max_length=1000)]) -> Response:
        if access.password is None or not access.opens(password):
            await asyncio.sleep(_WRONG_PASSWORD_SECONDS)
            return RedirectResponse("/login?wrong=1", 303)
        response = RedirectResponse("/", 303)
        response.headers["set-cookie"] = control.cookie(dict(request.headers))
        return response

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            return PlainTextResponse("no such file", 404)
        return FileResponse(_PAGE / name, media_type=_STATIC[name], headers={"cache-control": "no-cache"})


def _add_data(app: FastAPI, service: LibraryService) -> None:
    @app.get("/api/library")
    def overview() -> dict[str, Any]:
        return service.overview()

    @app.get("/api/videos/{video_id}")
    def video(video_id: str) -> dict[str, Any]:
        return service.video(video_id)

    @app.get("/api/search")
    def search(
        q: QueryText,
        kind: Names = [],  # noqa: B006 (FastAPI copies it)
        video: Names = [],  # noqa: B006
        where: Conditions = [],  # noqa: B006
        start: Seconds = None,
        end: Seconds = None,
        k: Count = 20,
    ) -> dict[str, Any]:
        return service.search(q, kind, video, between_of(start, end), k, where)

    @app.post("/api/ask")
    async def ask(asked: Annotated[Asked, Body()]) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            try:
                async for event in in_background(
                    lambda: service.ask(asked.question, asked.videos, asked.thread, asked.where)
                ):
                    yield json.dumps(event, ensure_ascii=False) + "\n"
            except PlayheadError as error:
                yield json.dumps({"kind": "error", "error": clean_text(str(error))}) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"cache-control": "no-store"})

    @app.get("/api/keyframes/{evidence_id}")
    def keyframe(evidence_id: str) -> Response:
        return _picture(service.keyframe(evidence_id))

    @app.get("/api/thumbnails/{video_id}")
    def thumbnail(video_id: str) -> Response:
        data = service.thumbnail(video_id)
        return _picture(data) if data else FileResponse(_PAGE / "icon.svg", media_type="image/svg+xml")

    @app.post("/api/index")
    def start_indexing() -> dict[str, Any]:
        return {"started": service.job.start()}

    @app.get("/api/index")
    def indexing() -> dict[str, Any]:
        return service.job.state()


def _add_steps(app: FastAPI, service: LibraryService) -> None:
    """Add the route for the command line on this machine. Its steps contain paths of files."""

    @app.post("/api/steps")
    async def steps(asked: Annotated[PageQuestion, Body()]) -> StreamingResponse:
        def events() -> Iterator[Event]:
            return service.library.stream(
                asked.question, videos=asked.videos, where=asked.where, between=asked.between, thread_id=asked.thread
            )

        async def lines() -> AsyncIterator[str]:
            try:
                async for event in in_background(events):
                    yield event.model_dump_json() + "\n"
            except PlayheadError as error:
                yield error_line(error)

        return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"cache-control": "no-store"})


def _add_media(app: FastAPI, service: LibraryService, pieces: Pieces) -> None:
    @app.get("/media/{video_id}")
    def media(video_id: str) -> FileResponse:
        path = service.file_of(video_id)
        return FileResponse(path, media_type=media_type(path), headers={"accept-ranges": "bytes"})

    @app.get("/media/{video_id}/piece")
    def piece(
        video_id: str,
        start: Annotated[float, Query(ge=0)],
        end: Annotated[float, Query(gt=0)],
        stream: Annotated[int | None, Query(ge=0)] = None,
    ) -> Response:
        info = service.record(video_id).info
        may_copy = info.video is not None and not info.video.rotation
        made = pieces.piece(service.file_of(video_id), start, end, stream, may_copy=may_copy)
        times = {"x-piece-start": f"{made.start:.6f}", "x-piece-end": f"{made.end:.6f}"}
        return Response(made.data, media_type="video/mp4", headers=_FOREVER | times)


def _picture(data: bytes | None) -> Response:
    if data is None:
        return PlainTextResponse("no picture", 404)
    return Response(data, media_type="image/webp", headers=_FOREVER)
