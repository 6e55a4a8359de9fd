"""The commands that look after a library: `index`, `list`, `show`, `chapters`, `remove`, `pull`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...tools.records import clean_text
from ..records import EngineName
from .options import MODELS, Chosen, with_settings
from .places import (
    AsJson,
    LibraryFolder,
    LibraryPlace,
    Place,
    home_named,
    home_of,
    is_url,
    open_library,
    opened_at,
    print_json,
)

__all__ = ["chapters", "index", "list_", "pull", "remove", "show"]


@with_settings(*MODELS)
def index(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", readable=False, help="Folders of videos, or videos.")
    ],
    library: LibraryPlace = None,
    force: Annotated[bool, typer.Option("--force", help="Index anew what is unchanged, too.")] = False,
    engine: Annotated[
        EngineName,
        typer.Option("--engine", help="One video after the other here, or several at once on a Ray cluster."),
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
    from ...index.indexing.extractor_set import Extractors
    from ...index.storage.local import LocalStorage
    from ..display.terminal import IndexScreen, outcome_data
    from ..index_runs import index_videos

    home = home_named(library) if library else LocalStorage(home_of(paths))
    settings = chosen.settings()
    with IndexScreen(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as screen:
        outcomes = index_videos(
            home,
            paths,
            settings,
            lambda: Extractors.gather(settings),
            force=force,
            engine=engine,
            address=address,
            workers=workers,
            progress=screen.progress,
            done=screen.done,
        )
    screen.summary(home.folder if isinstance(home, LocalStorage) else home.url)
    if as_json:
        print_json([outcome_data(outcome) for outcome in outcomes])
    if any(outcome.has_failed for outcome in outcomes):
        raise typer.Exit(1)


@with_settings()
def list_(place: Place, library: LibraryFolder = None, as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the indexed videos."""
    from ..display.terminal import print_videos, video_data

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
    from ..display.terminal import print_video, video_data

    opened, _ = opened_at(video, library, chosen)
    record, evidence = opened.observed(video)
    if as_json:
        observations = [one.model_dump(mode="json", exclude={"score", "similarity"}) for one in evidence]
        print_json(video_data(opened, record) | {"observations": observations})
    else:
        print_video(opened, record, evidence)


@with_settings()
def chapters(
    place: Place,
    library: LibraryFolder = None,
    scenes: Annotated[bool, typer.Option("--scenes", help="List the scenes of each chapter, too.")] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show the table of contents of each video."""
    from ..display.terminal import print_chapters, video_data

    opened, videos = opened_at(place, library, chosen)
    records = opened.videos(videos)
    listed = [(record, opened.chapters(record.video_id)) for record in records]
    if as_json:
        data = {record: [one.model_dump(mode="json") for one in found] for record, found in listed}
        print_json([video_data(opened, record) | {"chapters": told} for record, told in data.items()])
    elif listed:
        print_chapters(opened, listed, scenes=scenes)
    else:
        print("no video is indexed here: run `playhead index` on a folder of videos first", file=sys.stderr)


@with_settings()
def remove(
    videos: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO...", readable=False, help="Indexed videos: their paths, file names or ids."),
    ],
    library: LibraryPlace = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Take videos out of the library; their files stay."""
    from ..display.terminal import record_data, video_data
    from ..index_runs import remove_video

    removed = []
    for video in videos:
        if library and is_url(library):
            record = remove_video(home_named(library), video)
            removed.append(record_data(record, [Path(path) for path in record.paths]))
        else:
            opened, _ = opened_at(video, Path(library) if library else None, chosen)
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
    from ..display.terminal import IndexScreen, pulled_data

    opened = open_library(library or home_of([Path()]), chosen)
    with IndexScreen(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as screen:
        pulled = opened.pull(url, done=screen.done)
    screen.summary(opened.folder)
    if as_json:
        print_json([pulled_data(one) for one in pulled])
    if any(one.has_failed for one in pulled):
        raise typer.Exit(1)
