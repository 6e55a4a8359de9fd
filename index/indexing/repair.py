"""Repairs a library: restores what is stored twice, and indexes again each video whose data files are damaged."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...tools.errors import LibraryError, MediaError, PlayheadError
from ...tools.media.frames import probe
from ...tools.records import Span
from ..records import VideoRecord
from ..storage.backend import Damage
from ..storage.identity import FileIdentities
from ..storage.local import LocalStorage
from .build import IndexProgress
from .extractor_set import Extractors
from .jobs import Job, Outcome, extract_and_commit, failure_of

__all__ = ["repair"]


def repair(storage: LocalStorage, extractors: Extractors, progress: IndexProgress) -> Iterator[Outcome]:
    """Repair every damaged file of a library; yield one outcome for each damaged video.

    Intact captions are used again; everything else of a damaged video is extracted again from its media file. A video
    whose media file is not here stays damaged.

    Args:
        storage: The library.
        extractors: The extractors to run.
        progress: Called with the progress of each file.

    Raises:
        LibraryError: The library cannot be read or written.
    """
    damages: dict[str, list[Damage]] = {}
    for damage in storage.verify(deep=True):
        damages.setdefault(damage.video_id, []).append(damage)
    for damage in damages.pop("", []):
        storage.restore(damage)
        yield Outcome(storage.folder / damage.name, "repaired", damage.reason)
    identities = storage.identities()
    for number, (video_id, found) in enumerate(damages.items()):
        if _is_restored(storage, found):
            record = storage.record(video_id)
            path = storage.file_of(record) if record else Path(video_id)
            yield Outcome(path, "repaired", "its record was restored from a copy", record)
            continue
        yield _indexed_again(storage, extractors, (number, len(damages)), video_id, identities, progress)
    identities.save()


def _is_restored(storage: LocalStorage, damages: Sequence[Damage]) -> bool:
    return all(storage.restore(damage) for damage in damages)


def _indexed_again(
    storage: LocalStorage,
    extractors: Extractors,
    position: tuple[int, int],
    video_id: str,
    identities: FileIdentities,
    progress: IndexProgress,
) -> Outcome:
    file = _media_file(storage, video_id, identities)
    if file is None:
        return Outcome(
            storage.videos_folder / video_id,
            "failed",
            "its media file is not here: put it back and run `playhead repair` again, or remove the video",
        )

    def stage_progress(stage: str, done: float, total: float) -> None:
        progress(file, *position, stage, done, total)

    try:
        settings = extractors.settings
        info = probe(file, settings.stream, language=settings.language, audio=settings.audio_stream)
        info = info.model_copy(update={"windows": _windows(storage, video_id)})
        job = Job(file, position[0], video_id, storage.stored_path(file), info, False, is_damaged=True)
    except PlayheadError as error:
        return Outcome(file, "failed", str(error))
    except Exception as error:  # noqa: BLE001 (a demuxer raises anything: the other videos are repaired)
        return Outcome(file, "failed", str(failure_of(file, error)))
    done = extract_and_commit(storage, extractors, job, stage_progress)
    if isinstance(done, VideoRecord):
        return Outcome(file, "indexed", "its stored files were damaged", done)
    return Outcome(file, "failed", str(done))


def _windows(storage: LocalStorage, video_id: str) -> tuple[Span, ...]:
    """The stretches that were indexed, where the record can be read; else the whole video is."""
    try:
        record = storage.record(video_id)
    except LibraryError:
        return ()
    return record.info.windows if record else ()


def _media_file(storage: LocalStorage, video_id: str, identities: FileIdentities) -> Path | None:
    """A file with the content of a video: one that its record names, or that an earlier run read."""
    named: list[Path] = []
    try:
        record = storage.record(video_id)
    except LibraryError:
        record = None
    if record:
        named = [storage.absolute_path(path) for path in record.paths]
    for path in (*named, *identities.paths_of(video_id)):
        try:
            if identities.content_id(path) == video_id:
                return path
        except MediaError:
            continue
    return None
