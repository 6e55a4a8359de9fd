"""Which texts get a vector."""

import numpy as np
import pytest

from playhead.index.indexing.text_vectors import embed_texts

from ..fakes import BagOfWords, observation


@pytest.mark.parametrize(
    ("modality", "text", "has_vector"),
    [
        ("text", "810 EUR", True),
        ("text", "東京", True),
        ("text", "Öl", True),
        ("text", "C#", False),
        ("text", "59", False),
        ("text", "})", False),
        ("speech", "No", True),
        ("object", "tv", True),
    ],
)
def test_written_text_of_fewer_than_three_letters_has_no_vector(tmp_path, modality, text, has_vector):
    seen = [observation("gold", modality="text"), observation(text, modality=modality)]
    found = embed_texts(seen, BagOfWords(), None, tmp_path, lambda *_: None)
    assert found.vectors.shape[0] == 2
    assert np.linalg.norm(found.vectors[0].astype(float)) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(found.vectors[1].astype(float)) == pytest.approx(float(has_vector), abs=1e-3)
    assert not found.are_missing
