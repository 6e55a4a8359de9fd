"""Rows of a user's own model, filled from lines, each field with the lines that hold it."""

import json
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, create_model

from playhead import Library, Settings
from playhead.agent.library.titling import store_titles
from playhead.index.indexing.jobs import Outcome
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import QueryError, SettingsError
from playhead.tools.extractors.registry import stage_names

from ..fakes import commit, observation
from ..servers import Scripted, completion, settings_for

SAID = ("Rye bread costs 4 dollars.", "Fish soup costs nine dollars.")
NO_MODELS = {"text_model": "off", "image_model": "off", "offline": True}


class Price(BaseModel):
    item: str
    dollars: int | None = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation(text, 10.0 * n) for n, text in enumerate(SAID)])
    return store.folder


def test_each_field_is_cited(folder: Path, server: Scripted) -> None:
    rows = [
        {"item": "Rye bread", "dollars": 4, "ids": ["E1"]},
        {"item": "Fish soup", "dollars": 8, "ids": ["E2"]},
        {"item": "Beer", "dollars": 3, "ids": ["E9"]},
        {"item": None, "dollars": 3, "ids": ["E1"]},
    ]
    server.say(json.dumps({"rows": rows}))
    library = Library(folder, settings_for(server, **NO_MODELS))
    bread, soup = library.extract("What costs how many dollars?", Price)
    assert (bread.value, bread.unsupported) == (Price(item="Rye bread", dollars=4), ())
    assert [c.start for c in bread.fields["dollars"]] == [0.0]
    assert (soup.value.dollars, soup.unsupported) == (8, ("dollars",))  # the line says nine
    enum = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert json.dumps(["E1", "E2"]) in json.dumps(enum)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("line", "kind", "given", "is_held"),
    [
        ("Rye bread costs 30 euros.", float, 30.0, True),
        ("Rye bread costs 30.50 euros.", float, 30.5, True),
        ("Das Brot kostet 1.200,50 Euro.", Decimal, "1200.5", True),
        ("Rye bread costs nine euros.", float, 9, True),
        ("It is minus 5 degrees.", int, -5, True),
        ("Am 3.5.2026 kam sie an.", int, 2026, True),
        ("Rye bread costs 31 euros.", float, 30.0, False),
        ("Rye bread costs 30.5 euros.", int, 30, False),
        ("Valve B12 is open.", int, 12, False),
        ("The red valve is open.", Colour, "red", True),
        ("The red valve is open.", Colour, "blue", False),
        ("She came on May 3, 2026.", date, "2026-05-03", True),
        ("She came on the third of May 2026.", date, "2026-05-03", True),
        ("Sie kam am 3.5.2026.", date, "2026-05-03", True),
        ("She came on May 4, 2026.", date, "2026-05-03", False),
        ("She came on June 3, 2026.", date, "2026-05-03", False),
        ("She came on May 3, 2026, at 2:30 pm.", datetime, "2026-05-03T14:30:00", True),
        ("She came on May 3, 2026, at 3:30 pm.", datetime, "2026-05-03T14:30:00", False),
        ("Rye bread and soup are sold.", list[str], ["soup", "bread"], True),
        ("Rye bread and soup are sold.", list[str], ["soup", "beer"], False),
        ("They cost 3 and 4 euros.", list[float], [3, 4], True),
    ],
)
def test_a_value_is_held_by_the_line_that_has_it_in_any_form(
    tmp_path: Path, server: Scripted, line: str, kind: Any, given: Any, is_held: bool
) -> None:
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation(line)])
    form = create_model("Row", value=(kind, ...))
    server.say(json.dumps({"rows": [{"value": given, "ids": ["E1"]}]}))
    (row,) = Library(store.folder, settings_for(server, **NO_MODELS)).extract(line, form)
    assert row.unsupported == (() if is_held else ("value",))
    assert [citation.quote for citation in row.fields["value"]] == ([line] if is_held else [])


class Amount(BaseModel):
    dollars: int


class Offer(BaseModel):
    item: str = Field(alias="ware", description="What is sold, without its price")
    price: Amount = Field(alias="preis")
    is_cheap: bool = Field(default=False)


def test_a_form_with_aliases_descriptions_and_nested_models_is_filled(folder: Path, server: Scripted) -> None:
    server.say(json.dumps({"rows": [{"item": "bread", "price": {"dollars": 4}, "is_cheap": True, "ids": ["E1"]}]}))
    (row,) = Library(folder, settings_for(server, **NO_MODELS)).extract("What costs how many dollars?", Offer)
    assert row.value == Offer(ware="bread", preis=Amount(dollars=4), is_cheap=True)
    assert list(row.fields) == ["item"]  # no line writes True
    assert row.unsupported == ()
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    asked = schema["$defs"]["Row"]
    assert asked["properties"]["item"]["description"] == "What is sold, without its price"
    assert asked["required"] == ["item", "price", "is_cheap", "ids"]
    assert schema["properties"]["rows"]["maxItems"] == 20


def test_the_complete_rows_of_an_answer_that_was_cut_off_are_kept(
    folder: Path, server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"item": "Rye bread", "dollars": 4, "ids": ["E1"]}, {"item": "Fish soup", "dollars": 9, "ids": ["E2"]}]
    text = json.dumps({"rows": [*rows, {"item": "Beer", "dollars": 3, "ids": ["E2"]}]})
    server.will(completion(text[: text.index("Beer") + 2], finish_reason="length"))
    found = Library(folder, settings_for(server, **NO_MODELS)).extract("What costs how many dollars?", Price)
    assert [one.value for one in found] == [Price(item="Rye bread", dollars=4), Price(item="Fish soup", dollars=9)]
    assert len(server.requests) == 1
    (said,) = caplog.messages
    assert said.endswith("was cut off: its first 2 rows are kept, the rest is left out. Narrow the request")


def test_an_answer_that_was_cut_off_in_its_first_row_is_asked_for_again(folder: Path, server: Scripted) -> None:
    server.will(completion('{"rows":[{"item":"Rye br', finish_reason="length"))
    server.say(json.dumps({"rows": [{"item": "Rye bread", "dollars": 4, "ids": ["E1"]}]}))
    (row,) = Library(folder, settings_for(server, **NO_MODELS)).extract("What costs how many dollars?", Price)
    assert row.value == Price(item="Rye bread", dollars=4)


def test_rows_that_are_left_out_are_reported(folder: Path, server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"item": "Rye bread", "dollars": 4, "ids": ["E1"]}] * 20 + [{"item": None, "dollars": 3, "ids": ["E1"]}]
    server.say(json.dumps({"rows": rows}))
    found = Library(folder, settings_for(server, **NO_MODELS)).extract("What costs how many dollars?", Price)
    assert [one.value.dollars for one in found] == [4] * 20
    assert caplog.messages == [
        "1 of 21 rows are left out: they cite no line, or do not fit Price",
        "one request returns at most 20 rows: there may be more. Narrow the request",
    ]


def test_what_cannot_be_extracted_says_why(folder: Path, server: Scripted) -> None:
    with pytest.raises(SettingsError, match="playhead model use"):
        Library(folder, Settings(**NO_MODELS)).extract("prices", Price)

    class Bad(BaseModel):
        ids: int

    with pytest.raises(QueryError, match="none called 'ids'"):
        Library(folder, settings_for(server, **NO_MODELS)).extract("prices in dollars", Bad)


def test_a_chapter_gets_a_title_from_its_own_lines(folder: Path, server: Scripted) -> None:
    server.say(json.dumps({"abstract": "Bread and soup have prices.", "title": "Prices\n"}))
    (chapter,) = Library(folder, settings_for(server, **NO_MODELS)).chapters(_video(folder), titles=True)
    assert (chapter.title, chapter.abstract) == ("Prices", "Bread and soup have prices.")
    assert chapter.titled_by.startswith("tiny@")
    read = server.requests[0].body["messages"][-1]["content"][0]["text"]
    assert all(said in read for said in SAID)
    server.answers.clear()
    server.say(json.dumps({"abstract": "Bread costs 77 dollars.", "title": "Prices"}))
    (chapter,) = Library(folder, settings_for(server, **NO_MODELS)).chapters(_video(folder), titles=True)
    assert (chapter.title, chapter.abstract) == ("Prices", "")  # no line says 77
    server.answers.clear()
    server.say(json.dumps({"abstract": "First, the price of one bread is named.", "title": "Prices"}))
    (chapter,) = Library(folder, settings_for(server, **NO_MODELS)).chapters(_video(folder), titles=True)
    assert chapter.abstract == "First, the price of one bread is named."  # states no number
    with pytest.raises(SettingsError, match="playhead model use"):
        Library(folder, Settings(**NO_MODELS)).chapters(_video(folder), titles=True)


def _video(folder: Path) -> str:
    (record,) = Library(folder, Settings(**NO_MODELS)).videos()
    return record.video_id


def test_titles_are_stored_by_indexing_and_not_written_again(folder: Path, server: Scripted) -> None:
    store, video = LocalStorage(folder), _video(folder)
    spoken = tuple(
        StageReport(modality=name, state="done" if name == "speech" else "skipped") for name in stage_names()
    )
    commit(store, [observation(text, 10.0 * n) for n, text in enumerate(SAID)], stages=spoken)
    server.say(json.dumps({"abstract": "Bread and soup have prices.", "title": "Prices — today"}))
    settings = settings_for(server, **NO_MODELS)
    library = Library(folder, settings)

    def run(state: str) -> None:
        outcome = Outcome(Path("talk.mp4"), state, record=library.video(video))
        store_titles(store, library._opened(), library._llm, [outcome], settings, lambda *_: None)

    run("unchanged")
    asked = len(server.requests)
    (chapter,) = library.chapters(video, titles=True)
    assert (chapter.title, chapter.abstract) == ("Prices, today", "Bread and soup have prices.")
    assert chapter.titled_by == library._llm.source
    run("unchanged")
    assert len(server.requests) == asked == 1
    run("indexed")
    assert len(server.requests) == 2
    record, table = store.committed(video)
    (title,) = table.of("caption")
    assert title.source == f"chapter-titles+{library._llm.source}"
    assert [row.text for row in table.of("speech")] == list(SAID)
    assert (record.stage("caption").state, record.stage("caption").detail) == ("done", "1 written")
    assert not [*store.verify(deep=True)]
    (plain,) = Library(folder, Settings(**NO_MODELS)).chapters(video)
    assert plain.title == "Prices, today"


def test_titles_need_a_model_before_anything_is_indexed(tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"no video")
    with pytest.raises(SettingsError, match="chapter_titles needs a language model"):
        Library(tmp_path, Settings(chapter_titles=True, **NO_MODELS)).index(tmp_path)
