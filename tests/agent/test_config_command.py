"""`playhead config`, shell completion, and the form of log messages."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead.agent.cli.main import app
from playhead.tools.errors import SettingsError
from playhead.tools.settings import Settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "settings.toml"
    monkeypatch.setenv("PLAYHEAD_SETTINGS_FILE", str(file))
    return file


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["config", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def rows(*words: str) -> dict[str, tuple[object, str]]:
    return {row["name"]: (row["value"], row["from"]) for row in json.loads(run("show", "--json", *words))}


def test_show_says_where_each_value_comes_from(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('ocr = "off"\ndevice = "cpu"\nvideo_llm_key = "sk-secret"\n')
    monkeypatch.setenv("PLAYHEAD_DEVICE", "cuda")
    shown = rows("--set", "sample_seconds=1")
    assert set(shown) == set(Settings.model_fields)
    assert shown["sample_seconds"] == (1.0, "argument")
    assert shown["device"] == ("cuda", "environment")
    assert shown["ocr"] == ("off", "file")
    assert shown["speech_model"] == ("whisper-base (profile offline)", "default")
    assert shown["video_llm_key"] == ("set, not shown", "file")
    assert "sk-secret" not in run("show")
    assert run("show", "ocr").split() == ["ocr", "off", "file"]


def test_set_validates_and_keeps_comments(file: Path) -> None:
    file.write_text('# mine\nskip = [\n  "object",  # slow\n]\nocr = "off"  # for now\n')
    assert run("set", "sample_seconds", "0.5") == f"sample_seconds = 0.5 in {file}\n"
    run("set", "objects_vocabulary", "car, bus")
    run("set", "ocr", "easyocr")
    run("unset", "skip")
    text = file.read_text()
    assert text.startswith("# mine\n")
    assert 'ocr = "easyocr"' in text
    assert tomllib.loads(text) == {
        "ocr": "easyocr", "sample_seconds": 0.5, "objects_vocabulary": ["car", "bus"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("set", "sample_seconds", "never"), "setting sample_seconds does not take 'never'"),
        (("set", "speach_model", "x"), "there is no setting 'speach_model': did you mean speech_model?"),
        (("show", "nothing"), "there is no setting 'nothing'"),
        (("unset", "ocr"), "has no ocr"),
    ],
)
def test_what_is_not_valid_changes_nothing(file: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        run(*words)
    assert message in str(caught.value)
    assert not file.exists()


def test_path_prints_the_file(file: Path) -> None:
    assert run("path") == f"{file}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str) -> None:
    code = "from playhead.agent.cli.main import main; main()"
    asked = {
        "_PLAYHEAD_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "playhead che",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "playhead che",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    shown = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, timeout=60
    ).stdout
    assert "check" in shown
    assert "search" not in shown


def test_log_messages_are_json_where_the_setting_asks(file: Path) -> None:
    code = "import logging, sys; sys.argv = ['playhead', 'config', 'path']\nfrom playhead.agent.cli.main import app\n"
    code += (
        "app(prog_name='playhead', standalone_mode=False)\nlogging.getLogger('playhead.x').warning('odd %s', 'file')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PLAYHEAD_LOG": "json"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    line = json.loads(shown.stderr)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "playhead.x", "odd file")
