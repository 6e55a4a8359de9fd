"""Requests that are longer than a model's context: what is left out of them, and how they are sent again."""

import json
from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from playhead.agent.composing.compose import Asked, gather, verify, write_sentence
from playhead.agent.composing.drafts import ids_type
from playhead.agent.composing.weighing import yes_log_odds
from playhead.agent.records import Citation, Claim
from playhead.index.records import Evidence
from playhead.tools.errors import RequestTooLongError
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import Part, Reply

from ..fakes import spoken_line


class Model:
    """Refuses requests of more tokens than it has, of which its server may say nothing; keeps what it read."""

    source = "tiny"

    def __init__(self, text: str, context: int, *, says_so: bool = True) -> None:
        self.text, self.context, self.read = text, context, []
        self.capabilities = Capabilities(context=context if says_so else None, sees_pictures=False)

    def ask(self, parts: Sequence[Part], *, instructions: str, max_tokens: int, **_: object) -> Reply:
        self.read.append("\n".join(map(str, parts)))
        needed = sum(map(self.capabilities.tokens_of, (instructions, self.read[-1]))) + max_tokens
        if needed > self.context:
            raise RequestTooLongError(f"{needed} of {self.context} tokens")
        return Reply(text=self.text, prompt_tokens=10, completion_tokens=1, truncated=False, log_odds=1.5)


def said(number: int, words: int = 100, video: str = "a") -> Evidence:
    return spoken_line(number, words, video)


def note(number: int, video: str) -> Claim:
    row = said(number, video=video)
    text = f"note {number} on {video} " + "budget " * 80
    return Claim(text=text, verdict="unverified", citations=(Citation.of(row),))


# Four chapters of one video, eight of another, and two of a third; each note takes some 200 tokens.
NOTES = [note(number, video) for video, count in (("a", 4), ("b", 8), ("c", 2)) for number in range(count)]
GATHERED = '{"found": true, "claims": [{"answer": "It is about money.", "ids": ["N5"]}]}'


def kept_notes(read: str) -> list[str]:
    """The notes in a request, as `b3`."""
    found = []
    for line in read.splitlines():
        if line.startswith("N"):
            _, number, _, video, *_ = line[line.index('"note ') + 1 :].split()
            found.append(f"{video}{number}")
    return found


def test_all_notes_that_fit_are_read() -> None:
    model = Model(GATHERED, 8192)
    draft = gather(model, Asked("What is it about?"), NOTES)
    assert kept_notes(model.read[0]) == [f"{v}{n}" for v, count in (("a", 4), ("b", 8), ("c", 2)) for n in range(count)]
    assert model.read[0].startswith('N1 [00:00:00–00:00:01] in "a.mp4": "note 0 on a budget')
    assert draft.left_out == 0
    assert [one.evidence_id for one in draft.claims[0].citations] == ["b-0"]


@pytest.mark.parametrize("ids", [[2, 6], ["2", "6"], ["N2, N6"], "n2 n6"])
def test_ids_of_notes_are_read_in_each_form(ids: object) -> None:
    said = json.dumps({"found": True, "claims": [{"answer": "It is about money.", "ids": ids}]})
    draft = gather(Model(said, 8192), Asked("What is it about?"), NOTES)
    assert [one.evidence_id for claim in draft.claims for one in claim.citations] == ["a-1", "b-1"]


@pytest.mark.parametrize(("ids", "letter"), [(("F1", "E1", "E2"), "E"), (("F1", "F2"), "F"), (("N1",), "N")])
def test_a_bare_number_is_the_id_of_a_line_where_there_are_lines(ids: tuple[str, ...], letter: str) -> None:
    assert TypeAdapter(ids_type(ids)).validate_python([2, "1"]) == [f"{letter}2", f"{letter}1"]


@pytest.mark.parametrize(("context", "kept"), [(4096, (4, 7, 2)), (3000, (3, 3, 2))])
def test_of_more_notes_than_fit_the_last_ones_of_the_longest_videos_are_left_out(
    context: int, kept: tuple[int, int, int]
) -> None:
    model = Model(GATHERED, context)
    draft = gather(model, Asked("What is it about?"), NOTES)
    (read,) = model.read
    expected = [f"{video}{number}" for video, count in zip("abc", kept, strict=True) for number in range(count)]
    assert kept_notes(read) == expected
    assert draft.left_out == 14 - sum(kept)
    fifth = f"{expected[4][0]}-{expected[4][1]}"
    assert [one.evidence_id for one in draft.claims[0].citations] == [fifth]  # of those that were read


def test_notes_that_the_server_calls_too_long_are_sent_again_in_part() -> None:
    model = Model(GATHERED, 8000, says_so=False)
    draft = gather(model, Asked("What is it about?"), NOTES * 6)
    lengths = [len(kept_notes(read)) for read in model.read]
    assert lengths == [73, 49, 32]
    assert draft.left_out == 84 - 32
    with pytest.raises(RequestTooLongError):
        gather(Model(GATHERED, 500), Asked("What is it about?"), NOTES)


def test_lines_that_fit_are_weighed_as_they_are() -> None:
    model = Model("Yes", 4096)
    rows = [said(2), said(0), said(1, words=200)]  # the last one has more than 700 letters
    assert yes_log_odds(model, "Did it grow?", rows)[0] == 1.5
    lines = "\n".join(f'"{one.text}"' for one in (rows[1], rows[2], rows[0]))
    expected = f'Lines:\n{lines}\nQuestion: "Did it grow?"\nDo the lines answer the question? Write yes or no.'
    assert model.read == [expected]


@pytest.mark.parametrize("says_so", [True, False])
def test_of_lines_that_do_not_fit_the_best_are_weighed(says_so: bool) -> None:
    model = Model("Yes", 6000, says_so=says_so)
    rows = [said(number, words=800) for number in (3, 1, 0, 2, *range(4, 90))]
    odds, usage = yes_log_odds(model, "Did it grow?", rows)
    assert (odds, usage.requests) == (1.5, 1)
    assert [read.count('"line ') for read in model.read] == ([24] if says_so else [66, 44, 29, 19])
    read = model.read[-1]
    assert '"line 1 budget' in read
    assert read.index('"line 1 budget') < read.index('"line 3 budget')


def test_a_sentence_and_a_verdict_are_asked_for_again_from_fewer_lines() -> None:
    rows = [said(number) for number in range(90)]
    model = Model("It grew.", 6000, says_so=False)
    draft = write_sentence(model, Asked("Did it grow?"), rows)
    assert draft.rows == tuple(rows[: len(draft.rows)])
    assert (len(draft.rows), len(model.read)) == (19, 4)
    judge = Model('{"verdict": "supported"}', 6000, says_so=False)
    verdict, _ = verify(judge, "Did it grow?", draft.claims[0], rows, ())
    assert verdict == "supported"
    assert [read.count('"line ') for read in judge.read] == [read.count('"line ') for read in model.read]
