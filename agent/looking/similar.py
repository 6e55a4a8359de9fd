"""Finds moments that look like a picture or like another moment: their keyframes' vectors are compared."""

from collections.abc import Sequence

from pydantic import Field

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.embedding.images import alike_from, compared_by
from ...tools.embedding.protocol import unit
from ...tools.errors import QueryError
from ...tools.records import Pixels, Record, Span, clock
from .moments import Moment

__all__ = ["Similar", "frames_like_moment", "frames_like_picture", "moments_of"]

# Keyframes of one moment that lie closer together than this are one result.
_SAME_MOMENT_SECONDS = 1.0


class Similar(Record):
    """Frames that are similar to a picture or a moment."""

    compared_by: str = Field(description="What similar pictures have in common, in words.")
    frames: tuple[Evidence, ...] = Field(description="`frame` evidence, best first; `similarity` is the cosine.")
    floor: float | None = Field(
        description="Lowest cosine of `frames`; None: this encoder has no measured one, and the last of "
        "`frames` may not be similar."
    )
    nearest: Evidence | None = Field(
        default=None, description="The nearest frame where none is similar; None: some are, or there is no frame."
    )

    @property
    def note(self) -> str:
        """What to know about the results, in words; empty: nothing."""
        if self.floor is None:
            return "this picture encoder has no measured floor: frames are sorted by similarity, and the last ones may not be similar"
        if self.nearest is None:
            return ""
        return (
            f"no picture is near: the nearest is {self.nearest.name} at {clock(self.nearest.start)}, with a cosine of "
            f"{self.nearest.similarity:.2f} (pictures are alike from {self.floor:.2f} on)"
        )


def frames_like_picture(
    pixels: Pixels, search: Search, k: int, video_ids: Sequence[str] | None = None, between: Span | None = None
) -> Similar:
    """Return the frames most similar to a picture.

    Raises:
        QueryError: No encoder of pictures is available.
    """
    embedded = search.embed_picture(pixels)
    if embedded is None:
        raise QueryError("no picture can be compared: no encoder of pictures is available: see `playhead doctor`")
    vector, embedding_id = embedded
    return _similar(search.nearest_frames(vector, embedding_id, k, video_ids, between), embedding_id)


def frames_like_moment(
    video_id: str,
    span: Span,
    search: Search,
    k: int,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
) -> Similar:
    """Return the frames of other moments most similar to a moment: to the mean of its stored keyframes' vectors.

    Neither a model nor the video's file is needed.

    Raises:
        QueryError: No picture of the moment is embedded.
    """
    rows, vectors = search.embedded(video_id, "frame")
    own = [number for number, row in enumerate(rows) if row.span.overlap(span) > 0 and vectors[number].any()]
    if not own:
        raise QueryError(f"no picture is embedded at {span}: set image_model, and run `playhead index` again")
    embedding_id = search.records[video_id].image_embedding_id
    given = {rows[number].evidence_id for number in own}
    found = search.nearest_frames(unit(vectors[own].mean(axis=0)), embedding_id, k + len(given), video_ids, between)
    return _similar([one for one in found if one.evidence_id not in given][:k], embedding_id)


def moments_of(similar: Similar) -> list[Moment]:
    """Join the frames that lie side by side in one video to moments, best first."""
    groups: list[list[Evidence]] = []
    for one in sorted(similar.frames, key=lambda frame: (frame.video_id, frame.start)):
        last = groups[-1][-1] if groups else None
        if last and last.video_id == one.video_id and one.start - last.end <= _SAME_MOMENT_SECONDS:
            groups[-1].append(one)
        else:
            groups.append([one])
    moments = [
        Moment(
            video_id=group[0].video_id,
            video=group[0].video,
            start=group[0].start,
            end=max(one.end for one in group),
            score=max(one.score for one in group),
            evidence=tuple(sorted(group, key=lambda one: -one.similarity)),
        )
        for group in groups
    ]
    return sorted(moments, key=lambda moment: -moment.score)


def _similar(found: Sequence[Evidence], embedding_id: str) -> Similar:
    """Keep the frames that are similar, of frames sorted by their cosine."""
    floor = alike_from(embedding_id)
    frames = tuple(one for one in found if floor is None or one.similarity >= floor)
    return Similar(
        compared_by=compared_by(embedding_id),
        frames=frames,
        floor=floor,
        nearest=found[0] if found and not frames else None,
    )
