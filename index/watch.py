"""One pass over a video's pictures: decoding and choosing in a thread of their own, the models in the caller's."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from ..tools.beside import ahead
from ..tools.errors import MediaError
from ..tools.records import Modality, Still, VideoInfo
from ..tools.skim import skim
from ..tools.video import scan
from .describe import Describer
from .disk import writing
from .instruments import Instruments
from .journal import CAPTIONS, Journal
from .keyframes import write_keyframe
from .scenes import RecentStills, stills
from .stages import Return, Stage
from .texts import Progress

__all__ = ["watch"]

_AHEAD = 8  # stills that may wait for the models


def watch(
    info: VideoInfo,
    instruments: Instruments,
    stages: Mapping[Modality, Stage],
    folder: Path,
    progress: Progress,
    *,
    anew: bool,
) -> float | None:
    """Run the stages that look at pictures over a video, and write its keyframes.

    Args:
        info: The file.
        instruments: What is here.
        stages: Those to run; others than of pictures are left alone. A file that breaks off fails them.
        folder: Staged folder; keyframes go below it.
        progress: Told how far it is.
        anew: Have described what is known, too.

    Returns:
        The second at which the last picture ends; None if there was nothing to look at, or it could not be read.

    Raises:
        LibraryError: The disk takes no keyframes.
    """
    looking: dict[Modality, Stage] = {modality: stage for modality, stage in stages.items() if modality != "speech"}
    if not looking or info.video is None:
        return None
    sight = _Sight(looking, instruments, folder, anew)
    progress("watching", 0.0, info.duration)
    try:
        with closing(ahead(_stills(info, instruments), _AHEAD)) as chosen:
            for still in chosen:
                sight.see(still)
                progress("watching", still.span.end, info.duration)
            return sight.finish()
    except MediaError as error:
        for stage in looking.values():
            stage.fail(error)
        return None


def _stills(info: VideoInfo, instruments: Instruments) -> Iterator[Still]:
    assert info.video is not None
    seconds, index = instruments.settings.sample_seconds, info.video.index
    decoder = instruments.settings.decoder
    if decoder == "decord":
        return stills(scan(info.path, index, decoder), seconds, info.duration)
    return stills(skim(info.path, index, seconds, on_gpu=decoder == "nvdec"), seconds, info.duration)


class _Sight:
    """Hands stills to the stages in batches, and what shows the same again only once."""

    def __init__(self, stages: Mapping[Modality, Stage], instruments: Instruments, folder: Path, anew: bool) -> None:
        self._stages, self._instruments, self._folder = stages, instruments, folder
        self._recent = RecentStills()
        self._returns: list[Return] = []
        self._batch: list[Still] = []
        self._describer: Describer | None = None
        if (stage := stages.get("caption")) and instruments.captioner:
            known, at_once = Journal(folder / CAPTIONS), instruments.settings.caption_requests
            self._describer = Describer(stage, instruments.captioner, known, at_once, anew=anew)
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
        if len(self._batch) == self._instruments.at_once:
            self._look()
        if self._describer:
            self._describer.see(still)

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
        reader, detector, images = self._instruments.reader, self._instruments.detector, self._instruments.images
        batch, self._batch = self._batch, []
        key = " ".join(f"{still.span.start!r}-{still.span.end!r}@{still.frame.seconds!r}" for still in batch)
        if "text" in self._stages and reader:
            self._stages["text"].run(lambda: (reader.observe(batch), None), key)
        if "object" in self._stages and detector:
            self._stages["object"].run(lambda: (detector.observe(batch), None), key)
        if "frame" in self._stages and images:
            self._stages["frame"].run(lambda: images.observe(batch), key)
