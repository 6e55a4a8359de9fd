"""Run every extractor over one video and collect the observations.

A stage that fails discards neither the results of other stages nor its own results of an earlier run.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...tools.background import BackgroundTask
from ...tools.errors import LibraryError, MediaError
from ...tools.extractors.registry import derived, spec_of, stage_names
from ...tools.extractors.speech import Window, windows_of
from ...tools.media.audio import RATE
from ...tools.media.subtitles.choice import Subtitles, choose_subtitles
from ...tools.media.subtitles.files import observations_of
from ...tools.records import Modality, Observation, Span, VideoInfo
from ...tools.settings import Settings
from ..records import StageReport, VideoRecord
from ..storage.committed.keyframes import copy_keyframes
from ..storage.committed.table import ObservationTable
from ..storage.files.atomic import writing
from ..storage.identity import content_id
from ..storage.journal import Journal, journals_of
from .extractor_set import Extractors
from .frame_pipeline import run_clip_stages, run_frame_pipeline
from .merging.merges import merged
from .stages import Observed, Stage
from .text_vectors import PreviousResult, Progress, embed_texts

__all__ = ["Extraction", "PreviousResult", "Progress", "extract", "stages_to_run"]

# Missing pictures at the end are reported if they last longer than this.
_DURATION_TOLERANCE = 0.5


@dataclass(frozen=True)
class Extraction:
    """The result of a run over one video.

    Attributes:
        table: Observations and vectors.
        reports: One report for each stage.
        duration: Length in seconds; measured if the header is wrong.
        notes: Notes for the user about faults of the file.
        text_embedding_id: Embedding model id of the text vectors; empty if there are none.
        image_embedding_id: Embedding model id of the image vectors; empty if there are none.
        texts_failure: Why texts could not be embedded; empty if they are, or if there is no encoder.
        texts_missing: Whether some texts have no vector.
    """

    table: ObservationTable
    reports: tuple[StageReport, ...]
    duration: float
    notes: tuple[str, ...]
    text_embedding_id: str
    image_embedding_id: str
    texts_failure: str
    texts_missing: bool


def stages_to_run(info: VideoInfo, extractors: Extractors, previous: VideoRecord | None, force: bool) -> set[Modality]:
    """Return the stages that can run and whose stored result is missing, failed, or has another fingerprint.

    Args:
        info: The file.
        extractors: The extractors of this run.
        previous: The committed record of the same content.
        force: Run all stages that can run.
    """
    run: set[Modality] = set()
    for modality in stage_names():
        subtitles = _subtitles(modality, info, extractors)
        if _why_not(modality, info, extractors, subtitles):
            continue
        before = previous.stage(modality) if previous else None
        if (
            force
            or before is None
            or before.state != "done"
            or before.fingerprint != _fingerprint(modality, info, extractors, subtitles)
        ):
            run.add(modality)
    return run


def extract(
    info: VideoInfo,
    extractors: Extractors,
    run: Collection[Modality],
    previous: PreviousResult | None,
    folder: Path,
    progress: Progress,
    *,
    force: bool = False,
) -> Extraction:
    """Run some stages over a video; reuse the previous results of the other stages.

    Args:
        info: The file, from `tools.media.frames.probe`.
        extractors: The extractors of this run.
        run: Stages to run, from `stages_to_run`.
        previous: The previous result for the same content.
        folder: Staging folder; keyframes are written below it.
        progress: Progress callback.
        force: Ignore the journals in the folder, except those of an earlier run with `force`.

    Raises:
        MediaError: No stage succeeded.
        LibraryError: Keyframes cannot be written.
    """
    journals = journals_of(folder, force=force)
    stages = {modality: _stage(modality, info, extractors, journals) for modality in stage_names() if modality in run}
    sound_stages = {modality: stage for modality, stage in stages.items() if spec_of(modality).reads == "sound"}
    cued = {
        modality: (sound_stages.pop(modality), subtitles)
        for modality in [*sound_stages]
        if (subtitles := _subtitles(modality, info, extractors))
    }
    with _AudioPipeline(sound_stages, info, extractors) if sound_stages else nullcontext() as task:
        pictures_end = run_frame_pipeline(info, extractors, stages, folder, progress, force=force)
        others = [_OtherStream(info.of_stream(video), extractors, run, journals) for video in info.other_videos]
        for other in others:
            run_frame_pipeline(other.info, extractors, other.stages, folder, progress, force=force)
        run_clip_stages(info, extractors, stages, progress)
        if pictures_end is None and previous:
            with writing(folder):
                copy_keyframes(previous.folder, folder)
        duration, notes = _duration(info, pictures_end, previous)
        if sound_stages or cued:
            progress("transcribing", 0.0, duration)
        if task:
            task.wait(lambda: progress("transcribing", min(task.done_until, duration), duration))
        noted = _subtitle_notes(info, extractors)
        for modality, (stage, subtitles) in cued.items():
            stage.run(partial(_cues, modality, subtitles, info, duration, noted))
    reports, observations = [], []
    for modality in stage_names():
        report, seen = _outcome(modality, stages.get(modality), info, extractors, previous)
        if modality in stages and report.state == "done":
            report, seen = _with_other_streams(report, stages[modality], seen, others, extractors.settings)
        reports.append(report)
        observations += seen
    if run and all(report.state != "done" for report in reports):
        raise MediaError(
            f"{info.path}: " + "; ".join(f"{r.modality}: {r.detail}" for r in reports if r.state == "failed")
        )
    frame_stage = stages.get("frame")
    if frame_stage and frame_stage.vectors:
        image_vectors = np.concatenate(frame_stage.vectors).astype(np.float16)
        image_embedding_id = extractors.by_modality["frame"].embedding_id
    elif previous:
        image_vectors, image_embedding_id = previous.table.image_vectors, previous.record.image_embedding_id
    else:
        image_vectors, image_embedding_id = np.zeros((0, 0), np.float16), ""
    texts = embed_texts(observations, extractors.texts, previous, journals, progress)
    return Extraction(
        table=ObservationTable(observations, texts.vectors, image_vectors),
        reports=tuple(reports),
        duration=duration,
        notes=tuple(dict.fromkeys((*notes, *noted))),
        text_embedding_id=texts.embedding_id,
        image_embedding_id=image_embedding_id,
        texts_failure=texts.failure,
        texts_missing=texts.are_missing,
    )


class _OtherStream:
    """A video stream beside the main one, and its stages: those that read frames."""

    def __init__(self, info: VideoInfo, extractors: Extractors, run: Collection[Modality], journals: Path) -> None:
        self.info = info
        assert info.video is not None
        name = f"-stream{info.video.index}"
        self.stages = {
            modality: _stage(modality, info, extractors, journals, name)
            for modality in stage_names()
            if modality in run and spec_of(modality).reads in ("frames", "scenes")
        }


def _with_other_streams(
    report: StageReport,
    stage: Stage,
    seen: list[Observation],
    others: Sequence[_OtherStream],
    settings: Settings,
) -> tuple[StageReport, list[Observation]]:
    """Add what the other video streams show, by time; the vectors of the stage are kept in the same order."""
    failures = []
    for other in others:
        beside = other.stages.get(stage.modality)
        if beside is None:
            continue
        if beside.failure:
            failures.append(f"stream {other.info.stream}: {beside.failure}")
            continue
        seen = [*seen, *_found(beside, other.info, settings)]
        stage.vectors += beside.vectors
    order = sorted(range(len(seen)), key=lambda row: seen[row].span.start)
    if stage.vectors:
        stage.vectors = [np.concatenate(stage.vectors)[order]]
    detail = "; ".join((f"{len(seen)} found", *failures))
    return report.model_copy(update={"detail": detail}), [seen[row] for row in order]


def _found(stage: Stage, info: VideoInfo, settings: Settings) -> list[Observation]:
    """Return a stage's merged observations, with the video stream that shows them."""
    found = merged(stage, info, settings)
    if info.stream is None or spec_of(stage.modality).reads == "sound":
        return found
    return [one.model_copy(update={"stream": info.stream}) for one in found]


def _stage(modality: Modality, info: VideoInfo, extractors: Extractors, journals: Path, suffix: str = "") -> Stage:
    subtitles = _subtitles(modality, info, extractors)
    fingerprint = _fingerprint(modality, info, extractors, subtitles)
    # A step does not depend on what else is indexed of the video: all windows share a journal.
    of_whole = _fingerprint(modality, info.model_copy(update={"windows": ()}), extractors, subtitles)
    journal = Journal(journals / f"{modality}-{of_whole}{suffix}.jsonl")
    return Stage(modality, _source(modality, extractors, subtitles), fingerprint, journal)


def _why_not(modality: Modality, info: VideoInfo, extractors: Extractors, subtitles: Subtitles | None) -> str:
    """Return why a stage cannot run on a file; empty if it can."""
    if subtitles:
        return ""
    if spec_of(modality).reads == "sound":
        if info.audio is None:
            return "the file has no sound"
    elif info.video is None:
        return "the file has no pictures"
    return extractors.missing.get(modality, "")


def _subtitles(modality: Modality, info: VideoInfo, extractors: Extractors) -> Subtitles | None:
    """The subtitles that are used in place of a modality's extractor."""
    if not spec_of(modality).subtitles or not extractors.settings.sidecars:
        return None
    return _choice(info, extractors)[0]


def _choice(info: VideoInfo, extractors: Extractors) -> tuple[Subtitles | None, list[str]]:
    try:
        return choose_subtitles(info, extractors.settings.language)
    except OSError as error:
        raise MediaError(f"folder {info.path.parent} can no longer be read ({error.strerror})") from error


def _subtitle_notes(info: VideoInfo, extractors: Extractors) -> list[str]:
    """Notes on subtitles that are not used."""
    if not extractors.settings.sidecars:
        return [f"{len(info.subtitles)} subtitle tracks are not read (sidecars=false)"] if info.subtitles else []
    return _choice(info, extractors)[1]


def _source(modality: Modality, extractors: Extractors, subtitles: Subtitles | None) -> str:
    if subtitles is None:
        return extractors.source(modality)
    return f"sidecar@{subtitles.name}" if subtitles.path else f"embedded@{subtitles.name}"


def _fingerprint(modality: Modality, info: VideoInfo, extractors: Extractors, subtitles: Subtitles | None) -> str:
    identity = ""
    if subtitles is not None:
        identity = f"sidecar:{content_id(subtitles.path)}" if subtitles.path else f"embedded:{subtitles.name}"
    return extractors.fingerprint(modality, identity, info.windows)


def _outcome(
    modality: Modality, stage: Stage | None, info: VideoInfo, extractors: Extractors, previous: PreviousResult | None
) -> tuple[StageReport, list[Observation]]:
    """Return a stage's report and observations; keep the previous observations where the stage did not run or failed."""
    before = previous.record.stage(modality) if previous else None
    kept = [seen for name in (modality, *derived(modality)) for seen in previous.table.of(name)] if previous else []
    if stage is None:
        if before and before.state == "done":
            return before, kept
        why = _why_not(modality, info, extractors, _subtitles(modality, info, extractors))
        return StageReport(modality=modality, state="skipped", detail=why), kept
    report = stage.report()
    if report.state == "failed":
        hint = "; the results of an earlier run are kept" if kept else ""
        return report.model_copy(update={"detail": report.detail + hint}), kept
    found = _found(stage, info, extractors.settings)
    return report.model_copy(update={"detail": f"{len(found)} found"}), found


def _duration(
    info: VideoInfo, pictures_end: float | None, previous: PreviousResult | None
) -> tuple[float, tuple[str, ...]]:
    """Return the length in seconds, and notes for the user about the file."""
    if previous and pictures_end is None:
        return previous.record.duration, previous.record.notes
    notes = info.notes
    expected = info.video.end if info.video else None
    if info.windows:
        return info.duration, notes
    if pictures_end is not None and expected is not None and expected - pictures_end > _DURATION_TOLERANCE:
        notes += (f"pictures can be decoded up to {pictures_end:.1f} s of {expected:.1f} s: the rest is damaged",)
    return max(info.duration, pictures_end or 0.0), notes


class _AudioPipeline(BackgroundTask):
    """Run the stages that read sound in a background thread: one pass over the sound feeds them all.

    Attributes:
        done_until: The second that all stages have reached.
    """

    def __init__(self, stages: Mapping[Modality, Stage], info: VideoInfo, extractors: Extractors) -> None:
        self.done_until = 0.0
        self._stages, self._info, self._extractors = stages, info, extractors
        super().__init__(self._read_sound)

    def _read_sound(self) -> None:
        results: dict[Modality, list[Any]] = {modality: [] for modality in self._stages}
        try:
            for window in windows_of(self._info):
                self.check()
                for modality, stage in self._stages.items():
                    stage.run(partial(self._processed, modality, window, results[modality]))
                self.done_until = window.start + len(window.samples) / RATE
        except LibraryError:
            raise
        except Exception as error:  # noqa: BLE001 (a decoder may raise anything; the stages of pictures continue)
            for stage in self._stages.values():
                stage.fail(error)
        for modality, stage in self._stages.items():
            stage.run(partial(_assembled, modality, results[modality], stage.source))

    def _processed(self, modality: Modality, window: Window, results: list[Any]) -> Observed:
        """Keep the result for one window until all windows are processed."""
        key = f"{window.start!r}+{len(window.samples)}"
        journal = self._stages[modality].journal
        found = _restored(modality, journal.find(key))
        if found is None:
            found = self._extractors.by_modality[modality].process_window(window, self._progress)
            journal.note(key, found)
        results.append(found)
        return [], None

    def _progress(self, done_until: float) -> None:
        self.done_until = done_until
        self.check()


def _assembled(modality: Modality, results: Sequence[Any], source: str) -> Observed:
    assemble = spec_of(modality).assemble
    assert assemble is not None
    return list(assemble(results, source)), None


def _restored(modality: Modality, entry: Any) -> list[Any] | None:
    """Return the journal's entry of a window; None if it is missing or has another format."""
    try:
        return spec_of(modality).restore(entry)
    except (ValueError, TypeError):
        return None


def _cues(modality: Modality, subtitles: Subtitles, info: VideoInfo, duration: float, notes: list[str]) -> Observed:
    """Return the cues as observations, cut at the end of the video; append notes for the user to `notes`."""
    read = subtitles.read(info)
    notes += read.notes
    cues = observations_of(read.cues, subtitles.source)
    wanted = info.windows or (Span(start=0, end=duration),)
    return [
        _cut(cue.model_copy(update={"modality": modality}), duration)
        for cue in cues
        if any(cue.span.start < window.end and cue.span.end > window.start for window in wanted)
    ], None


def _cut(cue: Observation, duration: float) -> Observation:
    """Cut a cue at the end of the video."""
    if cue.span.end <= duration:
        return cue
    return cue.model_copy(update={"span": Span(start=cue.span.start, end=duration)})
