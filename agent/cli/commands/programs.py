"""The commands that keep running: `mcp` serves assistants, `watch` follows a folder, `live` records a stream."""

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....tools.errors import SettingsError
from ....tools.records import Span, clean_text
from ..options import MODELS, Chosen, with_settings
from ..places import AsJson, LibraryFolder, Place, folder_for, open_library, opened_at

if TYPE_CHECKING:
    from ....index.records import Evidence
    from ...watching import StandingQuery

__all__ = ["live", "mcp", "watch"]

OnMatch = Annotated[
    list[str] | None,
    typer.Option("--on-match", metavar="QUERY", help="Search what is new for this; may be given several times."),
]
Exec = Annotated[
    str | None,
    typer.Option("--exec", metavar="CMD", help="Run this for each match. PLAYHEAD_MATCH_* describe the moment."),
]


@with_settings(*MODELS, examples=("playhead mcp talks/", "playhead mcp talks/ --install claude"))
def mcp(
    place: Place = ".",
    library: LibraryFolder = None,
    http: Annotated[
        int | None,
        typer.Option(
            "--http", metavar="PORT", min=0, max=65535, help="Serve streamable HTTP on 127.0.0.1 instead of stdio."
        ),
    ] = None,
    install: Annotated[
        str | None,
        typer.Option(
            "--install",
            metavar="NAME",
            help="Add the server to an assistant: claude, claude-code, cursor, vscode, windsurf; `print` shows what to add.",
        ),
    ] = None,
    *,
    chosen: Chosen,
) -> None:
    """Serve a library to AI assistants by the Model Context Protocol."""
    from ...serving import mcp_install
    from ...serving.mcp_server import http_app, mcp_server

    opened, _ = opened_at(place, library, chosen)
    if install == "print":
        print(json.dumps({"mcpServers": {"playhead": mcp_install.configuration(opened.folder)}}, indent=2))
        return
    if install is not None:
        file, backup = mcp_install.install(install, opened.folder)
        print(f"{file}: added `playhead`" + (f"; the file as it was is {backup}" if backup else ""))
        return
    if http is None:
        if sys.stdin.isatty():
            print("The server waits for an assistant on standard input. See `playhead mcp --help`.", file=sys.stderr)
        mcp_server(opened).run("stdio")
        return
    import uvicorn

    token = os.environ.get("PLAYHEAD_MCP_TOKEN") or secrets.token_urlsafe(24)
    server = uvicorn.Server(uvicorn.Config(http_app(opened, token), host="127.0.0.1", port=http, log_level="warning"))
    config = server.config
    config.load()
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    print(f"http://127.0.0.1:{port}/mcp  ·  Authorization: Bearer {token}", flush=True)
    server.run(sockets=[listener])


@with_settings(
    *MODELS,
    examples=("playhead watch talks/", "playhead watch talks/ --on-match 'outage' --exec 'notify-send Outage'"),
)
def watch(
    place: Place = ".",
    library: LibraryFolder = None,
    on_match: OnMatch = None,
    command: Exec = None,
    settle: Annotated[
        float, typer.Option("--settle", metavar="SECONDS", min=0, help="How long a file must not change.")
    ] = 2.0,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Index new videos as they arrive in a folder, until Ctrl-C."""
    from ....index.indexing.jobs import Outcome
    from ...display.json_data import outcome_data
    from ...watching import FolderWatch, StandingQuery

    if command is not None and not on_match:
        raise SettingsError("--exec runs for matches: say what to look for with --on-match")
    folder = Path(place)
    opened = open_library(library or folder_for([folder]), chosen)

    def done(outcome: Outcome) -> None:
        if as_json:
            print(json.dumps(outcome_data(outcome)), flush=True)
        else:
            print(clean_text(f"{outcome.state}  {outcome.path}  {outcome.detail}"), flush=True)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print(f"watching {folder}; stop with Ctrl-C", file=sys.stderr)
    try:
        FolderWatch(opened, folder, [StandingQuery(text) for text in on_match or ()], settle).run(
            stop, done, _match_reporter(command, as_json)
        )
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)


@with_settings(
    *MODELS,
    examples=(
        "playhead live rtsp://camera.local/stream --library talks/.playhead",
        "ffmpeg -i talk.mp4 -c copy -f mpegts - | playhead live -",
    ),
)
def live(
    source: Annotated[
        str, typer.Argument(metavar="URL|FILE|-", help="A stream, a file that grows, or - for standard input.")
    ],
    library: LibraryFolder = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the recording's folder.")] = "live",
    segment: Annotated[
        float, typer.Option("--segment", metavar="SECONDS", min=1, max=60, help="Length of a segment.")
    ] = 4.0,
    part: Annotated[
        float, typer.Option("--part", metavar="SECONDS", min=10, max=3600, help="Length of one file.")
    ] = 300.0,
    idle: Annotated[
        float, typer.Option("--idle", metavar="SECONDS", min=0, help="End after so long without data.")
    ] = 30.0,
    on_match: OnMatch = None,
    command: Exec = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Record a stream and index it while it runs, until Ctrl-C."""
    from ....tools.media.live import LiveSource
    from ...live import LiveRecording, LiveStep
    from ...watching import StandingQuery

    if command is not None and not on_match:
        raise SettingsError("--exec runs for matches: say what to look for with --on-match")
    opened = open_library(library or folder_for([Path()]), chosen)

    def done(step: LiveStep) -> None:
        path = opened.path_of(step.record)
        if as_json:
            data = {"video": str(path), "start": step.start, "end": step.end, "lag": round(step.lag, 3)}
            print(json.dumps(data | {"extracted": step.effort, "note": step.note}), flush=True)
        elif not chosen.quiet:
            left_out = {"all": "", "sound": "pictures left out", "nothing": "not extracted"}[step.effort]
            notes = "  ".join(filter(None, (left_out, step.note)))
            print(
                clean_text(f"{path.name}  {Span(start=step.start, end=step.end)}  {step.lag:.1f} s  {notes}"),
                flush=True,
            )

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stream = LiveSource(source, segment, part, idle)
    print(f"recording {clean_text(stream.shown)}; stop with Ctrl-C", file=sys.stderr)
    queries = [StandingQuery(text) for text in on_match or ()]
    recording = LiveRecording(opened, stream, name, queries)
    for record in recording.run(stop, done, _match_reporter(command, as_json)):
        print(clean_text(f"recorded {opened.path_of(record)}"), file=sys.stderr)


def _match_reporter(command: str | None, as_json: bool) -> "Callable[[StandingQuery, Evidence], None]":
    """Return a function that prints a match of a standing query, and runs the user's command for it."""

    def matched(query: "StandingQuery", evidence: "Evidence") -> None:
        if as_json:
            print(json.dumps({"match": query.text, "evidence": evidence.model_dump(mode="json")}), flush=True)
        else:
            print(clean_text(f"match  {query.text}  {evidence.span} {evidence.name}: {evidence.text}"), flush=True)
        if command is not None:
            # Text from a video reaches the command only as the value of a variable.
            variables = {
                "QUERY": query.text, "VIDEO": evidence.video, "START": f"{evidence.start:.3f}",
                "END": f"{evidence.end:.3f}", "TEXT": evidence.text,
            }  # fmt: skip
            named = {f"PLAYHEAD_MATCH_{name}": value for name, value in variables.items()}
            subprocess.run(shlex.split(command), env={**os.environ, **named}, check=False)  # noqa: S603 (the user's own)

    return matched
