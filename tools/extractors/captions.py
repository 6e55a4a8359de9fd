"""Captions of frames by a video LLM, as observations. Only pictures are sent, no sound and no text."""

import hashlib
import json
from collections.abc import Sequence

from ...prompts import render
from ..llm.backends import is_set, may_see_pictures, video_llm
from ..llm.protocol import VideoLLM
from ..records import Frame, Observation, Segment, Span, clean_text
from ..settings import Settings
from ..words import full_sentences
from .specification import UnavailableError

__all__ = ["Captioner", "caption_of", "captioner"]

# Two plain sentences take 30 to 80 tokens; a longer answer is cut.
MAX_TOKENS = 200


class Captioner:
    """Describes frames in one or two sentences.

    Attributes:
        source: The model, as `model@server`.
        fingerprint: 12 hex digits over the model, the prompt, and the settings of the request.
    """

    def __init__(self, settings: Settings, llm: VideoLLM | None = None) -> None:
        """Use `llm`, or the video LLM in `settings`.

        Raises:
            SettingsError: No usable video LLM is set.
            ServerError: The model is not set, and the server does not report its model.
            WeightsError: The weights of a model for this process are not available.
        """
        self._llm = llm or video_llm(settings)
        self.source = self._llm.source
        asked = json.dumps([self.source, render("caption", count="N"), MAX_TOKENS, settings.video_llm_frames])
        self.fingerprint = hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()

    def caption(self, span: Span, frames: Sequence[Frame]) -> Observation:
        """Return one caption of what `frames` show together.

        A caption that the server cut ends with its last full sentence, or with `…` if it has none.

        Args:
            span: The span that the frames represent.
            frames: One or more, in order of time.

        Returns:
            Modality `caption`, with score 1.0: servers give no confidence. `frame_seconds` is set
            for a single frame.

        Raises:
            ServerError: No usable answer came.
            QueryError: There are no frames.
        """
        reply = self._llm.ask(frames, instructions=render("caption", count=str(len(frames))), max_tokens=MAX_TOKENS)
        text = clean_text(reply.text)
        if reply.truncated:
            text = full_sentences(text) or f"{text}…"
        return caption_of(span, frames, text, self.source)

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return one caption for each segment, in order.

        Raises:
            ServerError: No usable answer came for one of them.
        """
        return [self.caption(segment.span, [segment.frame]) for segment in segments]


def captioner(settings: Settings) -> Captioner:
    """Return the captioner that the settings choose.

    Raises:
        UnavailableError: The settings name no video LLM, or one that reads text only.
        ServerError: As for `Captioner`, as well as SettingsError and WeightsError.
    """
    if not is_set(settings):
        raise UnavailableError("no video model is set (video_llm_url)")
    if not may_see_pictures(settings):
        raise UnavailableError("the configured video LLM reads text only: `playhead model list` shows others")
    return Captioner(settings)


def caption_of(span: Span, frames: Sequence[Frame], text: str, source: str) -> Observation:
    """Return a description of frames as an observation."""
    return Observation(
        modality="caption",
        span=span,
        text=text,
        score=1.0,
        source=source,
        frame_seconds=frames[0].seconds if len(frames) == 1 else None,
    )
