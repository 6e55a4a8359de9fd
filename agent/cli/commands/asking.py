"""The commands that answer, search and check: `ask`, `chat`, `search`, `find`, `check`."""

import json
import os
import shlex
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....tools.errors import PlayheadError, QueryError
from ....tools.records import Record, clean_text
from ..options import MODELS, Chosen, with_settings
from ..places import (
    AsJson,
    Between,
    Index,
    LibraryFolder,
    Place,
    Where,
    Within,
    filtered,
    index_first,
    opened_at,
    placed,
    print_json,
    seconds_of,
)

if TYPE_CHECKING:
    from ...library import Library
    from ...looking.similar import Similar
    from ...records import Correction

__all__ = ["ask", "chat", "check", "find", "search"]


@with_settings(
    *MODELS,
    examples=(
        'playhead ask talks "What does the speaker say about the budget?"',
        'playhead ask talks "Who is the second speaker?" --html answer.html',
    ),
)
def ask(
    place: Place = ".",
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question in plain words.")] = None,
    library: LibraryFolder = None,
    between: Between = None,
    where: Where = None,
    thread: Annotated[
        str | None,
        typer.Option("--thread", metavar="NAME", help="Name of a conversation to keep: a question may follow others."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the thread's question that was interrupted.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the answer as one HTML file, too.")
    ] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Put short clips into the HTML file.")] = False,
    index: Index = False,
    pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Draw the cited pictures if the terminal can show them."),
    ] = True,
    page: Annotated[
        bool,
        typer.Option(
            "--page/--no-page", help="Let a running `playhead ui` of this library answer: its models are loaded."
        ),
    ] = True,
    as_json: AsJson = False,
    as_events: Annotated[
        bool, typer.Option("--events", help="Print each step as one line of JSON; the answer is last.")
    ] = False,
    *,
    chosen: Chosen,
) -> None:
    """Answer a question and cite the seconds behind the answer."""
    from ...display.live_steps import AskingView
    from ...display.tables import print_answer, print_trace
    from ...serving.running_page import PageQuestion, running_page, steps

    folder = Path(place)
    if resume and (thread is None or question is not None or between is not None or where):
        raise QueryError("--resume continues the question of a thread: give --thread NAME, and no other question")
    if not resume:
        folder, question = placed(place, question, "QUESTION")
    if index:
        index_first(folder, library, chosen)
    if as_json and as_events:
        raise QueryError("--json and --events cannot be used together: choose one")
    stretch = seconds_of(between)
    with AskingView(quiet=chosen.quiet or as_events, thread=thread) as view:
        opened, videos = opened_at(folder, library, chosen)
        running = running_page(opened.folder, opened.settings) if page and question is not None else None
        if question is None:
            events = opened.stream_resumed(str(thread))
        elif running is not None:
            view.note(f"the running page at {running.url} answers (--no-page: answer in this process)")
            named = None if videos is None else tuple(map(str, videos))
            asked = PageQuestion(
                question=question, videos=named, where=tuple(where or ()), between=stretch, thread=thread
            )
            events = steps(running, asked)
        else:
            events = opened.stream(question, videos=videos, where=where, between=stretch, thread_id=thread)
        for event in events:
            view.show(event)
            if as_events:
                print(json.dumps(event.model_dump(mode="json"), ensure_ascii=False), flush=True)
    if chosen.verbose:
        print_trace(view.answer)
    if html:
        html.write_text(view.answer.to_html(embed=embed, folder=html.parent), encoding="utf-8")
    if as_json:
        print_json(view.answer.model_dump(mode="json"))
    elif not as_events:
        print_answer(view.answer, _durations(opened), pictures=pictures)


@with_settings(*MODELS, examples=("playhead chat talks", "playhead chat talks --thread monday"))
def chat(
    place: Place = ".",
    library: LibraryFolder = None,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="NAME", help="Name of a conversation to continue or start.")
    ] = None,
    *,
    chosen: Chosen,
) -> None:
    """Ask questions one after another."""
    from ...display.live_steps import AskingView
    from ...display.tables import print_answer

    opened, videos = opened_at(place, library, chosen)
    name = thread or f"chat-{uuid.uuid4().hex[:8]}"
    count = len(opened.videos(videos))
    print(f"{count} {'video' if count == 1 else 'videos'}. Ask in plain words; an empty line ends.", file=sys.stderr)
    durations = _durations(opened)
    while question := _typed():
        try:
            with AskingView(quiet=chosen.quiet) as view:
                for event in opened.stream(question, videos=videos, thread_id=name):
                    view.show(event)
            print_answer(view.answer, durations)
        except PlayheadError as error:
            print(f"playhead: {clean_text(str(error))}", file=sys.stderr)
    print(f"continue with: playhead chat {shlex.quote(place)} --thread {shlex.quote(name)}", file=sys.stderr)


def _typed() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _durations(opened: "Library") -> dict[str, float]:
    return {record.video_id: record.duration for record in opened.videos()}


@with_settings(
    *MODELS,
    examples=(
        'playhead search talks "ORDER-7731" --in written --between 10:00-20:00',
        "playhead search talks --image photo.jpg",
    ),
)
def search(
    place: Place = ".",
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for, in plain words.")] = None,
    library: LibraryFolder = None,
    within: Within = None,
    between: Between = None,
    where: Where = None,
    speaker: Annotated[
        str | None,
        typer.Option("--speaker", metavar="NAME", help="Only what this speaker says: see `playhead speakers`."),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="Frames similar to this picture, instead of a QUERY.")
    ] = None,
    k: Annotated[int, typer.Option("-k", metavar="NUMBER", min=1, help="At most this many results.")] = 10,
    index: Index = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Search what was said, written and shown."""
    from ...display.tables import print_evidence
    from ...display.terminal import waiting

    if image is not None:
        _only("--image", query, within or speaker)
        if index:
            index_first(Path(place), library, chosen)
        with waiting("comparing", chosen.quiet):
            opened, filters = filtered(place, library, None, between, where, chosen)
            filters.pop("modalities")
            similar = opened.search_picture(image, k, **filters)
        _print_similar(similar, similar.frames, print_evidence, as_json)
        return
    folder, text = placed(place, query, "QUERY")
    if index:
        index_first(folder, library, chosen)
    with waiting("searching", chosen.quiet):
        opened, filters = filtered(folder, library, within, between, where, chosen)
        text, corrections = opened.corrected(text)
        found = opened.search(text, k, speaker=speaker, **filters)
    _print_corrections(corrections)
    if found.limits:
        print(found.limits, file=sys.stderr)
    _print_found(found, print_evidence, as_json)


@with_settings(*MODELS, examples=('playhead find talks "the rocket starts"', 'playhead find talks "a cat" --look'))
def find(
    place: Place = ".",
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="A description or question, in plain words.")
    ] = None,
    library: LibraryFolder = None,
    within: Within = None,
    between: Between = None,
    where: Where = None,
    k: Annotated[int, typer.Option("-k", metavar="NUMBER", min=1, help="At most this many moments.")] = 5,
    precise: Annotated[bool, typer.Option("--precise", help="Shorter spans, inside the moment.")] = False,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="VIDEO@SECONDS",
            help="Moments that look like this one, instead of a QUERY: talk.mp4@10:02.",
        ),
    ] = None,
    look: Annotated[
        bool,
        typer.Option("--look", help="Examine up to max_frames frames with the detector and picture encoder."),
    ] = False,
    index: Index = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Find when something happens: from when to when."""
    from ...display.tables import print_moments
    from ...display.terminal import waiting
    from ...looking.similar import moments_of

    if like is not None:
        _only("--like", query, within or precise or look)
        if index:
            index_first(Path(place), library, chosen)
        with waiting("comparing", chosen.quiet):
            opened, filters = filtered(place, library, None, between, where, chosen)
            filters.pop("modalities")
            similar = opened.find_similar(like, k, **filters)
        _print_similar(similar, moments_of(similar), print_moments, as_json)
        return
    folder, text = placed(place, query, "QUERY")
    if index:
        index_first(folder, library, chosen)
    with waiting("searching", chosen.quiet):
        opened, filters = filtered(folder, library, within, between, where, chosen)
        text, corrections = opened.corrected(text)
        found = opened.find(text, k, mode="precise" if precise else "balanced", look=look, **filters)
    _print_corrections(corrections)
    _print_found(found, print_moments, as_json)


@with_settings(
    *MODELS,
    examples=(
        'playhead check talks "The budget grew by 12 percent."',
        "cd talks; playhead check - --json < claims.json",
    ),
)
def check(
    place: Place = ".",
    claims: Annotated[
        str | None,
        typer.Argument(
            metavar="CLAIMS",
            help='One claim in words; or a JSON file, or - for standard input: [{"claim": "…", "video": "a.mp4", "at": "10:02"}, …].',
        ),
    ] = None,
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Check somebody else's claims with times.

    The exit code is 1 if one of them is not verified.
    """
    from ...checking.claims import claims_in, stated
    from ...display.tables import print_checked
    from ...display.terminal import waiting

    folder, file = (".", place) if claims is None else (place, claims)  # PLACE may be left out
    given = stated(file) if _is_sentence(file) else claims_in(_read(file))
    with waiting("checking", chosen.quiet):
        opened, among = opened_at(folder, library, chosen)
        if among and len(among) == 1 and among[0].is_file():
            given = [one if one.video else one.model_copy(update={"video": str(among[0])}) for one in given]
        checked = opened.check(given)
    if as_json:
        print_json([one.model_dump(mode="json") for one in checked])
    else:
        print_checked(checked)
    if any(one.verdict != "verified" for one in checked):
        raise typer.Exit(1)


def _is_sentence(claims: str) -> bool:
    """Whether it is a claim in words, and no file."""
    return len(claims.split()) > 1 and not claims.rstrip().endswith(".json") and not os.path.exists(claims)


def _read(claims: str) -> str:
    try:
        return sys.stdin.read() if claims == "-" else Path(claims).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise QueryError(f"claims {claims}: cannot be read as a text file ({why}): check the path") from error


def _only(option: str, query: str | None, others: object) -> None:
    if query is not None or others:
        raise QueryError(f"{option} takes neither a query nor another option for words: leave them out")


def _print_similar(similar: "Similar", found: Sequence[Record], draw: Callable[[Any], None], as_json: bool) -> None:
    if as_json:
        print_json(similar.model_dump(mode="json"))
        return
    print(f"similar is: {similar.compared_by}", file=sys.stderr)
    if similar.note:
        print(similar.note, file=sys.stderr)
    if found or similar.nearest is None:
        _print_found(found, draw, as_json)


def _doubt(found: Sequence[Any]) -> None:
    """On a terminal, say so where nothing fits well enough to be an answer."""
    from ...answering.reader import feature_reader

    fits = max(getattr(one, "relevance", None) or one.score for one in found)
    if sys.stderr.isatty() and fits < feature_reader().threshold:
        print("None of these fits for certain.", file=sys.stderr)


def _print_corrections(corrections: "Sequence[Correction]") -> None:
    from ...records import corrected_words

    if note := corrected_words(corrections):
        print(note, file=sys.stderr)


def _print_found(found: Sequence[Record], draw: Callable[[Any], None], as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        draw(found)
        _doubt(found)
    else:
        print("nothing found", file=sys.stderr)
