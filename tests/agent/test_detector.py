"""Looking at real frames without a video LLM: what the index missed is found, within the budget, and nothing is made up."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.agent.answering.answer_options import chosen_option
from playhead.agent.looking.detector import FrameModels, inspect
from playhead.agent.question.planning import make_plan
from playhead.agent.records import Claim
from playhead.tools.embedding.protocol import Vectors
from playhead.tools.errors import QueryError, SettingsError
from playhead.tools.media.frames import probe
from playhead.tools.records import Box, Observation, Segment

from ..fakes import record
from ..media import number_in, write_media


class CountingDetector:
    """Sees a dog in the pictures whose number lies in a range, and counts how many it was shown."""

    labels = ("person", "dog", "traffic light")

    def __init__(self, first: int, last: int, score: float = 0.9) -> None:
        self.first, self.last, self.score = first, last, score
        self.looked: list[float] = []

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        found = []
        for segment in segments:
            self.looked.append(segment.frame.seconds)
            number = number_in(segment.frame.pixels)
            if number is not None and self.first <= number < self.last:
                box = Box(left=0.1, top=0.1, right=0.5, bottom=0.5)
                found.append(
                    Observation(
                        modality="object", span=segment.span, text="dog", score=self.score, source="x@1", box=box
                    )
                )
        return found


class NoPictures:
    """An encoder to which no picture shows anything."""

    embedding_id, source, floor = "none@1", "none@1", 0.5

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        rows = [Observation(modality="frame", span=s.span, text="", score=1.0, source="none@1") for s in segments]
        return rows, np.zeros((len(segments), 4), np.float32)

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        return np.ones((len(queries), 4), np.float32)

    def shows(self, query: str, text: str, cosine: float) -> bool:
        return False


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Sixty seconds, four pictures a second, each with its number."""
    return write_media(tmp_path_factory.mktemp("watched") / "a.mp4", [n / 4 for n in range(240)])


def looked(video: Path, query: str, detector, frames: int = 32, **options):
    made = record(info=probe(video), duration=60.0)
    return inspect(query, made, video, [], FrameModels(detector, None), frames=frames, **options)


def test_a_dog_that_was_not_indexed_is_found_at_its_true_time(video):
    detector = CountingDetector(140, 172)  # seconds 35 to 43
    found = looked(video, "a dog in the yard", detector)
    assert found.moments[0].sure
    assert 35 <= found.moments[0].looked[0] < 43
    assert found.frames == len(detector.looked) <= 32


def test_the_search_ends_at_the_first_sure_look(video):
    detector = CountingDetector(0, 240)
    assert looked(video, "dog", detector).frames <= 4


def test_what_is_nowhere_is_not_found_and_costs_no_more_than_its_budget(video):
    detector = CountingDetector(500, 501)
    found = looked(video, "dog", detector, frames=10)
    assert (len(detector.looked), found.frames) == (10, 10)
    assert not any(moment.sure for moment in found.moments)


def test_a_guess_of_the_detector_is_not_sure(video):
    assert not any(m.sure for m in looked(video, "dog", CountingDetector(0, 240, score=0.3), frames=8).moments)


def test_what_the_detector_has_no_name_for_is_not_asked_of_it(video):
    detector = CountingDetector(0, 240)
    made = record(info=probe(video), duration=60.0)
    inspect("a cathedral", made, video, [], FrameModels(detector, NoPictures()), frames=8)
    assert detector.looked == []


def test_a_word_for_people_is_a_person(video):
    detector = CountingDetector(0, 240)
    found = looked(video, "two women talking", detector, frames=4)
    assert len(detector.looked) == 4
    assert not any(moment.sure for moment in found.moments)  # it saw dogs


def test_without_a_frame_model_it_is_an_error_that_says_what_to_do(tmp_path):
    made = Library(tmp_path / "library", Settings(objects_model="off", image_model="off", offline=True))
    with pytest.raises(SettingsError, match=r"no model can examine frames .* set objects_model or image_model"):
        _ = made._frame_models


def test_modalities_and_look_cannot_be_used_together(talk_library):
    with pytest.raises(QueryError, match="modalities and look cannot be used together: leave one"):
        talk_library.find("a cat", look=True, modalities="speech")


def test_a_look_finds_the_cat_of_the_sample(talk_library):
    (found, *_) = talk_library.find("a cat", 2, look=True)
    assert (found.seen, round(found.start), round(found.end)) == (True, 38, 46)
    assert 1 <= found.frames <= talk_library.settings.max_frames


@pytest.mark.parametrize(
    ("options", "quote", "chosen"),
    [
        (("red", "blue"), "The car is blue.", 1),
        (("red", "blue"), "The car is red and blue.", None),
        (("red", "blue"), "The car is green.", None),
        (("twelve percent", "13 percent"), "It grew by 12 percent.", 0),
        (("the", "a"), "The car.", None),
        ((), "The car.", None),
    ],
)
def test_an_answer_is_chosen_only_where_the_quote_gives_one(options, quote, chosen):
    plan = make_plan("What about the car?", options=options)
    assert chosen_option(plan, [Claim(text=quote, verdict="supported", citations=())]) == chosen
    assert chosen_option(plan, []) is None
