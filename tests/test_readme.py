"""README's Python runs as it stands, and its commands exist."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead.agent.cli.main import app

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


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


def test_every_command_line_names_a_command_and_options_that_exist() -> None:
    lines = re.findall(r"^(?:\$ )?(playhead .*?)(?:  #.*)?$", README, re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)[1:]
        command = [word for word in words if not word.startswith("-")]
        command = command[: 2 if command[0] == "eval" else 1]
        shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, line
        for option in [word for word in words if word.startswith("-")]:
            assert option in shown.output, f"{line}: {option}"
