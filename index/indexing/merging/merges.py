"""The kinds of merging that a modality's specification can name."""

from collections.abc import Callable, Sequence

from ....tools.extractors.registry import spec_of
from ....tools.extractors.specification import Merge
from ....tools.media.frames import frames_between
from ....tools.records import Observation, VideoInfo
from ....tools.settings import Settings
from ..stages import Stage
from .faces import FACES, merge_faces
from .motion import MOTION, motions
from .text_edges import TEXT_EDGES, refine_edges
from .text_lines import LINES, merge_lines
from .tracks import MERGING, merge_detections, merge_same_text, numbers_at_once, track_objects, tracks_of

__all__ = ["MERGES", "MERGE_PARAMETERS", "merged"]

MERGES: dict[Merge, Callable[[Sequence[Observation]], list[Observation]]] = {
    "none": list,
    "lines": merge_lines,
    "same place": merge_detections,
    "track": track_objects,
    "same text": merge_same_text,
    "faces": merge_faces,
}

# Everything that merged observations depend on.
MERGE_PARAMETERS = (*MERGING, *LINES, *TEXT_EDGES, *MOTION, *FACES)


def merged(stage: Stage, info: VideoInfo, settings: Settings) -> list[Observation]:
    """Return the merged observations of a stage; text over moving pictures gets exact start and end times.

    Tracks of objects are followed by what they do (`motion`), and by how many one frame shows (`number`).

    Raises:
        MediaError: The frames around such an edge cannot be read.
    """
    merge = spec_of(stage.modality).merge
    found = merge_lines(stage.observations, stage.moving) if merge == "lines" else MERGES[merge](stage.observations)
    if stage.modality == "object" and found:
        end = info.video.end or info.duration if info.video else info.duration
        found = [*found, *motions(tracks_of(stage.observations), end), *numbers_at_once(stage.observations)]
        return [one.model_copy(update={"vector": ()}) for one in found]  # colours are for tracks alone
    if not stage.moving or info.video is None:
        return found
    index = info.video.index
    return refine_edges(
        found,
        stage.moving,
        settings.sample_seconds,
        lambda start, end: frames_between(info.path, start, end, index),
    )
