"""Judges claims: what the library holds at the claim's time, and whether that shows the claim.

Retrieval and the calibrated reader of `agent.answering` decide. Names, numbers and codes of the claim must be in one
observation; an observation that shows the rest of the claim with another number or code contradicts it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...index.records import Evidence, VideoRecord
from ...index.retrieval.search import Search
from ...tools.errors import LibraryError, ServerError
from ...tools.extractors.registry import cited_as_text, modality_names, participle
from ...tools.llm.protocol import VideoLLM
from ...tools.records import Span, clock
from ...tools.words import names
from ..answering.candidates import Candidate, candidates_of, text_of, with_names
from ..answering.reader import SAME_PLACE_SECONDS, WEAK_SHARE, Reader, holds_exact
from ..composing.compose import verify
from ..question.terms import description_of, phrases_of, places_of, terms_of
from ..records import Citation, Claim, Plan, Term
from .claims import CheckedClaim, ClaimVerdict, StatedClaim
from .rivals import denies, first_name, is_name, rivals_of

__all__ = ["ClaimJudge"]

_DEPTH = 30
# Evidence that a verdict lists.
MOST_EVIDENCE = 3
# Candidates that are compared word by word.
MOST_COMPARED = 12
# Lines around the evidence that a model reads.
_NEIGHBOUR_SECONDS = 6.0


@dataclass(frozen=True)
class _Place:
    """Where a claim is said to be true: some videos, and a stretch of them with `SAME_PLACE_SECONDS` on each side."""

    video_ids: tuple[str, ...] | None
    window: Span | None

    def holds(self, one: Evidence) -> bool:
        inside = self.window is None or one.span.overlap(self.window) > 0
        return inside and (self.video_ids is None or one.video_id in self.video_ids)


@dataclass(frozen=True)
class _Read:
    """A candidate, scored.

    Attributes:
        candidate: The observation.
        whole: The probability that it shows the claim.
        missing: The names, numbers and codes of the claim that it does not hold.
        rest: The probability that it shows the claim without `missing`, whatever other moments show.
        rivals: What it has in their place.
    """

    candidate: Candidate
    whole: float
    missing: tuple[Term, ...] = ()
    rest: float = 0.0
    rivals: tuple[str, ...] = ()

    @property
    def evidence(self) -> Evidence:
        return self.candidate.evidence


@dataclass(frozen=True)
class ClaimJudge:
    """Judges claims against one library.

    Attributes:
        search: The library.
        reader: Scores whether evidence shows a claim.
        threshold: Lowest probability of evidence that shows it.
        find_video: Returns the video that a name means; raises `LibraryError`.
        llm: A language model that confirms the verdicts; None, or a small one, which cannot judge: the reader alone.
        seconds: Most seconds for a verdict of the model.
    """

    search: Search
    reader: Reader
    threshold: float
    find_video: Callable[[str], VideoRecord]
    llm: VideoLLM | None = None
    seconds: float | None = None

    def check(self, stated: StatedClaim) -> CheckedClaim:
        """Return the claim with its verdict and evidence."""
        plan = _plan(stated.claim)
        place, reason = self._place(stated)
        plan, read = self._read(plan, place)
        inside = [] if place is None else [one for one in read if place.holds(one.evidence)]
        there = {one.evidence.evidence_id for one in inside}
        shown = [one for one in read if one.evidence.evidence_id not in there and one.whole >= self.threshold]
        elsewhere = tuple(Citation.of(one.evidence) for one in shown[:MOST_EVIDENCE])
        if place is None:
            return _checked(stated, "out of range", reason, elsewhere=elsewhere)
        inside = [self._compared(plan, one) for one in inside[:MOST_COMPARED]]
        checked = self._judged(stated, inside)
        if checked.verdict == "nothing there" and plan.modalities != modality_names():
            return self._of_another_kind(stated, plan, place).model_copy(update={"elsewhere": elsewhere})
        checked = self._confirmed(checked, inside)
        return checked if checked.verdict == "verified" else checked.model_copy(update={"elsewhere": elsewhere})

    def _place(self, stated: StatedClaim) -> tuple[_Place | None, str]:
        """Return where to look; None, with the reason, if the video does not exist or is shorter."""
        window = None
        if stated.at is not None:
            first = max(0.0, stated.at.start - SAME_PLACE_SECONDS)
            window = Span(start=first, end=stated.at.end + SAME_PLACE_SECONDS)
        if stated.video:
            try:
                videos = [self.find_video(stated.video)]
            except LibraryError:
                return None, f"{stated.video!r} names no video of this library, or several"
        else:
            videos = list(self.search.records.values())
        longest = max(video.duration for video in videos)
        if stated.at is not None and stated.at.start >= longest:
            whose = "the video" if stated.video else "the longest video"
            return None, f"{whose} ends at {clock(longest)}, before {clock(stated.at.start)}"
        return _Place((videos[0].video_id,) if stated.video else None, window), ""

    def _read(self, plan: Plan, place: _Place | None) -> tuple[Plan, list[_Read]]:
        """Retrieve from the claim's place and from the whole library; score everything, best first."""
        found = {one.evidence_id: one for one in self.search.find(plan.query, _DEPTH, plan.modalities)}
        if place is not None and (place.video_ids or place.window):
            near = self.search.find(plan.query, _DEPTH, plan.modalities, place.video_ids, place.window)
            found |= {one.evidence_id: one for one in near}
        plan = with_names(plan, list(found.values()))
        candidates = candidates_of(plan, list(found.values()), self.search)
        scores = self.reader.score(plan, candidates)
        read = [_Read(*each) for each in zip(candidates, scores, strict=True)]
        return plan, sorted(read, key=lambda one: (-one.whole, -one.evidence.score, -one.evidence.similarity))

    def _compared(self, plan: Plan, one: _Read) -> _Read:
        """Compare one candidate with the claim: what is missing, what is there instead, and how well the rest fits."""
        exact = [term for term in plan.terms if term.exact]
        missing = [term for term in exact if not holds_exact(plan.model_copy(update={"terms": (term,)}), one.candidate)]
        rest = plan.model_copy(update={"terms": tuple(term for term in plan.terms if term not in missing)})
        alone = candidates_of(rest, [one.evidence], self.search)
        rivals = rivals_of(missing, exact, text_of(one.candidate.sentence))
        return replace(one, missing=tuple(missing), rest=self.reader.score(rest, alone)[0], rivals=tuple(rivals))

    def _judged(self, stated: StatedClaim, inside: Sequence[_Read]) -> CheckedClaim:
        """Judge the evidence at the claim's place with the reader."""
        against = [one for one in inside if one.rivals and one.rest >= self.threshold]
        rival = max(against, key=lambda one: one.rest, default=None)
        shows = [one for one in inside if one.whole >= self.threshold]
        agrees = bool(shows) and denies(text_of(shows[0].candidate.sentence)) == denies(stated.claim)
        good = shows if agrees else []
        # A line that lacks only a name of the claim holds its numbers: another line contradicts them no better.
        nearly = [one for one in inside if one.missing and all(map(is_name, one.missing))]
        if rival and all(one.rest < rival.rest for one in (*good, *nearly)):
            here, wanted = ", ".join(rival.rivals), ", ".join(term.text for term in rival.missing)
            others = [one for one in against if one is not rival]
            return _checked(stated, "contradicted", f"the line has {here}, and the claim {wanted}", [rival, *others])
        if good:
            return _checked(stated, "verified", "the evidence shows it", good)
        if shows:
            whose = "claim" if denies(stated.claim) else "line"
            return _checked(stated, "weak", f"only the {whose} has a negation: “not”, “nobody”, …", shows)
        near = max(inside, key=lambda one: max(one.whole, one.rest), default=None)
        if near and max(near.whole, near.rest) >= WEAK_SHARE * self.threshold:
            wanted = ", ".join(term.text for term in near.missing)
            reason = (
                f"no line there has {wanted}" if wanted else "the evidence resembles it, and does not show all of it"
            )
            reason += f", this one has {', '.join(near.rivals)}" if near.rivals else ""
            return _checked(stated, "weak", reason, [near])
        return _checked(stated, "nothing there", "nothing that is indexed there shows it")

    def _of_another_kind(self, stated: StatedClaim, plan: Plan, place: _Place) -> CheckedClaim:
        """Judge a claim about what is shown (or said, or written) by evidence of all kinds; at most `weak`."""
        everything = plan.model_copy(update={"modalities": modality_names()})
        everything, read = self._read(everything, place)
        good = [one for one in read if place.holds(one.evidence) and one.whole >= self.threshold]
        if not good:
            return _checked(stated, "nothing there", "nothing that is indexed there shows it")
        claimed = " or ".join(dict.fromkeys(participle(one) for one in plan.modalities))
        found = participle(good[0].evidence.modality)
        return _checked(stated, "weak", f"the claim is about what is {claimed}, and this is {found}", good)

    def _confirmed(self, checked: CheckedClaim, inside: Sequence[_Read]) -> CheckedClaim:
        """Ask the language model about the claim and its lines.

        It can lower a verdict, and raise `weak` to `verified` if the line has all names, numbers and codes. It cannot
        overrule a contradiction by a number or code.
        """
        if self.llm is None or self.llm.capabilities.is_small or checked.verdict not in ("verified", "weak"):
            return checked
        cited = {citation.evidence_id for citation in checked.evidence}
        best = [one for one in inside if one.evidence.evidence_id in cited]
        near = [row for one in best for row in self.search.nearby(one.evidence, _NEIGHBOUR_SECONDS)]
        rows = {row.evidence_id: row for row in (*(one.evidence for one in best), *near)}
        lines = [row for row in rows.values() if row.modality in cited_as_text() and row.text]
        if not lines:
            return checked
        claim = Claim(text=checked.claim, verdict="unverified", citations=checked.evidence)
        try:
            said, _ = verify(self.llm, f"Is it true that {checked.claim}", claim, lines, [], seconds=self.seconds)
        except ServerError as error:
            return checked.model_copy(update={"reason": f"{checked.reason}; no verdict of {self.llm.source}: {error}"})
        verdict: ClaimVerdict = "contradicted" if said == "refuted" else "weak"
        if said == "supported" and not all(one.missing for one in best):
            verdict = "verified"
        reason = f"{self.llm.source} read the lines: {said}"
        return checked.model_copy(update={"verdict": verdict, "judged_by": self.llm.source, "reason": reason})


def _plan(claim: str) -> Plan:
    """The plan of a statement: no form of a question is looked for in it."""
    places = places_of(f" {claim}")
    return Plan(
        question=claim,
        query=description_of(claim) or claim,
        terms=terms_of(claim, places, names(claim) | first_name(claim)),
        phrases=tuple(phrase for about, phrase in phrases_of(claim) if not about),
        modalities=places or modality_names(),
    )


def _checked(
    stated: StatedClaim,
    verdict: ClaimVerdict,
    reason: str,
    read: Sequence[_Read] = (),
    elsewhere: tuple[Citation, ...] = (),
) -> CheckedClaim:
    shown = read[:MOST_EVIDENCE]
    return CheckedClaim(
        claim=stated.claim,
        video=stated.video,
        at=stated.at,
        verdict=verdict,
        probability=max((one.rest if verdict == "contradicted" else one.whole for one in shown), default=0.0),
        reason=reason,
        evidence=tuple(Citation.of(one.evidence) for one in shown),
        elsewhere=elsewhere,
        judged_by="reader",
    )
