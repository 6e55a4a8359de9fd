"""Assigns faces to the people of a video: the same face in successive segments is one appearance, over cuts as well."""

from collections.abc import Sequence

import numpy as np

from ....tools.embedding.faces import same_face
from ....tools.embedding.protocol import unit
from ....tools.extractors.speakers import average_link
from ....tools.records import Observation, Span

__all__ = ["FACES", "merge_faces"]

# An appearance goes on over segments in which the face is not found.
_GAP_SECONDS = 2.5

FACES = (1, _GAP_SECONDS)


def merge_faces(observations: Sequence[Observation]) -> list[Observation]:
    """Return the appearances of each person: `Person 1` is seen longest. The longest one has the person's mean vector.

    Args:
        observations: Faces with vectors, segment by segment, in order.
    """
    runs = _runs(observations)
    if not runs:
        return []
    means = unit(np.stack([np.mean([one.vector for one in run], axis=0) for run in runs]))
    groups = average_link(1 - means @ means.T, 1 - same_face(observations[0].source))
    lengths = [run[-1].span.end - run[0].span.start for run in runs]
    groups.sort(key=lambda group: -sum(lengths[row] for row in group))
    found = []
    for number, group in enumerate(groups, start=1):
        vector = unit(means[group].mean(axis=0)).astype(np.float16)
        longest = max(group, key=lambda row: lengths[row])
        for row in group:
            best = max(runs[row], key=lambda one: one.score)
            changes = {
                "text": f"Person {number}",
                "span": Span(start=runs[row][0].span.start, end=max(one.span.end for one in runs[row])),
                "vector": tuple(map(float, vector)) if row == longest else (),
            }
            found.append(best.model_copy(update=changes))
    return sorted(found, key=lambda one: (one.span.start, one.span.end, one.text))


def _runs(observations: Sequence[Observation]) -> list[list[Observation]]:
    """The same face in successive segments; two faces of one segment are two people."""
    runs: list[list[Observation]] = []
    for one in observations:
        vector = np.array(one.vector)
        best, nearest = -1, same_face(one.source)
        for row, run in enumerate(runs):
            last = run[-1]
            if last.span == one.span or one.span.start - last.span.end > _GAP_SECONDS:
                continue
            cosine = float(vector @ np.array(last.vector))
            if cosine >= nearest:
                best, nearest = row, cosine
        if best < 0:
            runs.append([one])
        else:
            runs[best].append(one)
    return runs
