"""How long a video is: answers from the file's record, each with a citation that the check resolves."""

from collections.abc import Callable

import pytest

from playhead import Library
from playhead.agent.answering.citation_check import check_claims
from playhead.agent.answering.computed.lengths import with_length
from playhead.agent.question.planning import make_plan

from ..fakes import commit, observation, record

LENGTHS = {"rowing.mp4": 52.4, "lesson.mp4": 21.0, "river walk.mp4": 3725.0}
RECORDS = {f"{n}" * 32: record(video_id=f"{n}" * 32, paths=(path,)) for n, path in enumerate(LENGTHS)}


@pytest.fixture
def library(tmp_path, no_models) -> Callable[..., Library]:
    def made(*names: str) -> Library:
        library = Library(tmp_path / "library")
        library._store.create()
        for number, name in enumerate(names):
            said = [observation("The bridge is 90 metres long.", 1, 4)]
            commit(library._store, said, video_id=f"{number}" * 32, paths=(name,), duration=LENGTHS[name])
        return library

    return made


@pytest.mark.parametrize(
    "question",
    [
        "How long is the video?",
        "how long does the recording last?",
        "What is the length of the video?",
        "What's the duration of rowing.mp4",
        "How many minutes long is this clip?",
        "How long is rowing.mp4?",
        "How long is the rowing video?",
        "When does the video end?",
        "How long is the talk?",
        "what's the length of the talk",
        "tell me how long the film runs",
    ],
)
def test_the_length_of_the_only_video(library, question: str) -> None:
    answer = library("rowing.mp4").ask(question)
    assert [(claim.text, claim.verdict) for claim in answer.claims] == [("rowing.mp4 lasts 00:00:52.4", "supported")]
    (citation,) = answer.claims[0].citations
    assert (citation.evidence_id, citation.modality) == ("000000000000-length", "length")
    assert (citation.start, citation.end, citation.quote) == (0.0, 52.4, "00:00:52.4")
    assert citation.place == "[00:00:00–00:00:53] rowing.mp4, measured"


def test_each_of_several_videos_has_its_length(library) -> None:
    made = library(*LENGTHS)
    assert [claim.text for claim in made.ask("How long are the videos?").claims] == [
        "river walk.mp4 lasts 01:02:05.0",
        "rowing.mp4 lasts 00:00:52.4",
        "lesson.mp4 lasts 00:00:21.0",
    ]
    assert [claim.text for claim in made.ask("How long is lesson.mp4?").claims] == ["lesson.mp4 lasts 00:00:21.0"]
    named = made.ask("How long is the video?", videos="lesson.mp4")
    assert [claim.text for claim in named.claims] == ["lesson.mp4 lasts 00:00:21.0"]


@pytest.mark.parametrize(
    ("question", "text", "cited"),
    [
        ("Which video is longer?", "river walk.mp4 lasts 01:02:05.0, the longest of 3 videos", "201"),
        ("What is the shortest video?", "lesson.mp4 lasts 00:00:21.0, the shortest of 3 videos", "102"),
        ("Which is longer, rowing.mp4 or lesson.mp4?", "rowing.mp4 lasts 00:00:52.4, the longest of 2 videos", "01"),
        ("Is lesson.mp4 shorter than rowing.mp4?", "lesson.mp4 lasts 00:00:21.0, the shortest of 2 videos", "10"),
        ("Which video is longer, rowing or lesson?", "rowing.mp4 lasts 00:00:52.4, the longest of 2 videos", "01"),
    ],
)
def test_lengths_are_compared(library, question: str, text: str, cited: str) -> None:
    (claim,) = library(*LENGTHS).ask(question).claims
    assert (claim.text, claim.verdict) == (text, "supported")
    assert "".join(citation.video_id[0] for citation in claim.citations) == cited


@pytest.mark.parametrize(
    "question", ["How many videos are there?", "how many clips are in the library", "How many videos do I have?"]
)
def test_videos_are_counted(library, question: str) -> None:
    made = library(*LENGTHS)
    (claim,) = made.ask(question).claims
    assert (claim.text, claim.verdict, len(claim.citations)) == ("3 videos", "supported", 3)
    fewer = claim.model_copy(update={"citations": claim.citations[:2]})
    assert check_claims([fewer], made._opened().evidence)[0].verdict == "refuted"
    assert made.ask("How many videos show a dog?").claims == ()


def test_of_equally_long_videos_none_is_the_longest(library, monkeypatch) -> None:
    monkeypatch.setitem(LENGTHS, "lesson.mp4", 52.4)
    answer = library("rowing.mp4", "lesson.mp4").ask("Which video is longer?")
    assert sorted(claim.text for claim in answer.claims) == [
        "lesson.mp4 lasts 00:00:52.4",
        "rowing.mp4 lasts 00:00:52.4",
    ]


@pytest.mark.parametrize(
    "question",
    [
        "How long is the bridge?",
        "How long is the bridge in the video?",
        "How long is the river?",
        "How long is the river in the river walk video?",
        "How long does the speaker talk in the video?",
        "How long is the pause in rowing.mp4?",
        "Which river is longer?",
        "What is said at the end of the video?",
        "Is the video good?",
        "How long is the video card?",
        "How long does it take to render a video?",
        "Which video has the longest bridge?",
    ],
)
def test_other_lengths_are_no_lengths_of_videos(question: str) -> None:
    assert with_length(make_plan(question), RECORDS) == make_plan(question)


def test_a_wrong_length_is_refuted(library) -> None:
    made = library("rowing.mp4", "lesson.mp4")
    search = made._opened()
    (claim,) = made.ask("Which video is longer?").claims
    for text in ("rowing.mp4 lasts 00:00:53.0, the longest of 2 videos", "rowing.mp4 lasts 00:00:52.4"):
        assert check_claims([claim.model_copy(update={"text": text})], search.evidence)[0].verdict == "refuted"
    turned = claim.model_copy(update={"citations": claim.citations[::-1]})
    assert check_claims([turned], search.evidence)[0].verdict == "refuted"
    part = claim.citations[0].model_copy(update={"start": 10.0})
    halved = claim.model_copy(update={"citations": (part, *claim.citations[1:])})
    assert check_claims([halved], search.evidence)[0].verdict == "refuted"


def test_the_length_is_a_stored_fact_that_no_search_returns(library) -> None:
    made = library("rowing.mp4")
    search = made._opened()
    (known,) = search.records
    assert search.evidence(f"{known[:12]}-length").span.end == 52.4
    assert search.evidence("ffff-length") is None
    assert [one.modality for one in made.search("00:00:52.4")] in ([], ["speech"])
    assert {one.modality for one in search.of_video(known)} == {"speech"}
