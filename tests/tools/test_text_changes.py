"""Pictures of a screen that differ in text only."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from playhead.tools.extractors.reading.text_changes import Screen, only_text_differs
from playhead.tools.media.skimming.comparison import changed_map


def screen(text, *, thing=None, ground=30):
    """A dark editor with lines of text, and a thing in a corner."""
    picture = Image.new("RGB", (1280, 720), (ground,) * 3)
    draw = ImageDraw.Draw(picture)
    for row in range(18):
        draw.text(
            (80, 60 + 24 * row),
            f"{text} {row}: value = compute(row)",
            fill=(220, 220, 200),
            font=ImageFont.load_default(16),
        )
    if thing is not None:
        noise = np.random.default_rng(thing).integers(0, 256, (30, 30, 3), np.uint8)
        picture.paste(Image.fromarray(noise).resize((300, 300), Image.Resampling.BICUBIC), (900, 350))
    return np.asarray(picture)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (screen("first"), screen("first"), True),
        (screen("first"), screen("another line"), True),
        (screen("first", thing=1), screen("another line", thing=1), True),
        (screen("first"), screen("first", thing=1), False),
        (screen("first", thing=1), screen("another line", thing=2), False),
        (screen("first"), screen("first", ground=90), False),
        (screen("first"), screen("first")[:360], False),
    ],
)
def test_only_text_differs(before, after, expected):
    assert only_text_differs(Screen(before), Screen(after)) is expected


def test_a_thing_that_moves_before_a_camera_is_no_text():
    random = np.random.default_rng(0)
    ground = random.integers(90, 130, (720, 1280, 3), np.uint8)
    other = ground.copy()
    other[200:420, 300:500] = random.integers(0, 255, (22, 20, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    assert not only_text_differs(Screen(ground), Screen(other))


@pytest.mark.parametrize("places", [[], [(0, 0)], [(150, 310)], [(3, 250), (120, 40)]])
def test_what_changed_is_found_as_in_the_whole_picture(places):
    """The contrast is measured around the changes only: with the same outcome as everywhere."""
    random = np.random.default_rng(0)
    before = cv2.resize(random.integers(60, 160, (16, 32), np.uint8), (320, 160))
    after = np.clip(before.astype(np.int16) + random.integers(-6, 7, before.shape), 0, 255).astype(np.uint8)
    for top, left in places:
        after[top : top + 6, left : left + 9] += 50
    differences = np.abs(cv2.boxFilter(cv2.subtract(after, before, dtype=cv2.CV_16S), -1, (2, 2)))
    around = np.ones((24, 24), np.uint8)
    contrast = cv2.dilate(cv2.max(before, after), around) - cv2.erode(cv2.min(before, after), around)
    expected = np.where(differences > np.clip(0.14 * contrast, 12, 30), 255, 0)
    assert np.array_equal(changed_map(before, after), expected)
    assert bool(expected.any()) is bool(places)
