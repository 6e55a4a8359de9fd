"""Runs every instrument over one video and keeps what they perceive; a stage that fails loses only itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..tools.embed import TextEncoder, Vectors
from ..tools.records import MODALITIES, Modality, Observation, Span, Still, VideoInfo
from ..tools.sidecar import find_sidecar, read_sidecar
from ..tools.video import scan
from .instruments import Instruments
from .keyframes import write_keyframe
from .records import StageReport, VideoRecord
from .scenes import stills
from .store import content_id
from .table import Perceived

__all__ = ["Former", "Perception", "Progress", "perceive", "stages_to_run"]

_BATCH = 8  # stills held at once: 50 MB of 1080p
# Stills are described together up to this length, by this many frames at most.
_CAPTION_SECONDS = 20.0
_CAPTION_FRAMES = 4
_CAPTION_STILLS = 32  # held at once
_TEXTS = 512  # embedded at once
# The same thing seen again within this gap went on; models miss it for a frame now and then.
_GAP_SECONDS = 0.5
_SAME_PLACE_IOU = 0.5


class Progress(Protocol):
    """Told how far a stage is."""

    def __call__(self, stage: str, done: float, total: float, /) -> None: ...


@dataclass(frozen=True)
class Former:
    """What an earlier run perceived in the same content."""

    record: VideoRecord
    perceived: Perceived


@dataclass(frozen=True)
class Perception:
    """What this run knows of a video.

    Attributes:
        perceived: Observations and vectors.
        reports: One a stage.
        pictures_end: Second at which the last picture ends; None if the pictures were not looked at.
        text_space: Vector space of the texts; empty if there are no vectors.
        image_space: Vector space of the pictures; empty if there are no vectors.
    """

    perceived: Perceived
    reports: tuple[StageReport, ...]
    pictures_end: float | None
    text_space: str
    image_space: str


_Observed = tuple[list[Observation], Vectors | None]


@dataclass
class _Stage:
    """A stage at work."""

    modality: Modality
    source: str
    fingerprint: str
    observations: list[Observation] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0

    def run(self, observe: Callable[[], _Observed]) -> None:
        """Observe once more; after a failure, nothing more."""
        if self.failure:
            return
        began = time.perf_counter()
        try:
            seen, vectors = observe()
        except Exception as error:  # noqa: BLE001 (whatever a model throws, the other stages go on)
            self.failure = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            self.observations, self.vectors = [], []
        else:
            self.observations += seen
            if vectors is not None:
                self.vectors.append(vectors)
        self.seconds += time.perf_counter() - began

    def report(self) -> StageReport:
        """How it went."""
        if self.failure:
            return StageReport(modality=self.modality, state="failed", detail=self.failure, seconds=self.seconds)
        return StageReport(
            modality=self.modality,
            state="done",
            source=self.source,
            detail=f"{len(self.observations)} found",
            fingerprint=self.fingerprint,
            seconds=round(self.seconds, 3),
        )


def stages_to_run(info: VideoInfo, instruments: Instruments, former: VideoRecord | None, force: bool) -> set[Modality]:
    """The stages whose instrument is here and whose stored result, if any, was made otherwise.

    Args:
        info: The file.
        instruments: What is here.
        former: The committed record of the same content.
        force: Run all that can run.
    """
    run: set[Modality] = set()
    for modality in MODALITIES:
        if _why_not(modality, info, instruments):
            continue
        before = former.stage(modality) if former else None
        if (
            force
            or before is None
            or before.state != "done"
            or before.fingerprint != _fingerprint(modality, info, instruments)
        ):
            run.add(modality)
    return run


def perceive(
    info: VideoInfo,
    instruments: Instruments,
    run: set[Modality],
    former: Former | None,
    folder: Path,
    progress: Progress,
) -> Perception:
    """Run some stages over a video; the results of the others are taken over from the earlier run.

    Args:
        info: The file, from `tools.video.probe`.
        instruments: What is here.
        run: Stages to run, from `stages_to_run`.
        former: What an earlier run perceived.
        folder: Staged folder; keyframes go below it.
        progress: Told how far it is.

    Raises:
        MediaError: The file's pictures or sound cannot be read at all.
    """
    finished: dict[Modality, tuple[StageReport, list[Observation]]] = {}
    image_vectors, image_space = np.zeros((0, 0), np.float16), ""
    for modality in MODALITIES:
        if modality not in run:
            finished[modality] = _taken_over(modality, info, instruments, former)
    if former and "frame" not in run:
        image_vectors, image_space = former.perceived.image_vectors, former.record.image_space
    if "speech" in run:
        heard = _listen(info, instruments, progress)
        finished["speech"] = (heard.report(), heard.observations)
    pictures_end = None
    if run - {"speech"}:
        stages, pictures_end = _watch(info, instruments, run, folder, progress)
        for stage in stages:
            joins = stage.modality in ("text", "object")
            finished[stage.modality] = (stage.report(), _joined(stage.observations) if joins else stage.observations)
            if stage.vectors:
                image_vectors = np.concatenate(stage.vectors).astype(np.float16)
                image_space = instruments.images.space if instruments.images else ""
    observations = [o for modality in MODALITIES for o in finished[modality][1]]
    text_vectors, text_space = _text_vectors(observations, instruments.texts, former, progress)
    return Perception(
        perceived=Perceived(observations, text_vectors, image_vectors),
        reports=tuple(finished[modality][0] for modality in MODALITIES),
        pictures_end=pictures_end,
        text_space=text_space,
        image_space=image_space,
    )


def _why_not(modality: Modality, info: VideoInfo, instruments: Instruments) -> str:
    """Why a stage cannot run on a file; empty if it can."""
    if modality == "speech":
        if _sidecar(info, instruments):
            return ""
        if info.sound is None:
            return "the file has no sound"
    elif info.video is None:
        return "the file has no pictures"
    return instruments.missing.get(modality, "")


def _sidecar(info: VideoInfo, instruments: Instruments) -> Path | None:
    return find_sidecar(info.path, instruments.settings.language) if instruments.settings.sidecars else None


def _fingerprint(modality: Modality, info: VideoInfo, instruments: Instruments) -> str:
    sidecar = _sidecar(info, instruments) if modality == "speech" else None
    return instruments.fingerprint(modality, f"sidecar:{content_id(sidecar)}" if sidecar else "")


def _taken_over(
    modality: Modality, info: VideoInfo, instruments: Instruments, former: Former | None
) -> tuple[StageReport, list[Observation]]:
    """An earlier result stays, also where its instrument is missing now: nothing is lost."""
    if former and former.record.stage(modality).state == "done":
        return former.record.stage(modality), former.perceived.of(modality)
    return StageReport(modality=modality, state="skipped", detail=_why_not(modality, info, instruments)), []


def _listen(info: VideoInfo, instruments: Instruments, progress: Progress) -> _Stage:
    sidecar = _sidecar(info, instruments)

    def hear() -> _Observed:
        if sidecar:
            return [cue for cue in read_sidecar(sidecar) if cue.span.start < info.duration], None
        assert instruments.speech is not None
        heard = []
        for sentence in instruments.speech.transcribe(info):
            heard.append(sentence)
            progress("listening", sentence.span.end, info.duration)
        return heard, None

    source = f"sidecar@{sidecar.name}" if sidecar else instruments.source("speech")
    stage = _Stage("speech", source, _fingerprint("speech", info, instruments))
    progress("listening", 0.0, info.duration)
    stage.run(hear)
    return stage


def _watch(
    info: VideoInfo, instruments: Instruments, run: set[Modality], folder: Path, progress: Progress
) -> tuple[list[_Stage], float | None]:
    """One pass over the pictures: the stages that ran, and the second at which the last picture ends."""
    assert info.video is not None
    stages: dict[Modality, _Stage] = {
        modality: _Stage(modality, instruments.source(modality), _fingerprint(modality, info, instruments))
        for modality in MODALITIES
        if modality in run and modality != "speech"
    }
    batch: list[Still] = []
    scene: list[Still] = []
    end = None
    progress("watching", 0.0, info.duration)
    frames = scan(info.path, info.video.index, instruments.settings.decoder)
    for still in stills(frames, instruments.settings.sample_seconds):
        write_keyframe(folder, still.frame)
        end = still.span.end
        batch.append(still)
        if len(batch) == _BATCH:
            _look(stages, instruments, batch)
            batch = []
        if "caption" in stages:
            if scene and (end - scene[0].span.start > _CAPTION_SECONDS or len(scene) == _CAPTION_STILLS):
                _caption(stages["caption"], instruments, scene)
                scene = []
            scene.append(still)
        progress("watching", end, info.duration)
    if batch:
        _look(stages, instruments, batch)
    if scene:
        _caption(stages["caption"], instruments, scene)
    return list(stages.values()), end


def _look(stages: Mapping[Modality, _Stage], instruments: Instruments, batch: Sequence[Still]) -> None:
    reader, detector, images = instruments.reader, instruments.detector, instruments.images
    if "text" in stages and reader:
        stages["text"].run(lambda: (reader.observe(batch), None))
    if "object" in stages and detector:
        stages["object"].run(lambda: (detector.observe(batch), None))
    if "frame" in stages and images:
        stages["frame"].run(lambda: images.observe(batch))


def _caption(stage: _Stage, instruments: Instruments, scene: Sequence[Still]) -> None:
    captioner = instruments.captioner
    assert captioner is not None
    span = Span(start=scene[0].span.start, end=scene[-1].span.end)
    rows = np.linspace(0, len(scene) - 1, min(len(scene), _CAPTION_FRAMES)).round().astype(int)
    stage.run(lambda: ([captioner.caption(span, [scene[row].frame for row in rows])], None))


def _joined(observations: Sequence[Observation]) -> list[Observation]:
    """The same text or label in the same place from still to still, as one observation over all of them."""
    done: list[Observation] = []
    open_by_text: dict[str, list[int]] = {}
    for seen in observations:
        key = seen.text.casefold()
        rows = [row for row in open_by_text.get(key, []) if seen.span.start - done[row].span.end <= _GAP_SECONDS]
        same = next((row for row in rows if _goes_on(done[row], seen)), None)
        if same is None:
            done.append(seen)
            rows.append(len(done) - 1)
        else:
            done[same] = _prolonged(done[same], seen)
        open_by_text[key] = rows
    return sorted(done, key=lambda o: (o.span.start, o.span.end))


def _goes_on(before: Observation, after: Observation) -> bool:
    return (
        before.box is not None
        and after.box is not None
        and before.span.end <= after.span.start
        and before.box.iou(after.box) >= _SAME_PLACE_IOU
    )


def _prolonged(before: Observation, after: Observation) -> Observation:
    """Both as one; place, score and frame are of where it was seen best."""
    best = after if after.score > before.score else before
    return best.model_copy(update={"span": Span(start=before.span.start, end=after.span.end)})


def _text_vectors(
    observations: Sequence[Observation], encoder: TextEncoder | None, former: Former | None, progress: Progress
) -> tuple[npt.NDArray[np.float16], str]:
    """One row for each observation that is no `frame`, and their space; each different text is embedded once."""
    texts = [o.text for o in observations if o.modality != "frame"]
    space = encoder.space if encoder else former.record.text_space if former else ""
    known: dict[str, npt.NDArray[np.float16]] = {}
    if former and former.record.text_space == space and former.perceived.text_vectors.size:
        before = [o.text for o in former.perceived.observations if o.modality != "frame"]
        known.update(zip(before, former.perceived.text_vectors, strict=True))
    new = sorted({text for text in texts if text} - set(known)) if encoder else []
    for first in range(0, len(new), _TEXTS):
        progress("embedding", first, len(new))
        part = new[first : first + _TEXTS]
        assert encoder is not None
        known.update(zip(part, encoder.encode(part).astype(np.float16), strict=True))
    if not texts or not known:
        return np.zeros((0, 0), np.float16), ""
    nothing = np.zeros_like(next(iter(known.values())))
    return np.stack([known.get(text, nothing) for text in texts]), space
