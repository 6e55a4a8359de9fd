"""Turns the time limits of a plan into spans in seconds: clock times, the last ten minutes, parts such as the end."""

from ...index.records import Evidence, VideoRecord
from ...index.retrieval.search import Search
from ...tools.extractors.registry import sentences
from ...tools.records import Modality, Span, parse_clock
from ...tools.words import STOP_WORDS, tokens
from ..question.spelling import corrected
from ..question.terms import phrases_of
from ..question.time_expressions import lengths_of, moment_of
from ..records import Correction, Part, Plan, Scope, Term
from .matching import held_terms

__all__ = ["at_second", "corrected_question", "find_in", "is_within", "scopes_of", "with_clock_times"]

# "At the end" means the last tenth of a video, but at least this many seconds.
PART_SHARE, PART_SECONDS = 0.1, 30.0
_SHORTEST = 0.001
# Lines among which one that holds a clock time literally is looked for: it ranks first, because codes are rare.
_LINES = 10


def corrected_question(question: str, search: Search) -> tuple[str, tuple[Correction, ...]]:
    """Return a question with clock times and without typing errors, and each change: first lengths of time, then words."""
    timed, lengths = with_clock_times(question, search)
    text, words = corrected(timed, search)
    return text, (*lengths, *words)


def with_clock_times(question: str, search: Search) -> tuple[str, tuple[Correction, ...]]:
    """Write the lengths of a question that are times of a video as clock times: "after 2 min" → "after 0:02:00".

    A length may also be a part of the answer ("What is added after 10 minutes?"). It is a time if no indexed line holds it
    and a video lasts that long.

    Args:
        question: The question as typed.
        search: The library.

    Returns:
        The question with clock times, and how each length was read.
    """
    found = lengths_of(question)
    longest = max((record.duration for record in search.records.values()), default=0.0)
    quoted = [phrase for _, phrase in phrases_of(question)]
    if not found or min(seconds for *_, seconds in found) >= longest:
        return question, ()
    read = []
    for before, start, end, seconds in reversed(found):
        written = question[start:end]
        term = Term(text=" ".join(tokens(written)), exact=True)
        is_quoted = any(held_terms([term], phrase) for phrase in quoted)
        if is_quoted or any(held_terms([term], one.text) for one in search.find(written, _LINES, sentences())):
            return question, ()
        question = f"{question[:start]}{before}{_written_clock(seconds)}{question[end:]}"
        read.append(Correction(written=written, read=_written_clock(seconds)))
    return question, tuple(read[::-1])


def at_second(plan: Plan, search: Search) -> Plan:
    """Limit a plan to the second that its question names beside other words: "What stands on the slide at 0:12?".

    The clock time may also be a part of the answer ("Which train leaves at 12:30?"). It is a second of the video if no
    indexed line holds it and a video lasts that long. If "what" and its verb are all that is left, all of that second answers.

    Args:
        plan: The question, after its videos are chosen.
        search: The library.
    """
    is_limited = plan.is_moment or plan.between or plan.scopes is not None or plan.part or plan.anchor
    if plan.kind != "needle" or is_limited or not (second := moment_of(plan.question)):
        return plan
    rest, span = second
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    written = next((term.text for term in plan.terms if _clock_time(term.text) == span.start), None)
    if written is None or not any(search.records[one].duration > span.start for one in among):
        return plan
    if any(written in one.matched for one in search.find(written, _LINES, sentences(), plan.video_ids)):
        return plan
    terms = tuple(term for term in plan.terms if term.text != written)
    is_moment = not terms or (len(terms) == 1 and _is_the_verb(terms[0], rest))
    return plan.model_copy(update={"between": span, "is_moment": is_moment, "terms": () if is_moment else terms})


def scopes_of(plan: Plan, search: Search) -> tuple[Scope, ...] | None:
    """Return the span of each video that may contain the answer; None: `plan.between` holds for all videos.

    Args:
        plan: The question; its anchor is ignored.
        search: The library.
    """
    if plan.scopes is not None:
        return plan.scopes
    if not plan.part and not (plan.between and plan.from_end):
        return None
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    found = []
    for video_id in among:
        record = search.records[video_id]
        span = _part(record, plan.part) if plan.part else _from_end(record, plan.between)
        if span is not None:
            found.append(Scope(video_id=video_id, span=span))
    return tuple(found)


def find_in(plan: Plan, search: Search, query: str, k: int, modalities: tuple[Modality, ...]) -> list[Evidence]:
    """Return the best evidence for a query within the spans of the plan, and by its speaker, best first."""
    if not plan.speaker:
        return search.attributed(_found(plan, search, query, k, modalities))
    return search.voices.said_by(plan.speaker, lambda depth: _found(plan, search, query, depth, modalities), k)


def is_within(evidence: Evidence, plan: Plan, search: Search) -> bool:
    """Whether a plan's videos, modalities, spans and speaker allow an observation."""
    if plan.video_ids is not None and evidence.video_id not in plan.video_ids:
        return False
    if evidence.modality not in plan.modalities or (plan.speaker and evidence.speaker != plan.speaker):
        return False
    scopes = scopes_of(plan, search)
    if scopes is None:
        return plan.between is None or evidence.span.overlap(plan.between) > 0
    return any(one.video_id == evidence.video_id and evidence.span.overlap(one.span) > 0 for one in scopes)


def _found(plan: Plan, search: Search, query: str, k: int, modalities: tuple[Modality, ...]) -> list[Evidence]:
    scopes = scopes_of(plan, search)
    if scopes is None:
        return search.find(query, k, modalities, plan.video_ids, plan.between)
    found: list[Evidence] = []
    for scope in scopes:
        found += search.find(query, k, modalities, (scope.video_id,), scope.span)
    return sorted(dict.fromkeys(found), key=lambda e: (-e.score, -e.similarity))[:k]


def _is_the_verb(term: Term, question: str) -> bool:
    """Whether a term is the first word of a "what" question that carries a meaning: "What can you read?"."""
    first, *rest = tokens(question) or [""]
    return first == "what" and not term.exact and next((w for w in rest if w not in STOP_WORDS), None) == term.text


def _clock_time(text: str) -> float | None:
    """The seconds of a text such as `12:30`; None: it is no clock time."""
    try:
        return parse_clock(text) if ":" in text else None
    except ValueError:
        return None


def _written_clock(seconds: float) -> str:
    """A clock time with hours, to the millisecond where it has a fraction: 0:02:00, 0:01:30.5."""
    minutes, rest = divmod(round(seconds, 3), 60)
    fraction = f"{rest % 1:.3f}"[1:].rstrip("0").rstrip(".")
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{int(rest):02d}{fraction}"


def _from_end(record: VideoRecord, between: Span | None) -> Span | None:
    """The span of a video that `between` counts backwards; None: it lies before the start of the video."""
    if between is None or (between.start > 0 and between.start >= record.duration):
        return None
    start = max(0.0, record.duration - between.end)
    return Span(start=start, end=max(record.duration - between.start, start + _SHORTEST))


def _part(record: VideoRecord, part: Part) -> Span:
    length = max(PART_SECONDS, PART_SHARE * record.duration)
    start = {"start": 0.0, "middle": (record.duration - length) / 2, "end": record.duration - length}[part]
    start = max(0.0, start)
    return Span(start=start, end=max(start + _SHORTEST, min(record.duration, start + length)))
