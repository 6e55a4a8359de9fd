"""The commands that look after a library: `index`, `list`, `show`, `remove`, `pull`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..tools.records import clean_text
from .cli_places import AsJson, LibraryFolder, Place, home_of, open_library, opened_at, print_json
from .options import MODELS, Chosen, with_settings

__all__ = ["index", "list_", "pull", "remove", "show"]

Engine = Literal["local", "ray"]


@with_settings(*MODELS)
def index(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", readable=False, help="Folders of videos, or videos.")
    ],
    library: Annotated[
        str | None,
        typer.Option(
            "--library",
            metavar="DIR|URL",
            help="The library's folder, or s3://…, gs://…, file://… Default: .playhead in the videos' folder.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Index anew what is unchanged, too.")] = False,
    engine: Annotated[
        Engine, typer.Option("--engine", help="One video after the other here, or several at once on a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="The Ray cluster's. Default: this machine.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Videos at once on Ray. Default: as many as fit."),
    ] = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Index videos: what is new or changed, and nothing else. Stopped, it goes on where it was."""
    from .screen import IndexScreen, outcome_data

    into = library if library and "://" in library else None
    opened = open_library(Path(library) if library and not into else home_of(paths), chosen)
    with IndexScreen(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as screen:
        outcomes = opened.index(
            paths,
            force=force,
            engine=engine,
            address=address,
            workers=workers,
            into=into,
            progress=screen.progress,
            done=screen.done,
        )
    screen.summary(into or opened.folder)
    if as_json:
        print_json([outcome_data(outcome) for outcome in outcomes])
    if any(outcome.has_failed for outcome in outcomes):
        raise typer.Exit(1)


@with_settings()
def list_(place: Place, library: LibraryFolder = None, as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the indexed videos."""
    from .screen import print_videos, video_data

    opened, videos = opened_at(place, library, chosen)
    records = opened.videos(videos)
    if as_json:
        print_json([video_data(opened, record) for record in records])
    elif records:
        print_videos(opened, records)
    else:
        print("no video is indexed here", file=sys.stderr)


@with_settings()
def show(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", readable=False, help="An indexed video: its path, file name or id.")
    ],
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show what was perceived in a video, second by second."""
    from .screen import print_video, video_data

    opened, _ = opened_at(video, library, chosen)
    record, evidence = opened.observed(video)
    if as_json:
        observations = [one.model_dump(mode="json", exclude={"score", "similarity"}) for one in evidence]
        print_json(video_data(opened, record) | {"observations": observations})
    else:
        print_video(opened, record, evidence)


@with_settings()
def remove(
    videos: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO...", readable=False, help="Indexed videos: their paths, file names or ids."),
    ],
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Take videos out of the library; their files stay."""
    from .screen import video_data

    removed = []
    for video in videos:
        opened, _ = opened_at(video, library, chosen)
        removed.append(video_data(opened, opened.remove(video)))
        if not as_json and not chosen.quiet:
            print(f"removed {clean_text(str(video))}")
    if as_json:
        print_json(removed)


@with_settings()
def pull(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Such as s3://bucket/talks, gs://bucket/talks, file:///shared/talks.")
    ],
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", metavar="DIR", readable=False, help="The library's folder. Default: .playhead in this folder."
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Bring a library from object storage or a shared path here."""
    from .screen import IndexScreen, pulled_data

    opened = open_library(library or home_of([Path()]), chosen)
    with IndexScreen(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as screen:
        pulled = opened.pull(url, done=screen.done)
    screen.summary(opened.folder)
    if as_json:
        print_json([pulled_data(one) for one in pulled])
    if any(one.has_failed for one in pulled):
        raise typer.Exit(1)
