"""One pass over a video's pictures: decoding and choosing in a thread of their own, the models in the caller's."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from ..tools.errors import MediaError
from ..tools.records import Modality, Span, Still, VideoInfo
from ..tools.skim import skim
from ..tools.video import scan
from .beside import ahead
from .disk import writing
from .instruments import Instruments
from .keyframes import write_keyframe
from .scenes import RecentStills, stills
from .stages import Return, Stage
from .texts import Progress

__all__ = ["watch"]

_BATCH = 8  # stills looked at together: 50 MB of 1080p
_AHEAD = 8  # stills that may wait for the models
# Stills are described together up to this length, by this many frames at most.
_CAPTION_SECONDS = 20.0
_CAPTION_FRAMES = 4
_CAPTION_STILLS = 16  # held at once


def watch(
    info: VideoInfo, instruments: Instruments, stages: Mapping[Modality, Stage], folder: Path, progress: Progress
) -> float | None:
    """Run the stages that look at pictures over a video, and write its keyframes.

    Args:
        info: The file.
        instruments: What is here.
        stages: Those to run; others than of pictures are left alone. A file that breaks off fails them.
        folder: Staged folder; keyframes go below it.
        progress: Told how far it is.

    Returns:
        The second at which the last picture ends; None if there was nothing to look at, or it could not be read.

    Raises:
        LibraryError: The disk takes no keyframes.
    """
    looking: dict[Modality, Stage] = {modality: stage for modality, stage in stages.items() if modality != "speech"}
    if not looking or info.video is None:
        return None
    sight = _Sight(looking, instruments, folder)
    progress("watching", 0.0, info.duration)
    try:
        with closing(ahead(_stills(info, instruments), _AHEAD)) as chosen:
            for still in chosen:
                sight.see(still)
                progress("watching", still.span.end, info.duration)
    except MediaError as error:
        for stage in looking.values():
            stage.fail(error)
        return None
    return sight.finish()


def _stills(info: VideoInfo, instruments: Instruments) -> Iterator[Still]:
    assert info.video is not None
    seconds, index = instruments.settings.sample_seconds, info.video.index
    if instruments.settings.decoder == "pyav":
        return stills(skim(info.path, index, seconds), seconds, info.duration)
    return stills(scan(info.path, index, instruments.settings.decoder), seconds, info.duration)


class _Sight:
    """Hands stills to the stages in batches, and what shows the same again only once."""

    def __init__(self, stages: Mapping[Modality, Stage], instruments: Instruments, folder: Path) -> None:
        self._stages, self._instruments, self._folder = stages, instruments, folder
        self._recent = RecentStills()
        self._returns: list[Return] = []
        self._batch: list[Still] = []
        self._scene: list[Still] = []
        self._end: float | None = None

    def see(self, still: Still) -> None:
        with writing(self._folder):
            write_keyframe(self._folder, still.frame)
        self._end = still.span.end
        seconds = self._recent.same_as(still)
        if seconds is None:
            self._batch.append(still)
        else:
            self._returns.append(Return(seconds, still.span, still.frame.seconds))
        if len(self._batch) == _BATCH:
            self._look()
        if "caption" in self._stages:
            if self._scene and (
                still.span.end - self._scene[0].span.start > _CAPTION_SECONDS or len(self._scene) == _CAPTION_STILLS
            ):
                self._caption()
            self._scene.append(still)

    def finish(self) -> float | None:
        """Look at what is left; the end of the last still."""
        if self._batch:
            self._look()
        if self._scene:
            self._caption()
        for modality in ("text", "object", "frame"):
            if modality in self._stages:
                self._stages[modality].repeat(self._returns)
        return self._end

    def _look(self) -> None:
        reader, detector, images = self._instruments.reader, self._instruments.detector, self._instruments.images
        batch, self._batch = self._batch, []
        if "text" in self._stages and reader:
            self._stages["text"].run(lambda: (reader.observe(batch), None))
        if "object" in self._stages and detector:
            self._stages["object"].run(lambda: (detector.observe(batch), None))
        if "frame" in self._stages and images:
            self._stages["frame"].run(lambda: images.observe(batch))

    def _caption(self) -> None:
        captioner = self._instruments.captioner
        assert captioner is not None
        scene, self._scene = self._scene, []
        span = Span(start=scene[0].span.start, end=scene[-1].span.end)
        rows = np.linspace(0, len(scene) - 1, min(len(scene), _CAPTION_FRAMES)).round().astype(int)
        self._stages["caption"].run(lambda: ([captioner.caption(span, [scene[row].frame for row in rows])], None))
