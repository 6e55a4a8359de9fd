"""The commands that serve a library to other programs: `mcp`."""

import json
import os
import secrets
import sys
from typing import Annotated

import typer

from .options import MODELS, Chosen, with_settings
from .places import LibraryFolder, Place, opened_at

__all__ = ["mcp"]


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
    from ..serving import mcp_install
    from ..serving.mcp_server import http_app, mcp_server

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
