"""Streams are recorded and indexed while they run: pipes, growing files, a killed process, a machine that is too slow."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from playhead import Library
from playhead.agent.live import LiveRecording, LiveStep
from playhead.agent.watching import StandingQuery
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.recordings import part_clock
from playhead.tools.errors import LibraryError, MediaError
from playhead.tools.media.live import LiveSegment, LiveSource, live_segments
from playhead.tools.media.streams import probe

from ..fakes import Reader, Speaker, extractors
from ..media import HEIGHT, WIDTH, number_in, numbered

ROOT = Path(__file__).resolve().parents[3]
RTSP_SERVER = Path(__file__).resolve().parents[1] / "rtsp_server.py"
RATE = 10  # frames a second; each second shows its own number


def stream(seconds: int, out, first: int = 0, start: float = 0.0, realtime: bool = False) -> None:
    """Write an MPEG-TS stream with a keyframe each second; a tone of 1 kHz sounds through it."""
    tick = Fraction(1, 90_000)
    with av.open(out, "w", format="mpegts", options={"flush_packets": "1"}) as written:
        pictures = written.add_stream("libx264", rate=RATE, options={"g": str(RATE), "bf": "0", "preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.time_base = pictures.codec_context.time_base = tick
        sound = written.add_stream("aac", rate=48_000, layout="mono")
        began = time.monotonic()
        for number in range(seconds * RATE):
            second = number / RATE
            if realtime and (ahead := second - (time.monotonic() - began)) > 0:
                time.sleep(ahead)
            frame = av.VideoFrame.from_ndarray(numbered(first + number // RATE), format="rgb24")
            frame.time_base, frame.pts = tick, round((start + second) / tick)
            written.mux(pictures.encode(frame))
            for step in range(4800 // 960):
                at = second + step * 0.02
                wave = np.sin(2 * np.pi * 1000 * (at + np.arange(960) / 48_000)).astype(np.float32)
                tone = av.AudioFrame.from_ndarray(wave[None] * 0.3, format="fltp", layout="mono")
                tone.sample_rate, tone.time_base = 48_000, Fraction(1, 48_000)
                tone.pts = round((start + at) * 48_000)
                written.mux(sound.encode(tone))
        for one in (pictures, sound):
            written.mux(one.encode(None))


def recorded(path: Path, seconds: int, **options) -> Path:
    buffer = io.BytesIO()
    stream(seconds, buffer, **options)
    with path.open("ab") as file:
        file.write(buffer.getvalue())
    return path


@pytest.fixture
def gear(monkeypatch: pytest.MonkeyPatch):
    """All fakes but captions; the test may change them."""
    made = extractors(captioner=None)
    monkeypatch.setattr(Extractors, "gather", lambda settings: made)
    return made


def run(library: Library, place: Path | str, queries=(), matched=None, **options) -> tuple[list[LiveStep], list]:
    steps: list[LiveStep] = []
    source = LiveSource(str(place), **{"segment_seconds": 2.0, "idle_seconds": 0.2} | options)
    parts = LiveRecording(library, source, "cam", queries).run(threading.Event(), steps.append, matched)
    return steps, parts


def numbers(library: Library, video: str) -> list[tuple[int, float, float]]:
    rows = [one for one in library.observed(video)[1] if one.modality == "text"]
    return [(int(one.text.split()[1]), one.start, one.end) for one in sorted(rows, key=lambda one: one.start)]


def test_segments_begin_at_keyframes_and_keep_the_clock(tmp_path: Path):
    path = recorded(tmp_path / "s.ts", 7, start=1000.0)
    segments = list(live_segments(LiveSource(str(path), 2.0, 4.0, 0.1), tmp_path, threading.Event()))
    assert [(one.part, one.start, one.end) for one in segments] == [
        (0, 0.0, pytest.approx(2.0)), (0, pytest.approx(2.0), pytest.approx(4.0)),
        (1, 0.0, pytest.approx(2.0)), (1, pytest.approx(2.0), pytest.approx(3.0, abs=0.15)),
    ]  # fmt: skip
    assert [one.part_start for one in segments] == [0.0, 0.0, pytest.approx(4.0), pytest.approx(4.0)]
    with av.open(str(segments[1].path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [number_in(one) for one in frames] == [2] * RATE + [3] * RATE


def test_a_recording_is_two_videos_with_true_seconds(tmp_path: Path, gear):
    path = recorded(tmp_path / "s.ts", 7)
    with Library(tmp_path / "talks" / ".playhead") as library:
        steps, parts = run(library, path, part_seconds=4.0)
        assert [(round(s.start), round(s.end), s.effort) for s in steps] == [
            (0, 2, "all"), (2, 4, "all"), (0, 2, "all"), (2, 3, "all"),
        ]  # fmt: skip
        first, second = parts
        assert [n for n, *_ in numbers(library, first.video_id)] == [0, 1, 2, 3]
        assert [n for n, *_ in numbers(library, second.video_id)] == [4, 5, 6]
        for number, start, end in numbers(library, first.video_id):
            assert (start, end) == (pytest.approx(number, abs=0.11), pytest.approx(number + 1, abs=0.11))
        said = [one for one in library.observed(first.video_id)[1] if one.modality == "speech"]
        assert [round(one.start) for one in said] == [0, 2]
        assert all(word.start >= one.start for one in said for word in one.words)
        assert [record.metadata.recorded <= second.metadata.recorded for record in parts] == [True, True]
        assert len(library.videos(where="recording=cam")) == 2
        assert library.videos(where=["recording=cam", "stream_start>3"]) == [second]
        assert library.verify(deep=True) == []
        info = probe(library.path_of(first))
        assert info.duration == pytest.approx(4.0, abs=0.25)
        assert library.keyframe_at(first.video_id, 2.5) is not None
        moment = library.moment(f"{library.path_of(first)}@2.2-2.6", frames=1)
        assert round(moment.frames[0].seconds) == 2
        assert [path.name for path in (tmp_path / "talks" / "recordings" / "cam").glob(".*.ts")] == []
        assert [one.state for one in library.index(tmp_path / "talks")] == ["unchanged", "unchanged"]
        assert library.videos() == parts


def test_one_line_over_several_segments_is_one_observation(tmp_path: Path, gear):
    buffer = io.BytesIO()
    stream(6, buffer, first=0)
    gear.by_modality["text"].observe = lambda segments: []
    with Library(tmp_path / ".playhead") as library:
        (tmp_path / "s.ts").write_bytes(buffer.getvalue())
        _, (part,) = run(library, tmp_path / "s.ts")
        squares = [one for one in library.observed(part.video_id)[1] if one.modality == "object"]
        joined = max(squares, key=lambda one: one.end - one.start)
        assert joined.end - joined.start > 2.5


def test_a_file_that_grows_can_be_searched_meanwhile(tmp_path: Path, gear):
    path, matches, found = tmp_path / "s.ts", [], []
    recorded(path, 5)
    with Library(tmp_path / "talks" / ".playhead") as library:

        def done(step: LiveStep) -> None:
            found.append({one.text for one in library.search("number", 20, modalities="text")})
            if len(found) == 1:
                recorded(path, 4, first=5, start=5.0)

        source = LiveSource(str(path), 2.0, 300.0, 2.0)
        recording = LiveRecording(library, source, "cam", [StandingQuery("number 6", threshold=0.0)])
        recording.run(threading.Event(), done, lambda query, evidence: matches.append(evidence.text))
    assert found[0] == {"number 0", "number 1"}
    assert "number 8" in found[-1]
    assert "number 6" in matches


def test_a_clock_that_jumps_is_named(tmp_path: Path, gear):
    path = recorded(tmp_path / "s.ts", 3)
    recorded(path, 3, first=3, start=500.0)
    with Library(tmp_path / ".playhead") as library:
        _, (part,) = run(library, path)
        assert [n for n, *_ in numbers(library, part.video_id)] == [0, 1, 2, 3, 4, 5]
        assert part.duration == pytest.approx(6.0, abs=0.3)
        assert any("the clock of the stream jumped by 49" in note for note in part.notes)


def test_a_slow_machine_leaves_out_pictures_and_says_so(tmp_path: Path, gear, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("playhead.agent.live._PATIENCE_SECONDS", 0.4)
    observe = Reader.observe

    def slow(self, segments):
        time.sleep(0.6)
        return observe(self, segments)

    monkeypatch.setattr(Reader, "observe", slow)
    path = recorded(tmp_path / "s.ts", 12)
    with Library(tmp_path / "talks" / ".playhead") as library:
        recording = LiveRecording(library, LiveSource(str(path), 2.0, idle_seconds=0.2), "cam")
        recording._can_wait = False  # as a pipe
        steps: list[LiveStep] = []
        (part,) = recording.run(threading.Event(), steps.append)
        efforts = [step.effort for step in steps]
        assert set(efforts) & {"sound", "nothing"}
        notes = [note for note in part.notes if "could not keep up" in note]
        assert len(notes) == len(efforts) - efforts.count("all")
        assert part.stage("text").fingerprint == ""
        monkeypatch.setattr(Reader, "observe", observe)
        assert [one.state for one in library.index(tmp_path / "talks")] == ["indexed"]  # what was left out is extracted
        assert [n for n, *_ in numbers(library, part.video_id)] == list(range(12))


def test_a_file_that_is_there_already_is_extracted_whole(tmp_path: Path, gear):
    with Library(tmp_path / ".playhead") as library:
        steps, (part,) = run(library, recorded(tmp_path / "s.ts", 20))
        assert {step.effort for step in steps} == {"all"}
        assert [n for n, *_ in numbers(library, part.video_id)] == list(range(20))


def test_what_is_left_out_depends_on_how_long_a_segment_waits(tmp_path: Path, gear):
    with Library(tmp_path / ".playhead") as library:
        recording = LiveRecording(library, LiveSource("-"), "cam")
    recording._has_ended = True

    def efforts(*waited: float) -> list[str]:
        now = time.time()
        recording._waiting.extend(LiveSegment(tmp_path, 0, 0.0, 2.0, 0.0, 0.0, now - one) for one in waited)
        return [effort for _, effort in recording._segments(threading.Event())]

    assert [efforts(one) for one in (0.1, 9.0, 11.0, 29.0, 31.0)] == [
        ["all"],
        ["all"],
        ["sound"],
        ["sound"],
        ["nothing"],
    ]
    assert efforts(*[0.1] * 6) == ["nothing", "nothing", "nothing", "all", "all", "all"]


def test_a_segment_that_fails_does_not_stop_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = extractors(captioner=None, speech=Speaker(raises=RuntimeError("no memory"), when=2))
    monkeypatch.setattr(Extractors, "gather", lambda settings: made)
    with Library(tmp_path / ".playhead") as library:
        _, (part,) = run(library, recorded(tmp_path / "s.ts", 4))
        assert [n for n, *_ in numbers(library, part.video_id)] == [0, 1, 2, 3]
        assert any("speech: RuntimeError: no memory" in note for note in part.notes)
        assert (part.stage("speech").state, part.stage("speech").fingerprint) == ("done", "")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a web server shows it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_hls_stream(tmp_path: Path, gear, served: tuple[Path, str]):
    folder, url = served
    recorded(folder / "0.ts", 3)
    recorded(folder / "1.ts", 3, first=3, start=3.0)
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n"
    (folder / "s.m3u8").write_text(f"{head}#EXTINF:3,\n0.ts\n#EXTINF:3,\n1.ts\n#EXT-X-ENDLIST\n")
    with Library(tmp_path / "talks" / ".playhead") as library:
        _, (part,) = run(library, f"{url}/s.m3u8")
        assert [n for n, *_ in numbers(library, part.video_id)] == [0, 1, 2, 3, 4, 5]
        (folder / "evil.m3u8").write_text(f"{head}#EXTINF:3,\nfile://{folder}/0.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(MediaError, match="cannot be read as a stream"):
            run(library, f"{url}/evil.m3u8")


def test_what_came_before_a_lost_connection_is_handed_over_at_once(tmp_path: Path):
    film, handed_over = recorded(tmp_path / "film.ts", 5), threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for number in range(2):
            if number and not handed_over.wait(20):
                break
            connection, _ = server.accept()
            with connection:
                connection.sendall(film.read_bytes())
        server.close()

    serving = threading.Thread(target=serve)
    serving.start()
    source, segments = LiveSource(f"tcp://127.0.0.1:{server.getsockname()[1]}", 2.0, idle_seconds=5.0), []
    for segment in live_segments(source, tmp_path, threading.Event()):
        segments.append(segment)
        if segment.end > 4.5:
            handed_over.set()
    serving.join()
    assert [round(segment.end) for segment in segments] == [2, 4, 5, 7, 9, 10]
    assert [bool(segment.note) for segment in segments] == [False, False, False, True, False, False]
    assert segments[3].note.startswith("the connection was lost for ")


def _rtsp(file: Path, port: int = 0) -> tuple[subprocess.Popen, int]:
    """Start an RTSP server; returns it and its port."""
    python = "/usr/bin/python3"
    process = subprocess.Popen(
        [python, str(RTSP_SERVER), str(file), str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        assert process.stderr
        pytest.skip(f"GStreamer's RTSP server is not installed ({process.stderr.read().strip()[-80:]})")
    return process, int(line)


@pytest.mark.slow
def test_an_rtsp_camera_that_is_gone_for_a_while(tmp_path: Path, gear):
    if not Path("/usr/bin/python3").exists():
        pytest.skip("GStreamer's RTSP server needs Debian's Python")
    film = recorded(tmp_path / "film.ts", 60)
    process, port = _rtsp(film)
    steps: list[LiveStep] = []
    servers = [process]

    def done(step: LiveStep) -> None:
        steps.append(step)
        if len(steps) == 2:
            servers[-1].kill()
            servers[-1].wait()
            servers.append(_rtsp(film, port)[0])
        elif step.note:
            servers[-1].kill()

    with Library(tmp_path / "talks" / ".playhead") as library:
        source = LiveSource(f"rtsp://127.0.0.1:{port}/cam", segment_seconds=2.0, idle_seconds=6.0)
        try:
            recording = LiveRecording(library, source, "cam")
            recording._can_wait = True  # a busy machine leaves nothing out
            (part,) = recording.run(threading.Event(), done)
        finally:
            for one in servers:
                one.kill()
                one.wait()
        read = [number for number, *_ in numbers(library, part.video_id)]
    again = next(number for number in range(1, len(read)) if read[number] < read[number - 1])
    assert read[:again] == list(range(read[0], read[0] + again))
    assert again >= 4
    assert read[again:] == list(range(read[again], read[again] + len(read) - again))
    (gap,) = [note for note in part.notes if "gap" in note]
    assert "the connection was lost for" in gap
    clock = part_clock(part)
    assert clock is not None
    assert clock.seconds[0] == 0.0
    assert again - 1 < clock.seconds[1] < again + 0.3  # the last second may be there in part
    assert clock.wall[1] > clock.wall[0]
    gap_step = next(number for number, step in enumerate(steps) if step.note)
    assert steps[gap_step].start == pytest.approx(clock.seconds[1], abs=0.01)


@pytest.mark.slow
def test_an_rtmp_stream(tmp_path: Path, gear):
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("the program ffmpeg is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"rtmp://127.0.0.1:{free.getsockname()[1]}/live/cam"
    film = recorded(tmp_path / "film.ts", 5)
    command = [ffmpeg, "-v", "error", "-re", "-i", str(film), "-c", "copy", "-f", "flv", "-listen", "1", url]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as sender:
        time.sleep(1.5)
        with Library(tmp_path / "talks" / ".playhead") as library:
            _, (part,) = run(library, url)
            assert [number for number, *_ in numbers(library, part.video_id)] == [0, 1, 2, 3, 4]
        sender.wait(30)


def test_an_address_without_a_stream_leaves_nothing_behind(tmp_path: Path, gear):
    with Library(tmp_path / "talks" / ".playhead") as library, pytest.raises(MediaError, match="Connection refused"):
        run(library, "rtsp://me:secret@127.0.0.1:9/cam")
    assert list(tmp_path.iterdir()) == []


def test_no_message_holds_a_password():
    assert LiveSource("rtsp://me:secret@host:554/cam@1").shown == "rtsp://…@host:554/cam@1"
    assert LiveSource("rtsp://host/a:b@c").shown == "rtsp://host/a:b@c"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("srt://me:secret@host:9", "srt://…@host:9: the FFmpeg library inside PyAV was built without srt"),
        ("ftp://host/x", "ftp is not read: use one of http, https, rtsp"),
        ("none.ts", "none.ts cannot be read as a stream (No such file or directory): check that it runs"),
        ("/dev/null", "/dev/null is a device, whose pictures are not compressed: let FFmpeg do it"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, gear, place: str, message: str):
    with Library(tmp_path / ".playhead") as library, pytest.raises(MediaError) as caught:
        run(library, place)
    assert message in str(caught.value)


def test_two_processes_cannot_record_under_one_name(tmp_path: Path, gear):
    with Library(tmp_path / ".playhead") as library:
        recording = LiveRecording(library, LiveSource("-"), "cam")
        with recording._alone(), pytest.raises(LibraryError, match="another process records 'cam'"):
            run(library, recorded(tmp_path / "s.ts", 1))


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from playhead.index.indexing.extractor_set import Extractors
from playhead.tests.fakes import extractors
Extractors.gather = lambda settings: extractors(settings, captioner=None)
from playhead.agent.cli.main import main
sys.argv = ["playhead", "live", "-", "--library", {library!r}, "--name", "cam", "--segment", "2", "--json"]
main()
"""


@pytest.mark.slow
def test_a_pipe_in_real_time_and_a_kill_lose_at_most_one_segment(tmp_path: Path, gear):
    folder = tmp_path / "talks"
    script = SCRIPT.format(root=str(ROOT), library=str(folder / ".playhead"))
    script = script.replace(str(ROOT), os.environ.get("PYTHONPATH", str(ROOT)).split(":")[0])
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
    )
    assert process.stdin
    feeding = threading.Thread(target=_feed, args=(process.stdin, 25), daemon=True)
    feeding.start()
    seen = 0.0
    library = Library(folder / ".playhead")
    end = time.monotonic() + 120
    while seen < 12:  # it is searched while it runs, by another process
        assert time.monotonic() < end
        time.sleep(0.5)
        videos = library.videos() if (folder / ".playhead" / "videos").is_dir() else []
        seen = max((record.duration for record in videos), default=0.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (record,) = library.videos()
    before = numbers(library, record.video_id)
    assert [n for n, *_ in before] == list(range(len(before)))
    assert len(before) >= 10
    _, parts = run(library, recorded(tmp_path / "next.ts", 2, first=100))
    videos = library.videos()
    assert len(videos) == 2
    recovered = next(one for one in videos if one not in parts)
    after = [n for n, *_ in numbers(library, recovered.video_id)]
    assert after == list(range(len(after)))
    assert len(after) >= len(before)
    assert recovered.notes[-1].startswith("the recording was interrupted here")
    assert library.videos(where=["recording=cam", "stream_start=0", "duration>9"]) == [recovered]
    assert probe(library.path_of(recovered)).duration >= record.duration - 0.2
    assert library.verify(deep=True) == []


def _feed(pipe, seconds: int) -> None:
    class Writer:
        def write(self, data: bytes) -> int:
            try:
                pipe.write(data)
                pipe.flush()
            except (BrokenPipeError, ValueError):
                pass
            return len(data)

    try:
        stream(seconds, Writer(), realtime=True)
        pipe.close()
    except (BrokenPipeError, OSError):
        pass
