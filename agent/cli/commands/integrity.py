"""The commands `verify` and `repair`: find damaged files of a library, and restore them."""

import sys
from typing import Annotated

import typer

from ....tools.records import clean_text
from ..options import MODELS, Chosen, with_settings
from ..places import AsJson, LibraryFolder, Place, opened_at, print_json

__all__ = ["repair", "verify"]


@with_settings(examples=("playhead verify talks", "playhead verify talks --deep"))
def verify(
    place: Place,
    library: LibraryFolder = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file and compare checksums.")] = False,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Check the library's files; name each damaged one."""
    from ...display.terminal import waiting

    opened, _ = opened_at(place, library, chosen)
    with waiting("checking", chosen.quiet):
        damages = opened.verify(deep=deep)
    if as_json:
        print_json([vars(damage) for damage in damages])
    else:
        for damage in damages:
            print(f"{damage.name}: {clean_text(damage.reason)}")
        if not chosen.quiet:
            checked = "every file" if deep else "records, names and sizes (with --deep every file)"
            found = f"{len(damages)} damaged: run `playhead repair`" if damages else "no damage"
            print(f"{found} · checked {checked}", file=sys.stderr)
    if damages:
        raise typer.Exit(1)


@with_settings(*MODELS, examples=("playhead repair talks", "playhead repair --library archive"))
def repair(place: Place, library: LibraryFolder = None, as_json: AsJson = False, *, chosen: Chosen) -> None:
    """Repair a damaged library; index damaged videos again."""
    from ...display.indexing import IndexingView
    from ...display.json_data import outcome_data

    opened, _ = opened_at(place, library, chosen)
    with IndexingView(quiet=chosen.quiet, verbose=chosen.verbose, to_stdout=not as_json) as view:
        outcomes = opened.repair(progress=view.progress, done=view.done)
    if outcomes:
        view.summary(opened.folder)
    elif not chosen.quiet:
        print("no damage", file=sys.stderr)
    if as_json:
        print_json([outcome_data(outcome) for outcome in outcomes])
    if any(outcome.has_failed for outcome in outcomes):
        raise typer.Exit(1)
