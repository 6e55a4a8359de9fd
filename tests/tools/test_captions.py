"""Captions, with a scripted model in the place of a served one."""

from collections.abc import Sequence

import numpy as np
import pytest

from playhead.prompts import render
from playhead.tools.errors import QueryError, ServerError, SettingsError
from playhead.tools.extractors.captions import Captioner
from playhead.tools.llm.protocol import Reply
from playhead.tools.records import Frame, Observation, Segment, Span
from playhead.tools.settings import Settings


class ScriptedLLM:
    """Says its lines one after the other, and keeps what it was asked."""

    source = "scripted@test"

    def __init__(self, *lines: str, truncated: bool = False) -> None:
        self._lines, self._truncated = list(lines), truncated
        self.asked: list[tuple[list[str | Frame], str]] = []

    def ask(self, parts: Sequence[str | Frame], *, instructions: str = "", max_tokens: int = 1024) -> Reply:
        if not parts:
            raise QueryError("nothing to ask")
        self.asked.append((list(parts), instructions))
        if not self._lines:
            raise ServerError("no lines left")
        text = self._lines.pop(0)
        return Reply(text=text, prompt_tokens=1, completion_tokens=1, truncated=self._truncated)


def frame(seconds: float) -> Frame:
    return Frame(seconds, np.zeros((4, 6, 3), np.uint8))


SPAN = Span(start=10, end=20)


def test_a_caption_of_several_frames() -> None:
    llm = ScriptedLLM("A man\tplays\n drums.\x1b[31m")
    frames = [frame(11), frame(15), frame(19)]
    caption = Captioner(Settings(), llm).caption(SPAN, frames)
    assert caption == Observation(
        modality="caption", span=SPAN, text="A man plays drums. [31m", score=1.0, source="scripted@test"
    )
    assert llm.asked == [(frames, render("caption", count="3"))]


def test_frames_are_captioned_one_by_one_with_their_true_times() -> None:
    llm = ScriptedLLM("A dog.", "A cat.")
    segments = [Segment(Span(start=0, end=4), frame(1.5)), Segment(Span(start=4, end=9), frame(6.25))]
    captions = Captioner(Settings(), llm).observe(segments)
    assert [(c.span, c.text, c.frame_seconds) for c in captions] == [
        (Span(start=0, end=4), "A dog.", 1.5),
        (Span(start=4, end=9), "A cat.", 6.25),
    ]
    assert llm.asked == [([segment.frame], render("caption", count="1")) for segment in segments]


def test_without_frames_nothing_is_requested() -> None:
    llm = ScriptedLLM()
    assert Captioner(Settings(), llm).observe([]) == []
    assert llm.asked == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("A man plays drums. He wears a", "A man plays drums."),
        ("A sign. It says 3.5 percent and", "A sign."),
        ('He says "Stop!" Then he', 'He says "Stop!"'),
        ("One. Two? Three! Fo", "One. Two? Three!"),
        ("All of it.", "All of it."),
        ("男人在打鼓。他穿着", "男人在打鼓。"),
        ("A man plays the", "A man plays the…"),
        ("It costs 3.50", "It costs 3.50…"),
    ],
)
def test_a_truncated_caption_ends_with_its_last_full_sentence(said: str, kept: str) -> None:
    assert Captioner(Settings(), ScriptedLLM(said, truncated=True)).caption(SPAN, [frame(12)]).text == kept


def test_a_whole_caption_is_left_as_it_is() -> None:
    assert Captioner(Settings(), ScriptedLLM("A man. Playing drums")).caption(SPAN, [frame(12)]).text == (
        "A man. Playing drums"
    )


def test_a_failing_server_fails_the_caption() -> None:
    with pytest.raises(ServerError, match="no lines left"):
        Captioner(Settings(), ScriptedLLM()).caption(SPAN, [frame(12)])


def test_no_frames_are_refused() -> None:
    with pytest.raises(QueryError):
        Captioner(Settings(), ScriptedLLM("A dog.")).caption(SPAN, [])


def test_without_a_server_set_the_captioner_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"video_llm_url is not set: .*PLAYHEAD_VIDEO_LLM_URL=http"):
        Captioner(Settings(video_llm_url=None))


def test_the_source_is_the_model_at_its_server() -> None:
    settings = Settings(video_llm_url="http://ann:secret@localhost:8000/v1", video_llm_model="Qwen/Qwen3-VL-8B")
    assert Captioner(settings).source == "Qwen/Qwen3-VL-8B@localhost:8000"
