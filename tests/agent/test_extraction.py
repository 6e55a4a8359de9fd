"""Rows of a user's own model, filled from lines, each field with the lines that hold it."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from playhead import Library, Settings
from playhead.agent.library.titling import store_titles
from playhead.index.indexing.jobs import Outcome
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import QueryError, SettingsError
from playhead.tools.extractors.registry import stage_names

from ..fakes import commit, observation
from ..servers import Scripted, settings_for

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
