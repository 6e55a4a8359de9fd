"""Rows of the catalogue."""

import pytest

from playhead.index.retrieval.search_index.rows import row_of, stored
from playhead.index.storage.committed.table import observation_id
from playhead.tools.records import Box, Observation, Span, Word

SAID = Observation(
    modality="speech",
    span=Span(start=1.25, end=2.1),
    text="Grüße, 東京!",
    score=0.5,
    source="whisper",
    words=(
        Word(text="Grüße,", start=1.25, end=1.7000000000000002, probability=0.75),
        Word(text="東京!", start=1.7, end=2.1),
    ),
    stream=3,
)
WRITTEN = Observation(
    modality="text",
    span=Span(start=0, end=1),
    text="810 EUR",
    score=1,
    source="rapidocr",
    box=Box(left=0.1, top=1 / 3, right=0.7, bottom=1),
    frame_seconds=0.3,
)


@pytest.mark.parametrize("seen", [SAID, WRITTEN])
def test_a_stored_observation_comes_back(seen):
    modality, start, end, text, box, words, frame_seconds, stream, observation = stored(seen)
    row = row_of(
        (7, "abcdef0123456789", modality, start, end, text, seen.source, box, words, frame_seconds, stream, observation)
    )
    assert (row.row, row.modality, row.text, row.source) == (7, seen.modality, seen.text, seen.source)
    assert (row.start, row.end, row.frame_seconds) == (seen.span.start, seen.span.end, seen.frame_seconds)
    assert (row.words, row.stream) == (seen.words, seen.stream)
    edges = [(box.left, box.top, box.right, box.bottom) for box in (row.box, seen.box) if box]
    assert edges == [] or edges[0] == pytest.approx(edges[1], abs=1e-7)
    assert row.evidence_id == f"abcdef012345-{observation_id(seen)}"


def test_a_box_takes_16_bytes_and_words_are_compressed():
    assert len(stored(WRITTEN)[4]) == 16
    words = [Word(text=f"word{n % 9}", start=n / 4, end=n / 4 + 0.2, probability=0.9) for n in range(40)]
    said = SAID.model_copy(update={"words": tuple(words), "span": Span(start=0, end=10)})
    assert len(stored(said)[5]) < 0.5 * (4 + 40 * 20 + sum(len(word.text) + 1 for word in words))
