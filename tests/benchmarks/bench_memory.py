"""What memory indexing takes at most, by the length of the video.

Five minutes made by `footage.py`, and an hour of it four times (joined without encoding again), are indexed as in
`bench_indexing.py`: profile `offline` without objects and pictures, decode to committed index, each in a process of its
own. Peaks are of resident memory, with the libraries' files that are mapped.
"""

from bench_indexing import lengths, run
from footage import HOUR, make_footage
from report import Figures

_REPORTED = ("peak_mb", "index_mb", "speech", "text", "frames")


def measure() -> Figures:
    rows = []
    for length, path in lengths(make_footage(1), make_footage(HOUR)):
        measured = run("index", path)
        rows.append({"length": length, **{name: measured[name] for name in _REPORTED}})
    return {"Memory of indexing": rows}
