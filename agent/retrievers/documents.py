"""Evidence as a document of any framework: its text, and metadata that names the video and the seconds."""

from typing import Any

from ...index.records import Evidence

__all__ = ["metadata_of"]


def metadata_of(evidence: Evidence) -> dict[str, Any]:
    """Plain values: `evidence_id`, `video`, `name`, `start`, `end` (seconds), `modality`, `score` (0 to 1), `source`."""
    return {
        "evidence_id": evidence.evidence_id,
        "video": evidence.video,
        "name": evidence.name,
        "start": evidence.start,
        "end": evidence.end,
        "modality": evidence.modality,
        "score": evidence.score,
        "source": f"{evidence.name}#t={evidence.start:.3f},{evidence.end:.3f}",
    }
