"""One part of a live recording: a media file that grows, and the committed observations of what was extracted so far.

Each segment is extracted alone, and the part is committed again with it: a commit costs what the part holds, never what the
whole recording holds. While a part grows its file is hidden and its id is made from its path. When it is complete it gets
its name and the id of its content, as any other video.
"""

import json
import math
import os
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ....tools.errors import MediaError
from ....tools.extractors.registry import spec_of, stage_names
from ....tools.media.frames import probe
from ....tools.media.live import LiveSegment
from ....tools.media.metadata.reading import metadata_of
from ....tools.media.metadata.records import Metadata
from ....tools.records import Span, VideoInfo, clock
from ...recordings import resumed_at
from ...records import StageReport, VideoRecord
from ...storage.committed.keyframes import copy_keyframes, move_keyframes
from ...storage.committed.table import ObservationTable, write
from ...storage.files.atomic import write_bytes
from ...storage.identity import content_id
from ...storage.journal import digest
from ...storage.local import LocalStorage
from ..extraction import Extraction, extract, stages_to_run
from ..extractor_set import Extractors
from .rows import Row, continues, shifted, stacked

__all__ = ["Effort", "RecordedPart", "recover_parts"]

# What of a segment is extracted.
Effort = Literal["all", "sound", "nothing"]

# Replaced versions of a growing part are kept this long for readers that have one open.
_GRACE_SECONDS = 30.0
_JOINED_SECONDS = 0.25
_INTERRUPTED = "the recording was interrupted here: `playhead index` extracts the whole part again"


class RecordedPart:
    """A part that grows. One process writes it."""

    def __init__(self, storage: LocalStorage, extractors: Extractors, path: Path, metadata: Metadata) -> None:
        """Begin a part.

        Args:
            storage: The library.
            extractors: The extractors.
            path: Its final path, which ends with `.ts`. Until then the file is hidden beside it.
            metadata: What is known of it.
        """
        self._storage, self._extractors, self._metadata = storage, extractors, metadata
        self.path, self.growing = path, path.with_name(f".{path.name}")
        self.video_id = provisional_id(storage, self.growing)
        self._rows: list[Row] = []
        self._info: VideoInfo | None = None
        self._reports: dict[str, StageReport] = {}
        self._ids = ("", "")
        self._notes: list[str] = []
        self._skipped: set[str] = set()  # modalities of which a stretch was not extracted
        self._end = 0.0
        self._zero: float | None = None  # where the clock of the part's file begins
        self._keyframes = tempfile.TemporaryDirectory(prefix="playhead-live-")

    def add(self, segment: LiveSegment, effort: Effort) -> VideoRecord:
        """Extract a segment, whose bytes are in the file already, and commit the part with it.

        A segment that cannot be extracted is a note; the recording goes on.

        Args:
            segment: The next one.
            effort: What of it is extracted.

        Raises:
            LibraryError: The library cannot be written.
        """
        if segment.note:
            self._note(segment, f"gap: {segment.note}")
            self._metadata = resumed_at(self._metadata, segment.start, segment.began)
        try:
            info = probe(segment.path, self._extractors.settings.stream)
            if effort != "nothing":
                self._extract(segment, info, effort)
            if effort != "all":
                left_out = [one for one in stage_names() if effort == "nothing" or spec_of(one).reads != "sound"]
                self._skipped.update(left_out)
                what = "nothing was extracted" if effort == "nothing" else "pictures were not extracted"
                self._note(segment, f"{what}: this machine could not keep up")
            self._info = self._info or info
        except MediaError as error:
            self._skipped.update(stage_names())
            self._note(segment, str(error))
        self._end = segment.end
        return self._commit(self.video_id, self.growing)

    def finish(self) -> VideoRecord | None:
        """Give the file its name and the part the id of its content; None: nothing was recorded.

        Raises:
            LibraryError: The library cannot be written.
        """
        try:
            if not self._end or not self.growing.exists():
                return None
            os.replace(self.growing, self.path)
            self._metadata = _written_beside(self.path, self._metadata)
            record = self._commit(content_id(self.path), self.path)
            self._storage.remove(self.video_id)
            return record
        finally:
            self._keyframes.cleanup()

    def _extract(self, segment: LiveSegment, info: VideoInfo, effort: Effort) -> None:
        run = stages_to_run(info, self._extractors, None, True)
        if effort == "sound":
            run = {one for one in run if spec_of(one).reads == "sound"}
        self._zero = segment.offset if self._zero is None else self._zero
        offset = max(0.0, segment.offset - self._zero)
        with tempfile.TemporaryDirectory(prefix="playhead-live-") as work:
            result = extract(info, self._extractors, run, None, Path(work), lambda *_: None)
            move_keyframes(Path(work), Path(self._keyframes.name), round(offset * 1000))
        self._take(result, offset, max(offset, segment.end - self._zero))
        self._notes += [note for note in result.notes if note not in self._notes]
        for report in result.reports:
            known = self._reports.get(report.modality)
            if known is None or report.state == "done" or known.state == "skipped":
                seconds = report.seconds + (known.seconds if known else 0.0)
                self._reports[report.modality] = report.model_copy(update={"seconds": round(seconds, 3)})
            if report.state == "failed":
                self._skipped.add(report.modality)
                self._note(segment, f"{report.modality}: {report.detail}")

    def _take(self, result: Extraction, offset: float, end: float) -> None:
        """Add a segment's observations; what the one before it saw until its end continues in it.

        Sound may last longer than the pictures, and holds the last one: pictures end where the next segment begins.
        """
        texts, pictures = iter(result.table.text_vectors), iter(result.table.image_vectors)
        self._ids = (result.text_embedding_id or self._ids[0], result.image_embedding_id or self._ids[1])
        open_rows = [n for n, row in enumerate(self._rows) if offset - row.observation.span.end <= _JOINED_SECONDS]
        for one in result.table.observations:
            until = math.inf if spec_of(one.modality).reads == "sound" else end
            row = Row(shifted(one, offset, until), next(pictures if one.modality == "frame" else texts, None))
            before = next((n for n in open_rows if continues(self._rows[n], row)), None)
            if before is None or row.observation.span.start - offset > _JOINED_SECONDS:
                self._rows.append(row)
                continue
            earlier = self._rows[before]
            span = Span(start=earlier.observation.span.start, end=row.observation.span.end)
            longer = earlier.observation.model_copy(update={"span": span})
            self._rows[before] = replace(earlier, observation=longer)

    def _commit(self, video_id: str, path: Path) -> VideoRecord:
        order = {name: number for number, name in enumerate(stage_names())}
        rows = sorted(self._rows, key=lambda row: (order[row.observation.modality], row.observation.span.start))
        table = ObservationTable(
            [row.observation for row in rows],
            stacked([row.vector for row in rows if row.observation.modality != "frame"]),
            stacked([row.vector for row in rows if row.observation.modality == "frame"]),
        )
        info = self._info or VideoInfo(path=path, format="mpegts", duration=self._end, video=None, audio=None)
        record = VideoRecord(
            video_id=video_id,
            commit=uuid.uuid4().hex,
            paths=(self._storage.stored_path(path),),
            info=info.model_copy(update={"path": path, "duration": self._end}),
            metadata=self._metadata,
            duration=self._end,
            notes=tuple(self._notes),
            stages=tuple(self._report(name, rows) for name in stage_names() if name in self._reports),
            text_embedding_id=self._ids[0] if table.text_vectors.size else "",
            image_embedding_id=self._ids[1] if table.image_vectors.size else "",
            indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with self._storage.staged(video_id, fresh=True) as staged:
            write(staged, table)
            move_keyframes(Path(self._keyframes.name), staged, 0, keep=True)
            committed = self._storage.commit(staged, record)
        self._storage.drop_replaced(video_id, _GRACE_SECONDS)
        return committed

    def _report(self, modality: str, rows: Sequence[Row]) -> StageReport:
        """The report of a stage over all segments; without its fingerprint where a stretch is missing: it runs again."""
        report = self._reports[modality]
        if report.state != "done":
            return report
        count = sum(row.observation.modality == modality for row in rows)
        whole = modality not in self._skipped
        return report.model_copy(
            update={"detail": f"{count} found", "fingerprint": report.fingerprint if whole else ""}
        )

    def _note(self, segment: LiveSegment, text: str) -> None:
        self._notes.append(f"{clock(segment.start)[:-2]}–{clock(segment.end)[:-2]}: {text}")


def provisional_id(storage: LocalStorage, growing: Path) -> str:
    """The id of a part while its file grows."""
    return digest(f"live {storage.stored_path(growing)}")


def recover_parts(storage: LocalStorage, folder: Path) -> list[VideoRecord]:
    """Complete the parts of a folder that a killed process left; the caller makes sure that no process writes them.

    Raises:
        LibraryError: The library cannot be read or written.
    """
    recovered = []
    for growing in sorted(folder.glob(".*.ts")):
        video_id, path = provisional_id(storage, growing), growing.with_name(growing.name[1:])
        before = storage.committed(video_id)
        os.replace(growing, path)
        if before is None:
            continue  # `playhead index` finds the file
        record, table = before
        stages = tuple(one.model_copy(update={"fingerprint": ""}) for one in record.stages)
        new_id = content_id(path)
        changes = {
            "video_id": new_id, "commit": uuid.uuid4().hex, "paths": (storage.stored_path(path),), "stages": stages,
            "metadata": _written_beside(path, record.metadata), "notes": (*record.notes, _INTERRUPTED), "info": record.info.model_copy(update={"path": path}),
        }  # fmt: skip
        with storage.staged(new_id, fresh=True) as staged:
            write(staged, table)
            copy_keyframes(storage.version_folder(record), staged)
            recovered.append(storage.commit(staged, record.model_copy(update=changes)))
        storage.remove(video_id)
    return recovered


def _written_beside(path: Path, metadata: Metadata) -> Metadata:
    """Write the metadata of a part as a sidecar, which later runs of indexing read; return them as those read them."""
    values: dict[str, str | list[str]] = {"title": metadata.title, "date": metadata.date, "recorded": metadata.recorded}
    names = dict.fromkeys(fact.name for fact in metadata.facts)
    values |= {name: [fact.value for fact in metadata.facts if fact.name == name] for name in names}
    write_bytes(path.with_suffix(".json"), json.dumps(values, ensure_ascii=False).encode())
    return metadata_of(path, Metadata(), content_id)
