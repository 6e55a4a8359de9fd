"""One pass over a video's pictures: decoding and choosing in a thread of their own, the models in the caller's."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from ...tools.background import prefetch
from ...tools.errors import MediaError
from ...tools.media.frames import scan
from ...tools.media.skim import skim
from ...tools.records import Modality, Segment, VideoInfo
from ..storage.atomic_files import writing
from ..storage.journal import CAPTIONS, Journal
from ..storage.keyframes import write_keyframe
from .captioning import Describer
from .change_detection import RecentSegments, segments
from .extractor_set import Extractors
from .stages import Return, Stage
from .text_vectors import Progress

__all__ = ["watch"]

_AHEAD = 8  # stills that may wait for the models


def watch(
    info: VideoInfo,
    extractors: Extractors,
    stages: Mapping[Modality, Stage],
    folder: Path,
    progress: Progress,
    *,
    force: bool,
) -> float | None:
    """Run the stages that look at pictures over a video, and write its keyframes.

    Args:
        info: The file.
        extractors: What is here.
        stages: Those to run; others than of pictures are left alone. A file that breaks off fails them.
        folder: Staged folder; keyframes go below it.
        progress: Told how far it is.
        force: Have described what is known, too.

    Returns:
        The second at which the last picture ends; None if there was nothing to look at, or it could not be read.

    Raises:
        LibraryError: The disk takes no keyframes.
    """
    looking: dict[Modality, Stage] = {modality: stage for modality, stage in stages.items() if modality != "speech"}
    if not looking or info.video is None:
        return None
    sight = _Sight(looking, extractors, folder, force)
    progress("watching", 0.0, info.duration)
    try:
        with closing(prefetch(_segments(info, extractors), _AHEAD)) as chosen:
            for segment in chosen:
                sight.see(segment)
                progress("watching", segment.span.end, info.duration)
            return sight.finish()
    except MediaError as error:
        for stage in looking.values():
            stage.fail(error)
        return None


def _segments(info: VideoInfo, extractors: Extractors) -> Iterator[Segment]:
    assert info.video is not None
    seconds, index = extractors.settings.sample_seconds, info.video.index
    decoder = extractors.settings.decoder
    if decoder == "decord":
        return segments(scan(info.path, index, decoder), seconds, info.duration)
    return segments(skim(info.path, index, seconds, on_gpu=decoder == "nvdec"), seconds, info.duration)


class _Sight:
    """Hands stills to the stages in batches, and what shows the same again only once."""

    def __init__(self, stages: Mapping[Modality, Stage], extractors: Extractors, folder: Path, force: bool) -> None:
        self._stages, self._extractors, self._folder = stages, extractors, folder
        self._recent = RecentSegments()
        self._returns: list[Return] = []
        self._batch: list[Segment] = []
        self._describer: Describer | None = None
        if (stage := stages.get("caption")) and extractors.captioner:
            known, at_once = Journal(folder / CAPTIONS), extractors.settings.caption_requests
            self._describer = Describer(stage, extractors.captioner, known, at_once, force=force)
        self._end: float | None = None

    def see(self, segment: Segment) -> None:
        with writing(self._folder):
            write_keyframe(self._folder, segment.frame)
        self._end = segment.span.end
        seconds = self._recent.same_as(segment)
        if seconds is None:
            self._batch.append(segment)
        else:
            self._returns.append(Return(seconds, segment.span, segment.frame.seconds))
        if len(self._batch) == self._extractors.at_once:
            self._look()
        if self._describer:
            self._describer.see(segment)

    def finish(self) -> float | None:
        """Look at what is left; the end of the last still."""
        if self._batch:
            self._look()
        if self._describer:
            self._describer.finish()
        for modality in ("text", "object", "frame"):
            if modality in self._stages:
                self._stages[modality].repeat(self._returns)
        return self._end

    def _look(self) -> None:
        reader, detector, images = self._extractors.reader, self._extractors.detector, self._extractors.images
        batch, self._batch = self._batch, []
        key = " ".join(f"{segment.span.start!r}-{segment.span.end!r}@{segment.frame.seconds!r}" for segment in batch)
        if "text" in self._stages and reader:
            self._stages["text"].run(lambda: (reader.observe(batch), None), key)
        if "object" in self._stages and detector:
            self._stages["object"].run(lambda: (detector.observe(batch), None), key)
        if "frame" in self._stages and images:
            self._stages["frame"].run(lambda: images.observe(batch), key)
