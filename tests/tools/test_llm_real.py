"""Real models of noise: the client against a real `transformers serve`, and the same model in this process."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playhead.tools.errors import AnswerFormatError, QueryError, ServerError, SettingsError, WeightsError
from playhead.tools.extractors.captions import Captioner
from playhead.tools.llm.backends import check, serve_command, video_llm
from playhead.tools.llm.openai_server.client import OpenAIVideoLLM
from playhead.tools.llm.pictures import Cells, Picture, make_grid
from playhead.tools.llm.protocol import VideoLLM
from playhead.tools.llm.structured import ask_structured
from playhead.tools.llm.transformers_runtime import LocalVideoLLM
from playhead.tools.records import Segment, Span
from playhead.tools.settings import Settings
from playhead.tools.weights import fingerprint

from ..servers import TransformersServer, frame, make_tiny_model

pytest.importorskip("transformers", reason="a real model needs transformers: pip install 'playhead[local]'")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_tiny_model(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def server(tiny: Path) -> Iterator[TransformersServer]:
    """Starts at once, in the time of the tests that need none."""
    starting = TransformersServer(tiny)
    yield starting
    starting.stop()


@pytest.fixture(scope="module")
def served(server: TransformersServer, tiny: Path) -> Settings:
    server.wait()
    return Settings(video_llm_url=server.url, video_llm_model=str(tiny), video_llm_timeout=30)


def local_settings(folder: Path, **values: object) -> Settings:
    chosen = {"video_llm_backend": "transformers", "video_llm_model": str(folder), "device": "cpu"}
    return Settings(**{**chosen, **values})


@pytest.fixture(scope="module")
def local(tiny: Path) -> VideoLLM:
    return video_llm(local_settings(tiny))


@pytest.fixture(scope="module", params=["transformers", "server"])
def llm(request: pytest.FixtureRequest) -> VideoLLM:
    if request.param == "server":
        return OpenAIVideoLLM(request.getfixturevalue("served"))
    return request.getfixturevalue("local")


def test_the_local_model_names_itself_and_its_weights(tiny: Path, local: VideoLLM) -> None:
    assert isinstance(local, LocalVideoLLM)
    assert local.source == f"tiny@{fingerprint(tiny)}"
    state = check(local_settings(tiny))
    assert (state.ok, state.words) == (True, f"video LLM in this process: {local.source} on cpu")


def test_the_local_model_stops_in_time_with_what_it_has(local: VideoLLM) -> None:
    local.ask(["?"], max_tokens=1)
    started = time.monotonic()
    reply = local.ask(["?"], max_tokens=3500, seconds=0.3)
    assert time.monotonic() - started < 10
    assert reply.text.isalpha()
    assert reply.truncated
    assert 1 <= reply.completion_tokens < 3500


def test_the_local_model_keeps_the_timeout(tiny: Path) -> None:
    llm = video_llm(local_settings(tiny, video_llm_timeout=0.3))
    llm.ask(["?"], max_tokens=1)
    started = time.monotonic()
    assert llm.ask(["?"], max_tokens=3500).completion_tokens < 3500
    assert time.monotonic() - started < 10


def test_the_local_model_without_time_is_an_error(local: VideoLLM) -> None:
    with pytest.raises(ServerError, match=r"was loading or busy for all of the 0 s that it was given"):
        local.ask(["?"], seconds=0)


def test_the_local_model_takes_one_request_after_the_other(local: VideoLLM) -> None:
    alone = local.ask(["?", frame(1)], max_tokens=20)
    said: list[object] = []
    threads = [
        threading.Thread(target=lambda: said.append(local.ask(["?", frame(1)], max_tokens=20))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [alone] * 3


def test_the_local_model_says_what_does_not_fit(local: VideoLLM) -> None:
    with pytest.raises(ServerError, match=r"takes 4096 tokens, this needs \d+ and 10 for the answer: send fewer"):
        local.ask(["x" * 5000], max_tokens=10)
    with pytest.raises(QueryError, match="at least one text or frame"):
        local.ask([])


@pytest.fixture
def changed(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model."""
    return Path(shutil.copytree(tiny, tmp_path / "changed"))


def test_a_local_answer_that_ends_by_itself_is_not_cut(changed: Path) -> None:
    config = json.loads((changed / "generation_config.json").read_text())
    ending = {"forced_eos_token_id": 2, "suppress_tokens": [n for n in config["suppress_tokens"] if n != 2]}
    (changed / "generation_config.json").write_text(json.dumps(config | ending))
    reply = video_llm(local_settings(changed)).ask(["?"], max_tokens=5)
    assert reply.text.isalpha()
    assert 2 <= reply.completion_tokens <= 5
    assert not reply.truncated


def test_a_local_answer_without_words_is_an_error_with_its_cost(changed: Path) -> None:
    config = json.loads((changed / "generation_config.json").read_text())
    silent = {**config, "suppress_tokens": [*range(2), *range(3, 276)], "eos_token_id": 2}
    (changed / "generation_config.json").write_text(json.dumps(silent))
    with pytest.raises(AnswerFormatError, match="the answer has no words") as caught:
        video_llm(local_settings(changed)).ask(["?"], max_tokens=5)
    assert (caught.value.usage.requests, caught.value.usage.completion_tokens) == (1, 1)


def test_a_template_that_takes_no_instructions_is_an_error_in_one_line(changed: Path) -> None:
    (changed / "chat_template.jinja").write_text("{{ raise_exception('No system\nrole') }}")
    with pytest.raises(ServerError, match=r"cannot read this \(No system role\): does it take pictures\?"):
        video_llm(local_settings(changed)).ask(["?"], instructions="Be brief.")


def test_a_folder_without_a_model_is_found_out_at_first_use(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    llm = video_llm(local_settings(tmp_path))
    with pytest.raises(WeightsError, match=r"holds no model for pictures and text .*: check video_llm_model") as caught:
        llm.ask(["?"])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"video_llm_model": None}, SettingsError, "video_llm_model is not set: with video_llm_backend='transformers'"),
        ({"video_llm_model": "./nothing/here"}, WeightsError, "there are no weights at this path"),
        ({"video_llm_model": "org/nothing-here", "offline": True}, WeightsError, "no weights for 'org/nothing-here'"),
        ({"video_llm_frames": "video"}, SettingsError, "video_llm_frames='video' is for servers"),
        ({"device": "cuda"}, SettingsError, "torch sees no CUDA device"),
    ],
)
def test_local_settings_that_cannot_work_are_refused(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, values: dict, error: type[Exception], words: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    settings = local_settings(tiny, **values)
    with pytest.raises(error, match=words):
        video_llm(settings)
    state = check(settings)
    assert not state.ok
    assert words in state.words


def test_it_answers_in_words(llm: VideoLLM) -> None:
    reply = llm.ask(
        ["What is this?", frame(12, 128, 64), "And this?", frame(13, 64, 64)], instructions="Answer.", max_tokens=9
    )
    assert reply.text.isalpha()
    assert (reply.completion_tokens, reply.truncated) == (9, True)


def test_it_reads_each_picture_at_its_size(llm: VideoLLM) -> None:
    one, two, large, small, grid = (
        llm.ask(parts, max_tokens=1).prompt_tokens
        for parts in (
            [frame(1, 64, 64)],
            [frame(1, 64, 64), frame(2, 64, 64)],
            [frame(1, 128, 64)],
            [Picture(frame(1, 256, 256), 64)],
            [make_grid([frame(1, 64, 44)], cell_side=64)],
        )
    )
    # A token is 32 × 32 pixels: four for 64 × 64, eight for 128 × 64. With them are
    # start and end of the picture, and the 13 letters of "<2.0 seconds>".
    assert (two - one, large - one, small - one) == (4 + 2 + 13, 4, 0)
    assert grid - one == -13


def test_it_survives_control_tokens_at_any_place(llm: VideoLLM) -> None:
    plain = llm.ask(["sign: < |image_pad|>< |im_end|>", frame(1)], instructions="< |video_pad|>", max_tokens=2)
    assert llm.ask(["sign: <|image_pad|><|im_end|>", frame(1)], instructions="<|video_pad|>", max_tokens=2) == plain


def test_noise_is_never_taken_for_a_structured_answer(llm: VideoLLM) -> None:
    grid = make_grid([frame(1), frame(2)])
    with pytest.raises(AnswerFormatError, match=r"asked twice\): there is no JSON object in it") as caught:
        ask_structured(llm, ["Which? <|im_end|>", grid], Cells, instructions="Look.", max_tokens=4)
    usage = caught.value.usage
    assert (usage.requests, usage.completion_tokens) == (2, 8)
    assert usage.prompt_tokens > 1000  # byte-level: the schema is spelled


def test_both_ways_read_and_say_the_same(served: Settings, local: VideoLLM) -> None:
    parts = ["What <|im_end|>?", frame(12, 128, 64), Picture(frame(13), 32), make_grid([frame(1), frame(2)]), "So?"]
    there, here = (llm.ask(parts, instructions="Look.", max_tokens=12) for llm in (OpenAIVideoLLM(served), local))
    assert here == there


def test_the_server_refuses_another_model_in_one_line(served: Settings) -> None:
    with pytest.raises(ServerError, match=r"HTTP 400, .*pinned to .*requested 'other'"):
        OpenAIVideoLLM(served.model_copy(update={"video_llm_model": "other"})).ask(["?"])


def test_the_server_without_a_hub_cache_is_found_by_its_health(served: Settings) -> None:
    state = check(served)
    assert (state.ok, state.words) == (
        True,
        f"video LLM at {served.video_llm_url} is up, but does not list its models; "
        f"{served.video_llm_model} was not checked",
    )


def test_the_server_was_started_as_serve_command_says(served: Settings) -> None:
    port = served.video_llm_url.removesuffix("/v1").rpartition(":")[2]
    assert serve_command(served.model_copy(update={"device": "cpu"})) == [
        *("transformers", "serve", served.video_llm_model),
        *("--host", "127.0.0.1", "--port", port, "--device", "cpu"),
    ]


def test_it_captions_a_frame(llm: VideoLLM) -> None:
    segment = Segment(Span(start=4, end=9), frame(5.5))
    (caption,) = Captioner(Settings(), llm).observe([segment])
    assert caption.text.rstrip("…").isalpha()
    assert (caption.modality, caption.span, caption.frame_seconds) == ("caption", segment.span, 5.5)
    assert caption.source == llm.source


def test_the_server_s_answer_is_not_waited_for_longer_than_allowed(served: Settings) -> None:
    started = time.monotonic()
    with pytest.raises(ServerError, match=r"no answer within the 0\.5 s that it was given"):
        OpenAIVideoLLM(served).ask(["?"], max_tokens=1500, seconds=0.5)
    assert time.monotonic() - started < 10
