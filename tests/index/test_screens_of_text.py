"""Where only text changes on a screen, no detector looks again."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from playhead.index.indexing.build import index_files
from playhead.index.storage.local import LocalStorage

from ..fakes import Detector, Pictures, extractors, write_pictures


class Listing(Detector):
    """Sees a square in each picture, and keeps the seconds of the pictures."""

    def __init__(self):
        super().__init__()
        self.looked = []

    def observe(self, segments):
        self.looked += [segment.frame.seconds for segment in segments]
        return super().observe(segments)


def screen(text, *, has_photo=False):
    """A dark editor with lines of text, and a photo in a corner."""
    picture = Image.new("RGB", (1280, 720), (30, 30, 30))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(24)
    for row in range(14):
        draw.text((60, 40 + 40 * row), f"{text} {row}: value = compute(row)", fill=(220, 220, 200), font=font)
    if has_photo:
        noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
        picture.paste(Image.fromarray(noise).resize((400, 400), Image.Resampling.BICUBIC), (820, 280))
    return np.asarray(picture)


def test_the_detector_looks_again_when_more_than_text_changes(tmp_path):
    """Line a, line b, line b with a photo, line a again, and the first picture once more."""
    a, b = screen("first def function"), screen("return another line of it")
    shown = [a, b, screen("return another line of it", has_photo=True), b, a]
    (tmp_path / "videos").mkdir()
    write_pictures(tmp_path / "videos/code.mp4", shown, [0.0, 2.0, 4.0, 6.0, 8.0], options={"crf": "18", "g": "60"})
    storage, detector, pictures = LocalStorage(tmp_path / "library"), Listing(), Pictures()
    gear = extractors(detector=detector, images=pictures)
    (outcome,) = index_files(storage, [tmp_path / "videos"], gear, False, lambda *_: None)
    observations = storage.table(outcome.record).observations
    assert detector.looked == [0, 4]
    assert [one.frame_seconds for one in observations if one.modality == "frame"] == [0, 2, 4, 6, 8]
    things = [(one.span.start, one.span.end) for one in observations if one.modality == "object"]
    assert things[0][0] == 0
    assert max(end for _, end in things) >= 8
