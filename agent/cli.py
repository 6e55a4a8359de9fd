"""The command line: parse, call, print. Results go to stdout, progress and errors to stderr."""

import io
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..tools.errors import LibraryError, PlayheadError, QueryError, SettingsError
from ..tools.records import clean_text, parse_clock
from ..tools.settings import Settings
from .options import with_settings

if TYPE_CHECKING:
    from .library import Library

__all__ = ["app", "main"]

LIBRARY = ".playhead"

app = typer.Typer(
    help="Ask questions about hour-long videos; get answers that cite the second.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Place = Annotated[Path, typer.Argument(metavar="PLACE", help="A folder of videos, or one video, that is indexed.")]
LibraryFolder = Annotated[
    Path | None,
    typer.Option("--library", metavar="DIR", help="The library's folder. By default .playhead in the videos' folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs.")]
Between = Annotated[
    str | None, typer.Option("--between", metavar="START-END", help="Only this stretch, e.g. 10:00-20:00 or 90-120.5.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell more of what happens.")]


@app.callback()
def _global(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Never ask a model hub.")] = False,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    context.obj = {"offline": offline or None, "device": device, "quiet": quiet, "verbose": verbose}


@app.command()
@with_settings
def index(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders of videos, or videos.")],
    library: LibraryFolder = None,
    force: Annotated[bool, typer.Option("--force", help="Index anew what is unchanged, too.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Index videos: what is new or changed since the last time, and nothing else."""
    from .screen import IndexScreen, outcome_data

    _logging(context, quiet, verbose)
    opened = _open(context, library or _home(paths), settings)
    with IndexScreen(quiet=quiet or context.obj["quiet"], to_stdout=not as_json) as screen:
        outcomes = opened.index(paths, force=force, progress=screen.progress, done=screen.done)
    if as_json:
        _print_json([outcome_data(outcome) for outcome in outcomes])
    if any(outcome.has_failed for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
@with_settings
def ask(
    context: typer.Context,
    place: Place,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question in plain words.")],
    library: LibraryFolder = None,
    between: Between = None,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="NAME", help="Name of a conversation to keep.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Answer a question, with the seconds that the answer rests on."""
    _logging(context, quiet, verbose)
    opened, videos = _opened(context, place, library, settings)
    answer = opened.ask(question, videos=videos, between=_seconds(between), thread_id=thread)
    if as_json:
        _print_json(answer.model_dump(mode="json"))
        return
    print(answer)
    if verbose or context.obj["verbose"]:
        for step in answer.trace:
            print(f"  {step.step}: {step.detail} ({step.seconds:.2f} s)", file=sys.stderr)


@app.command()
@with_settings
def search(
    context: typer.Context,
    place: Place,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in plain words.")],
    library: LibraryFolder = None,
    within: Annotated[
        str | None, typer.Option("--in", metavar="MODALITY,...", help="Of speech, text, object, caption, frame.")
    ] = None,
    between: Between = None,
    k: Annotated[int, typer.Option("-k", min=1, help="At most this many results.")] = 10,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Find moments by what was said, written or shown."""
    _logging(context, quiet, verbose)
    opened, videos = _opened(context, place, library, settings)
    modalities: Any = [part.strip() for part in within.split(",")] if within else None
    found = opened.search(query, k, modalities=modalities, videos=videos, between=_seconds(between))
    if as_json:
        _print_json([evidence.model_dump(mode="json") for evidence in found])
    elif found:
        from .screen import print_evidence

        print_evidence(found)
    else:
        print("nothing found", file=sys.stderr)


@app.command("list")
def list_(
    context: typer.Context,
    place: Place,
    library: LibraryFolder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the indexed videos."""
    _logging(context, quiet, verbose)
    opened, videos = _opened(context, place, library, {})
    records = opened.videos(videos)
    from .screen import print_videos, video_data

    if as_json:
        _print_json([video_data(opened, record) for record in records])
    elif records:
        print_videos(opened, records)
    else:
        print("no video is indexed here", file=sys.stderr)


@app.command()
def show(
    context: typer.Context,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="An indexed video.")],
    library: LibraryFolder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what is known of a video: its stages, and all that was perceived."""
    _logging(context, quiet, verbose)
    opened, _ = _opened(context, video, library, {})
    record, evidence = opened.observed(video)
    from .screen import print_video, video_data

    if as_json:
        observations = [one.model_dump(mode="json", exclude={"score", "similarity"}) for one in evidence]
        _print_json(video_data(opened, record) | {"observations": observations})
    else:
        print_video(opened, record, evidence)


@app.command()
def remove(
    context: typer.Context,
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Indexed videos.")],
    library: LibraryFolder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Take videos out of the library. The files themselves are not touched."""
    _logging(context, quiet, verbose)
    from .screen import video_data

    removed = []
    for video in videos:
        opened, _ = _opened(context, video, library, {})
        removed.append(video_data(opened, opened.remove(video)))
        if not as_json:
            print(f"removed {clean_text(str(video))}")
    if as_json:
        _print_json(removed)


@app.command()
@with_settings
def doctor(
    context: typer.Context,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Tell what works here, and how to get what does not."""
    from .doctor import examine

    _logging(context, quiet, verbose)
    findings = examine(_settings(context, settings))
    if as_json:
        _print_json([finding.model_dump() for finding in findings])
    else:
        from .screen import print_findings

        print_findings(findings)


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its answer
    try:
        app()
    except PlayheadError as error:
        if os.environ.get("PLAYHEAD_DEBUG") == "1":
            raise
        print(f"playhead: {clean_text(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, (SettingsError, QueryError)) else 1)


def _open(context: typer.Context, folder: Path, values: dict[str, Any]) -> "Library":
    from .library import Library

    return Library(folder, _settings(context, values))


def _opened(
    context: typer.Context, place: Path, library: Path | None, values: dict[str, Any]
) -> "tuple[Library, list[Path] | None]":
    """The library that a place belongs to, and which of its videos the place means; None: all."""
    folder = library or _library_of(place)
    opened = _open(context, folder, values)
    place = place.expanduser().absolute()
    whole = place == opened.folder or (library is None and place == opened.folder.parent)
    return opened, None if whole else [place]


def _library_of(place: Path) -> Path:
    """The library of a folder or video: there, or in the nearest folder above."""
    place = place.expanduser().absolute()
    for folder in (place, *(above / LIBRARY for above in (place, *place.parents))):
        if (folder / "library.json").is_file():
            return folder
    raise LibraryError(
        f"nothing is indexed for {place}: run `playhead index` on it first, or name its library with --library"
    )


def _home(paths: list[Path]) -> Path:
    """Where the library of these paths goes."""
    places = {path if path.is_dir() else path.parent for path in (path.expanduser().absolute() for path in paths)}
    if len(places) > 1:
        raise typer.BadParameter("paths in several folders: say where the library goes with --library DIR")
    return places.pop() / LIBRARY


def _settings(context: typer.Context, values: dict[str, Any]) -> Settings:
    general = {name: context.obj[name] for name in ("offline", "device") if context.obj[name] is not None}
    return Settings(**(general | values))


def _logging(context: typer.Context, quiet: bool, verbose: bool) -> None:
    if quiet or context.obj["quiet"]:
        level = logging.ERROR
    else:
        level = logging.INFO if verbose or context.obj["verbose"] else logging.WARNING
    logging.basicConfig(level=logging.ERROR, format="playhead: %(message)s", stream=sys.stderr)
    logging.getLogger(__name__.partition(".")[0]).setLevel(level)


def _seconds(between: str | None) -> tuple[float, float] | None:
    if between is None:
        return None
    parts = re.split(r"\s*[-–]\s*", between.strip())
    try:
        start, end = (parse_clock(part) for part in parts)
    except ValueError as error:
        raise QueryError(f"--between {between!r}: START-END is wanted, e.g. 10:00-20:00 or 90-120.5") from error
    return start, end


def _print_json(data: object) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))
