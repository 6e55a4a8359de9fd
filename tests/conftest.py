"""What all tests share: a user without settings, the demo's sample, and the real data beside the repository."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from .media import write_media
from .servers import Scripted, scripted_server

if TYPE_CHECKING:
    from playhead import Library

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Each run tries the same examples, and no example is too slow: a busy machine and an unlucky draw fail no test.
hypothesis.settings.register_profile("playhead", deadline=None, derandomize=True)
hypothesis.settings.load_profile("playhead")


@pytest.fixture(autouse=True, scope="session")
def _no_user_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of whoever runs the tests counts; their cache does, for joined weights lie there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PLAYHEAD_")]:
            patch.delenv(name)
        patch.setenv("PLAYHEAD_SETTINGS_FILE", str(tmp_path_factory.mktemp("settings") / "missing.toml"))
        yield


@pytest.fixture(autouse=True)
def _no_known_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier tests learnt of a server's model is forgotten: another one may listen at its port."""
    file = tmp_path_factory.getbasetemp() / "capabilities.json"
    file.unlink(missing_ok=True)
    monkeypatch.setattr("playhead.tools.llm.capabilities._file", lambda: file)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The path of a file of real data, e.g. `videos/nasa.mp4`; skips the test where there is none."""

    def find(name: str) -> Path:
        path = _DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is not beside the repository (../shared/data)")
        return path

    return find


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's sample: `talk.mp4`, and `talk.truth.json` for what happens in it."""
    script = Path(__file__).resolve().parents[1] / "examples" / "make_sample.py"
    spec = importlib.util.spec_from_file_location("make_sample", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_sample(tmp_path_factory.mktemp("sample") / "talks").parent


@pytest.fixture(scope="session")
def truth(talk: Path) -> dict[str, Any]:
    """What is said, written and shown in the sample, with seconds: see `examples/make_sample.py`."""
    return json.loads((talk / "talk.truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def talk_library(talk: Path) -> "Library":
    """The sample, indexed once for all tests with the models of the default profile. No test changes it."""
    from playhead import Library, Settings

    library = Library(talk / ".playhead", Settings(objects_model="off", offline=True))
    assert [outcome.state for outcome in library.index(talk)] == ["indexed"]
    return library


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is left out: of a video, its subtitles are indexed, in a fraction of a second."""
    for stage in ("SPEECH_MODEL", "OCR", "OBJECTS_MODEL", "TEXT_MODEL", "IMAGE_MODEL"):
        monkeypatch.setenv(f"PLAYHEAD_{stage}", "off")
    monkeypatch.setenv("PLAYHEAD_OFFLINE", "1")


@pytest.fixture(scope="session")
def write_talk() -> Callable[[Path, list[tuple[float, float, str]]], Path]:
    """Writes a small video of five seconds whose subtitles say what was said: `(start, end, text)` each."""

    def write(path: Path, said: list[tuple[float, float, str]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_media(path, [n / 10 for n in range(50)])
        with path.open("ab") as file:  # the pictures are always the same: these bytes make it a video of its own
            file.write(repr(said).encode())
        cues = [f"00:00:{start:06.3f} --> 00:00:{end:06.3f}\n{text}\n" for start, end, text in said]
        path.with_suffix(".vtt").write_text("\n".join(["WEBVTT\n", *cues]))
        return path

    return write


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server whose answers the test writes."""
    with scripted_server() as script:
        yield script


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs the right to mount a small disk (root)")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
