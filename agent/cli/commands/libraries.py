"""The commands that make and show a library: `index`, `list`, `show`, `chapters`, `remove`, `pull`, `optimize`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....tools.errors import LibraryError, QueryError
from ....tools.records import clean_text, parse_clock
from ...records import EngineName
from ..options import MODELS, Chosen, with_settings
from ..places import (
    AsJson,
    LibraryFolder,
    LibraryPlace,
    Place,
    Where,
    folder_for,
    is_url,
    open_library,
    opened_at,
    print_json,
    storage_named,
    window_of,
)

if TYPE_CHECKING:
    from ...sources.records import Fetched, FetchLimits

__all__ = ["chapters", "index", "list_", "optimize", "pull", "remove", "show"]

_NAMED = 3  # videos that a message names


@with_settings(
    *MODELS,
    "chapter_titles",
    "stream",
    examples=(
        "playhead index talks",
        "playhead index talk.mp4 --from 28:00 --to 43:00",
    ),
)
def index(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH|URL...", help="Folders of videos, videos, or addresses of videos.")
    ],
    library: LibraryPlace = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch and index everything again.")] = False,
    downloads: Annotated[
        Path | None,
        typer.Option(
            "--downloads",
            metavar="DIR",
            help="Where to save videos from URLs. Default: downloads in the videos' folder.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most N videos of each URL.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Skip larger videos, e.g. 500M or 2G.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option("--max-duration", metavar="TIME", help="Skip longer videos, e.g. 2:00:00.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Index only from this time on, e.g. 28:00.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Index only up to this time, e.g. 43:00.")
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option("--engine", help="local: one video after another, here; ray: several at once."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="Address of the Ray cluster. Default: this machine."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Videos at once on Ray. Default: as many as fit."),
    ] = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Index new and changed videos. After a stop, the same command continues."""
    from ....index.indexing.extractor_set import Extractors
    from ....index.storage.local import LocalStorage
    from ...display.indexing import IndexingView
    from ...display.json_data import fetched_data, outcome_data
    from ...library.index_runs import index_videos
    from ...sources.fetching import is_source

    urls, files = [one for one in paths if is_source(one)], [Path(one) for one in paths if not is_source(one)]
    storage = storage_named(library) if library else LocalStorage(folder_for(files or [Path()]))
    fetched: list[Fetched] = []
    if urls:
        home = storage.folder if isinstance(storage, LocalStorage) else folder_for(files or [Path()])
        limits = _limits(limit, max_size, max_duration)
        fetched = _fetch(
            urls, downloads or home.parent / "downloads", limits, force, chosen, quiet=as_json or chosen.quiet
        )
        files += [one.path for one in fetched if one.path is not None]
    if not files:
        if as_json:
            print_json([fetched_data(one) for one in fetched])
        raise typer.Exit(int(any(one.state == "failed" for one in fetched)))
    settings = chosen.settings()
    with IndexingView(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as view:
        outcomes = index_videos(
            storage,
            files,
            settings,
            lambda: Extractors.gather(settings),
            force=force,
            engine=engine,
            address=address,
            workers=workers,
            window=window_of(start, end),
            progress=view.progress,
            done=view.done,
        )
    view.summary(storage.folder if isinstance(storage, LocalStorage) else storage.name)
    if as_json:
        print_json([*map(fetched_data, fetched), *map(outcome_data, outcomes)])
    if any(outcome.has_failed for outcome in outcomes) or any(one.state == "failed" for one in fetched):
        raise typer.Exit(1)


def _limits(count: int | None, size: str | None, duration: str | None) -> "FetchLimits":
    from ...sources.records import FetchLimits

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", size.strip().upper()) if size else None
    if size and not found:
        raise QueryError(f"--max-size {size!r}: give a number of bytes, or one with K, M or G, such as 500M")
    try:
        seconds = parse_clock(duration) if duration else None
    except ValueError as error:
        raise QueryError(f"--max-duration {duration!r}: {error}") from error
    most = int(float(found[1]) * 1000 ** " KMGT".index(found[2] or " ")) if found else None
    return FetchLimits(count, most, seconds)


def _fetch(
    urls: list[str], folder: Path, limits: "FetchLimits", force: bool, chosen: Chosen, *, quiet: bool
) -> "list[Fetched]":
    """Fetch the videos of URLs; print a line for each on stderr."""
    from ...display.terminal import waiting
    from ...library.index_runs import collect
    from ...sources.fetching import fetch

    def done(one: "Fetched") -> None:
        if not quiet or one.state == "failed":
            what = one.path.name if one.path else one.title or one.url
            print(clean_text(f"{one.state}  {what}  {one.detail}").strip(), file=sys.stderr)

    language = chosen.settings().language
    with waiting("fetching", quiet):
        return collect(fetch(urls, folder, limits, lambda *_: None, language=language, force=force), done)


@with_settings(examples=("playhead list talks", "playhead list talks --where 'date>=2026-01'"))
def list_(
    place: Place = ".", library: LibraryFolder = None, where: Where = None, as_json: AsJson = False, *, chosen: Chosen
) -> None:
    """List the indexed videos."""
    from ...display.json_data import video_data
    from ...display.tables import print_videos

    opened, videos = opened_at(place, library, chosen)
    records = opened.videos(videos, where=where)
    if as_json:
        print_json([video_data(opened, record) for record in records])
    elif records:
        print_videos(opened, records)
    else:
        print("no video is indexed here", file=sys.stderr)


@with_settings(examples=("playhead show talks/talk.mp4", "playhead show talk.mp4 --library talks/.playhead --json"))
def show(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", readable=False, help="An indexed video: its path, file name or id.")
    ],
    library: LibraryFolder = None,
    changes: Annotated[
        bool,
        typer.Option("--changes", help="Show why each compared frame started a segment, or not; decodes the video."),
    ] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show everything extracted from a video, second by second."""
    from ...display.json_data import video_data
    from ...display.tables import print_changes, print_video

    opened, _ = opened_at(video, library, chosen)
    if changes:
        decisions = opened.changes(video)
        if as_json:
            print_json([decision.model_dump(mode="json") for decision in decisions])
        else:
            print_changes(decisions)
        return
    record, evidence = opened.observed(video)
    if as_json:
        observations = [one.model_dump(mode="json", exclude={"score", "similarity"}) for one in evidence]
        print_json(video_data(opened, record) | {"observations": observations})
    else:
        print_video(opened, record, evidence)


@with_settings(examples=("playhead chapters talks", "playhead chapters talks/talk.mp4 --scenes"))
def chapters(
    place: Place = ".",
    library: LibraryFolder = None,
    scenes: Annotated[bool, typer.Option("--scenes", help="List the scenes in each chapter, too.")] = False,
    titles: Annotated[
        bool, typer.Option("--titles", help="Have the language model write a title and an abstract of each chapter.")
    ] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show the table of contents of each video."""
    from ...display.json_data import video_data
    from ...display.tables import print_chapters
    from ...display.terminal import waiting

    opened, videos = opened_at(place, library, chosen)
    records = opened.videos(videos)
    with waiting("reading", chosen.quiet):
        listed = [(record, opened.chapters(record.video_id, titles=titles)) for record in records]
    if as_json:
        data = {record: [one.model_dump(mode="json") for one in found] for record, found in listed}
        print_json([video_data(opened, record) | {"chapters": chapters} for record, chapters in data.items()])
    elif listed:
        print_chapters(opened, listed, scenes=scenes)
    else:
        print("no video is indexed here: run `playhead index` on a folder of videos first", file=sys.stderr)


@with_settings(
    examples=("playhead remove talks/old.mp4 talks/older.mp4", "playhead remove old.mp4 --library talks/.playhead")
)
def remove(
    videos: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO...",
            readable=False,
            help="Indexed videos: their paths, file names or ids; the first may be their folder.",
        ),
    ],
    library: LibraryPlace = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Remove videos from the library; their files stay."""
    if library is None and len(videos) > 1 and videos[0].is_dir():
        library, videos = str(opened_at(videos[0], None, chosen)[0].folder), videos[1:]
    removals = [_removal(video, library, chosen) for video in videos]  # all are found before the first is removed
    removed = []
    for video, remove_it in zip(videos, removals, strict=True):
        removed.append(remove_it())
        if not as_json and not chosen.quiet:
            print(f"removed {clean_text(str(video))}")
    if as_json:
        print_json(removed)


def _removal(video: Path, library: str | None, chosen: Chosen) -> Callable[[], dict[str, Any]]:
    """Find a video; return what removes it and gives its data."""
    from ...display.json_data import record_data, video_data
    from ...library.index_runs import named_video, remove_video

    if library and is_url(library):
        storage = storage_named(library)
        named_video(storage, video)

        def remove_it() -> dict[str, Any]:
            record = remove_video(storage, video)
            return record_data(record, [Path(path) for path in record.paths])

        return remove_it
    opened, named = opened_at(video, Path(library) if library else None, chosen)
    if named is None:
        names = ", ".join(clean_text(Path(one.paths[0]).name) for one in opened.videos()[:_NAMED])
        raise LibraryError(
            f"{video} is a folder: name the videos to remove after it, e.g. {names}; to remove all, delete {opened.folder}"
        )
    opened.video(video)
    return lambda: video_data(opened, opened.remove(video))


@with_settings(
    examples=("playhead pull s3://bucket/talks", "playhead pull file:///shared/talks --library talks/.playhead")
)
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
    """Copy a library from object storage or a shared path."""
    from ...display.indexing import IndexingView
    from ...display.json_data import pulled_data

    opened = open_library(library or folder_for([Path()]), chosen)
    with IndexingView(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as view:
        view.waiting("copying")
        pulled = opened.pull(url, done=view.done)
    view.summary(opened.folder)
    if as_json:
        print_json([pulled_data(one) for one in pulled])
    if any(one.has_failed for one in pulled):
        raise typer.Exit(1)


@with_settings(examples=("playhead optimize talks", "playhead optimize --library archive"))
def optimize(
    place: Place = ".",
    library: LibraryFolder = None,
    vectors_at: Annotated[
        str | None,
        typer.Option(
            "--vectors",
            metavar="URL",
            help="Keep vectors in a LanceDB database there, such as s3://bucket/vectors; here.",
        ),
    ] = None,
    *,
    chosen: Chosen,
) -> None:
    """Build or update the search index, and merge its files.

    Indexing does this by itself. It is needed for a library that was copied without its search index.
    """
    from ...display.indexing import counted

    opened, _ = opened_at(place, library, chosen)
    with counted("publishing videos", chosen.quiet) as progress:
        count = opened.optimize(vectors_at=vectors_at, progress=progress)
    print(f"{count} change{'' if count == 1 else 's'} published" if count else "the search index is up to date")
