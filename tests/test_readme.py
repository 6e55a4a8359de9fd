"""The Python in README runs, and every command in README and the guides exists."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from playhead.agent.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_lines_of_python_run(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "talks").mkdir()
    shutil.copy(talk / "talk.mp4", tmp_path / "talks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAYHEAD_OFFLINE", "1")
    monkeypatch.setenv("PLAYHEAD_OBJECTS_MODEL", "off")
    exec(compile(code, "README.md", "exec"), {})
    assert re.search(r"budget for travel .*\[00:00:10–00:00:14\]", capsys.readouterr().out)


def test_readme_is_a_landing_page() -> None:
    assert len(README.split()) <= 900
    for link in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_names_a_command_and_options_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\$ )?(playhead .*?)(?:  +#.*)?$", text, re.MULTILINE):
        words = shlex.split(line)[1:]
        command = [word for word in words if not word.startswith("-")]
        command = command[: 2 if command[0] in ("eval", "model", "threads", "config") else 1]
        shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
        models = CliRunner().invoke(app, [*command, "--help-models"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, line
        for option in [word.split("=")[0] for word in words if word.startswith("--")]:
            assert option in shown.output + models.output, f"{line}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_that_a_sentence_names_is_one_of_playhead(page: Path) -> None:
    if page.name == "containers.md":  # it names options of Docker
        return
    named = set(re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8")))
    assert named <= _options(typer.main.get_command(app))


def _options(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(_options, getattr(command, "commands", {}).values()))


def test_the_guides_show_many_commands() -> None:
    shown = [line for page in PAGES for line in re.findall(r"^playhead \w+", page.read_text(), re.MULTILINE)]
    assert len(shown) >= 20
