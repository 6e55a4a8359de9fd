"""Which streams are used, how the others are named, and what is refused before it is opened."""

import os

import pytest

from playhead.index.indexing.media_files import media_files
from playhead.tools.errors import MediaError
from playhead.tools.media import container
from playhead.tools.media.frames import scan
from playhead.tools.media.streams import probe

from ..media import beep, ffmpeg, write_media

PICTURES = [n / 10 for n in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("streams")


@pytest.fixture(scope="module")
def dubbed(folder):
    """A film with a French track, an English one, and a commentary in English that is the default."""
    film = write_media(folder / "film.mkv", PICTURES, sound=beep(0.5, 2))
    made = folder / "dubbed.mkv"
    ffmpeg("-i", film, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "0:a", "-c", "copy",
           "-metadata:s:a:0", "language=fre", "-metadata:s:a:1", "language=eng", "-metadata:s:a:2", "language=eng",
           "-disposition:a:0", "0", "-disposition:a:1", "0", "-disposition:a:2", "default+comment", made)  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("how", "index", "language"),
    [({}, 1, "fr"), ({"language": "en"}, 2, "en"), ({"language": "de"}, 1, "fr"), ({"audio": 3}, 3, "en")],
)
def test_which_audio_stream_is_transcribed(dubbed, how, index, language):
    info = probe(dubbed, **how)
    assert (info.audio.index, info.audio.language) == (index, language)
    named = [note for note in info.notes if "second audio stream" in note]
    assert len(named) == 2
    assert all("set audio_stream=" in note for note in named)


def test_an_audio_stream_that_does_not_exist(dubbed):
    with pytest.raises(MediaError, match=r"no audio stream with index 7 .* it has: 1, 2, 3"):
        probe(dubbed, audio=7)


def test_covers_attachments_and_second_pictures_are_named(folder):
    film = write_media(folder / "speaker.mkv", PICTURES)
    (folder / "notes.txt").write_text("a text")
    made = folder / "many.mkv"
    ffmpeg("-i", film, "-i", film, "-map", "0:v", "-map", "1:v", "-c", "copy", "-attach", folder / "notes.txt",
           "-metadata:s:t", "mimetype=text/plain", made)  # fmt: skip
    notes = probe(made).notes
    assert (
        notes[0]
        == "stream 1 is a second video stream: not used; set stream=1 to index it instead, or stream=all to index it, too"
    )
    assert notes[1].startswith("stream 2 is an attached file")
    assert probe(made, stream=1).video.index == 1


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="is not a regular file"):
        probe(tmp_path / "pipe.mp4")


@pytest.mark.parametrize(
    "start", [b"#EXTM3U\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b"\xef\xbb\xbf#EXTM3U\n"]
)
def test_playlists_are_refused_before_they_open_anything(tmp_path, start):
    (tmp_path / "list.mp4").write_bytes(start)
    with pytest.raises(MediaError, match="is a playlist"):
        probe(tmp_path / "list.mp4")


def test_frames_that_are_too_large_are_refused(folder, monkeypatch):
    film = write_media(folder / "large.mp4", PICTURES, sound=beep(0.5, 2))
    monkeypatch.setattr(container, "_MOST_PIXELS", 1000)
    with pytest.raises(MediaError, match=r"its frames have 96×64 pixels, at most 1,000 are decoded"):
        next(scan(film))
    info = probe(film)
    assert info.video is None
    assert any("no picture can be decoded" in note for note in info.notes)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_transport_streams_raise_media_errors_only(folder, seed):
    """Bytes are overwritten at random: what can be read is read."""
    import numpy as np

    whole = write_media(folder / f"whole-{seed}.ts", PICTURES, sound=beep(0.5, 2)).read_bytes()
    dice = np.random.default_rng(seed)
    damaged = bytearray(whole)
    for at in dice.integers(0, len(whole), size=40):
        damaged[at] = int(dice.integers(256))
    path = folder / f"damaged-{seed}.ts"
    path.write_bytes(bytes(damaged))
    try:
        info = probe(path)
        assert info.duration < 60
        assert all(frame.seconds <= info.duration + 1 for frame in scan(path))
    except MediaError:
        pass


def test_linked_folders_are_read_once(tmp_path, caplog):
    shared = tmp_path / "shared"
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    shared.mkdir()
    for path in (tmp_path / "lib" / "a.mkv", shared / "b.mkv"):
        path.write_bytes(b"x")
    (tmp_path / "lib" / "season2").symlink_to(shared)
    (tmp_path / "lib" / "season3").symlink_to(shared)
    (tmp_path / "lib" / "deep" / "loop").symlink_to(tmp_path / "lib")
    (tmp_path / "lib" / "gone.mkv").symlink_to(tmp_path / "nowhere.mkv")
    (tmp_path / "lib" / "list.m3u8").write_text("#EXTM3U\n")
    found = [str(path.relative_to(tmp_path / "lib")) for path in media_files(tmp_path / "lib")]
    assert found == ["a.mkv", "season2/b.mkv"]
    for named in (
        "season3 is a link to",
        "loop is a link to",
        "gone.mkv is a link to a file that does not exist",
        "list.m3u8 is a playlist",
    ):
        assert named in caplog.text
