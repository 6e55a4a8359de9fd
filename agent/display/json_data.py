"""Records of a library as data for programs: what `--json` prints and the HTTP API returns."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...index.indexing.jobs import Outcome
    from ...index.records import VideoRecord
    from ...index.storage.url import Pulled
    from ..library import Library
    from ..sources.records import Fetched

__all__ = ["fetched_data", "outcome_data", "pulled_data", "record_data", "video_data"]


def outcome_data(outcome: "Outcome") -> dict[str, Any]:
    """Return the outcome of indexing one file."""
    record = outcome.record
    return {
        "path": str(outcome.path),
        "state": outcome.state,
        "detail": outcome.detail,
        "video_id": record.video_id if record else None,
        "duration": record.duration if record else None,
        "stages": [stage.model_dump() for stage in record.stages] if record else [],
    }


def fetched_data(fetched: "Fetched") -> dict[str, Any]:
    """Return the outcome of fetching one video."""
    return {
        "url": fetched.url,
        "state": fetched.state,
        "title": fetched.title,
        "path": str(fetched.path) if fetched.path else None,
        "detail": fetched.detail,
    }


def pulled_data(pulled: "Pulled") -> dict[str, Any]:
    """Return the outcome of copying one video from another library."""
    record = pulled.record
    return {
        "video_id": pulled.video_id,
        "state": pulled.state,
        "detail": pulled.detail,
        "path": str(pulled.path) if record else None,
        "duration": record.duration if record else None,
    }


def video_data(library: "Library", record: "VideoRecord") -> dict[str, Any]:
    """Return a video of a library."""
    return record_data(record, library.paths_of(record))


def record_data(record: "VideoRecord", paths: Sequence[Path]) -> dict[str, Any]:
    """Return a video whose files have these paths."""
    data = record.model_dump(mode="json", exclude={"info", "commit", "paths"})
    info = record.info.model_dump(mode="json", exclude={"path"})
    return data | {"video": str(paths[0]), "paths": [str(path) for path in paths], "info": info}
