"""What a small model reads: sentences and whole slides, of which it first chooses the few that answer the question."""

import json
from collections.abc import Sequence

from playhead.agent.composing.compose import Asked
from playhead.agent.composing.model_input import write_brief
from playhead.agent.composing.reading import moments_to_read
from playhead.agent.composing.selection import selected
from playhead.index.records import Evidence
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import Part, Reply
from playhead.tools.records import Box


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
SALT = said(31, "Salt water has eaten into the old pier.")
EVERYTHING = [*STRIKE, STOPPED, ISLAND, *PIER, SALT]


class Library:
    """Finds what is near among `EVERYTHING`."""

    def nearby(self, evidence: Evidence, seconds: float, modality: str | None = None) -> list[Evidence]:
        return [
            one
            for one in EVERYTHING
            if one is not evidence
            and one.modality == (modality or evidence.modality)
            and one.start < evidence.end + seconds
            and one.end > evidence.start - seconds
        ]


class Model:
    """Names the ids that it was given to name, and keeps what it read."""

    source = "tiny"
    capabilities = Capabilities(context=4096, enforces_schema=True)

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.read = ""

    def ask(self, parts: Sequence[Part], **_: object) -> Reply:
        self.read = "\n".join(map(str, parts))
        return Reply(
            text=json.dumps({"ids": self.ids, "found": True}), prompt_tokens=10, completion_tokens=5, truncated=False
        )


def texts(rows: Sequence[Evidence]) -> list[str]:
    return [row.text for row in rows]


def test_a_slide_is_read_whole_with_what_is_said_about_it() -> None:
    assert texts(moments_to_read([STRIKE[1]], Library(), 10)) == texts([*STRIKE, STOPPED, ISLAND])


def test_a_sentence_is_read_with_its_neighbours_and_the_slide_shown_with_it() -> None:
    assert texts(moments_to_read([SALT], Library(), 10)) == texts([SALT, ISLAND, *PIER])


def test_the_lines_of_a_slide_count_once() -> None:
    assert texts(moments_to_read([PIER[1], STRIKE[0]], Library(), 2)) == texts([*PIER, SALT])


def test_a_slide_is_one_line_with_one_id() -> None:
    brief = write_brief([PIER[1], SALT, PIER[0]], (), slides=True)
    assert brief.parts == (
        'Video "a.mp4":\nE1 30 s written: "Pier · Load: 20 tonnes"\n'
        'E2 31 s said: "Salt water has eaten into the old pier."',
    )
    assert brief.ids == {"E1": tuple(PIER), "E2": (SALT,)}


def test_the_lines_that_a_model_names_are_kept_with_those_next_to_them() -> None:
    model = Model("E2")
    rows, usage = selected(model, Asked("Why did the sailors stop working?"), EVERYTHING)
    assert '"Strike in April · Four days · Reason: night shifts"' in model.read
    assert texts(rows) == texts([STOPPED, *STRIKE, ISLAND])
    assert usage.prompt_tokens == 10


def test_a_third_id_is_ignored() -> None:
    rows, _ = selected(Model("E5", "E4", "E1"), Asked("Who may use the pier?"), EVERYTHING)
    assert texts(rows) == texts([SALT, *PIER])


def test_a_model_that_names_nothing_it_was_given_reads_all_lines() -> None:
    rows, _ = selected(Model("E77"), Asked("Who?"), EVERYTHING)
    assert rows == EVERYTHING
