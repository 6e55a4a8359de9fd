"""What starts must start at once: no heavy library is loaded before it is used."""

import json
import resource
import subprocess
import sys

import pytest

HEAVY = "av cv2 decord easyocr faiss faster_whisper langgraph onnxruntime openai pyarrow rich torch transformers"
HELP = "import sys; sys.argv = ['playhead', '--help']; from playhead.agent.cli.main import main; main()"
LOADED = f"import json, sys; print(json.dumps([m for m in '{HEAVY}'.split() if m in sys.modules]))"
LOADED_AT_EXIT = f"import atexit; atexit.register(exec, {LOADED!r}, {{}})"


def run(code: str) -> str:
    """The output of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    "code",
    [
        "import playhead",
        "from playhead import Settings; Settings()",
        "from playhead import Answer, PlayheadError, Span",
    ],
)
def test_importing_playhead_loads_nothing_heavy(code):
    assert json.loads(run(f"{code}\n{LOADED}")) == []


def test_the_help_loads_nothing_heavy():
    told = run(f"{LOADED_AT_EXIT}\n{HELP}")
    assert told.startswith("Usage: playhead")
    assert json.loads(told.splitlines()[-1]) == []


def test_the_help_takes_less_than_half_a_second_of_cpu():
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(HELP)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(taken) < 0.5, taken


def test_what_a_package_offers_is_there_and_nothing_else():
    import playhead

    assert {name: getattr(playhead, name).__name__ for name in playhead.__all__} == {n: n for n in playhead.__all__}
    with pytest.raises(AttributeError, match="module 'playhead' has no attribute 'Libary'"):
        _ = playhead.Libary
