"""Even levels, languages of stretches, and invented sentences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.tools.extractors.hallucinations import Segment, is_invented, without_loops
from playhead.tools.extractors.voice import even_levels, language_runs, raised_voices, stretches_of, voiced_spans
from playhead.tools.media.audio import RATE, _Mixer


def tone(seconds, level_db, pitch=300.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return (10 ** (level_db / 20) * np.sqrt(2) * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def level(samples):
    return 10 * np.log10(np.square(samples, dtype=np.float64).mean())


def test_a_quiet_part_is_raised_and_a_loud_one_is_kept():
    sound = np.concatenate([tone(3, -15), tone(3, -50)])
    even = even_levels(sound)
    assert level(even[: 2 * RATE]) == pytest.approx(-15, abs=0.1)
    assert level(even[4 * RATE : 6 * RATE]) == pytest.approx(-23, abs=1)


def test_a_quiet_voice_is_raised_and_the_noise_around_it_is_not():
    sound = np.concatenate([tone(2, -60), tone(2, -45), tone(2, -60)])
    raised = raised_voices(sound, [(2.0, 2.9), (3.2, 4.0)])
    assert level(raised[:RATE]) == pytest.approx(-60, abs=0.1)
    assert level(raised[2 * RATE : 4 * RATE]) == pytest.approx(-23, abs=0.5)


def test_silence_stays_silent():
    assert not even_levels(np.zeros(3 * RATE, np.float32)).any()
    assert even_levels(np.zeros(0, np.float32)).shape == (0,)


def test_dither_is_not_raised():
    dither = np.random.default_rng(0).normal(0, 10 ** (-95 / 20), 3 * RATE).astype(np.float32)
    assert level(even_levels(dither)) < -90


def test_a_second_voice_that_is_30_db_quieter_is_found(real_data):
    """The same sentence again, 35 dB lower: without even levels there is no speech."""
    import av

    with av.open(str(real_data("speech/jfk.flac"))) as file:
        resampler = av.AudioResampler("flt", "mono", RATE)
        pieces = [p.to_ndarray()[0] for f in file.decode(audio=0) for p in resampler.resample(f)]
    loud = np.concatenate(pieces)
    both = np.concatenate([loud, loud * 10 ** (-35 / 20)])
    half = len(loud) / RATE
    voiced = sum(max(0.0, end - max(start, half)) for start, end in voiced_spans(even_levels(both)))
    plain = sum(end - start for start, end in voiced_spans(loud))
    assert voiced > 0.85 * plain


@pytest.mark.parametrize(
    ("names", "gains", "expected"),
    [
        (("FL", "FR"), (1, 1), 1.0),
        (("FL", "FR"), (1, -1), 1.0),
        (("FL", "FR"), (1, -0.9), 1.0),
        (("FL", "FR"), (1, 0), 0.5),
        (("FL", "FR", "FC", "LFE", "BL", "BR"), (0, 0, 1, 0, 0, 0), 1.0),
        (("FL", "FR", "FC", "LFE", "BL", "BR"), (1, 1, 0, 0, 1, 1), 0.8),
    ],
)
def test_voices_survive_the_mix(names, gains, expected):
    """Opposite channels do not cancel; the centre counts where it sounds; bass alone does not."""
    sound = tone(0.5, -20)
    mixed = _Mixer(RATE).mixed(np.stack([gain * sound for gain in gains]).astype(np.float32), names)
    assert level(mixed) == pytest.approx(-20 + 20 * np.log10(expected), abs=0.5)


def test_music_on_the_sides_does_not_cover_the_centre():
    voice, music = tone(0.5, -26, 200), tone(0.5, -20, 440)
    channels = np.stack([music, music, voice, 0 * voice, music, music])
    assert np.array_equal(_Mixer(RATE).mixed(channels, ("FL", "FR", "FC", "LFE", "BL", "BR")), voice)


def test_stretches_end_at_pauses():
    assert stretches_of([(0, 1), (1.1, 2), (2.6, 4), (4.2, 12), (12.1, 13)]) == [
        (0, 2),
        (2.6, 4),
        (4.2, 12),
        (12.1, 13),
    ]


def runs(*stretches):
    """Runs of stretches of 3 s, each with its probabilities."""
    spans = [(4.0 * n, 4.0 * n + 3) for n in range(len(stretches))]
    by_start = dict(zip((start for start, _ in spans), stretches, strict=True))
    return [(run.start, run.end, run.language) for run in language_runs(spans, 400, lambda start, *_: by_start[start])]


def test_each_stretch_has_its_language():
    english, french = {"en": 0.97, "fr": 0.01}, {"fr": 0.9, "en": 0.05}
    assert runs(english, french, english) == [(0, 3, "en"), (4, 7, "fr"), (8, 11, "en")]
    assert runs(english, english) == [(0, 7, "en")]


def test_an_unsure_stretch_goes_with_its_neighbours():
    english = {"en": 0.97, "fr": 0.01}
    assert runs(english, {"cy": 0.4, "en": 0.3}, english) == [(0, 11, "en")]


def test_a_language_of_one_stretch_needs_a_sure_detection():
    """Welsh and Latin are guesses in single stretches; a French sentence that is sure is kept, alone among English ones."""
    english, guess, french = {"en": 0.9, "cy": 0.05}, {"cy": 0.6, "en": 0.2, "la": 0.2}, {"fr": 0.85, "en": 0.1}
    assert runs(*[english] * 4, guess, *[english] * 4) == [(0, 35, "en")]
    assert runs(*[english] * 4, french, *[english] * 4) == [(0, 15, "en"), (16, 19, "fr"), (20, 35, "en")]


def test_only_an_unsure_stretch_is_looked_at_carefully():
    careful = []

    def detect(start, _, is_careful):
        if is_careful:
            careful.append(start)
            return {"de": 0.9, "en": 0.1}
        return {"en": 0.95} if start == 0 else {"en": 0.5, "de": 0.4}

    found = language_runs([(0.0, 3.0), (4.0, 7.0)], 8.0, detect)
    assert [run.language for run in found] == ["en", "de"]
    assert careful == [4.0]


def test_an_unsure_stretch_is_not_looked_at_carefully_where_no_other_language_is_spoken():
    def detect(start, _, is_careful):
        assert not is_careful
        return {"en": 0.95} if start else {"en": 0.3, "tr": 0.1, "hi": 0.09}

    found = language_runs([(0.0, 3.0), (4.0, 7.0), (8.0, 11.0)], 12.0, detect)
    assert found == [(0.0, 11.0, "en")]


@given(st.lists(st.dictionaries(st.sampled_from(["en", "fr", "de"]), st.floats(0.01, 1), min_size=1), max_size=8))
def test_runs_cover_all_stretches_in_order(found):
    made = runs(*found) if found else []
    assert [start for start, _, _ in made] == sorted(start for start, _, _ in made)
    assert sum(round((end - start + 1) / 4) for start, end, _ in made) == len(found)


SAID = Segment([(float(n), n + 0.8) for n in range(5)], "and so my fellow Americans".split(), 0.05, -0.25, 1.1)


@pytest.mark.parametrize(
    ("change", "voiced", "expected"),
    [
        ({}, [(0, 5)], False),
        ({"no_speech": 0.8}, [(0, 5)], False),
        ({"no_speech": 0.8, "log_probability": -1.2}, [(0, 5)], True),
        ({"compression": 3.1, "log_probability": -0.7}, [(0, 5)], True),
        ({"compression": 3.1}, [(0, 5)], False),
        ({"log_probability": -2.0}, [(0, 5)], True),
        ({}, [], True),
        ({}, [(0, 0.5)], True),
        ({"spans": [(0.05 * n, 0.05 * n + 0.05) for n in range(5)]}, [(0, 5)], True),
        ({"words": ["…", "!"]}, [(0, 5)], True),
    ],
)
def test_invented_sentences_are_dropped(change, voiced, expected):
    assert is_invented(SAID._replace(**change), voiced) is expected


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("no no no never", "no no no never"),
        ("no no no no no never", "no never"),
        ("thank you thank you thank you thank you all", "thank you all"),
        ("a b c a b c a b c a b c a b c end", "a b c end"),
        ("one two three", "one two three"),
        ("", ""),
    ],
)
def test_loops_are_kept_once(words, kept):
    given_words = words.split()
    assert [given_words[row] for row in without_loops(given_words)] == kept.split()
