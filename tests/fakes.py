"""Extractors that need no model: they read the numbers of the pictures of `media`, and count their calls."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from playhead.index.indexing.extractor_set import Extractors
from playhead.index.records import Evidence, StageReport, VideoRecord
from playhead.index.retrieval.search_index.publishing import Publisher
from playhead.index.storage.committed.table import ObservationTable, write
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.protocol import Vectors, unit
from playhead.tools.extractors.registry import stage_names
from playhead.tools.extractors.speech import TranscribedWord, Window
from playhead.tools.records import Box, Frame, Observation, Pixels, Segment, Span, VideoInfo
from playhead.tools.settings import Settings

from .media import number_in

# The states of the stages when all fakes have worked: none distinguishes speakers, overlaps or sounds, as by default.
DONE = dict.fromkeys(("speech", "text", "object", "caption", "frame"), "done") | {
    "speaker": "skipped",
    "overlap": "skipped",
    "sounds": "skipped",
    "action": "skipped",
    "person": "skipped",
}
BOX = Box(left=0.1, top=0.2, right=0.6, bottom=0.7)


def spoken_line(number: int, words: int = 20, video: str = "a") -> Evidence:
    """Line number `number` of a video's speech, one second long, with this many words beside its number."""
    return Evidence(
        evidence_id=f"{video}-{number}",
        video_id=video,
        video=f"/v/{video}.mp4",
        start=float(number),
        end=number + 1.0,
        modality="speech",
        text=f"line {number} " + "budget " * words,
        score=1,
        source="x",
    )


def observation(text: str, start: float = 0.0, end: float | None = None, **fields) -> Observation:
    """What somebody said; `fields` make it something else."""
    span = Span(start=start, end=start + 1 if end is None else end)
    return Observation(**{"modality": "speech", "span": span, "text": text, "score": 1.0, "source": "fake@1"} | fields)


class BagOfWords:
    """Texts as sums of random directions, one a word: equal words lie near, nothing else does."""

    floor = 0.3  # in 256 dimensions cosines of strangers reach 0.2

    def __init__(self, embedding_id: str = "bag@1", fails: bool = False) -> None:
        self.embedding_id, self.fails = embedding_id, fails
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.fails:
            raise RuntimeError("out of memory")
        self.asked += texts
        return unit(np.stack([self._sum(text) for text in texts]))

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        return self.encode(texts)

    def _sum(self, text: str) -> np.ndarray:
        total = np.zeros(256)
        for word in text.casefold().split():
            seed = int.from_bytes(hashlib.blake2b((self.embedding_id + word).encode(), digest_size=8).digest(), "big")
            total += np.random.default_rng(seed).normal(size=256)
        return total


class Fake:
    """An extractor; `raises` is what it throws, `when` the call at which it does so (from 1)."""

    def __init__(self, source: str, raises: Exception | None = None, when: int = 1) -> None:
        self.source, self.raises, self.when = source, raises, when
        self.calls = 0

    def _called(self) -> None:
        self.calls += 1
        if self.raises is not None and self.calls >= self.when:
            raise self.raises


class Speaker(Fake):
    """Hears `words` in the first second of any sound."""

    def __init__(self, words: str = "hello from the sound", **options) -> None:
        super().__init__(f"speaker-{words}@1", **options)
        self.words = words

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[TranscribedWord]:
        self._called()
        progress(1.0)
        return [TranscribedWord(0.0, 1.0, f" {self.words}", 1.0)] if window.start == 0 else []


class Reader(Fake):
    """Reads the number of a picture."""

    def __init__(self, version: str = "1", **options) -> None:
        super().__init__(f"reader@{version}", **options)

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        self._called()
        return [
            observation(
                f"number {number_in(s.frame.pixels)}",
                modality="text",
                span=s.span,
                source=self.source,
                box=BOX,
                frame_seconds=s.frame.seconds,
            )
            for s in segments
        ]


class Detector(Fake):
    """Sees a square in each picture."""

    def __init__(self, version: str = "1", **options) -> None:
        super().__init__(f"detector@{version}", **options)

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        self._called()
        return [
            observation(
                "square", modality="object", span=s.span, source=self.source, box=BOX, frame_seconds=s.frame.seconds
            )
            for s in segments
        ]


class Pictures(Fake):
    """Pictures as their own rough brightness; queries are blind to all but `black` and `white`."""

    floor = 0.1

    def __init__(self, embedding_id: str = "pixels@1", **options) -> None:
        super().__init__(f"encoder-{embedding_id}", **options)
        self.embedding_id = embedding_id

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        self._called()
        observations = [
            observation("", modality="frame", span=s.span, source=self.source, frame_seconds=s.frame.seconds)
            for s in segments
        ]
        return observations, unit(np.stack([s.frame.pixels[::16, ::16, 0].astype(float).ravel() for s in segments]))

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        return unit(np.ones((len(queries), 24)))

    def shows(self, query: str, text: str, cosine: float) -> bool:
        return cosine > 0.9


class Captions(Fake):
    """Says how many frames it was given."""

    def __init__(self, version: str = "1", **options) -> None:
        super().__init__(f"captions@{version}", **options)
        self.fingerprint = version

    def caption(self, span: Span, frames: Sequence[Frame]) -> Observation:
        self._called()
        return observation(f"a caption of {len(frames)}", modality="caption", span=span, source=self.source)


def extractors(settings: Settings | None = None, **changes) -> Extractors:
    """All the fakes; `changes` replace them, None takes one away."""
    parts = {
        "speech": Speaker(),
        "reader": Reader(),
        "detector": Detector(),
        "images": Pictures(),
        "captioner": Captions(),
        "texts": BagOfWords(),
    } | changes
    stages = {"speech": "speech", "reader": "text", "detector": "object", "images": "frame", "captioner": "caption"}
    by_modality = {modality: parts[part] for part, modality in stages.items() if parts[part] is not None}
    return Extractors(
        settings=settings or Settings(),
        by_modality=by_modality,
        missing={name: "not installed" for name in stage_names() if name not in by_modality},
        texts=parts["texts"],
        texts_missing="not installed" if parts["texts"] is None else None,
    )


def calls(gear: Extractors) -> Counter:
    """How often each extractor was asked."""
    parts = gear.by_modality.values()
    return Counter({part.source.split("@")[0].split("-")[0]: part.calls for part in parts if part.calls})


def states(found: VideoRecord) -> dict[str, str]:
    """The state of each stage."""
    return {stage.modality: stage.state for stage in found.stages}


def journal_lines(library: Path) -> int:
    """Lines in the journals of videos that another process indexes; 0 while it publishes one, which moves its journals."""
    try:
        return sum(path.read_bytes().count(b"\n") for path in library.glob("staging/new-*/journals/*/*.jsonl"))
    except FileNotFoundError:
        return 0


def record(video_id: str = "ab" * 16, **fields) -> VideoRecord:
    """A record of a video in which every stage is done; its file does not exist."""
    path = Path(f"{video_id[:4]}.mp4")
    return VideoRecord(
        **{
            "video_id": video_id,
            "commit": "1",
            "paths": (str(path),),
            "info": VideoInfo(path=path, format="mp4", duration=60.0, video=None, audio=None),
            "duration": 60.0,
            "stages": tuple(StageReport(modality=modality, state="done") for modality in stage_names()),
            "indexed_at": "2026-01-01T00:00:00+00:00",
        }
        | fields
    )


def commit(
    store: LocalStorage,
    observations: Sequence[Observation],
    encoder: BagOfWords | None = None,
    images: Callable[[], Vectors] | None = None,
    files: Mapping[str, bytes] | None = None,
    **fields,
) -> VideoRecord:
    """Commit and publish observations as one video, with their vectors where encoders are given, and other files."""
    texts = [o.text for o in observations if o.modality != "frame"]
    vectors = {}
    if encoder and texts:
        vectors["text_vectors"] = encoder.encode(texts).astype(np.float16)
        fields["text_embedding_id"] = encoder.embedding_id
    if images:
        vectors["image_vectors"] = images().astype(np.float16)
        fields.setdefault("image_embedding_id", "pixels@1")
    made = record(**fields)
    with store.staged(made.video_id) as staged:
        write(staged, ObservationTable(observations, **vectors))
        for name, content in (files or {}).items():
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_bytes(content)
        committed = store.commit(staged, made)
    Publisher(store).publish({made.video_id})
    return committed


def write_pictures(
    path: Path,
    pictures: Sequence[Pixels],
    times: Sequence[float],
    fps: int = 30,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures of any size, each shown from its second on, by x264 with these options."""
    options = options or {"crf": "28", "preset": "ultrafast", "g": "60"}
    tick = Fraction(1, 90_000)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        for picture, second in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = tick, round(second / tick)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
