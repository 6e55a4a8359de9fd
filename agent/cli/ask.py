"""The commands that look into a library: `ask`, `search`, `find`."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ...tools.errors import QueryError
from ...tools.records import Record
from .options import MODELS, Chosen, with_settings
from .places import AsJson, Between, LibraryFolder, Place, Within, filtered, opened_at, print_json, seconds_of

__all__ = ["ask", "find", "search"]


@with_settings(*MODELS)
def ask(
    place: Place,
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question in plain words.")] = None,
    library: LibraryFolder = None,
    between: Between = None,
    thread: Annotated[
        str | None,
        typer.Option("--thread", metavar="NAME", help="Name of a conversation to keep: a question may follow others."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the thread's question that was interrupted.")
    ] = False,
    as_json: AsJson = False,
    as_events: Annotated[
        bool, typer.Option("--events", help="Print each step as a line of JSON, the answer last.")
    ] = False,
    *,
    chosen: Chosen,
) -> None:
    """Answer a question, with the seconds that it rests on."""
    from ..display.live_steps import AskScreen

    if resume and (thread is None or question is not None or between is not None):
        raise QueryError("--resume goes on with the question of a thread: give --thread NAME, and nothing else to ask")
    if not resume and question is None:
        raise QueryError("no question: write one after PLACE, or go on with one by --resume --thread NAME")
    if as_json and as_events:
        raise QueryError("--json and --events both: choose one")
    stretch = seconds_of(between)
    with AskScreen(quiet=chosen.quiet or as_events, thread=thread) as screen:
        opened, videos = opened_at(place, library, chosen)
        if question is None:
            events = opened.stream_resumed(str(thread))
        else:
            events = opened.stream(question, videos=videos, between=stretch, thread_id=thread)
        for event in events:
            screen.tell(event)
            if as_events:
                print(json.dumps(event.model_dump(mode="json"), ensure_ascii=False), flush=True)
    _print_answer(screen.answer, as_json, as_events, chosen)


def _print_answer(answer: Any, as_json: bool, as_events: bool, chosen: Chosen) -> None:
    from ..display.terminal import print_answer, print_trace

    if chosen.verbose:
        print_trace(answer)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif not as_events:
        print_answer(answer)


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
    from ..display.terminal import print_evidence, waiting

    with waiting("searching", chosen.quiet):
        opened, filters = filtered(place, library, within, between, chosen)
        found = opened.search(query, k, **filters)
    _print_found(found, print_evidence, as_json)


@with_settings(*MODELS)
def find(
    place: Place,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A description or question, in plain words.")],
    library: LibraryFolder = None,
    within: Within = None,
    between: Between = None,
    k: Annotated[int, typer.Option("-k", metavar="NUMBER", min=1, help="At most this many moments.")] = 5,
    precise: Annotated[bool, typer.Option("--precise", help="Short spans inside the moment.")] = False,
    look: Annotated[
        bool,
        typer.Option("--look", help="Look at frames with the detector and the picture encoder; at most max_frames."),
    ] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Find moments: from when to when something happens."""
    from ..display.terminal import print_moments, waiting

    with waiting("searching", chosen.quiet):
        opened, filters = filtered(place, library, within, between, chosen)
        found = opened.find(query, k, mode="precise" if precise else "balanced", look=look, **filters)
    _print_found(found, print_moments, as_json)


def _print_found(found: Sequence[Record], draw: Callable[[Any], None], as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        draw(found)
    else:
        print("nothing found", file=sys.stderr)
