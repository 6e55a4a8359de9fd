"""Subtitles: what is read of them, and which of several count as the transcript."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.tools.errors import MediaError
from playhead.tools.media.streams import probe
from playhead.tools.media.subtitles.choice import choose_subtitles
from playhead.tools.media.subtitles.cues import parse_cues
from playhead.tools.media.subtitles.encoding import decode_text
from playhead.tools.media.subtitles.files import observations_of, read_subtitles
from playhead.tools.records import AudioStream, VideoInfo

from ..media import beep, ffmpeg, write_media

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


def cues(path, content, encoding="utf-8", **how):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return [(cue.start, cue.end, cue.text) for cue in read_subtitles(path, **how).cues]


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
    (cue,) = observations_of(read_subtitles(tmp_path / "talk.srt").cues, "sidecar@srt")
    assert (cue.modality, cue.source, cue.score, cue.text) == ("speech", "sidecar@srt", 1.0, "red [31m alert")


@pytest.mark.parametrize("content", [b"", b"no subtitles at all\n", b"WEBVTT\n\n", bytes(range(256))])
def test_a_file_without_cues_is_refused(tmp_path, content):
    (tmp_path / "talk.vtt").write_bytes(content)
    with pytest.raises(MediaError, match=r"talk\.vtt holds no subtitles with times: correct or move it"):
        read_subtitles(tmp_path / "talk.vtt")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MediaError, match=r"talk\.srt cannot be read \(No such file"):
        read_subtitles(tmp_path / "talk.srt")


def test_rolling_captions_without_word_times_say_each_line_once(tmp_path):
    """As tools write them when they convert automatic captions to SubRip."""
    shown = [
        (0.0, 2.0, "we planted beans"),
        (2.0, 2.01, "we planted beans"),
        (2.01, 4.0, "we planted beans\nin the north field"),
        (4.0, 4.01, "in the north field"),
        (4.01, 6.0, "in the north field\nbefore the rain"),
    ]
    text = "".join(f"{n}\n{clock(a)} --> {clock(b)}\n{said}\n\n" for n, (a, b, said) in enumerate(shown, 1))
    assert cues(tmp_path / "a.srt", text) == [
        (0.0, 2.0, "we planted beans"),
        (2.01, 4.0, "in the north field"),
        (4.01, 6.0, "before the rain"),
    ]


def test_a_line_that_is_said_twice_is_kept_twice(tmp_path):
    text = "".join(f"{clock(n)} --> {clock(n + 1)}\n{said}\n\n" for n, said in enumerate(["No!", "No!", "Never."]))
    assert [said for _, _, said in cues(tmp_path / "a.srt", text)] == ["No!", "No!", "Never."]


def clock(seconds):
    return f"{int(seconds // 3600):02d}:{int(seconds // 60 % 60):02d}:{seconds % 60:06.3f}".replace(".", ",")


@pytest.mark.parametrize("numbered", [True, False])
def test_a_cue_that_is_only_a_number(tmp_path, numbered):
    text = "".join(
        f"{f'{n + 1}' + chr(10) if numbered else ''}{clock(2 * n)} --> {clock(2 * n + 1)}\n{said}\n\n"
        for n, said in enumerate(["the train leaves in", "1492", "7", "days"])
    )
    assert [said for _, _, said in cues(tmp_path / "a.srt", text)] == ["the train leaves in", "1492", "7", "days"]


@pytest.mark.parametrize(
    ("line", "span"),
    [
        ("00:00:02 --> 00:00:05", (2, 5)),
        ("00:00:8,500 --> 00:00:11,00", (8.5, 11)),
        ("00:01:14.250-->00:01:17.250", (74.25, 77.25)),
        ("00:00:20:500 --> 00:00:23:500", (20.5, 23.5)),
        ("00:00:26,1234 --> 00:00:29,5678", (26.1234, 29.5678)),
        ("0:0:38,5 --> 0:0:41,0", (38.5, 41)),
        ("00:00:44,000 -> 00:00:47,000", (44, 47)),
        ("00:00:50,000 --> 00:00:53,000 X1:100 X2:200 Y1:50 Y2:60", (50, 53)),
        ("01:05.5 --> 01:06.25", (65.5, 66.25)),
        ("  00:00:01,000  -->  00:00:02,000  ", (1, 2)),
    ],
)
def test_loose_time_lines(tmp_path, line, span):
    text = f"1\n00:00:00,000 --> 00:00:00,500\nbefore\n\n2\n{line}\nthe words 1.567.202\n"
    assert cues(tmp_path / "a.srt", text) == [(0.0, 0.5, "before"), (*span, "the words 1.567.202")]


def test_time_lines_that_cannot_be_read_are_counted(tmp_path):
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nkept\n\n2\n00:00:7x --> 12:00 noon\nlost\n")
    read = read_subtitles(path)
    assert [cue.text for cue in read.cues] == ["kept"]
    assert read.notes == ["a.srt: 1 cues are skipped, because their times cannot be read"]


def test_entities_are_unescaped_as_often_as_they_were_escaped(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,000\nit&amp;amp;#39;s 3 &amp;lt; 4 &gt; Ann &amp; Bob\n"
    assert cues(tmp_path / "a.srt", text) == [(1.0, 2.0, "it's 3 < 4 > Ann & Bob")]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("cp1251", "Завтра утром мы поедем на озеро"),
        ("cp1253", "Αύριο το πρωί πάμε στη λίμνη"),
        ("cp1250", "Zítra ráno pojedeme k jezeru, řekl přítel"),
        ("cp1252", "Demain matin, nous irons à l’école près du château"),
        ("cp1254", "Yarın sabah göle gidiyoruz, çünkü şehir çok sıcak"),
        ("shift_jis", "明日の朝は湖に行きます"),
        ("gb18030", "明天早上我们去湖边"),
        ("euc_kr", "내일 아침에 호수에 갑니다"),
        ("koi8_r", "Сегодня вечером будет гроза"),
        ("koi8_r", "Спасибо, я уже обедал"),
        ("koi8_r", "Где ближайшая аптека?"),
        ("cp874", "พรุ่งนี้ฝนจะตก"),
        ("cp1255", "איפה בית המרקחת?"),
        ("cp1256", "ستمطر هذا المساء"),
        ("cp1252", "Ça va très bien"),
        ("big5", "最近的藥局在哪裡"),
    ],
)
def test_a_legacy_encoding_is_found_and_named(tmp_path, encoding, said):
    path = tmp_path / "a.srt"
    path.write_bytes(f"1\r\n00:00:01,000 --> 00:00:04,000\r\n{said}\r\n".encode(encoding))
    read = read_subtitles(path)
    assert [cue.text for cue in read.cues] == [said]
    assert len(read.notes) == 1
    assert "encoding is guessed" in read.notes[0]


def test_one_bad_byte_does_not_spoil_the_file(tmp_path):
    good = "1\n00:00:01,000 --> 00:00:04,000\nKöln, Zürich und Málaga\n"
    path = tmp_path / "a.srt"
    path.write_bytes(good.encode() + b"\n2\n00:00:05,000 --> 00:00:06,000\nand \xff here\n")
    read = read_subtitles(path)
    assert [cue.text for cue in read.cues] == ["Köln, Zürich und Málaga", "and \ufffd here"]
    assert read.notes == ["a.srt: 1 damaged characters"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding):
    text = "1\n00:00:01,000 --> 00:00:04,000\nplain words, näher\n"
    assert decode_text(text.encode(encoding)).text == text


ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:01.00,0:00:04.00,Default,,0,0,0,,{\\an8\\i1}The mill was sold,\\Nin autumn.
"""
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml"><body><div>
<p begin="00:00:01.000" end="00:00:04.000">The mill was sold,<br/>in autumn.</p>
</div></body></tt>
"""
SBV = "0:00:01.000,0:00:04.000\nThe mill was sold,\nin autumn.\n\n"
SUBVIEWER = "[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n\n00:00:01.00,00:00:04.00\nThe mill was sold,[br]in autumn.\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ass", ASS),
        ("a.ssa", ASS.replace("V4+", "V4").replace("v4.00+", "v4.00").replace("Layer", "Marked")),
        ("a.ttml", TTML),
        ("a.dfxp", TTML),
        ("a.sbv", SBV),
        ("a.sub", SUBVIEWER),
        ("a.sub", "{25}{100}The mill was sold,|in autumn.\n"),
    ],
)
def test_other_formats(tmp_path, name, content):
    assert cues(tmp_path / name, content, frame_rate=25.0) == [(1.0, 4.0, "The mill was sold, in autumn.")]


def test_xml_that_declares_entities_is_refused(tmp_path):
    (tmp_path / "a.ttml").write_text(TTML.replace("?>", '?><!DOCTYPE tt [<!ENTITY a "b">]>', 1))
    with pytest.raises(MediaError, match="declares XML entities"):
        read_subtitles(tmp_path / "a.ttml")


@given(text=st.text(alphabet="0123456789:,.-> \n<>{}\\&;ab", max_size=300), blank_ends=st.booleans())
def test_any_text_gives_cues_with_words_in_order(text, blank_ends):
    found, _ = parse_cues(text, blank_ends=blank_ends)
    assert [cue.start for cue in found] == sorted(cue.start for cue in found)
    for cue in found:
        assert 0 <= cue.start < cue.end
        assert all(line and "-->" not in line for line in cue.lines) or "-->" in text


@pytest.mark.parametrize("piece", ["<a", "{\\", "00:", "1\n", "-->\n", "&amp;", "<00:", " " * 50, "word "])
def test_parsing_takes_linear_time(piece):
    head = "1\n00:00:01,000 --> 00:00:04,000\n"
    began = time.process_time()  # of this process alone: other jobs on the machine do not count
    parse_cues(head + piece * (1_000_000 // len(piece)), blank_ends=False)
    assert time.process_time() - began < 5


def info(path, language="", subtitles=()):
    sound = AudioStream(index=1, codec="aac", start=0.0, language=language)
    return VideoInfo(path=path, format="mp4", duration=60.0, video=None, audio=sound, subtitles=subtitles)


def srt(*spans):
    return "".join(f"{clock(a)} --> {clock(b)}\nsome words\n\n" for a, b in spans)


@pytest.mark.parametrize(
    ("names", "language", "sound", "found"),
    [
        (["talk.srt", "talk.vtt", "talk.en.srt"], None, "", "talk.srt"),
        (["talk.vtt", "talk.en.srt"], None, "", "talk.vtt"),
        (["talk.en.srt"], None, "", "talk.en.srt"),
        (["talk.en.forced.srt", "talk.en.srt"], None, "", "talk.en.srt"),
        (["talk.en.forced.srt"], None, "", None),
        (["talk.forced.srt"], None, "en", None),
        (["talk.de.vtt", "talk.pt-BR.vtt"], "pt", "", "talk.pt-BR.vtt"),
        (["talk.de.srt", "talk.en.srt"], None, "en", "talk.en.srt"),
        (["talk.de.srt", "talk.eng.srt"], None, "en", "talk.eng.srt"),
        (["talk.de.srt"], None, "en", None),
        (["talk.de.srt", "talk.srt"], None, "en", "talk.srt"),
        (["talk.de.srt", "talk.en.srt"], "de", "en", "talk.de.srt"),
        (["TALK.srt", "talk.SRT"], None, "", "talk.SRT"),
        (["talk.part2.srt", "talk2.srt", "talk.truth.vtt", "talk.txt"], None, "", None),
        ([], None, "", None),
    ],
)
def test_which_file_is_chosen(tmp_path, names, language, sound, found):
    for name in ["talk.mp4", *names]:
        (tmp_path / name).write_text(srt((1, 5), (6, 9)) if "vtt" not in name else "WEBVTT\n\n" + srt((1, 5), (6, 9)))
    chosen, _ = choose_subtitles(info(tmp_path / "talk.mp4", sound), language)
    assert (chosen and chosen.name) == found


def test_of_several_the_most_complete_is_chosen_and_the_others_are_named(tmp_path):
    (tmp_path / "talk.en.srt").write_text(srt((1, 3)))
    (tmp_path / "talk.en-GB.vtt").write_text("WEBVTT\n\n" + srt((1, 3), (4, 9), (10, 20)))
    (tmp_path / "talk.fr.srt").write_text(srt((1, 59)))
    (tmp_path / "talk.idx").write_text("pictures")
    chosen, notes = choose_subtitles(info(tmp_path / "talk.mp4", "en"), None)
    assert chosen.name == "talk.en-GB.vtt"
    assert notes == [
        "subtitles talk.idx are pictures or of a kind that is not read",
        "subtitles talk.en.srt (language en) are not used",
        "subtitles talk.fr.srt (language fr) are not used",
    ]


def test_names_are_compared_in_one_normal_form(tmp_path):
    (tmp_path / "caf\u00e9.srt").write_text(srt((1, 3)))
    chosen, _ = choose_subtitles(info(tmp_path / "cafe\u0301.mp4"), None)
    assert chosen.name == "caf\u00e9.srt"


def test_a_folder_is_not_subtitles(tmp_path):
    (tmp_path / "talk.srt").mkdir()
    assert choose_subtitles(info(tmp_path / "talk.mp4"), None) == (None, [])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("b.mkv", "ass"), ("a.webm", "webvtt")]
)
def test_a_track_inside_the_video_is_read_on_its_timeline(tmp_path, name, codec):
    """The sound begins 2 s before the pictures: the timeline does, too."""
    film = write_media(tmp_path / "film.mkv", [2 + n / 10 for n in range(60)], sound=beep(1, 3))
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:04,000\nThe mill was <i>sold</i>,\nin autumn.\n")
    codecs = ["-c:v", "libvpx", "-c:a", "libopus"] if name.endswith("webm") else ["-c:v", "copy", "-c:a", "copy"]
    made = tmp_path / name
    ffmpeg("-i", film, "-i", tmp_path / "said.srt", "-map", "0", "-map", "1", *codecs, "-c:s", codec,
           "-metadata:s:s:0", "language=eng", made)  # fmt: skip
    (tmp_path / "said.srt").unlink()
    found = probe(made)
    chosen, notes = choose_subtitles(found, None)
    assert (chosen.path, chosen.language, chosen.stream.codec, notes) == (None, "en", chosen.stream.codec, [])
    (cue,) = chosen.read(found).cues
    assert (cue.start, cue.end, cue.text) == (
        pytest.approx(1, abs=0.05),
        pytest.approx(4, abs=0.05),
        "The mill was sold, in autumn.",
    )


def test_a_track_that_holds_pictures_is_named(tmp_path):
    made = tmp_path / "a.mkv"
    film = write_media(tmp_path / "film.mkv", [n / 10 for n in range(20)])
    (tmp_path / "said.srt").write_text("1\n" + srt((0.2, 1)))
    ffmpeg("-i", film, "-i", tmp_path / "said.srt", "-map", "0", "-map", "1", "-c:v", "copy", "-c:s", "subrip", made)
    found = probe(made)
    pictures = found.subtitles[0].model_copy(update={"codec": "dvb_subtitle", "is_text": False})
    (tmp_path / "said.srt").unlink()
    chosen, notes = choose_subtitles(found.model_copy(update={"subtitles": (pictures,)}), None)
    assert (chosen, notes) == (None, ["subtitle stream 1 (dvb_subtitle) holds pictures of text: not read"])
