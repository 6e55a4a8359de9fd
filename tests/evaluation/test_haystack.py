"""Composed hours: the same seed gives the same, and the truth is what was written, to the frame and the sample."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from playhead.agent.evaluation.haystack.compose import (
    QUESTIONS,
    VIDEOS,
    HaystackQuestion,
    compose_hours,
    read_questions,
)
from playhead.agent.evaluation.haystack.film import draw, write_film
from playhead.agent.evaluation.haystack.hour import FPS, Block, Hour, Slide, plan_hour
from playhead.agent.evaluation.haystack.needles import KINDS, Asked, run_haystack
from playhead.agent.evaluation.haystack.pictures import CLIPS, PHOTOS, Sight
from playhead.agent.evaluation.haystack.questions import ask_about
from playhead.agent.records import Answer, Usage
from playhead.tools.errors import QueryError
from playhead.tools.media.audio import RATE, whole_track
from playhead.tools.media.frames import frames_at, probe
from playhead.tools.settings import Settings

MINUTES = 2


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("haystack")
    compose_hours(folder, seed=7, hours=1, minutes=MINUTES)
    return folder


@pytest.fixture(scope="module")
def short() -> Hour:
    """What `composed` holds."""
    return plan_hour("7/1", 60 * MINUTES, None)


@pytest.fixture(scope="module")
def full() -> tuple[Hour, list[HaystackQuestion]]:
    """Twenty minutes hold all that an hour does."""
    hour = plan_hour("3/1", 1200, None)
    return hour, ask_about(hour, "3/1", "hour_1.mp4")


def lines_of(hour: Hour) -> list[str]:
    """All that is said and written."""
    written = [line for block in hour.blocks if isinstance(block.picture, Slide) for line in block.picture.lines]
    return written + [one.text for block in hour.blocks for one in block.spoken]


def test_the_same_seed_gives_the_same_questions(composed: Path) -> None:
    written = (composed / QUESTIONS).read_bytes()
    again = compose_hours(composed, seed=7, hours=1, minutes=MINUTES)
    assert (composed / QUESTIONS).read_bytes() == written
    assert read_questions(composed) == again
    assert [one.question for one in ask_about(plan_hour("8/1", 120, None), "8/1", "hour_1.mp4")] != [
        one.question for one in again
    ]


def test_neither_metadata_nor_other_files_reveal_the_truth(composed: Path) -> None:
    assert [path.name for path in (composed / VIDEOS).iterdir()] == ["hour_1.mp4"]
    with av.open(str(composed / VIDEOS / "hour_1.mp4")) as container:
        everything = {
            **container.metadata,
            **container.streams.video[0].metadata,
            **container.streams.audio[0].metadata,
        }
    assert set(everything) <= {"major_brand", "minor_version", "compatible_brands", "encoder"} | {
        "language",
        "handler_name",
        "vendor_id",
    }


def test_each_picture_begins_and_ends_with_its_span(composed: Path, short: Hour) -> None:
    film = composed / VIDEOS / "hour_1.mp4"
    assert probe(film).duration == pytest.approx(60 * MINUTES, abs=0.1)
    assert short.blocks[0].first == 0
    assert short.blocks[-1].last == 60 * MINUTES * FPS
    seconds = [second for block in short.blocks for second in (block.span.start, block.span.end - 1 / FPS)]
    frames = iter(frames_at(film, seconds))
    for block in short.blocks:
        drawn = np.asarray(draw(block.picture), float)
        for frame in (next(frames), next(frames)):
            assert np.abs(frame.pixels - drawn).mean() < 6, block.span


def test_each_sentence_sounds_in_its_span(composed: Path, short: Hour) -> None:
    sound = np.abs(whole_track(probe(composed / VIDEOS / "hour_1.mp4")))
    spans = [one.span for block in short.blocks for one in block.spoken]
    assert len(spans) >= 10
    for span in spans:
        start, end = round(span.start * RATE), round(span.end * RATE)
        assert sound[start : start + RATE // 10].max() > 0.005
        assert sound[end - RATE // 10 : end].max() > 0.005
        assert sound[start - RATE // 4 : start - RATE // 20].max() < 0.005
        assert sound[end + RATE // 20 : end + RATE // 4].max() < 0.005


def test_twenty_minutes_hold_questions_of_every_kind(
    full: tuple[Hour, list[HaystackQuestion]],
) -> None:
    questions = full[1]
    assert Counter(one.kind for one in questions) == {
        "said": 12, "written": 12, "shown": 10, "before-after": 6, "count": 5, "never": 9
    }  # fmt: skip
    assert len({one.question_id for one in questions}) == len({one.question for one in questions}) == len(questions)
    assert {one.detail for one in questions if one.kind == "never"} == {
        "absent name, said",
        "name of another fact, said",
        "absent key, written",
        "said, never written",
        "written, never said",
        "absent thing, shown",
    }


def test_every_true_span_is_inside_its_hour(full: tuple[Hour, list[HaystackQuestion]]) -> None:
    for one in full[1]:
        assert bool(one.spans) == (one.kind != "never")
        assert all(0 <= span.start < span.end <= 1200 for span in one.spans)
        assert one.count == (len(one.spans) if one.kind == "count" else None)


def test_a_needle_has_near_duplicates_and_one_answer(full: tuple[Hour, list[HaystackQuestion]]) -> None:
    hour, questions = full
    spoken = {one.text: one.span for block in hour.blocks for one in block.spoken}
    said = [one for one in questions if one.kind == "said"]
    for question, facts in zip(said, hour.said, strict=True):
        key = facts[0].blanks[facts[0].family.key]
        assert key in question.question
        assert len(facts) == 6
        texts = [fact.fill(fact.family.text) for fact in facts]
        assert all(text in spoken for text in texts)
        assert [text for text in texts if key in text] == [question.answer]
        assert question.spans == (spoken[question.answer],)


def test_what_never_happens_is_neither_said_nor_written(full: tuple[Hour, list[HaystackQuestion]]) -> None:
    hour, questions = full
    everything = " ".join(lines_of(hour))
    for names in hour.held_back.values():
        assert not [name for name in names if name in everything]
    absent = [one for one in questions if one.detail == "absent name, said"]
    for one in absent:
        assert any(name in one.question for name in (*hour.held_back["who"], *hour.held_back["city"]))


def test_what_comes_before_and_after_is_next_to_its_anchor(full: tuple[Hour, list[HaystackQuestion]]) -> None:
    hour, questions = full
    for one in questions:
        if one.detail == "written before a sight":
            next_to = next(block for block in hour.blocks if block.span.start == one.spans[0].end)
            assert isinstance(next_to.picture, Sight)
            assert next_to.picture.name in one.question
        if one.detail == "shown after a slide":
            before = next(block for block in hour.blocks if block.span.end == one.spans[0].start)
            assert isinstance(before.picture, Slide)
            assert before.picture.fact.fill(before.picture.fact.family.called) in one.question


def test_a_repeated_picture_is_counted_each_time_it_is_shown(full: tuple[Hour, list[HaystackQuestion]]) -> None:
    hour, questions = full
    counted = [one for one in questions if one.kind == "count" and one.detail == "shown"]
    assert counted
    for one in counted:
        (sight,) = [photo for photo in PHOTOS if photo.name in one.question]
        assert list(one.spans) == [block.span for block in hour.blocks if block.picture == sight]
        assert len(one.spans) > 1


def test_a_clip_keeps_its_pictures_and_its_sound(tmp_path: Path, real_data: Callable[[str], Path]) -> None:
    clip = next(clip for clip in CLIPS if clip.file == "agent327.mp4")._replace(start=43.0, end=45.0)
    folder = real_data("videos")
    slide = Slide("Title", ("A row",), "", look=1)
    blocks = (Block(slide, 0, 25, ()), Block(clip, 25, 75, ()), Block(slide, 75, 100, ()))
    write_film(tmp_path / "a.mp4", Hour(blocks, (), (), {}, {}, (), 1.0), folder)
    (original,) = frames_at(folder / clip.file, [44.0])
    (kept,) = frames_at(tmp_path / "a.mp4", [2.0])
    wide = np.asarray(original.pixels[::4, ::4].mean())
    assert kept.pixels[20:340].mean() == pytest.approx(float(wide), abs=8)
    sound = np.abs(whole_track(probe(tmp_path / "a.mp4")))
    assert sound[: RATE * 9 // 10].max() < 0.001
    assert sound[RATE * 11 // 10 : RATE * 29 // 10].max() > 0.05
    assert sound[RATE * 31 // 10 : RATE * 39 // 10].max() < 0.001


def test_known_speech_of_a_clip_has_its_place_in_the_hour(real_data: Callable[[str], Path]) -> None:
    hour = plan_hour("5/1", 1200, real_data("videos"))
    clips = [block for block in hour.blocks if isinstance(block.picture, Sight) and block.picture.is_clip]
    assert len(clips) == 7
    for block in clips:
        assert block.span.duration == pytest.approx(block.picture.end - block.picture.start, abs=1 / FPS)
    questions = [one for one in ask_about(hour, "5/1", "hour_1.mp4") if one.detail == "real clip"]
    for one in questions:
        assert any(block.span.overlap(one.spans[0]) == pytest.approx(one.spans[0].duration) for block in clips)


@pytest.mark.parametrize(
    ("hours", "minutes", "said"), [(0, 60, "hours=0"), (1, 1, "at least 1 video of at least 2 minutes")]
)
def test_too_little_is_not_composed(tmp_path: Path, hours: int, minutes: int, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        compose_hours(tmp_path, 1, hours, minutes=minutes)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(QueryError, match="60 s are too short"):
        plan_hour("1/1", 60, None)


def test_a_folder_without_questions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"holds no questions\.jsonl"):
        read_questions(tmp_path)


def test_a_haystack_is_composed_indexed_and_asked_and_scores_the_same_again(tmp_path):
    """Two minutes, from slides and voice alone: the second run makes nothing new and scores the same."""
    settings = Settings(objects_model="off", image_model="off", offline=True)
    first = run_haystack(tmp_path / "stack", settings, seed=3, minutes=2)
    again = run_haystack(tmp_path / "stack", settings, seed=3, minutes=2)
    for found in (first, again):
        for kind in KINDS:
            if kind in found:
                assert found[kind].pop("cost")["seconds"] > 0
    assert first == again
    assert first["never"]["refused"] == first["never"]["right"] == 1.0
    kept = (tmp_path / "stack" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(kept) == sum(first[kind]["questions"] for kind in KINDS if kind in first)


@pytest.mark.parametrize(
    ("text", "is_right", "is_hedged"),
    [
        ("3 times.", True, False),
        ("2 times.", False, False),
        ("2 times, perhaps 3: “billow” at 00:00:22.", True, True),
        ("3 times, perhaps 4: “billow” at 00:00:22.", True, True),
        ("1 time, perhaps 2: “billow” at 00:00:22.", False, True),
    ],
)
def test_a_hedged_number_is_right_between_its_limits(text: str, is_right: bool, is_hedged: bool) -> None:
    question = HaystackQuestion(
        question_id="q", video="a.mp4", kind="count", detail="said", question="How often?", spans=(), count=3
    )
    answer = Answer(
        question="How often?", status="answered", text=text, confidence=1.0, claims=(), usage=Usage(), trace=(),
        settings_fingerprint="f", thread_id="t",
    )  # fmt: skip
    asked = Asked(question, answer, 0.0)
    assert (asked.is_right, asked.is_hedged) == (is_right, is_hedged)
