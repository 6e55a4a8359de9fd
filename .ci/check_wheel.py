"""Build the wheel, install it alone with its base requirements in a new environment, and import it there."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROBE = """
import importlib.util, sys
import playhead
heavy = {"torch", "faiss", "av", "cv2", "langgraph", "openai", "transformers"} & set(sys.modules)
assert not heavy, f"import playhead loads {heavy}"
from playhead import Answer, Library, Settings, errors, events
from playhead.prompts import render
assert render("caption", count="3")
for name in ("agent", "tools", "index", "prompts"):
    assert importlib.util.find_spec(name) is None, f"{name} is importable as a top-level module"
"""

# A type checker must see the package's own types: all lines are right but the last. `npx pyright` says the same.
TYPED = """
from playhead import Answer, Chapter, Evidence, Library, Moment, Settings, errors, events


async def asked(folder: str) -> Answer:
    library = Library(folder, Settings(max_frames=8))
    found: list[Evidence] = await library.asearch("budget", 3, modalities=["said", "text"])
    moments: list[Moment] = await library.afind("a red car", look=True)
    chapters: list[Chapter] = library.chapters("talk.mp4")
    async for event in library.astream("What is said about the budget?"):
        if isinstance(event, events.Answered):
            print(event.answer.claims[0].citations[0].start, found[0].end, moments[0].end, chapters[0].title)
    try:
        return await library.aask("What is said about the budget?", between=(0, 60))
    except errors.PlayheadError as error:
        raise SystemExit(str(error)) from error


wrong: int = Library("talks").search("budget")
"""


def main() -> None:
    """Fail with the command that failed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT), quiet=True)
        wheel = next(place.glob("playhead-*.whl"))
        venv.create(place / "bare")
        python = str(place / "bare" / "bin" / "python")
        lock = str(ROOT / ".ci" / "requirements.lock")
        uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python)
        run(*uv, "--constraint", lock, str(wheel), quiet=True)
        run(python, "-c", PROBE, cwd=folder)
        check_types(place, python)
        run(str(place / "bare" / "bin" / "playhead"), "--help", cwd=folder, quiet=True)
        print(f"{wheel.name}: installed alone, imported, typed, prompts found, no stray modules")  # noqa: T201


def check_types(place: Path, python: str) -> None:
    """Fail unless mypy finds exactly the wrong last line of `TYPED`."""
    last = len(TYPED.splitlines())
    (place / "typed.py").write_text(TYPED, encoding="utf-8")
    command = (sys.executable, "-m", "mypy", "--python-executable", python, "--no-incremental", "typed.py")
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603
    if not ("Found 1 error in 1 file" in done.stdout and f"typed.py:{last}: error" in done.stdout):
        sys.exit(f"the wheel's types cannot be checked from outside:\n{done.stdout}{done.stderr}")


def run(*command: str, cwd: str | None = None, quiet: bool = False) -> None:
    """Run a command; show its output only when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=quiet, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout or ''}{done.stderr or ''}")


if __name__ == "__main__":
    main()
