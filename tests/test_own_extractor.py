"""A modality of somebody else's package: installed by pip, indexed, searched and shown like Playhead's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .fakes import write_pictures

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "own_extractor"
PARENT = Path(__file__).resolve().parents[2]  # the repository is the package

RED, DARK_BLUE, GREEN = (215, 25, 30), (12, 22, 104), (35, 150, 45)

COMMAND = ("-c", "from playhead.agent.cli.main import main; main()")

FIND = """
import json, sys
from playhead import Library
library = Library(sys.argv[1])
rows = lambda *a, **k: [(e.modality, e.text, e.start, e.end) for e in library.search(*a, **k)]
print(json.dumps({
    "red": rows("red"), "dark blue": rows("dark blue", 1), "in": rows("green", modalities="coloured"),
    "said": rows("red", modalities="said"),
}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs Python where the example is installed; returns what it prints."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "playhead_colour.py"):
        (source / name).write_bytes((EXAMPLE / name).read_bytes())  # pip builds beside its source
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)
    off = {f"PLAYHEAD_{name}": "off" for name in ("SPEECH_MODEL", "OCR", "OBJECTS_MODEL", "TEXT_MODEL", "IMAGE_MODEL")}

    def python(*arguments: str, installed: bool = True) -> str:
        paths = [str(PARENT), *([str(target)] if installed else [])]
        environment = {**os.environ, **off, "PYTHONPATH": os.pathsep.join(paths)}
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return python


@pytest.fixture(scope="module")
def indexed(run, tmp_path_factory):
    """The folder of a video that is red for 4 s, dark blue for 4 s and green for 2 s."""
    folder = tmp_path_factory.mktemp("colours")
    colours = [RED, DARK_BLUE, GREEN]
    pictures = [np.full((120, 160, 3), colour, np.uint8) for colour in (*colours, GREEN)]
    write_pictures(folder / "colours.mp4", pictures, [0.0, 4.0, 8.0, 9.9], fps=10)
    run(*COMMAND, "index", str(folder), "--set", "decoder=pyav")
    return folder


def test_a_colour_is_found(run, indexed):
    found = json.loads(run("-c", FIND, str(indexed / ".playhead")))
    modality, text, start, end = found["red"][0]
    assert (modality, text, start) == ("colour", "red", 0.0)
    assert end == pytest.approx(4.0, abs=0.2)
    assert found["dark blue"][0][:2] == ["colour", "dark blue"]
    assert found["dark blue"][0][2] == pytest.approx(4.0, abs=0.2)
    assert [row[1] for row in found["in"]] == ["green"]
    assert found["said"] == []


def test_the_commands_know_it(run, indexed):
    printed = run(*COMMAND, "search", str(indexed), "red", "--in", "colour")
    assert "coloured" in printed
    assert "00:00:00" in printed
    assert "dominant colour" in run(*COMMAND, "doctor")


def test_a_library_is_read_where_the_package_is_missing(run, indexed):
    found = json.loads(
        run(
            "-c",
            FIND.replace('modalities="coloured"', 'modalities="said"'),
            str(indexed / ".playhead"),
            installed=False,
        )
    )
    assert found["red"] == []
    printed = run(*COMMAND, "show", str(indexed / "colours.mp4"), installed=False)
    assert "dark blue" in printed
