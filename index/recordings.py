"""Where a part of a live recording lies in the wall clock: written as metadata by the recorder, read for questions."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ..tools.media.metadata.records import MOST_FACTS, Fact, Metadata
from .records import VideoRecord

__all__ = ["PartClock", "part_clock", "part_metadata", "resumed_at"]

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def part_metadata(name: str, number: int, part_start: float, began: float) -> Metadata:
    """The metadata of a part: when it began by the wall clock, and where it lies in the recording.

    Args:
        name: Of the recording.
        number: Of the part, from 0.
        part_start: Its first second in the recording.
        began: When its first second arrived, in seconds since 1970.
    """
    facts = (
        Fact(name="recording", value=name),
        Fact(name="part", value=str(number + 1)),
        Fact(name="stream_start", value=f"{part_start:.3f}"),
    )
    recorded = _written(began)
    return Metadata(title=name, date=recorded[:10], recorded=recorded, facts=facts)


def resumed_at(metadata: Metadata, second: float, arrived: float) -> Metadata:
    """Return the metadata of a part with a gap: at a second of it, the wall clock says `arrived` (seconds since 1970).

    Gaps that are too many for the metadata are not kept.
    """
    resumed = Fact(name="resumed", value=f"{second:.3f} {_written(arrived)}")
    return metadata.model_copy(update={"facts": (*metadata.facts, resumed)[:MOST_FACTS]})


@dataclass(frozen=True)
class PartClock:
    """The wall clock of one part.

    Attributes:
        video_id: The part.
        recording: The name of its recording.
        seconds: Seconds of the part at which a run without a gap begins, the first one 0.
        wall: What the wall clock says at them, in seconds since 1970.
        duration: Of the part, in seconds.
    """

    video_id: str
    recording: str
    seconds: tuple[float, ...]
    wall: tuple[float, ...]
    duration: float

    @property
    def began(self) -> float:
        """The wall clock at its start."""
        return self.wall[0]

    @property
    def ended(self) -> float:
        """The wall clock at its end."""
        return self.wall[-1] + self.duration - self.seconds[-1]

    def second_at(self, wall: float) -> float:
        """The second of the part at a time of the wall clock; in a gap, where the gap lies; outside, the nearest one."""
        run = sum(one <= wall for one in self.wall[1:])
        end = self.seconds[run + 1] if run + 1 < len(self.seconds) else self.duration
        return min(end, self.seconds[run] + max(0.0, wall - self.wall[run]))


def part_clock(record: VideoRecord) -> PartClock | None:
    """Return the wall clock of a part of a live recording; None for any other video."""
    facts = {fact.name: fact.value for fact in record.metadata.facts}
    if "recording" not in facts or "stream_start" not in facts:
        return None
    runs = [f"0 {record.metadata.recorded}"]
    runs += [fact.value for fact in record.metadata.facts if fact.name == "resumed"]
    try:
        parsed = sorted((float(second), _read(wall)) for second, wall in (run.split() for run in runs))
    except ValueError:  # a sidecar that somebody changed
        return None
    seconds, wall = zip(*parsed, strict=True)
    return PartClock(record.video_id, facts["recording"], seconds, wall, record.duration)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORMAT)


def _read(text: str) -> float:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC).timestamp()
