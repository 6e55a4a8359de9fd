"""One pass over a video's frames: decoding in background threads, models in two others.

One thread reads text, one runs the other models, one batch at a time. What goes to them is chosen in the caller's thread.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...tools.background import InTurn, prefetch
from ...tools.errors import MediaError, WeightsError
from ...tools.extractors.reading.text_changes import Screen, only_text_differs
from ...tools.extractors.registry import spec_of
from ...tools.extractors.specification import ClipExtractor, FrameExtractor
from ...tools.media.frames import moving_clips, scan
from ...tools.media.scanned_frames import cut_to, frames_for, held_to_end
from ...tools.media.skimming.skim import skim
from ...tools.records import Clip, Frame, Modality, Observation, Segment, Span, VideoInfo
from ...tools.settings import Settings
from ..storage.committed.keyframes import LONGEST_SIDE, write_keyframe
from ..storage.files.atomic import writing
from ..storage.journal import CAPTIONS, Journal
from .captioning import CaptionPipeline
from .change_detection import FrameDecision, RecentSegments, segments
from .extractor_set import Extractors
from .stages import Observed, Reappearance, Stage
from .text_vectors import Progress

__all__ = ["frame_decisions", "run_clip_stages", "run_frame_pipeline"]

_PREFETCHED = 8  # segments that may wait for the models
_BATCHES_AHEAD = 2  # that may run or wait in each of the threads of the models
# Text that is shown for less time is not read, if text was read within the other: a line that is being typed.
_BRIEF_SECONDS, _UNREAD_SECONDS = 0.5, 1.0
# Where only text changed a keyframe is kept if the box of a new line has this many rows in it, or if the last one is this old.
# A minute of a 1080p code tutorial keeps 18 of 54 keyframes, 145 of 422 kB.
_LEGIBLE_ROWS, _KEYFRAME_SECONDS = 12.0, 5.0


def run_frame_pipeline(
    info: VideoInfo,
    extractors: Extractors,
    stages: Mapping[Modality, Stage],
    folder: Path,
    progress: Progress,
    *,
    force: bool,
) -> float | None:
    """Run the stages that need frames over the main video stream of a file, and write its keyframes.

    Args:
        info: The file.
        extractors: The extractors of this run.
        stages: Stages to run; stages that need no frames are skipped. A file that cannot be read fails them.
        folder: Staging folder; keyframes are written below it.
        progress: Progress callback.
        force: Request stored captions again.

    Returns:
        The end of the last segment in seconds; None if no stage needs frames, or they cannot be read.

    Raises:
        LibraryError: Keyframes cannot be written.
    """
    needing = {modality: stage for modality, stage in stages.items() if spec_of(modality).reads in ("frames", "scenes")}
    if not needing or info.video is None:
        return None
    progress("reading frames", 0.0, info.duration)
    end: float | None = None
    try:
        for window in info.windows or (None,):
            # Each window has its own batches, so that they are in the journal when another window is added.
            pipeline = _FramePipeline(needing, extractors, folder, info.stream, force)
            found = prefetch(_segments(info, extractors.settings, window), _PREFETCHED)
            with closing(found) as chosen, closing(pipeline):
                for segment in chosen:
                    pipeline.add(segment)
                    progress("reading frames", segment.span.end, info.duration)
                end = pipeline.finish() or end
    except MediaError as error:
        for stage in needing.values():
            stage.fail(error)
        return None
    return end


def run_clip_stages(
    info: VideoInfo, extractors: Extractors, stages: Mapping[Modality, Stage], progress: Progress
) -> None:
    """Run the stages that read clips, in a pass of its own over the main video stream: clips need more frames than the other stages.

    Args:
        info: The file.
        extractors: The extractors of this run.
        stages: Stages to run; the others are skipped. A file that cannot be read fails them.
        progress: Progress callback.

    Raises:
        LibraryError: A journal cannot be written.
    """
    for modality, stage in stages.items():
        if spec_of(modality).reads != "clips" or info.video is None:
            continue
        extractor, settings = extractors.by_modality[modality], extractors.settings
        spans = info.windows or (Span(start=0.0, end=info.video.end or info.duration),)
        try:
            for span in spans:
                clips = moving_clips(info.path, (span,), extractor.frames, info.video.index, settings.decoder)
                while batch := list(itertools.islice(clips, extractors.at_once)):
                    key = f"{batch[0].span.start!r}-{batch[-1].span.end!r}+{len(batch)}"
                    stage.run(partial(_clips_observed, extractor, batch), key)
                    progress("embedding clips", batch[-1].span.end, info.duration)
        except (MediaError, WeightsError) as error:
            stage.fail(error)


def frame_decisions(info: VideoInfo, settings: Settings) -> list[FrameDecision]:
    """Return what change detection decides about each frame that it compares; decodes the video.

    Args:
        info: The file; without pictures there are no decisions.
        settings: Of indexing: `sample_seconds` and `decoder`.

    Raises:
        MediaError: The pictures cannot be read.
    """
    decisions: list[FrameDecision] = []
    if info.video is not None:
        for window in info.windows or (None,):
            for _ in _segments(info, settings, window, decisions.append):
                pass
    return decisions


def _segments(
    info: VideoInfo, settings: Settings, window: Span | None, report: Callable[[FrameDecision], None] | None = None
) -> Iterator[Segment]:
    """The segments of a window; None: of the whole video."""
    assert info.video is not None
    seconds, index, decoder = settings.sample_seconds, info.video.index, settings.decoder
    if decoder == "decord":
        frames = scan(info.path, index, decoder)
    else:
        frames = skim(info.path, index, seconds, on_gpu=decoder == "nvdec", window=window)
    if window is not None:
        frames = frames_for(frames, window)
    found = held_to_end(segments(frames, seconds, info.video.end or info.duration, report), info)
    yield from cut_to(found, window) if window is not None else found


class _FramePipeline:
    """Passes segments to the stages in batches.

    Extractors of text get all segments, except brief ones. Other extractors get each different picture once; a changed
    character does not count as a different picture. Those that ignore text get only the pictures that differ in more than text.
    """

    def __init__(
        self,
        stages: Mapping[Modality, Stage],
        extractors: Extractors,
        folder: Path,
        stream: int | None,
        force: bool,
    ) -> None:
        self._stages, self._extractors, self._folder, self._stream = stages, extractors, folder, stream
        self._recent = RecentSegments()
        self._reappearances: list[Reappearance] = []
        self._pictures: list[Segment] = []
        self._things: list[Segment] = []  # pictures that differ in more than text
        self._last_things: tuple[float, Screen] | None = None  # second and picture of the last of all of them
        self._repeated_things: list[Reappearance] = []
        self._shows_things_of: dict[float, float] = {}  # from the frame of a picture to that whose things it shows
        self._texts: list[Segment] = []
        self._pending: Segment | None = None  # to be read; brief segments after it extend it
        self._skipped: Segment | None = None  # the last of these
        self._read_until = 0.0
        self._shown_texts: set[str] = set()
        self._keyframe_at = -math.inf  # second of the last keyframe that is kept for a picture
        self._text_keyframe_at = -math.inf  # and for a text
        self._reading = InTurn("playhead-texts", _BATCHES_AHEAD)
        self._looking = InTurn("playhead-pictures", _BATCHES_AHEAD)  # the models that do not read text
        self._captions: CaptionPipeline | None = None
        frames = [modality for modality in stages if spec_of(modality).reads == "frames"]
        self._text_readers = [modality for modality in frames if spec_of(modality).reads_text]
        self._thing_readers = [modality for modality in frames if spec_of(modality).ignores_text]
        self._picture_readers = [one for one in frames if one not in (*self._text_readers, *self._thing_readers)]
        for modality in stages:
            if spec_of(modality).reads == "scenes":
                known, at_once = Journal(folder / CAPTIONS), extractors.settings.caption_requests
                self._captions = CaptionPipeline(
                    stages[modality], extractors.by_modality[modality], known, at_once, force=force
                )
        self._end: float | None = None

    def add(self, segment: Segment) -> None:
        """Pass the next segment on."""
        self._end = segment.span.end
        seconds = self._recent.same_as(segment)
        if seconds is None:
            self._write_keyframe(segment)
            self._keyframe_at = max(self._keyframe_at, segment.frame.seconds)
            self._pictures.append(segment)
            if self._thing_readers:
                self._add_things(segment)
        else:
            self._reappearances.append(Reappearance(seconds, segment.span, segment.frame.seconds))
        if self._pending is None or seconds is None or not self._is_brief(segment):
            self._read_pending()
            self._pending, self._skipped = segment, None
            self._read_until = segment.span.end
        else:  # the text that was read before is assumed to stay
            self._skipped = segment
            self._pending = replace(self._pending, span=Span(start=self._pending.span.start, end=segment.span.end))
        if len(self._pictures) == self._extractors.at_once:
            self._process_pictures()
        if self._captions:
            self._captions.add(segment)

    def finish(self) -> float | None:
        """Process the last batches; return the end of the last segment in seconds."""
        if self._pictures:
            self._process_pictures()
        if self._things:
            self._process_things()
        if self._pending and self._skipped:  # the last segment is always read
            until = Span(start=self._pending.span.start, end=self._skipped.span.start)
            self._pending = replace(self._pending, span=until)
        self._read_pending()
        self._pending = self._skipped
        self._read_pending()
        if self._texts:
            self._process_texts()
        if self._captions:
            self._captions.finish()
        self._reading.finish()
        self._looking.finish()
        for modality in self._picture_readers:
            self._stages[modality].repeat(self._reappearances)
        things = self._shows_things_of
        again = [
            one._replace(first_seconds=things.get(one.first_seconds, one.first_seconds)) for one in self._reappearances
        ]
        for modality in self._thing_readers:
            self._stages[modality].repeat([*again, *self._repeated_things])
        return self._end

    def close(self) -> None:
        """Wait for the batches that run in the other threads; drop the batches behind them."""
        self._reading.close()
        self._looking.close()

    def _add_things(self, segment: Segment) -> None:
        """Pass a picture on to the extractors that ignore text, unless it differs in text only from the last that they got."""
        screen, seconds = Screen(segment.frame.pixels), segment.frame.seconds
        if self._last_things is not None and only_text_differs(self._last_things[1], screen):
            self._shows_things_of[seconds] = self._last_things[0]
            self._repeated_things.append(Reappearance(self._last_things[0], segment.span, seconds))
            return
        self._last_things = seconds, screen
        self._things.append(segment)
        if len(self._things) == self._extractors.at_once:
            self._process_things()

    def _is_brief(self, segment: Segment) -> bool:
        return segment.span.duration < _BRIEF_SECONDS and segment.span.end - self._read_until < _UNREAD_SECONDS

    def _read_pending(self) -> None:
        if self._pending is None:
            return
        if self._pending.moves:
            for modality in self._text_readers:
                self._stages[modality].moving.append(self._pending.span)
        self._texts.append(self._pending)
        self._pending = None
        if len(self._texts) == self._extractors.at_once:
            self._process_texts()

    def _process_pictures(self) -> None:
        batch, self._pictures = self._pictures, []
        self._looking.run(partial(self._run, self._picture_readers, batch))

    def _process_things(self) -> None:
        batch, self._things = self._things, []
        self._looking.run(partial(self._run, self._thing_readers, batch))

    def _process_texts(self) -> None:
        batch, self._texts = self._texts, []
        self._reading.run(partial(self._read, batch, self._keyframe_at))

    def _read(self, batch: Sequence[Segment], keyframe_at: float) -> None:
        """Read text, and keep keyframes of new lines; `keyframe_at` is the second of the last picture that is kept."""
        known = {modality: len(self._stages[modality].observations) for modality in self._text_readers}
        self._run(self._text_readers, batch)
        found = [seen for modality, first in known.items() for seen in self._stages[modality].observations[first:]]
        for segment in batch:
            seconds = segment.frame.seconds
            shown = [seen for seen in found if seen.frame_seconds == seconds]
            new = [seen for seen in shown if seen.text not in self._shown_texts]
            is_old = seconds - max(keyframe_at, self._text_keyframe_at) >= _KEYFRAME_SECONDS
            if new and (is_old or any(_is_legible(seen, segment.frame) for seen in new)):
                self._write_keyframe(segment)
                self._text_keyframe_at = max(self._text_keyframe_at, seconds)
            self._shown_texts = {seen.text for seen in shown}

    def _run(self, modalities: Sequence[Modality], batch: Sequence[Segment]) -> None:
        key = " ".join(f"{segment.span.start!r}-{segment.span.end!r}@{segment.frame.seconds!r}" for segment in batch)
        for modality in modalities:
            self._stages[modality].run(partial(_observed, modality, self._extractors.by_modality[modality], batch), key)

    def _write_keyframe(self, segment: Segment) -> None:
        with writing(self._folder):
            write_keyframe(self._folder, segment.frame, self._stream)


def _is_legible(seen: Observation, frame: Frame) -> bool:
    """Whether a line of text can be read in the keyframe of its frame."""
    if seen.box is None:
        return True
    width, height = frame.size
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return (seen.box.bottom - seen.box.top) * height * scale >= _LEGIBLE_ROWS


def _clips_observed(extractor: ClipExtractor, batch: Sequence[Clip]) -> Observed:
    return extractor.observe(batch), None


def _observed(modality: Modality, extractor: FrameExtractor, batch: Sequence[Segment]) -> Observed:
    """What an extractor finds, with its vectors where it has its own."""
    found = extractor.observe(batch)
    return found if spec_of(modality).own_vectors else (found, None)
