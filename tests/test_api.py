"""The SDK from the first call to the last: read it as a tutorial.

The videos are a few seconds long and have subtitles, which are indexed as what was said, so no model
is needed. `test_demo.py` asks about a real voice, real slides and real photographs.
"""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead import Answer, Evidence, Library, Settings
from playhead.agent.cli.main import app
from playhead.agent.serving.service import LibraryService
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import AmbiguousNameError, LibraryError, MediaError, PlayheadError, QueryError
from playhead.tools.records import Span

SAID = {
    "traffic.mp4": [(0.5, 2.0, "The red car stops at the bridge."), (2.5, 4.0, "Nobody is hurt.")],
    "budget.mp4": [(1.0, 3.0, "The budget for travel grew by twelve percent.")],
}

pytestmark = pytest.mark.usefixtures("no_models")


@pytest.fixture
def talks(tmp_path: Path, write_talk) -> Path:
    """A folder with two videos."""
    for name, said in SAID.items():
        write_talk(tmp_path / "talks" / name, said)
    return tmp_path / "talks"


@pytest.fixture
def library(talks: Path) -> Library:
    """Their library."""
    library = Library(talks / ".playhead")
    library.index(talks)
    return library


def states_of(outcomes) -> list[tuple[str, str]]:
    return [(outcome.path.name, outcome.state) for outcome in outcomes]


def test_index_a_folder_then_search_and_ask(talks):
    library = Library(talks / ".playhead")
    assert states_of(library.index(talks)) == [("budget.mp4", "indexed"), ("traffic.mp4", "indexed")]

    first, *_ = library.search("red car")
    assert isinstance(first, Evidence)
    assert (first.text, first.modality) == ("The red car stops at the bridge.", "speech")
    assert (first.video, first.start, first.end) == (str(talks / "traffic.mp4"), 0.5, 2.0)

    answer = library.ask("What does the speaker say about the budget?")
    assert isinstance(answer, Answer)
    assert str(answer) == "The budget for travel grew by twelve percent. [00:00:01–00:00:03] budget.mp4, said"


def test_an_answer_holds_its_claims_and_each_claim_what_it_rests_on(library, talks):
    answer = library.ask("What happens to the red car?")
    assert (answer.status, answer.question) == ("answered", "What happens to the red car?")
    assert 0 < answer.confidence <= 1
    (claim,) = answer.claims
    assert (claim.text, claim.verdict) == ("The red car stops at the bridge.", "verbatim")
    (citation,) = claim.citations
    assert citation.span == Span(start=0.5, end=2.0)
    assert (citation.video, citation.modality) == (str(talks / "traffic.mp4"), "speech")
    assert citation.quote == "The red car stops at the bridge."
    (stored,) = [one for one in library.search("red car") if one.evidence_id == citation.evidence_id]
    assert stored.text == citation.quote
    assert [step.step for step in answer.trace][:2] == ["plan", "retrieve"]
    assert answer.settings_fingerprint == Settings().fingerprint()


def test_what_is_nowhere_is_not_answered(library):
    answer = library.ask("What does the speaker say about penguins?")
    assert (answer.status, answer.claims, answer.confidence) == ("insufficient", (), 0.0)
    assert "penguins" in answer.text


def test_a_quoted_phrase_alone_is_answered_by_the_lines_that_hold_it(library):
    answer = library.ask('Where does she say "is hurt"?')
    assert (answer.status, answer.confidence) == ("answered", 1.0)
    assert [claim.text for claim in answer.claims] == ["Nobody is hurt."]
    assert library.ask('Where does she say "was hurt"?').status == "insufficient"


def test_each_step_of_an_answer_is_yielded_as_it_happens(library):
    *steps, last = library.stream("What happens to the red car?")
    assert [step.kind for step in steps] == ["plan", "evidence", "draft", "verdict"]
    assert steps[1].evidence[0].text == "The red car stops at the bridge."
    assert last.answer.text == library.ask("What happens to the red car?").text


def test_a_question_may_follow_others_in_a_thread(library, talks):
    library.ask("What does the speaker say about the budget?", thread_id="monday")
    answer = library.ask("And when does she say that?", thread_id="monday")
    assert str(answer) == "The budget for travel grew by twelve percent. [00:00:01–00:00:03] budget.mp4, said"
    first, second = Library(talks / ".playhead").thread("monday")
    assert (first.question, second.question) == (
        "What does the speaker say about the budget?",
        "And when does she say that?",
    )
    assert second.citations[0].span == Span(start=1, end=3)
    assert library.resume("monday").claims == answer.claims  # nothing was interrupted: the answer again


def test_a_question_is_text_only(library):
    answer = library.ask("What happens to the \ud800red\x1b[2J car?\u202e")
    assert answer.question == "What happens to the red [2J car?"
    assert Answer.model_validate_json(answer.model_dump_json()) == answer
    assert [one.text for one in library.search("red car \ud800")] == ["The red car stops at the bridge."]


def test_search_takes_filters(library, talks):
    assert [one.text for one in library.search("the", k=1)] == [library.search("the")[0].text]
    assert library.search("red car", modalities=["object", "caption"]) == []
    assert library.search("red car", modalities="speech")[0].start == 0.5
    assert library.search("red car", videos=talks / "budget.mp4") == []
    assert library.search("red car", videos=["traffic.mp4"])[0].start == 0.5
    assert library.search("red car", between=(2.1, 5)) == []
    assert library.search("red car", between=Span(start=1.9, end=5))[0].start == 0.5
    assert library.ask("What is said about the red car?", videos="budget.mp4").status == "insufficient"
    assert library.ask("What is said about the red car?", between=(2.1, 5)).status == "insufficient"


def test_videos_and_what_was_observed_in_one(library, talks):
    assert [library.path_of(record).name for record in library.videos()] == ["budget.mp4", "traffic.mp4"]
    record, evidence = library.observed(talks / "traffic.mp4")
    assert (record.info.video.codec, record.info.audio) == ("h264", None)
    assert [(one.start, one.end, one.text) for one in evidence] == SAID["traffic.mp4"]
    assert library.observed(record.video_id)[0] == library.observed("traffic.mp4")[0] == record
    assert library.videos("traffic.mp4") == [record]
    states = {stage.modality: stage.state for stage in record.stages}
    assert states == {
        "speech": "done",
        "speaker": "skipped",
        "overlap": "skipped",
        "sounds": "skipped",
        "action": "skipped",
        "person": "skipped",
        "text": "skipped",
        "object": "skipped",
        "caption": "skipped",
        "frame": "skipped",
    }


def test_one_video_is_read_without_the_others(library, talks, monkeypatch):
    traffic = library.videos("traffic.mp4")[0]
    read = []
    current = LocalStorage._current
    monkeypatch.setattr(LocalStorage, "_current", lambda self, one: [read.append(one), current(self, one)][1])
    for name in (traffic.video_id, traffic.video_id[:8], "traffic.mp4", talks / "traffic.mp4"):
        record, evidence = Library(talks).observed(name, modalities="said", between=(2.2, 3))
        assert record == traffic
        assert [one.text for one in evidence] == ["Nobody is hurt."]
        assert Library(talks).videos(name) == [traffic]
    assert set(read) == {traffic.video_id}


def test_remove_takes_a_video_out_and_leaves_its_file(library, talks):
    library.remove(talks / "traffic.mp4")
    assert [library.path_of(record).name for record in library.videos()] == ["budget.mp4"]
    assert library.search("red car") == []
    assert (talks / "traffic.mp4").exists()
    assert states_of(library.index(talks)) == [("budget.mp4", "unchanged"), ("traffic.mp4", "indexed")]


def test_indexing_again_does_only_what_is_new(library, talks, write_talk):
    assert states_of(library.index(talks)) == [("budget.mp4", "unchanged"), ("traffic.mp4", "unchanged")]
    write_talk(talks / "later" / "new.mp4", [(1, 2, "A helicopter lands.")])
    assert states_of(library.index(talks)) == [
        ("budget.mp4", "unchanged"),
        ("traffic.mp4", "unchanged"),
        ("new.mp4", "indexed"),
    ]
    assert library.search("helicopter")[0].video == str(talks / "later" / "new.mp4")
    assert [outcome.state for outcome in library.index(talks, force=True)] == ["indexed"] * 3


def test_a_changed_video_replaces_what_it_was(library, talks, write_talk):
    write_talk(talks / "traffic.mp4", [(1, 2, "A green tram passes.")])
    assert states_of(library.index(talks)) == [("budget.mp4", "unchanged"), ("traffic.mp4", "indexed")]
    assert len(library.videos()) == 2
    assert library.search("red car") == []
    assert library.search("green tram")[0].video == str(talks / "traffic.mp4")


def test_changed_subtitles_are_read_again(library, talks):
    before = library.observed("traffic.mp4")[0]
    (talks / "traffic.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nA green tram passes.\n")
    assert states_of(library.index(talks)) == [("budget.mp4", "unchanged"), ("traffic.mp4", "indexed")]
    record, evidence = library.observed("traffic.mp4")
    assert record.video_id == before.video_id
    assert [one.text for one in evidence] == ["A green tram passes."]


def test_a_moved_video_is_the_same_video(library, talks):
    before = library.search("red car")[0]
    (talks / "archive").mkdir()
    for suffix in (".mp4", ".vtt"):
        (talks / "traffic").with_suffix(suffix).rename((talks / "archive" / "old").with_suffix(suffix))
    assert ("old.mp4", "unchanged") in states_of(library.index(talks))
    after = library.search("red car")[0]
    assert after.evidence_id == before.evidence_id
    assert after.video == str(talks / "archive" / "old.mp4")


def test_a_deleted_video_is_removed_from_the_library(library, talks):
    (talks / "traffic.mp4").unlink()
    assert states_of(library.index(talks)) == [("budget.mp4", "unchanged"), ("traffic.mp4", "removed")]
    assert [library.path_of(record).name for record in library.videos()] == ["budget.mp4"]


def test_a_folder_of_videos_moves_with_its_library(library, talks, tmp_path):
    shutil.move(talks, tmp_path / "elsewhere")
    moved = Library(tmp_path / "elsewhere" / ".playhead")
    assert moved.search("red car")[0].video == str(tmp_path / "elsewhere" / "traffic.mp4")


def test_a_library_may_be_anywhere_and_hold_videos_from_everywhere(talks, tmp_path, write_talk):
    other = write_talk(tmp_path / "other" / "traffic.mp4", [(1, 2, "A green tram passes.")])
    library = Library(tmp_path / "library")
    library.index([talks / "traffic.mp4", other])
    assert {one.video for one in library.search("car tram")} == {str(talks / "traffic.mp4"), str(other)}
    with pytest.raises(LibraryError, match=r"'traffic\.mp4' names 2 videos of this library") as caught:
        library.observed("traffic.mp4")
    assert "exactly one is needed: give its path or id" in str(caught.value)
    assert str(talks / "traffic.mp4") in str(caught.value)
    assert str(other) in str(caught.value)
    assert library.observed(other)[1][0].text == "A green tram passes."


def test_a_name_may_lack_its_extension(library, talks, tmp_path, monkeypatch):
    for name in ("traffic", str(talks / "traffic")):
        assert library.video(name).paths == ("traffic.mp4",)
    assert {one.name for one in library.search("red car", videos="traffic")} == {"traffic.mp4"}
    assert library.video("traffic.mp4") == library.video("traffic")
    with pytest.raises(LibraryError, match="'traff' names no videos"):
        library.video("traff")
    monkeypatch.chdir(talks.parent)
    assert "red car" in CliRunner().invoke(app, ["show", "traffic"]).stdout


def test_a_name_without_extension_of_two_videos_lists_both(talks, tmp_path, write_talk):
    write_talk(tmp_path / "talk.mp4", [(1, 2, "A red car passes.")])
    (tmp_path / "talk.mkv").write_bytes((talks / "traffic.mp4").read_bytes())
    with Library(tmp_path / "library") as library:
        library.index([tmp_path / "talk.mp4", tmp_path / "talk.mkv"])
        for call in (library.video, lambda name: library.search("red", videos=name)):
            with pytest.raises(AmbiguousNameError, match=r"'talk' names 2 videos.* give its path or id") as caught:
                call("talk")
            assert str(tmp_path / "talk.mp4") in str(caught.value)
            assert str(tmp_path / "talk.mkv") in str(caught.value)
        with pytest.raises(
            QueryError, match=r"'talk' names several videos, give the id of one: talk\.mkv \("
        ) as caught:
            LibraryService(library).record("talk")
        assert str(tmp_path) not in str(caught.value)
        assert LibraryService(library).record("talk.mkv") == library.video("talk.mkv")
        with pytest.raises(LibraryError, match="this library holds no such video"):
            LibraryService(library).record(str(tmp_path / "talk.mp4"))


def test_a_path_may_be_written_in_any_way(library, talks, monkeypatch):
    monkeypatch.chdir(talks)
    for path in (
        "traffic.mp4",
        "./traffic.mp4",
        Path("..") / "talks" / "traffic.mp4",
        os.fspath(talks / "traffic.mp4"),
    ):
        assert library.observed(path)[0].paths == ("traffic.mp4",), path
    assert repr(Library(".playhead")) == f"Library({str(talks / '.playhead')!r})"
    assert len(Library(Path("..") / "talks" / ".playhead").videos("../talks")) == 2


def test_progress_and_outcomes_are_reported_at_once(talks):
    seen, done = [], []
    outcomes = Library(talks / ".playhead").index(
        talks,
        progress=lambda path, number, count, stage, seconds, total: seen.append((path.name, number, count, stage)),
        done=done.append,
    )
    assert done == outcomes
    assert ("budget.mp4", 0, 2, "transcribing") in seen
    assert ("traffic.mp4", 1, 2, "transcribing") in seen


def test_each_slow_call_has_an_async_twin(talks):
    async def work() -> tuple[list[str], str, str]:
        library = Library(talks / ".playhead")
        outcomes = await library.aindex(talks)
        found, answer = await asyncio.gather(library.asearch("red car", k=1), library.aask("Who is hurt?"))
        assert [event.kind async for event in library.astream("Who is hurt?")][-1] == "answer"
        return [outcome.state for outcome in outcomes], found[0].text, str(answer)

    states, text, answer = asyncio.run(work())
    assert states == ["indexed", "indexed"]
    assert text == "The red car stops at the bridge."
    assert answer == "Nobody is hurt. [00:00:02–00:00:04] traffic.mp4, said"


def test_settings_are_given_once(talks):
    library = Library(talks / ".playhead", Settings(sidecars=False, offline=True))
    (failed, _) = library.index(talks)
    assert failed.state == "failed"
    assert "no stage can run" in failed.detail


def test_a_file_that_is_no_video_fails_alone(talks):
    (talks / "broken.mp4").write_text("not a video")
    library = Library(talks / ".playhead")
    outcomes = library.index(talks)
    assert states_of(outcomes) == [("broken.mp4", "failed"), ("budget.mp4", "indexed"), ("traffic.mp4", "indexed")]
    assert outcomes[0].detail.startswith(f"{talks / 'broken.mp4'} is not a readable video or audio file")
    assert library.search("red car")[0].start == 0.5


def test_a_video_or_its_folder_opens_the_library(library, talks):
    assert Library(talks).folder == Library(talks / "budget.mp4").folder == library.folder == talks / ".playhead"


def test_all_errors_have_one_root_and_say_what_to_do(library, talks, tmp_path):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / ".playhead").write_text("not a library")
    for call, kind, words in (
        (lambda: Library(tmp_path / "none").search("x"), LibraryError, "no video is indexed in .*none: run `playhead"),
        (lambda: library.search("  "), QueryError, "the query is empty: say what to look for"),
        (
            lambda: library.search("x", modalities=["smell"]),
            QueryError,
            r"no modality smell: there are said \(speech\), written \(text\)",
        ),
        (
            lambda: library.search("x", between=(3, 2)),
            QueryError,
            r"between=\(3, 2\): give a start of 0 or more and a later end",
        ),
        (
            lambda: library.search("x", videos=["c.mp4"]),
            LibraryError,
            "'c.mp4' is not a video of this library, which holds: .*budget.mp4",
        ),
        (lambda: library.search("x", k=0), QueryError, "k=0: at least 1"),
        (lambda: library.ask(""), QueryError, "the question is empty"),
        (lambda: library.ask("\ud800\x07"), QueryError, "the question is empty"),
        (lambda: library.resume("friday"), QueryError, "there is no question in thread 'friday'"),
        (lambda: library.observed("c.mp4"), LibraryError, "'c.mp4' names no videos .* The library holds: .*budget.mp4"),
        (lambda: library.index(tmp_path / "c.mp4"), MediaError, "c.mp4 does not exist: check the path"),
        (lambda: Library(tmp_path / "file" / ".playhead").videos(), LibraryError, "file/.playhead is a file, not a"),
    ):
        with pytest.raises(kind, match=words) as caught:
            call()
        assert isinstance(caught.value, PlayheadError)
