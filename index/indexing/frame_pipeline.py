"""One pass over a video's frames: decoding and change detection in a background thread, models in the caller's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from ...tools.background import prefetch
from ...tools.errors import MediaError
from ...tools.extractors.base import FrameExtractor
from ...tools.extractors.registry import spec_of
from ...tools.media.frames import scan
from ...tools.media.scanned import held_to_end
from ...tools.media.skim import skim
from ...tools.records import Modality, Segment, VideoInfo
from ..storage.atomic_files import writing
from ..storage.journal import CAPTIONS, Journal
from ..storage.keyframes import write_keyframe
from .captioning import CaptionPipeline
from .change_detection import RecentSegments, segments
from .extractor_set import Extractors
from .stages import Observed, Reappearance, Stage
from .text_vectors import Progress

__all__ = ["run_frame_pipeline"]

_PREFETCHED = 8  # segments that may wait for the models


def run_frame_pipeline(
    info: VideoInfo,
    extractors: Extractors,
    stages: Mapping[Modality, Stage],
    folder: Path,
    progress: Progress,
    *,
    force: bool,
) -> float | None:
    """Run the stages that need frames over a video, and write its keyframes.

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
    pipeline = _FramePipeline(needing, extractors, folder, force)
    progress("reading frames", 0.0, info.duration)
    try:
        with closing(prefetch(_segments(info, extractors), _PREFETCHED)) as chosen:
            for segment in chosen:
                pipeline.add(segment)
                progress("reading frames", segment.span.end, info.duration)
            return pipeline.finish()
    except MediaError as error:
        for stage in needing.values():
            stage.fail(error)
        return None


def _segments(info: VideoInfo, extractors: Extractors) -> Iterator[Segment]:
    assert info.video is not None
    seconds, index = extractors.settings.sample_seconds, info.video.index
    decoder = extractors.settings.decoder
    if decoder == "decord":
        frames = scan(info.path, index, decoder)
    else:
        frames = skim(info.path, index, seconds, on_gpu=decoder == "nvdec")
    return held_to_end(segments(frames, seconds, info.video.end or info.duration), info)


class _FramePipeline:
    """Passes segments to the stages in batches; a picture that reappears is passed once."""

    def __init__(self, stages: Mapping[Modality, Stage], extractors: Extractors, folder: Path, force: bool) -> None:
        self._stages, self._extractors, self._folder = stages, extractors, folder
        self._recent = RecentSegments()
        self._reappearances: list[Reappearance] = []
        self._batch: list[Segment] = []
        self._captions: CaptionPipeline | None = None
        self._readers = [modality for modality in stages if spec_of(modality).reads == "frames"]
        for modality in stages:
            if spec_of(modality).reads == "scenes":
                known, at_once = Journal(folder / CAPTIONS), extractors.settings.caption_requests
                self._captions = CaptionPipeline(
                    stages[modality], extractors.by_modality[modality], known, at_once, force=force
                )
        self._end: float | None = None

    def add(self, segment: Segment) -> None:
        with writing(self._folder):
            write_keyframe(self._folder, segment.frame)
        self._end = segment.span.end
        seconds = self._recent.same_as(segment)
        if seconds is None:
            self._batch.append(segment)
        else:
            self._reappearances.append(Reappearance(seconds, segment.span, segment.frame.seconds))
        if len(self._batch) == self._extractors.at_once:
            self._process()
        if self._captions:
            self._captions.add(segment)

    def finish(self) -> float | None:
        """Process the last batch; return the end of the last segment in seconds."""
        if self._batch:
            self._process()
        if self._captions:
            self._captions.finish()
        for modality in self._readers:
            self._stages[modality].repeat(self._reappearances)
        return self._end

    def _process(self) -> None:
        batch, self._batch = self._batch, []
        key = " ".join(f"{segment.span.start!r}-{segment.span.end!r}@{segment.frame.seconds!r}" for segment in batch)
        for modality in self._readers:
            self._stages[modality].run(partial(_observed, modality, self._extractors.by_modality[modality], batch), key)


def _observed(modality: Modality, extractor: FrameExtractor, batch: Sequence[Segment]) -> Observed:
    """What an extractor finds, with its vectors where it has its own."""
    found = extractor.observe(batch)
    return found if spec_of(modality).own_vectors else (found, None)
