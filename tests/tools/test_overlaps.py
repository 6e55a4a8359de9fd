"""Overlapping speech: spans from measured probabilities, and real voices that are mixed."""

import json

import numpy as np
import pytest

from playhead.tools.errors import WeightsError
from playhead.tools.extractors import segmentation
from playhead.tools.extractors.overlaps import OverlapDetector, overlaps_of
from playhead.tools.extractors.registry import find_modalities, modality_names
from playhead.tools.extractors.speech import Window, windows_of
from playhead.tools.media.audio import RATE
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

STEP = segmentation.STEP_SECONDS


def spans(*windows):
    return [(o.span.start, o.span.end, o.score) for o in overlaps_of(windows, "overlaps@1")]


def test_spans_with_a_short_gap_are_one_and_short_ones_are_dropped():
    assert spans(
        [[1.0, 2.0, 0.8], [2.1, 3.0, 0.9], [5.0, 5.2, 0.99]], [[119.9, 120.0, 0.7]], [[120.0, 121.0, 0.75]]
    ) == [
        (1.0, 3.0, 0.9),
        (119.9, 121.0, 0.75),
    ]


@pytest.fixture
def detector(monkeypatch, tmp_path):
    """A detector with given probabilities in the place of the network."""
    (tmp_path / "weights.pt").write_bytes(b"not read")
    made = OverlapDetector(Settings(overlaps_model=str(tmp_path / "weights.pt")))
    shares = np.zeros(400)
    shares[100:140], shares[120] = 0.6, 0.72
    shares[200:240] = 0.65
    monkeypatch.setattr(segmentation.SegmentationNetwork, "overlap", lambda *_: shares)
    return made


def test_a_span_needs_a_high_probability_and_ends_at_one_half(detector):
    found = detector.process_window(Window(60.0, np.zeros(RATE, np.float32)), lambda _: None)
    assert found == [[round(60 + 100 * STEP, 3), round(60 + 140 * STEP, 3), 0.72]]
    assert json.loads(json.dumps(found)) == found


def test_without_sound_there_are_no_overlaps(detector):
    assert detector.process_window(Window(0.0, np.zeros(0, np.float32)), lambda _: None) == []
    assert spans([]) == []


def test_a_search_includes_overlaps_only_if_it_is_asked_to():
    assert find_modalities("overlapping") == ("overlap",)
    assert "overlap" not in modality_names()


@pytest.fixture(scope="module")
def real():
    try:
        return OverlapDetector(Settings(overlaps_model="pyannote-segmentation-3.0", offline=True))
    except WeightsError as error:
        pytest.skip(str(error))


def test_two_real_voices_are_marked_where_both_speak(real, real_data):
    folders = sorted(path for path in real_data("speech/speakers").iterdir() if path.is_dir())[:2]
    one, other = (
        np.concatenate([w.samples for w in windows_of(probe(sorted(folder.glob("*.flac"))[0]))])[: 8 * RATE]
        for folder in folders
    )
    mixed = np.zeros(13 * RATE, np.float32)
    mixed[: 8 * RATE] += one
    mixed[5 * RATE :] += other / np.sqrt(np.mean(other**2)) * np.sqrt(np.mean(one**2))
    found = list(overlaps_of([real.process_window(Window(0.0, mixed), lambda _: None)], real.source))
    assert found
    assert all(o.text == "overlapping speech" and 4.5 <= o.span.start < o.span.end <= 8.5 for o in found)
    assert sum(o.span.duration for o in found) >= 1.0
    assert real.process_window(Window(0.0, one), lambda _: None) == []


def test_the_same_probabilities_for_sound_that_begins_later(real, real_data):
    samples = np.concatenate([w.samples for w in windows_of(probe(real_data("speech/jfk.flac")))])[: 10 * RATE]
    shares = real._network.overlap(samples)
    assert len(shares) == 10 * RATE // 270 + 1
    assert shares.max() < 0.5
