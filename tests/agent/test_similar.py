"""A picture and a moment as a query, over the demo's talk: its photographs are found again."""

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from playhead import Library
from playhead.agent.cli.main import main
from playhead.agent.looking.similar import moments_of
from playhead.tools.embedding.images import alike_from
from playhead.tools.errors import MediaError, QueryError


def photo(name: str) -> bytes:
    """A photograph of the demo as a camera might show it again: mirrored, smaller, a JPEG."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image, which has the photographs, is not installed")
    image = ImageOps.mirror(Image.open(Path(spec.origin).parent / "data" / name).convert("RGB"))
    image.thumbnail((300, 300))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


@pytest.mark.parametrize(("file", "seconds"), [("chelsea.png", 39.0), ("coffee.png", 20.0), ("rocket.jpg", 57.0)])
def test_a_photograph_finds_its_moment(talk_library: Library, file: str, seconds: float) -> None:
    similar = talk_library.search_picture(photo(file), k=3)
    (best,) = similar.frames
    assert best.start <= seconds < best.end
    assert best.similarity > 0.8
    assert best.score == pytest.approx(best.similarity)
    assert (similar.nearest, similar.note) == (None, "")
    assert "ImageNet" in similar.compared_by


def test_a_picture_of_something_else_is_like_nothing(talk_library: Library) -> None:
    similar = talk_library.search_picture(photo("motorcycle_left.png"))
    assert similar.frames == ()
    assert similar.floor == 0.8
    assert similar.nearest is not None
    assert 0 < similar.nearest.similarity < 0.8
    assert similar.note.startswith("no picture is near: the nearest is talk.mp4 at 00:0")


def test_a_filter_limits_the_frames(talk_library: Library) -> None:
    similar = talk_library.search_picture(photo("chelsea.png"), between=(0, 15))  # the cat comes later
    assert similar.frames == ()
    assert similar.nearest is not None
    assert similar.nearest.start < 15


def test_an_encoder_without_a_measured_floor_says_so(talk_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert alike_from("siglip2-base@1") is None
    assert alike_from("conse(efficientnet-lite2@x)+another@1") is None
    monkeypatch.setattr("playhead.tools.embedding.images._ALIKE", {})
    similar = talk_library.search_picture(photo("motorcycle_left.png"), k=50)
    assert (similar.floor, similar.nearest) == (None, None)
    assert len(similar.frames) > 3
    assert "the last ones may not be similar" in similar.note


def test_a_moment_is_not_similar_to_itself(talk_library: Library) -> None:
    similar = talk_library.find_similar("talk.mp4@0:12", k=2)  # a slide: the nearest are other slides
    assert len(similar.frames) == 2
    assert not any(one.start <= 12 < one.end for one in similar.frames)
    photos = [(19, 27), (38, 46), (55, 71)]
    assert not any(start < similar.frames[0].start + 1 < end for start, end in photos)
    assert moments_of(similar)[0].evidence[0] == similar.frames[0]


def test_side_by_side_frames_are_one_moment(talk_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playhead.tools.embedding.images._ALIKE", {})
    every = talk_library.find_similar("talk.mp4@0:12", k=50)
    (moment,) = [one for one in moments_of(every) if one.start > 15]
    assert moment.end == pytest.approx(78, abs=0.1)


def test_what_is_no_picture_says_so(talk_library: Library, tmp_path: Path) -> None:
    file = tmp_path / "notes.jpg"
    file.write_text("not a picture")
    with pytest.raises(MediaError, match=r"notes\.jpg cannot be read as a picture"):
        talk_library.search_picture(file)
    with pytest.raises(QueryError, match=r"moment '100' starts at 00:01:40\.0, and the video ends at 00:01:18\.0"):
        talk_library.find_similar("talk.mp4@100")


def test_the_commands(
    talk_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cat.jpg"
    file.write_bytes(photo("chelsea.png"))

    def run(*words: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["playhead", *words, "--offline"])
        with contextlib.suppress(SystemExit):
            main()
        return capsys.readouterr()

    place = str(talk_library.folder.parent)
    shown, notes = run("search", place, "--image", str(file), "-k", "1")
    assert shown.startswith("00:00:3")
    assert "Egyptian cat" in shown
    assert notes.startswith("similar is: the kinds of things in a picture")
    other = tmp_path / "motorcycle.jpg"
    other.write_bytes(photo("motorcycle_left.png"))
    shown, notes = run("search", place, "--image", str(other))
    assert shown == ""
    assert "no picture is near: the nearest is talk.mp4 at " in notes
    shown, _ = run("find", place, "--like", "talk.mp4@0:12", "-k", "2", "--json")
    assert len(json.loads(shown)["frames"]) == 2
    _, notes = run("search", place, "a cat", "--image", str(file))
    assert "--image takes neither a query nor" in notes
