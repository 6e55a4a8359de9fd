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
    assert (row.box, row.words, row.stream) == (seen.box, seen.words, seen.stream)
    assert row.evidence_id == f"abcdef012345-{observation_id(seen)}"


def test_a_box_takes_32_bytes_and_a_word_20_and_its_letters():
    assert len(stored(WRITTEN)[4]) == 32
    assert len(stored(SAID)[5]) == 4 + 2 * 20 + len("Grüße,\0東京!\0".encode())
