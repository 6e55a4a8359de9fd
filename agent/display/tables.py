"""Prints videos, evidence, moments, chapters and answers as tables and lines on a terminal."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from ...tools.extractors.registry import participle, spec_of
from ...tools.records import Span, clean_text, clock
from ..records import CLOSEST_HEADING
from .pictures import cited_picture
from .terminal import indexed_length, linked, names_of, print_drawing, shown_path, table, timeline, when
from .thumbnails import print_thumbnail, shows_pictures, shows_readable_text

if TYPE_CHECKING:
    from ...index.indexing.change_detection import FrameDecision
    from ...index.people.introductions import ProposedName
    from ...index.people.known import Person
    from ...index.records import Evidence, VideoRecord
    from ..answering.summary import Chapter
    from ..checking.claims import CheckedClaim
    from ..doctor import Check
    from ..exporting.bundles import MomentBundle
    from ..library import Library
    from ..looking.moments import Moment
    from ..records import Answer, Citation, Claim

__all__ = [
    "print_answer",
    "print_bundle",
    "print_changes",
    "print_chapters",
    "print_checked",
    "print_checks",
    "print_evidence",
    "print_moments",
    "print_overlaps",
    "print_proposed_names",
    "print_settings",
    "print_speakers",
    "print_trace",
    "print_video",
    "print_videos",
]

# Below this length a timeline says nothing that the times do not.
_SHORT_SECONDS = 30.0
_MOST_PICTURES = 3


def print_evidence(found: "Sequence[Evidence]") -> None:
    """Print one line for each result: when, video, kind, how well it fits, text."""
    names = names_of({evidence.video for evidence in found})
    rows = table(5)
    for one in found:
        times = linked(when(one.start, one.end), one.video, one.start)
        text = Text(f"{one.speaker}: " if one.speaker else "", style="bold").append(Text(one.text, style="not bold"))
        rows.add_row(times, names[one.video], one.called, f"{one.score:.2f}", text)
    print_drawing(rows)


def print_speakers(found: "Sequence[Person]", times: str = "turns") -> None:
    """Print one line for each speaker: number, name, how long, how often, in how many videos, a sample moment."""
    names = names_of({one.video for speaker in found for one in speaker.videos})
    rows = table(6)
    for speaker in found:
        first = speaker.videos[0]
        sample = linked(when(first.sample.start, first.sample.end), first.video, first.sample.start)
        videos = f"{len(speaker.videos)} videos" if len(speaker.videos) > 1 else "1 video"
        turns = sum(one.turns for one in speaker.videos)
        spoken = f"{clock(speaker.seconds)[:-2]} in {turns} {times}"
        rows.add_row(str(speaker.number), Text(speaker.title), spoken, videos, sample, names[first.video])
    print_drawing(rows)


def print_overlaps(found: "Sequence[Evidence]") -> None:
    """Print for how long and how often two people speak at once, with the longest such moment; nothing if they never do."""
    if not found:
        return
    longest = max(found, key=lambda one: one.end - one.start)
    moment = linked(when(longest.start, longest.end), longest.video, longest.start)
    times = "1 time" if len(found) == 1 else f"{len(found)} times"
    spoken = f"two at once for {clock(sum(one.end - one.start for one in found))[:-2]}, {times}; longest"
    print_drawing(Text(f"{spoken} ").append(moment).append(f" {longest.name}"))


def print_proposed_names(found: "Sequence[ProposedName]", place: str) -> None:
    """Print one line for each proposal: speaker, name, how and when it is introduced; then the command that applies one."""
    names = names_of({one.video for one in found})
    rows = table(6)
    for one in found:
        times = linked(when(one.span.start, one.span.end), one.video, one.span.start)
        rows.add_row(
            f"Speaker {one.number}", Text(one.name, style="bold"), one.how, times, Text(one.quote), names[one.video]
        )
    print_drawing(rows)
    first = found[0]
    print_drawing(Text(f"Check them, then: playhead speakers {place} name {first.number} {first.name!r}", style="dim"))


def print_moments(found: "Sequence[Moment]") -> None:
    """Print one line for each moment: when, video, how well it fits, the best evidence in it."""
    names = names_of({moment.video for moment in found})
    rows = table(4)
    for moment in found:
        text = f"confirmed on {moment.frames} frames; " if moment.seen else ""
        text += "; ".join(f"{participle(best.modality)}: {best.text}" for best in moment.evidence[:1])
        times = linked(when(moment.start, moment.end), moment.video, moment.start)
        rows.add_row(times, names[moment.video], f"{moment.score:.2f}", Text(text))
    print_drawing(rows)


def print_answer(answer: "Answer", durations: "dict[str, float] | None" = None, *, pictures: bool = False) -> None:
    """Print the answer: each claim in bold, then its citations with file names and times.

    Args:
        answer: The answer.
        durations: Length in seconds of each video, by id: on a terminal, a timeline is drawn for these.
        pictures: Draw what the first claims cite as shown, where the terminal can show pictures; also what they cite as
            written, where its text can be read in them. A keyframe is drawn once.
    """
    room = _MOST_PICTURES if pictures and shows_pictures() else 0
    drawn: set[str | None] = set()
    if answer.corrections:
        print_drawing(Text(answer.corrected_words, style="dim"))
    if answer.option_text:
        print_drawing(Text(answer.option_text, style="bold"))
    if not answer.claims:
        print_drawing(Text(clean_text(answer.text)))
        if answer.closest:
            print_drawing(Text(CLOSEST_HEADING))
            print_evidence(answer.closest)
    for claim in answer.claims:
        line = Text(claim.text, style="bold")
        line.append(" ")
        line.append_text(_places(claim))
        if claim.doubt:
            line.append(f" ({claim.doubt})", style="yellow")
        print_drawing(line)
        if not room:
            continue
        shown = [one for one in claim.citations if _is_visible(one) and one.keyframe not in drawn]
        if picture := cited_picture(shown):
            print_thumbnail(picture)
            drawn.update(one.keyframe for one in shown)
            room -= 1
    if sys.stdout.isatty():
        _print_timelines(answer, durations or {})


def print_trace(answer: "Answer") -> None:
    """Print on stderr how an answer was found."""
    for step in answer.trace:
        print(f"{step.step}: {step.detail} ({step.seconds:.2f} s)", file=sys.stderr)
    print(f"confidence {answer.confidence:.2f}, {answer.usage.seconds:.2f} s in total", file=sys.stderr)


def print_videos(library: "Library", records: "Sequence[VideoRecord]") -> None:
    """Print one line for each video: length, id, what was extracted, path."""
    rows = table(4)
    for record in records:
        stages = ", ".join(participle(s.modality) for s in record.stages if s.state == "done")
        places = [shown_path(p) if p.exists() else f"{shown_path(p)} (missing)" for p in library.paths_of(record)]
        rows.add_row(indexed_length(record), record.video_id[:12], stages, Text(", ".join(places)))
    print_drawing(rows)


def print_video(library: "Library", record: "VideoRecord", evidence: "Sequence[Evidence]") -> None:
    """Print a video's record, its stages, and all its observations in order of time."""
    info = record.info
    picture = f"{info.video.width}×{info.video.height} {info.video.codec}" if info.video else "no pictures"
    sound = info.audio.codec if info.audio else "no sound"
    print(shown_path(library.paths_of(record)[0]))
    print(f"{indexed_length(record)} · {picture}, {sound} · id {record.video_id} · indexed {record.indexed_at}")
    for other in library.paths_of(record)[1:]:
        print(f"same content: {shown_path(other)}")
    about = record.metadata
    days = dict.fromkeys(filter(None, (about.date, about.recorded)))
    for line in (about.title, " · ".join(filter(None, (about.channel, *days, *about.tags))), about.url):
        if line:
            print(line)
    for note in (*record.notes, *about.notes):
        print(f"note: {clean_text(note)}")
    stages = table(3)
    for stage in record.stages:
        detail = f"{stage.detail}, {stage.source}" if stage.source else stage.detail
        stages.add_row(participle(stage.modality), stage.state, Text(detail))
    print_drawing(stages)
    rows = table(3)
    path = library.path_of(record)
    for one in sorted(evidence, key=lambda e: (e.start, e.end)):
        if one.text:
            rows.add_row(linked(when(one.start, one.end), path, one.start), one.called, Text(one.text))
    print_drawing(rows)


def print_changes(decisions: "Sequence[FrameDecision]") -> None:
    """Print a line for each frame that change detection compared: its changes, their thresholds, and the decision.

    `text` is the largest change of a block of 4×4 pixels against the segment's frame, and its threshold; `picture` the
    largest change of a block of 20×20 pixels; both in levels of 256.
    """
    rows = table(5)
    rows.add_row("seconds", "text", "picture", "", "why")
    for one in decisions:
        text = f"{one.levels:.0f}/{one.threshold:.0f}"
        kept = "kept" if one.kept else "dropped"
        rows.add_row(f"{one.seconds:.3f}", text, str(one.picture_levels), kept, Text(one.reason))
    print_drawing(rows)
    print(f"{len(decisions)} frames compared, {sum(one.kept for one in decisions)} kept")


def print_chapters(
    library: "Library", listed: "Sequence[tuple[VideoRecord, Sequence[Chapter]]]", *, scenes: bool
) -> None:
    """Print a table of contents for each video: when, heading, and the most typical sentence.

    Args:
        library: Where the videos are.
        listed: Each video with its chapters.
        scenes: Print the times of the scenes in each chapter, too.
    """
    for record, chapters in listed:
        path = library.path_of(record)
        print(f"{shown_path(path)} · {indexed_length(record)}")
        if not any(chapter.heading or chapter.quotes for chapter in chapters):
            print(f"no speech, text or description is indexed: `playhead show {shown_path(path)}` names the reason")
        rows = table(2)
        for chapter in chapters:
            stored = [one.quote for one in (chapter.heading, *chapter.quotes[:1]) if one]
            lines = [chapter.title, *filter(None, [chapter.abstract])] if chapter.title else stored
            times = linked(when(chapter.start, chapter.end), path, chapter.start)
            rows.add_row(times, Text(" · ".join(lines)))
            for scene in chapter.scenes if scenes else ():
                rows.add_row("", Text(f"scene {when(scene.start, scene.end)}"))
        print_drawing(rows)


def print_bundle(made: "MomentBundle", saved: Sequence[str]) -> None:
    """Print everything about a stretch of a video.

    Args:
        made: The stretch.
        saved: Paths of its frames.
    """
    name = clean_text(Path(made.video).name)
    head = linked(f"{name} {when(made.start, made.end)}", made.video, made.start, "bold")
    print_drawing(head.append(f" · {made.chapter}" if made.chapter else "", style="not bold"))
    rows = table(3)
    for one in (*made.said, *made.written, *made.detected, *made.described, *made.other):
        if one.text:
            rows.add_row(
                linked(when(one.start, one.end), made.video, one.start), participle(one.modality), Text(one.text)
            )
    print_drawing(rows)
    for frame, path in zip(made.frames, saved, strict=True):
        note = f" ({frame.note})" if frame.note else ""
        print(f"{clock(frame.seconds)} {clean_text(path)} {frame.width}×{frame.height}{note}")


_VERDICT_STYLES = {"verified": "green", "weak": "yellow", "nothing there": "yellow"}


def print_checked(checked: "Sequence[CheckedClaim]") -> None:
    """Print each claim with its verdict and the reason, then its evidence, and where else it is true."""
    for one in checked:
        place = " ".join(filter(None, [clean_text(one.video), clock(one.at.start) if one.at else ""]))
        line = Text(one.verdict, style=_VERDICT_STYLES.get(one.verdict, "red"))
        line.append(f"  {one.claim}", style="bold not dim")
        line.append(f"  ({place})" if place else "", style="not bold dim")
        print_drawing(line)
        print_drawing(Text(f"  {one.reason}"))
        for title, cited in (("", one.evidence), ("elsewhere: ", one.elsewhere)):
            for citation in cited:
                moment = linked(f"{title}{citation.place}", citation.video, citation.start, "cyan")
                print_drawing(Text("  ").append_text(moment).append(f" {citation.quote}"))
    counts = Counter(one.verdict for one in checked)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.most_common()))


def print_settings(rows: Sequence[Mapping[str, object]]) -> None:
    """Print one line for each setting: name, value, where it comes from."""
    drawn = table(3)
    for row in rows:
        value = "" if row["value"] is None else str(row["value"])
        style = "dim" if row["from"] == "default" else ""
        drawn.add_row(Text(str(row["name"])), Text(value, style=style), Text(str(row["from"]), style=style))
    print_drawing(drawn)


def print_checks(checks: "Sequence[Check]") -> None:
    """Print one line for each part that `playhead doctor` checks."""
    rows = table(3)
    for check in checks:
        style = "green" if check.state == "ready" else "yellow"
        rows.add_row(check.part, Text(check.state, style=style), Text(check.detail))
    print_drawing(rows)


def _places(claim: "Claim") -> Text:
    """The cited spans, each a link to its moment."""
    line = Text()
    for number, citation in enumerate(claim.shown_citations):
        line.append(", " if number else "")
        line.append_text(linked(citation.place, citation.video, citation.start, "cyan"))
    more = claim.hidden_places
    return line.append(f", and {more} more") if more else line


def _is_visible(citation: "Citation") -> bool:
    spec = spec_of(citation.modality)
    return spec.asked_as == "shown" or (spec.text_is_visible and shows_readable_text())


def _print_timelines(answer: "Answer", durations: "dict[str, float]") -> None:
    cited: dict[str, list[Span]] = {}
    names: dict[str, str] = {}
    for citation in (one for claim in answer.claims for one in claim.citations):
        cited.setdefault(citation.video_id, []).append(citation.span)
        names[citation.video_id] = clean_text(Path(citation.video).name)
    rows = table(3)
    for video_id, spans in cited.items():
        if (duration := durations.get(video_id, 0.0)) >= _SHORT_SECONDS:
            rows.add_row(names[video_id], Text(timeline(duration, spans), style="cyan"), clock(duration))
    if rows.row_count:
        print_drawing(rows)
