"""Observations of whiteboards that are filmed by hand (`board.py`), and whether a word is lost.

Rows: single readings, readings merged where text and place are the same (version 0.1), and merged lines. A word is found if
its letters are in the text of a row, spaces and case aside.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from board import BOARDS, Board, write_board
from report import Figures

from playhead.index.indexing.change_detection import segments
from playhead.index.indexing.merging.text_lines import merge_lines
from playhead.index.indexing.merging.tracks import merge_detections
from playhead.tools.extractors.reading.ocr import text_reader
from playhead.tools.media.frames import probe
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Observation
from playhead.tools.settings import Settings


def measure() -> Figures:
    return {"Whiteboards filmed by hand": [_measured(board) for board in BOARDS]}


def _measured(board: Board) -> dict[str, str | float | None]:
    reader = text_reader(Settings(ocr="rapidocr", device="cpu", offline=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board.mp4"
        write_board(board, path)
        duration = probe(path).duration
        chosen = list(segments(skim(path, None, 2.0), 2.0, duration))
        readings = reader.observe(chosen)
    lines = merge_lines(readings, [segment.span for segment in chosen if segment.moves])
    same = merge_detections(readings)
    return {
        "board": board.lines[0],
        "seconds": round(duration, 1),
        "lines": len(board.lines),
        "readings": len(readings),
        "merged_where_the_same": len(same),
        "merged_lines": len(lines),
        "words": len(_words(board)),
        "words_in_readings": _found(board, readings),
        "words_in_merged_lines": _found(board, lines),
    }


def _words(board: Board) -> list[str]:
    return [word for line in board.lines for word in re.findall(r"\w+", line.casefold())]


def _found(board: Board, rows: Sequence[Observation]) -> int:
    letters = re.sub(r"\W", "", " ".join(row.text for row in rows).casefold())
    return sum(word in letters for word in _words(board))


if __name__ == "__main__":
    print(measure())
