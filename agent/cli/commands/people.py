"""The commands that list, name and forget speakers and people."""

import sys
from typing import Annotated

import typer

from ....tools.errors import QueryError
from ..options import Chosen, with_settings
from ..places import AsJson, LibraryFolder, Place, opened_at, print_json

__all__ = ["people", "speakers"]


@with_settings(
    examples=("playhead speakers talks", 'playhead speakers talks name 2 "Ada"', 'playhead speakers talks forget "Ada"')
)
def speakers(
    place: Place = ".",
    change: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[name NUMBER NAME | forget NAME]", help="Name a speaker, or delete a name and its voice."
        ),
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="List names that are said or written for speakers without a name.")
    ] = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """List who speaks, for how long, and an example of each."""
    from ...display.tables import print_overlaps, print_proposed_names, print_speakers

    opened, _ = opened_at(place, library, chosen)
    if propose:
        proposed = opened.proposed_names()
        if as_json:
            print_json([one.model_dump(mode="json") for one in proposed])
        elif proposed:
            print_proposed_names(proposed, place)
        else:
            print("no names: nobody introduces a speaker in what is said or written", file=sys.stderr)
        return
    match change or []:
        case []:
            pass
        case ["name", number, name] if number.isdecimal():
            opened.name_speaker(int(number), name)
        case ["forget", name]:
            opened.forget_speaker(name)
        case other:
            raise QueryError(f"speakers {' '.join(other)}: expected `name NUMBER NAME` or `forget NAME`")
    found = opened.speakers()
    if as_json:
        print_json([one.model_dump(mode="json") | {"title": one.title} for one in found])
    elif found:
        print_speakers(found)
        print_overlaps(opened.overlaps())
    else:
        print(
            "no speakers: no voices were found, or speakers are not indexed (`playhead index` with "
            "--set speakers_model=resemblyzer)",
            file=sys.stderr,
        )


@with_settings(
    examples=(
        "playhead people talks",
        'playhead people talks name 2 "Ada"',
        'playhead people talks find "Ada"',
        'playhead people talks forget "Ada"',
    )
)
def people(
    place: Place = ".",
    change: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[name NUMBER NAME | find NAME | forget NAME]",
            help="Name a person, list when a person is seen or heard, or delete a name and the face's vectors.",
        ),
    ] = None,
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """List the people whose faces are recognised, and for how long."""
    from ...display.tables import print_evidence, print_speakers

    opened, _ = opened_at(place, library, chosen)
    match change or []:
        case []:
            pass
        case ["name", number, name] if number.isdecimal():
            opened.name_person(int(number), name)
        case ["forget", name]:
            opened.forget_person(name)
        case ["find", name]:
            seen = opened.sightings(name)
            if as_json:
                print_json([one.model_dump(mode="json") for one in seen])
            else:
                print_evidence(seen)
            return
        case other:
            raise QueryError(f"people {' '.join(other)}: expected `name NUMBER NAME`, `find NAME` or `forget NAME`")
    found = opened.people()
    if as_json:
        print_json([one.model_dump(mode="json") | {"title": one.title} for one in found])
    elif found:
        print_speakers(found, times="appearances")
    else:
        print(
            "no people: no faces were found, or people are not indexed (`playhead index` with --set people_model=dlib; "
            "in many countries those who are shown must consent)",
            file=sys.stderr,
        )
