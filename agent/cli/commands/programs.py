"""The commands for other programs: `mcp` serves assistants, `watch` follows a folder and starts commands."""

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from ....tools.errors import SettingsError
from ....tools.records import clean_text
from ..options import MODELS, Chosen, with_settings
from ..places import AsJson, LibraryFolder, Place, folder_for, open_library, opened_at

__all__ = ["mcp", "watch"]


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
    on_match: Annotated[
        list[str] | None,
        typer.Option("--on-match", metavar="QUERY", help="Search each new video for this; may be given several times."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="CMD", help="Run this for each match. PLAYHEAD_MATCH_* describe the moment."),
    ] = None,
    settle: Annotated[
        float, typer.Option("--settle", metavar="SECONDS", min=0, help="How long a file must not change.")
    ] = 2.0,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Index what arrives in a folder, until Ctrl-C."""
    from ....index.indexing.jobs import Outcome
    from ....index.records import Evidence
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

    def matched(query: StandingQuery, evidence: Evidence) -> None:
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

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print(f"watching {folder}; stop with Ctrl-C", file=sys.stderr)
    try:
        FolderWatch(opened, folder, [StandingQuery(text) for text in on_match or ()], settle).run(stop, done, matched)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
