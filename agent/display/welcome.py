"""Prints what a person can type next, for the folder where `playhead` was typed without a command."""

import shlex
from itertools import islice
from pathlib import Path

from ...index.indexing.media_files import MEDIA_SUFFIXES
from ...tools.records import clean_text
from ..library_folder import LIBRARY, found_library

__all__ = ["print_welcome"]

# Entries of a folder that are looked at: enough to say what is there, and never slow.
_MOST_ENTRIES = 2_000


def print_welcome(folder: Path) -> None:
    """Print what is indexed here, and the commands for it.

    Args:
        folder: The working folder.
    """
    print("Playhead answers questions about videos, and cites the second.\n")
    library = found_library(folder)
    below = next(iter(sorted(folder.glob(f"*/{LIBRARY}"))), None)
    if library is not None or below is not None:
        place = "." if library is not None else (below or folder).parent.name
        print(f"Indexed: {'this folder' if place == '.' else clean_text(place)}. Try:\n")
        _print_commands(shlex.quote(clean_text(place)))
    else:
        videos = sum(one.suffix.lower() in MEDIA_SUFFIXES for one in islice(folder.iterdir(), _MOST_ENTRIES))
        if videos:
            print(f"{videos} video or sound {'file is' if videos == 1 else 'files are'} in this folder. Index first:\n")
        else:
            print("Nothing is indexed here. Index a folder of videos first, then ask:\n")
        place = "." if videos else "FOLDER"
        print(f"  playhead index {place}\n")
        _print_commands(place)
    print("\nAll commands: playhead --help. Examples of one: playhead ask --help")


def _print_commands(place: str) -> None:
    where = "" if place == "." else f" {place}"
    print(
        f"""  playhead ask{where} "What was decided about the budget?"
  playhead search{where} "budget"        what was said, written and shown
  playhead chapters{where}               a table of contents
  playhead ui{where}                     the page: search, ask, and play the moment"""
    )
