"""What a small model reads: passages, each a slide with what is said while it is shown, the likeliest to answer first."""

from collections.abc import Sequence

import numpy as np
import pytest

from playhead.agent.composing.compose import Asked, write_sentence
from playhead.agent.composing.model_input import write_brief
from playhead.agent.composing.passages import moments, passages_of
from playhead.agent.question.follow_ups import plan_in_thread
from playhead.agent.records import Plan, Turn
from playhead.index.records import Evidence
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import Part, Reply
from playhead.tools.records import Box, Span


def said(start: float, text: str) -> Evidence:
    return _row("speech", start, start + 2.0, text, None)


def written(start: float, top: float, text: str) -> Evidence:
    return _row("text", start, start + 10.0, text, Box(left=0.1, top=top, right=0.9, bottom=top + 0.05))


def _row(modality: str, start: float, end: float, text: str, box: Box | None) -> Evidence:
    return Evidence(
        evidence_id=f"a-{start}-{text}",
        video_id="a",
        video="/v/a.mp4",
        start=start,
        end=end,
        modality=modality,
        text=text,
        box=box,
        score=1,
        source="x",
    )


STRIKE = [written(20, 0.1, "Strike in April"), written(20, 0.3, "Four days"), written(20, 0.5, "Reason: night shifts")]
STOPPED, ISLAND = said(21, "In April our sailors stopped working."), said(24, "Nobody could reach the island.")
PIER = [written(30, 0.1, "Pier"), written(30, 0.3, "Load: 20 tonnes")]
SALT = said(29.5, "Salt water has eaten into the old pier.")
EVERYTHING = [*STRIKE, STOPPED, ISLAND, *PIER, SALT]


class Library:
    """Finds what is near among some rows. The vector of a text is the count of each of some words."""

    WORDS = ("strike", "sailors", "pier", "salt")

    def __init__(self, rows: Sequence[Evidence] = EVERYTHING, *, has_encoder: bool = True) -> None:
        self.rows, self.has_encoder = rows, has_encoder

    def nearby(self, evidence: Evidence, seconds: float, modality: str | None = None) -> list[Evidence]:
        return [
            one
            for one in self.rows
            if one is not evidence
            and one.modality == (modality or evidence.modality)
            and one.start < evidence.end + seconds
            and one.end > evidence.start - seconds
        ]

    def embed(self, some: Sequence[str]) -> np.ndarray | None:
        if not self.has_encoder:
            return None
        counts = np.array([[text.casefold().count(word) for word in self.WORDS] for text in some], np.float32)
        return counts / np.maximum(1e-6, np.linalg.norm(counts, axis=1, keepdims=True))


class Model:
    """Writes one text, and keeps what it read."""

    source = "tiny"

    def __init__(self, text: str, *, truncated: bool = False, **can: object) -> None:
        self.text, self.read, self.told, self.most = text, "", "", 0
        self.truncated = truncated
        self.capabilities = Capabilities(context=4096, **can)

    def ask(self, parts: Sequence[Part], *, instructions: str, max_tokens: int, **_: object) -> Reply:
        self.read, self.most, self.told = "\n".join(map(str, parts)), max_tokens, instructions
        return Reply(text=self.text, prompt_tokens=10, completion_tokens=5, truncated=self.truncated)


def plan(question: str) -> Plan:
    return plan_in_thread(question, [], None, None, ())


def texts(rows: Sequence[Evidence]) -> list[str]:
    return [row.text for row in rows]


def test_a_slide_is_read_whole_with_what_is_said_while_it_is_shown() -> None:
    (passage,) = passages_of(plan("Why the strike?"), [STRIKE[1]], Library())
    assert texts(passage) == texts([*STRIKE, STOPPED, ISLAND])


def test_a_sentence_belongs_to_the_slide_that_is_shown_in_its_middle() -> None:
    (passage,) = passages_of(plan("What happened to the pier?"), [SALT], Library())
    assert texts(passage) == texts([SALT, *PIER])


def test_a_line_of_an_earlier_passage_has_no_passage_of_its_own() -> None:
    found = passages_of(plan("Why the strike?"), [STRIKE[1], ISLAND, STRIKE[0], SALT], Library())
    assert [texts(passage) for passage in found] == [texts([*STRIKE, STOPPED, ISLAND]), texts([SALT, *PIER])]


@pytest.mark.parametrize("has_encoder", [True, False])
def test_the_passage_that_resembles_the_question_comes_first(has_encoder: bool) -> None:
    found = passages_of(plan("Is there salt in the pier?"), [STOPPED, SALT], Library(has_encoder=has_encoder))
    assert [passage[0].start for passage in found] == ([29.5, 20] if has_encoder else [20, 29.5])


def test_the_passages_of_a_moment_keep_their_order() -> None:
    asked = plan("What is said at 0:21?")
    assert asked.is_moment
    found = passages_of(asked, [STOPPED, SALT], Library())
    assert [passage[0].start for passage in found] == [20, 29.5]


def test_sentences_without_a_slide_are_read_with_those_around_them() -> None:
    spoken = [said(10.0 * number, f"Sentence {number}.") for number in range(9)]
    (passage,) = passages_of(plan("What is sentence 4?"), [spoken[4]], Library(spoken))
    assert texts(passage) == [f"Sentence {number}." for number in range(1, 8)]


def test_of_a_dense_screen_the_lines_around_the_found_one_are_read() -> None:
    screen = [written(5, 0.02 * number, f"line {number}") for number in range(40)]
    (passage,) = passages_of(plan("What is line 20?"), [screen[20]], Library(screen))
    assert texts(passage) == [f"line {number}" for number in range(16, 24)]


def test_the_lines_of_a_slide_count_once() -> None:
    assert texts(moments([[*PIER, SALT], [*STRIKE, STOPPED]], 2)) == texts([*PIER, SALT])


def test_a_slide_is_one_line_with_one_id() -> None:
    brief = write_brief([PIER[1], SALT, PIER[0]], (), slides=True)
    assert brief.parts == (
        'Video "a.mp4":\nE1 30 s said: "Salt water has eaten into the old pier."\n'
        'E2 30 s written: "Pier · Load: 20 tonnes"',
    )
    assert brief.ids == {"E1": (SALT,), "E2": tuple(PIER)}


def test_a_sentence_cites_its_passage() -> None:
    model = Model(" Because of the\nnight shifts. ")
    draft = write_sentence(model, Asked("Why did the sailors stop working?"), [*STRIKE, STOPPED])
    assert '"Strike in April · Four days · Reason: night shifts"' in model.read
    (claim,) = draft.claims
    assert (claim.text, claim.verdict) == ("Because of the night shifts.", "unverified")
    assert [one.evidence_id for one in claim.citations] == [one.evidence_id for one in (*STRIKE, STOPPED)]
    assert (draft.usage.prompt_tokens, draft.usage.requests, model.most) == (10, 1, 80)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The bridge was closed because it was not", []),
        ("It was closed in May. The bridge was closed because it was not", ["It was closed in May."]),
        ("It grew by 1.5", []),
        ("桥关闭了。因为它不", ["桥关闭了。"]),
        ("It was closed.", ["It was closed."]),
    ],
)
def test_a_sentence_that_the_token_limit_cut_is_no_claim(said: str, kept: list[str]) -> None:
    draft = write_sentence(Model(said, truncated=True), Asked("Why was the bridge closed?"), STRIKE)
    assert ([claim.text for claim in draft.claims], draft.is_found) == (kept, bool(kept))


def test_a_long_answer_ends_with_its_last_full_sentence() -> None:
    sentence = f"It was closed {'again and ' * 20}again."  # 219 letters
    draft = write_sentence(Model(" ".join([sentence] * 3)), Asked("Why?"), STRIKE)
    assert [claim.text for claim in draft.claims] == [f"{sentence} {sentence}"]


def test_a_model_that_thinks_has_room_for_it_and_its_thoughts_are_not_the_answer() -> None:
    model = Model("<think>Which shifts?</think>The night shifts.", reasons=True)
    words: list[str] = []
    draft = write_sentence(model, Asked("Which shifts?"), STRIKE, on_text=words.append)
    assert [claim.text for claim in draft.claims] == ["The night shifts."]
    assert (model.most, words) == (320, [])


def test_of_a_follow_up_the_earlier_question_is_read_too() -> None:
    model = Model("At the pier.")
    write_sentence(model, Asked("Where?"), [SALT])
    assert "Earlier" not in model.told + model.read
    asked = "What did the salt eat?"
    turn = Turn(question=asked, status="answered", text="The pier.", citations=(), plan=plan(asked))
    write_sentence(model, Asked("Where?", [turn]), [SALT])
    assert "Earlier questions and their answers" in model.told
    assert 'Earlier question: "What did the salt eat?"' in model.read


def test_no_line_outside_of_the_asked_stretch_is_in_a_passage() -> None:
    asked = plan("Why the strike?").model_copy(update={"between": Span(start=23, end=40)})
    (passage,) = passages_of(asked, [ISLAND], Library())
    assert texts(passage) == texts([*STRIKE, ISLAND])  # the slide is still shown; the sentence before has ended
    asked = asked.model_copy(update={"between": Span(start=31, end=40)})
    (passage,) = passages_of(asked, [SALT], Library())
    assert texts(passage) == texts([SALT, *PIER])
