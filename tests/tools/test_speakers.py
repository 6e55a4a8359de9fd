"""Turns of speakers from voice vectors, and real voices where the weights and recordings are."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from playhead.tools.embedding.protocol import unit
from playhead.tools.embedding.voices import mel_bands
from playhead.tools.errors import WeightsError
from playhead.tools.extractors.speakers import SpeakerExtractor, average_link, turns_of
from playhead.tools.extractors.specification import UnavailableError
from playhead.tools.extractors.speech import Window, windows_of
from playhead.tools.media.audio import RATE
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings


def stretch(start, end, voice, rng):
    """What `process_window` returns for a stretch of one voice: noisy copies of its vector every 0.4 s."""
    count = max(1, round((end - start - 1.6) / 0.4) + 1)
    vectors = unit(voice + rng.normal(0, 0.03, (count, len(voice)))).astype(np.float16)
    return [start, end, count, base64.b64encode(vectors.tobytes()).decode()]


def turns(*stretches):
    return [(t.text, t.span.start, t.span.end) for t in turns_of([list(stretches)], "voices@1")]


ADA, BOB = np.eye(32)[0], np.eye(32)[1]


def test_two_voices_are_two_speakers_and_who_speaks_most_is_the_first():
    rng = np.random.default_rng(0)
    spoken = [
        stretch(0, 6, BOB, rng),
        stretch(6.5, 16, ADA, rng),
        stretch(16.3, 20, ADA, rng),
        stretch(21, 25, BOB, rng),
    ]
    assert turns(*spoken) == [("Speaker 2", 0, 6), ("Speaker 1", 6.5, 20), ("Speaker 2", 21, 25)]


def test_a_change_without_a_pause_is_found():
    rng = np.random.default_rng(1)
    one, other = stretch(0, 8, ADA, rng), stretch(8, 20, BOB, rng)
    vectors = b"".join(base64.b64decode(part[3]) for part in (one, other))
    joined = [0.0, 20.0, one[2] + other[2], base64.b64encode(vectors).decode()]
    (first, start, change), (second, begin, end) = turns(joined)
    assert (first, second, start, end) == ("Speaker 2", "Speaker 1", 0, 20)
    assert change == begin == pytest.approx(8, abs=1.7)


def test_the_voice_is_kept_once_with_the_longest_turn():
    rng = np.random.default_rng(2)
    spoken = list(turns_of([[stretch(0, 5, ADA, rng), stretch(7, 16, ADA, rng)]], "voices@1"))
    assert [len(turn.vector) for turn in spoken] == [0, 32]
    assert np.dot(spoken[1].vector, ADA) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", ["pyannote/speaker-diarization-community-1", "nvidia/diar_sortformer_4spk-v1"])
def test_a_model_of_another_kind_is_declined_with_the_next_step(name):
    with pytest.raises(UnavailableError, match="Use resemblyzer, or the path"):
        SpeakerExtractor(Settings(speakers_model=name))


def test_without_speech_there_are_no_turns():
    assert turns() == []
    assert list(turns_of([[], []], "voices@1")) == []


@given(st.integers(2, 25), st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_groups_are_those_of_scipy(count, most, seed):
    points = np.random.default_rng(seed).random((count, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    labels = fcluster(linkage(squareform(distances, checks=False), "average"), most, "distance")
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert {frozenset(group) for group in average_link(distances.copy(), most)} == expected


def test_what_may_not_be_together_is_not():
    distances = np.array([[0, 0.1, np.inf], [0.1, 0, 0.1], [np.inf, 0.1, 0]])
    assert sorted(map(sorted, average_link(distances, 0.5))) in ([[0, 1], [2]], [[0], [1, 2]])


def test_mel_bands_do_not_depend_on_loudness():
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert mel_bands(tone).shape == (101, 40)
    assert mel_bands(tone) == pytest.approx(mel_bands(tone * 0.01), rel=1e-3, abs=1e-8)
    assert mel_bands(np.zeros(RATE, np.float32)).shape == (0, 40)


@pytest.fixture(scope="module")
def extractor():
    try:
        return SpeakerExtractor(Settings(speakers_model="resemblyzer", offline=True))
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def conversation(real_data):
    """Two readers in turn, about 40 s, with the second at which each begins."""
    folders = sorted(path for path in real_data("speech/speakers").iterdir() if path.is_dir())[:2]
    files = [sorted(folder.glob("*.flac"))[:2] for folder in folders]
    parts = [
        np.concatenate([w.samples for w in windows_of(probe(path))])
        for pair in zip(*files, strict=True)
        for path in pair
    ]
    return np.concatenate(parts), np.cumsum([len(part) / RATE for part in parts])


def test_real_voices_are_distinguished(extractor, conversation):
    samples, changes = conversation
    speech = extractor.process_window(Window(0.0, samples), lambda _: None)
    found = list(turns_of([speech], extractor.source))
    assert {turn.text for turn in found} == {"Speaker 1", "Speaker 2"}
    middles = [(start + end) / 2 for start, end in zip([0, *changes[:-1]], changes, strict=True)]
    who = [next(t.text for t in found if t.span.start <= middle < t.span.end) for middle in middles]
    assert who[0] == who[2] != who[1] == who[3]


def test_under_noise_no_speaker_is_named(extractor, conversation):
    samples, _ = conversation
    power = np.mean(samples**2) / 10
    noisy = (samples + np.random.default_rng(0).normal(0, np.sqrt(power), len(samples))).astype(np.float32)
    assert extractor.process_window(Window(0.0, noisy), lambda _: None) == []
