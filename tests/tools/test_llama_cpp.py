"""llama.cpp in a process of its own: a random Qwen3-VL with pictures, shared, stopped when idle, started again."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from playhead.tools.errors import RequestTooLongError, SettingsError, WeightsError
from playhead.tools.llm.backends import check, is_set, video_llm
from playhead.tools.llm.llama_cpp.client import LlamaCppLLM
from playhead.tools.llm.llama_cpp.runtime import find_gguf, running, start, stop
from playhead.tools.llm.pictures import Picture
from playhead.tools.llm.structured import read_json
from playhead.tools.settings import Settings

from ..servers import frame
from ..tiny_gguf import make_tiny_gguf


class _Found(BaseModel):
    found: bool


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The model's folder; processes of the module's own cache folder are ended at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        made = tmp_path_factory.mktemp("tiny")
        make_tiny_gguf(made)
        yield made
        stop()


def settings(folder: Path, **values: object) -> Settings:
    chosen = {"video_llm_backend": "llama.cpp", "video_llm_model": str(folder), "video_llm_context": 2048}
    return Settings(**{**chosen, "offline": True, **values})


@pytest.fixture(scope="module")
def llm(folder: Path) -> LlamaCppLLM:
    return video_llm(settings(folder))


def test_a_vision_model_says_what_it_can(llm: LlamaCppLLM) -> None:
    can = llm.capabilities
    assert (can.sees_pictures, can.context, can.enforces_schema) == (True, 2048, True)
    assert can.is_small


def test_it_reads_frames_and_is_held_to_the_form(llm: LlamaCppLLM) -> None:
    pieces: list[str] = []
    reply = llm.ask(
        ['E1 said: "hello"', Picture(frame(3.0, 640, 360), 320), "Question: who?"],
        kind=_Found,
        max_tokens=60,
        on_text=pieces.append,
    )
    assert read_json(reply.text, _Found).found in (True, False)
    assert "".join(pieces).strip() == reply.text
    without = llm.ask(['E1 said: "hello"', "Question: who?"], max_tokens=4)
    # One token for 32 × 32 pixels: 320 × 180 has 10 × 6; and the tokens of the time before it.
    assert 55 <= reply.prompt_tokens - without.prompt_tokens <= 110


def test_a_request_that_is_too_long_is_distinguished_from_other_errors(llm: LlamaCppLLM) -> None:
    with pytest.raises(RequestTooLongError):
        llm.ask(["word " * 4000], max_tokens=4)


def test_the_process_is_shared_and_needs_its_token(folder: Path, llm: LlamaCppLLM) -> None:
    llm.ask(["hello"], max_tokens=2)
    other = video_llm(settings(folder))
    other.ask(["hello"], max_tokens=2)
    (process,) = running()
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{process.url}/models", timeout=5)
    assert os.stat(process.state_file).st_mode & 0o077 == 0


def test_a_process_that_died_is_started_again(llm: LlamaCppLLM) -> None:
    llm.ask(["hello"], max_tokens=2)
    (process,) = running()
    os.kill(process.pid, signal.SIGKILL)
    while process.is_alive:
        time.sleep(0.02)
    assert llm.ask(["hello"], max_tokens=2).completion_tokens == 2
    assert running()[0].pid != process.pid


def test_the_process_ends_when_nothing_is_asked(folder: Path) -> None:
    model = find_gguf(settings(folder), offline=True)
    process = start(model, 1024, 1 / 60)
    deadline = time.monotonic() + 30
    while process.is_alive and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not process.is_alive
    assert not process.state_file.exists()


def test_settings_name_the_model(folder: Path, tmp_path: Path) -> None:
    chosen = settings(folder)
    assert is_set(chosen)
    state = check(chosen)
    assert state.ok
    assert "reads frames" in state.words
    with pytest.raises(SettingsError, match="playhead model list"):
        find_gguf(settings(folder, video_llm_model=None), offline=True)
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(WeightsError, match=r"holds no \.gguf file"):
        find_gguf(settings(tmp_path), offline=True)
