"""The command that opens the page: `ui`."""

import os
import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from ....tools.errors import MissingExtraError, SettingsError
from ..options import MODELS, Chosen, with_settings
from ..places import LibraryFolder, Place, opened_for_page

if TYPE_CHECKING:
    from ...library import Library

__all__ = ["serve_page", "ui"]


@with_settings(*MODELS, examples=("playhead ui talks", "PLAYHEAD_UI_PASSWORD=… playhead ui talks --host 0.0.0.0"))
def ui(
    place: Place = ".",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any free port.")] = 8484,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Other than 127.0.0.1: set PLAYHEAD_UI_PASSWORD, too.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
    api: Annotated[bool, typer.Option("--api", help="Serve the HTTP API below /v1, too; its key is printed.")] = False,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Open the page: search, ask, and play each cited moment."""
    opened = opened_for_page(place, library, chosen)
    serve_page(opened, host=host, port=port, open_browser=open_browser, api=api)


def serve_page(
    library: "Library",
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    api: bool = False,
    fragment: str = "",
) -> None:
    """Serve the page until Ctrl-C, and print its address.

    Args:
        library: What the page shows.
        host: Address to listen on.
        port: 0: any free port.
        open_browser: Open the address in the browser.
        api: Serve the HTTP API, too.
        fragment: What follows `#` in the address: `v=VIDEO_ID&t=SECONDS` opens the page at a moment.

    Raises:
        MissingExtraError: The extra `ui` is not installed.
        SettingsError: Another host than this one, and no password.
    """
    try:
        import uvicorn

        from ...serving.access import Access
        from ...serving.app import create_app
        from ...serving.running_page import announced
    except ModuleNotFoundError as error:
        raise MissingExtraError("the page", error.name or "fastapi", "ui") from error
    access = Access(host=host, password=os.environ.get("PLAYHEAD_UI_PASSWORD") or None)
    if not access.is_local and access.password is None:
        raise SettingsError(f"--host {host} opens the page to other machines: set a password in PLAYHEAD_UI_PASSWORD")
    app = create_app(library, access, api=api)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", server_header=False))
    with server.config.bind_socket() as listening:
        address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{listening.getsockname()[1]}"  # noqa: S104
        url = f"{address}/?token={access.token}" if access.is_local else address
        url += f"#{fragment}" if fragment else ""
        print(f"Playhead: {url}", flush=True)
        if api:
            print(f"API: {address}/v1  ·  Authorization: Bearer {access.token}", flush=True)
        print("Stop with Ctrl-C.", file=sys.stderr)
        if open_browser:
            webbrowser.open(url)
        if not access.is_local:
            server.run(sockets=[listening])
            return
        with announced(library.folder, library.settings, address, access.token):
            server.run(sockets=[listening])
