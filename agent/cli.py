"""The command line: parse, call, print. Results go to stdout, progress and errors to stderr."""

import io
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..tools.errors import LibraryError, PlayheadError, QueryError, SettingsError
from ..tools.records import clean_text, parse_clock
from .options import MODELS, Chosen, Command, with_settings

if TYPE_CHECKING:
    from .library import Library

__all__ = ["app", "main"]

LIBRARY = ".playhead"

app = typer.Typer(
    help="""Ask questions about hour-long videos; get answers that cite the second.

    \b
    playhead index talks/
    playhead ask talks/ "What does the speaker say about the budget?"
    playhead search talks/ "red car" --in object,caption --between 10:00-20:00
    """,
    epilog="A setting is taken from its option, else from the environment (PLAYHEAD_<FIELD>), else from the user's "
    "settings file (playhead/settings.toml in the configuration folder), else it has its default.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Place = Annotated[
    Path, typer.Argument(metavar="PLACE", readable=False, help="A folder of indexed videos, or one of them.")
]
LibraryFolder = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="DIR",
        readable=False,
        help="The library's folder. Default: .playhead in the videos' folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs.")]
Within = Annotated[
    str | None, typer.Option("--in", metavar="MODALITY,...", help="Of speech, text, object, caption, frame.")
]
Between = Annotated[
    str | None, typer.Option("--between", metavar="START-END", help="Only this stretch, e.g. 10:00-20:00 or 90-120.5.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"playhead {version('playhead')}")
        raise typer.Exit


@app.callback()
@with_settings()
def _general(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
    chosen: Chosen,
) -> None:
    del version, chosen  # the first has printed and left; the second is kept for the command


@app.command(cls=Command)
@with_settings(*MODELS)
def index(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", readable=False, help="Folders of videos, or videos.")
    ],
    library: LibraryFolder = None,
    force: Annotated[bool, typer.Option("--force", help="Index anew what is unchanged, too.")] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Index videos: what is new or changed, and nothing else."""
    from .screen import IndexScreen, outcome_data

    opened = _open(library or _home(paths), chosen)
    with IndexScreen(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as screen:
        outcomes = opened.index(paths, force=force, progress=screen.progress, done=screen.done)
    screen.summary(opened.folder)
    if as_json:
        _print_json([outcome_data(outcome) for outcome in outcomes])
    if any(outcome.has_failed for outcome in outcomes):
        raise typer.Exit(1)


@app.command(cls=Command)
@with_settings(*MODELS)
def ask(
    place: Place,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question in plain words.")],
    library: LibraryFolder = None,
    between: Between = None,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="NAME", help="Name of a conversation to keep.")
    ] = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Answer a question, with the seconds that it rests on."""
    from .screen import print_answer, print_trace, waiting

    stretch = _seconds(between)
    opened, videos = _opened(place, library, chosen)
    with waiting("looking for an answer", chosen.quiet):
        answer = opened.ask(question, videos=videos, between=stretch, thread_id=thread)
    if chosen.verbose:
        print_trace(answer)
    if as_json:
        _print_json(answer.model_dump(mode="json"))
    else:
        print_answer(answer)


@app.command(cls=Command)
@with_settings(*MODELS)
def search(
    place: Place,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in plain words.")],
    library: LibraryFolder = None,
    within: Within = None,
    between: Between = None,
    k: Annotated[int, typer.Option("-k", metavar="NUMBER", min=1, help="At most this many results.")] = 10,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Find pieces of evidence by what was said, written or shown."""
    from .screen import print_evidence, waiting

    stretch = _seconds(between)
    modalities: Any = [part.strip() for part in within.split(",")] if within else None
    opened, videos = _opened(place, library, chosen)
    with waiting("searching", chosen.quiet):
        found = opened.search(query, k, modalities=modalities, videos=videos, between=stretch)
    if as_json:
        _print_json([evidence.model_dump(mode="json") for evidence in found])
    elif found:
        print_evidence(found)
    else:
        print("nothing found", file=sys.stderr)


@app.command(cls=Command)
@with_settings(*MODELS)
def find(
    place: Place,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A description or question, in plain words.")],
    library: LibraryFolder = None,
    within: Within = None,
    between: Between = None,
    k: Annotated[int, typer.Option("-k", metavar="NUMBER", min=1, help="At most this many moments.")] = 5,
    precise: Annotated[bool, typer.Option("--precise", help="Short spans inside the moment.")] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Find moments: from when to when something happens."""
    from .screen import print_moments, waiting

    stretch = _seconds(between)
    modalities: Any = [part.strip() for part in within.split(",")] if within else None
    opened, videos = _opened(place, library, chosen)
    with waiting("searching", chosen.quiet):
        mode: Any = "precise" if precise else "balanced"
        found = opened.find(query, k, modalities=modalities, videos=videos, between=stretch, mode=mode)
    if as_json:
        _print_json([moment.model_dump(mode="json") for moment in found])
    elif found:
        print_moments(found)
    else:
        print("nothing found", file=sys.stderr)


@app.command("list", cls=Command)
@with_settings()
def list_(place: Place, library: LibraryFolder = None, as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the indexed videos."""
    from .screen import print_videos, video_data

    opened, videos = _opened(place, library, chosen)
    records = opened.videos(videos)
    if as_json:
        _print_json([video_data(opened, record) for record in records])
    elif records:
        print_videos(opened, records)
    else:
        print("no video is indexed here", file=sys.stderr)


@app.command(cls=Command)
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

    opened, _ = _opened(video, library, chosen)
    record, evidence = opened.observed(video)
    if as_json:
        observations = [one.model_dump(mode="json", exclude={"score", "similarity"}) for one in evidence]
        _print_json(video_data(opened, record) | {"observations": observations})
    else:
        print_video(opened, record, evidence)


@app.command(cls=Command)
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
        opened, _ = _opened(video, library, chosen)
        removed.append(video_data(opened, opened.remove(video)))
        if not as_json and not chosen.quiet:
            print(f"removed {clean_text(str(video))}")
    if as_json:
        _print_json(removed)


@app.command(cls=Command)
@with_settings(*MODELS)
def doctor(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """Tell what works here, and how to get what does not."""
    from .doctor import examine
    from .screen import print_findings, waiting

    settings = chosen.settings()
    with waiting("examining", chosen.quiet):
        findings = examine(settings)
    if as_json:
        _print_json([finding.model_dump() for finding in findings])
    else:
        print_findings(findings)


@app.command(cls=Command)
@with_settings(*MODELS)
def serve(
    run: Annotated[bool, typer.Option("--run", help="Run it here, instead of printing it.")] = False, *, chosen: Chosen
) -> None:
    """Print or run the command that serves the video LLM."""
    from ..tools.video_llm import serve_command

    command = serve_command(chosen.settings())
    if not run:
        print(shlex.join(command))
        return
    program = shutil.which(command[0], path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        extra = "pip install vllm" if command[0] == "vllm" else "pip install 'transformers[serving]'"
        raise SettingsError(f"{command[0]} is not installed: {extra}")
    os.execv(program, command)  # noqa: S606 (its parts are our own words and the user's own settings; no shell)


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its answer
    try:
        try:
            app(prog_name="playhead")
        finally:
            sys.stdout.flush()
    except PlayheadError as error:
        _leave(str(error), error, 2 if isinstance(error, (SettingsError, QueryError)) else 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python writes once more, and complains
        if isinstance(error, BrokenPipeError):  # `playhead show … | head`
            sys.exit(1)
        _leave(f"{error.strerror or error}: {error.filename or 'standard output'}", error, 1)


def _leave(message: str, error: Exception, code: int) -> NoReturn:
    if os.environ.get("PLAYHEAD_DEBUG") == "1":
        raise error
    print(f"playhead: {clean_text(message)}", file=sys.stderr)
    sys.exit(code)


def _open(folder: Path, chosen: Chosen) -> "Library":
    settings = chosen.settings()
    from .library import Library

    return Library(folder, settings)


def _opened(place: Path, library: Path | None, chosen: Chosen) -> "tuple[Library, list[Path] | None]":
    """The library that a place belongs to, and which of its videos the place means; None: all."""
    if library is not None and not library.expanduser().exists():
        raise LibraryError(f"there is no library {library}: check --library, or run `playhead index` with it first")
    opened = _open(library or _library_of(place), chosen)
    place = _absolute(place)
    whole = place == opened.folder or (library is None and place == opened.folder.parent)
    return opened, None if whole else [place]


def _library_of(place: Path) -> Path:
    """The library of a folder or video: there, or in the nearest folder above."""
    place = _absolute(place)
    for folder in (place, *(above / LIBRARY for above in (place, *place.parents))):
        if (folder / "library.json").is_file():
            return folder
    raise LibraryError(
        f"nothing is indexed for {place}: run `playhead index` on it first, or name its library with --library"
    )


def _home(paths: list[Path]) -> Path:
    """Where the library of these paths goes."""
    places = {path if path.is_dir() else path.parent for path in map(_absolute, paths)}
    if len(places) > 1:
        raise typer.BadParameter("paths in several folders: say where the library goes with --library DIR")
    return places.pop() / LIBRARY


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


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
