"""The lines that a model reads for a question, and how they are written."""

from playhead.agent.composing.model_input import fitted, write_brief
from playhead.agent.composing.passages import passages_of
from playhead.agent.composing.reading import lines_to_read
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.records import Box, Observation
from playhead.tools.settings import Settings

from ..fakes import commit, observation

NO_MODELS = Settings(text_model="off", image_model="off", offline=True)


def written(text: str, start: float, end: float, top: float) -> Observation:
    box = Box(left=0.1, top=top, right=0.4, bottom=top + 0.05)
    return observation(text, start, end, modality="text", box=box)


SLIDES = [
    written("Range 240 km", 16, 26, 0.4),
    written("Delivery vans", 16, 26, 0.1),
    written("Depot: Hall 7", 17, 26, 0.5),
    written("Hiring", 26, 40, 0.1),
    observation("We bought vans.", 16.5, 19),
    observation("They are charged at night.", 19.5, 22),
    observation("Power is cheap then.", 30, 33),
]


def library(tmp_path) -> Search:
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, sorted(SLIDES, key=lambda one: (one.modality, one.span.start)), None)
    return Search(store, NO_MODELS)


def test_lines_of_a_slide_and_sentences_that_follow_each_other_are_one_passage(tmp_path) -> None:
    search = library(tmp_path)
    (video_id,) = search.records
    rows = list(reversed(search.of_video(video_id)))
    brief = write_brief(rows, ())
    assert brief.parts[0].splitlines()[1:] == [
        "16 s written:",
        'E1 "Delivery vans"',
        'E2 "Range 240 km"',
        'E3 "Depot: Hall 7"',
        "16 s said:",
        'E4 "We bought vans."',
        'E5 "They are charged at night."',
        "26 s written:",
        'E6 "Hiring"',
        "30 s said:",
        'E7 "Power is cheap then."',
    ]
    assert brief.ids["E2"].text == "Range 240 km"
    assert len(brief.ids) == len(SLIDES)


def test_a_line_that_is_shown_with_two_slides_does_not_join_them(tmp_path) -> None:
    store = LocalStorage(tmp_path / "library")
    store.create()
    lines = [("Annual review", 0, 20), ("Revenue", 1, 10), ("Prices", 11, 20)]
    commit(store, [written(text, start, end, 0.1 + n / 10) for n, (text, start, end) in enumerate(lines)], None)
    search = Search(store, NO_MODELS)
    (video_id,) = search.records
    found = passages_of(search.of_video(video_id))
    assert [[row.text for row in one] for one in found] == [["Annual review", "Revenue"], ["Prices"]]


def test_a_line_is_read_with_the_rest_of_its_slide_nearest_first(tmp_path) -> None:
    search = library(tmp_path)
    (video_id,) = search.records
    depot = next(one for one in search.of_video(video_id) if one.text.startswith("Depot"))
    assert [one.text for one in lines_to_read([depot], search, 9)] == ["Depot: Hall 7", "Range 240 km", "Delivery vans"]
    assert [one.text for one in lines_to_read([depot], search, 2)] == ["Depot: Hall 7", "Range 240 km"]


def test_lines_that_fit_are_the_best_ones_and_headings_are_counted(tmp_path) -> None:
    search = library(tmp_path)
    (video_id,) = search.records
    rows = search.of_video(video_id)
    small = Capabilities(context=96 + 40, bytes_per_token=1.0)
    kept = fitted(rows, (), small, 0).rows
    assert kept == tuple(rows[: len(kept)])
    text = "\n".join(write_brief(kept, ()).parts)
    more = "\n".join(write_brief(rows[: len(kept) + 1], ()).parts)
    assert small.tokens_of(text) <= 40 < small.tokens_of(more)
