"""Text in pictures as observations with boxes, read by RapidOCR or by EasyOCR.

It reads the frames that change detection chooses. RapidOCR reads only the regions of a frame that differ
from a frame that it read before (1080p of an editor with 100 lines: 3.2 s; one changed line: 0.1 s). Lines are detected in a
smaller picture, and recognised in the frame itself.
"""

import importlib.metadata
import importlib.util
import re
import sys
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from ...device import cores, resolve_device
from ...errors import MissingExtraError, SettingsError, WeightsError
from ...records import Observation, Pixels, Segment
from ...settings import Settings
from ...weights import find
from .lines import SAME_LINE, Line, Quad, ReadPicture, Rectangle, changed_regions, observations_of
from .presence import PRESENCE, text_cells, text_regions

if TYPE_CHECKING:
    from easyocr import Reader
    from rapidocr import RapidOCR

__all__ = ["READING", "EasyOcrReader", "RapidOcrReader", "TextReader", "text_reader"]

# The file name of the recogniser inside RapidOCR's wheel: version and size.
_RECOGNISER = re.compile(r"(.+)_rec_(.+)\.onnx")
# Longer side at which RapidOCR detects lines; smaller frames are not enlarged (RapidOCR's own default
# is a shorter side of at least 736). Screens full of text in JPEG quality 30, CPU seconds a frame and
# share of characters read right, 18 px text / 14 px text:
#               1280x720             1920x1080
#    960    0.88 .998 / 0.96 .996   1.17 1.000 / 1.21 .995
#   1280    1.02 1.000 / 1.07 .998  1.33 1.000 / 1.38 .998
#   1600    as 1280                 1.39 1.000 / 1.70 .997
#   default 1.69 1.000 / 1.84 .998  1.76 1.000 / 3.83 .999
# Frames without text, 480x270 and 800x332: 0.06 s, by default 0.6–0.85 s. One thread takes 0.30 CPU seconds for a frame of 1280x704
# for which two take 0.48, because they wait actively; meanwhile other threads decode and transcribe.
LINES_SIDE = 1280
# The same for samples of moving pictures, of which there is one in two seconds. Of 60 lines of 12 to 64 pixels drawn over real
# films in 1280x720, CPU seconds a picture with two of them: 960 finds 57, 0.27 s; 1280 finds 57, 0.42 s; 640, without
# `text_regions`, found 44, 0.25 s.
MOVING_SIDE = 960
# RapidOCR's scores: real lines of video frames 0.93 and more, icons mistaken for letters 0.5 to 0.75.
RAPIDOCR_SCORE = 0.5
# EasyOCR's scores: readable lines 0.3 and more, unreadable lines (text 8 px high) and icons 0.12 and less.
EASYOCR_SCORE = 0.2
# Words of a line lie up to this many heights apart; with EasyOCR's 0.5, "ERR_CERT_DATE today" becomes two lines.
_WORD_GAP = 1.0
# Lines in a batch of EasyOCR's recogniser on a GPU; on a CPU it reads one after the other.
_LINES_AT_ONCE = 16

# A line that is recognised with a lower score is also recognised upside down, and the better reading is kept: upright
# text got 0.93 and more. The other reading must be longer than a misread arrow ("T") and clearly better.
_UPRIGHT_SCORE = 0.9
_FEWEST_TURNED = 3
# A horizontal line beside this many upright lines is upright: of 487 recognitions in a minute of a code tutorial 136 were such
# second readings.
_UPRIGHT_LINES = 3
# Width to which shorter lines are padded for recognition; their height is 48. RapidOCR's own width is 320. 120 lines of an
# editor, CPU seconds a line: 0.027, with one thread (threads of ONNX Runtime wait actively) 0.016; with this width
# as many lines are read right.
_NARROWEST = 96
# A line found again covers this share of its earlier place; one that grew, this share of the shorter line.
_SAME_OVERLAP, _PART_OVERLAP = 0.7, 0.5
# Number of frames whose lines are kept for comparison: a screen recording switches between slide, editor and browser.
_REMEMBERED = 6

Reading = tuple[Pixels, tuple[str, float]]  # a line's pixels, its text and score

# Everything that reading depends on besides the models: a version number of the method, and the constants.
READING: tuple[float, ...] = (
    5,
    LINES_SIDE,
    MOVING_SIDE,
    *SAME_LINE,
    *PRESENCE,
    RAPIDOCR_SCORE,
    EASYOCR_SCORE,
    _WORD_GAP,
)
READING += (_UPRIGHT_SCORE, _FEWEST_TURNED, _UPRIGHT_LINES, _NARROWEST, _SAME_OVERLAP, _PART_OVERLAP, _REMEMBERED)


class TextReader(Protocol):
    """Reads text in pictures."""

    source: str

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return one `text` observation for each line, segment by segment, in reading order: rows from the top."""


def text_reader(settings: Settings) -> TextReader:
    """Return the reader that the settings choose; its model loads at first use.

    Raises:
        WeightsError: Its weights are not available.
        MissingExtraError: Its library is not installed.
        SettingsError: The OCR engine is unknown, or its weights or its device cannot be used.
    """
    name = settings.model_for("ocr")
    if name == "rapidocr":
        return RapidOcrReader(settings)
    if name == "easyocr":
        return EasyOcrReader(settings)
    raise SettingsError(f"ocr={name!r} is not an OCR engine: set it to 'rapidocr' or 'easyocr'")


class RapidOcrReader:
    """PP-OCR models in ONNX form; those inside the wheel read Latin scripts, Chinese and Japanese.

    Frames must come in the order of one video; the lines of the last few are kept, and a line is copied to another frame
    only if the pixels of its place are the same there.

    With `ocr_model`, a folder with one `*det*.onnx` and one `*rec*.onnx` (PP-OCR v3 or later), and one
    `*.txt` of characters, one a line, where the recogniser does not carry them.
    """

    def __init__(self, settings: Settings) -> None:
        """Find the models; they load at first use.

        Raises:
            MissingExtraError: RapidOCR or ONNX Runtime is not installed.
            WeightsError: The models are not available.
            SettingsError: The folder or the device cannot be used.
        """
        package = importlib.util.find_spec("rapidocr")
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("ocr='rapidocr'", error.name or "onnxruntime", "local") from error
        if package is None or package.origin is None:
            raise MissingExtraError("ocr='rapidocr'", "rapidocr", "local")
        on_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if settings.device == "cuda" and not on_gpu:
            raise SettingsError(
                "device='cuda', but this onnxruntime has no CUDA, so ocr='rapidocr' cannot use it: "
                "set device to auto or cpu, set ocr to easyocr, or pip install onnxruntime-gpu in its place"
            )
        self._own: dict[str, str] = {}
        if settings.ocr_model:
            own = find(settings.ocr_model, "ocr_model", offline=settings.offline)
            self._own, models = _own_models(own.path), own.source
        else:
            self._version, self._size = _models_of_wheel(Path(package.origin).parent / "models")
            models = f"{self._version}-{self._size}"
        self._on_gpu = on_gpu and resolve_device(settings) == "cuda"
        self._read: deque[ReadPicture] = deque(maxlen=_REMEMBERED)
        self.source = f"rapidocr@{importlib.metadata.version('rapidocr')}+{models}"

    @cached_property
    def _engine(self) -> "RapidOCR":
        from rapidocr import ModelType, OCRVersion, RapidOCR

        params: dict[str, object] = {
            "Global.log_level": "error",
            # RapidOCR's own detection of upside-down lines costs 0.1–0.7 s a frame, and read an arrow as "T".
            "Global.use_cls": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": LINES_SIDE,
            "Rec.rec_img_shape": [3, 48, _NARROWEST],
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.use_cuda": self._on_gpu,
            **self._own,
        }
        if not self._own:
            version, size = OCRVersion(self._version), ModelType(self._size)
            for task in ("Det", "Rec"):
                params |= {f"{task}.ocr_version": version, f"{task}.model_type": size}
        return RapidOCR(params=params)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Threads that find and recognise lines: each runs the models with one thread of its own."""
        return ThreadPoolExecutor(1 if self._on_gpu else cores(), thread_name_prefix="playhead-reading")

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return one observation for each line, in reading order; recognise an unchanged line only once."""
        observations: list[Observation] = []
        for segment in segments:
            picture = self._picture(segment)
            observations += observations_of(segment, [line for _, line in picture.lines], self.source)
        return observations

    def _picture(self, segment: Segment) -> ReadPicture:
        """Read a frame, and remember it."""
        bgr = _bgr(segment.frame.pixels)
        picture = ReadPicture.empty(segment.frame.pixels)
        before, changed = self._nearest(picture)
        regions = changed_regions(before, changed) if before else None
        if before and regions is not None:
            lines = self._updated(before, changed, regions, bgr)
        else:
            lines = self._all(before, changed, bgr, MOVING_SIDE if segment.moves else LINES_SIDE)
        picture = replace(picture, lines=[(quad, line) for quad, line in lines if line.score >= RAPIDOCR_SCORE])
        if before and not changed.any():
            self._read.remove(before)
        self._read.append(picture)
        return picture

    def _nearest(self, picture: ReadPicture) -> tuple[ReadPicture | None, Pixels]:
        """Return the remembered frame that differs least, and where it differs."""
        best, least = None, np.ones_like(picture.detail)
        for known in reversed(self._read):
            if known.size == picture.size and (best is None or least.any()):
                changed = known.changed(picture)
                if best is None or np.count_nonzero(changed) < np.count_nonzero(least):
                    best, least = known, changed
        return best, least

    def _updated(
        self, before: ReadPicture, changed: Pixels, regions: Sequence[Rectangle], bgr: Pixels
    ) -> list[tuple[Quad, Line]]:
        """Read some regions of a frame; copy the lines that lie outside of what changed."""
        places: list[tuple[Quad, Rectangle, Line | None]] = [
            (quad, line.rectangle, line)
            for quad, line in before.lines
            if not before.is_touched(line.rectangle, changed)
        ]
        small, scale = _reduced(bgr, LINES_SIDE)
        lettered = [region.scaled(scale) for region in regions if text_cells(_luma(region.of(bgr))).any()]
        for found in self._found(small, lettered):
            quad = found / np.float32(scale)
            place = Line.around(quad, "", 0).rectangle
            is_there = any(_overlap(place, other) >= _SAME_OVERLAP for _, other, _ in places)
            if is_there and not before.is_touched(place, changed):
                continue
            # A line that grew holds the shorter line that was there.
            places = [one for one in places if _overlap(one[1], place) < _PART_OVERLAP]
            places.append((quad, place, None))
        return self._with_readings([(quad, line) for quad, _, line in places], bgr)

    def _all(self, before: ReadPicture | None, changed: Pixels, bgr: Pixels, side: int) -> list[tuple[Quad, Line]]:
        """Detect lines wherever there may be letters; recognise those that are new."""
        small, scale = _reduced(bgr, side)
        quads = [quad / np.float32(scale) for quad in self._found(small, text_regions(_luma(small)))]
        known = [before.line_at(quad, changed) if before else None for quad in quads]
        return self._with_readings(list(zip(quads, known, strict=True)), bgr)

    def _found(self, bgr: Pixels, regions: Sequence[Rectangle]) -> list[Quad]:
        """Detect lines in parts of a picture, several at once; return the four corners of each, in the picture."""
        engine = self._engine  # loaded before threads use it

        def found_in(region: Rectangle) -> list[Quad]:
            boxes = engine(np.ascontiguousarray(region.of(bgr)), use_det=True, use_cls=False, use_rec=False).boxes
            corner = np.array([region.left, region.top], np.float32)
            return [] if boxes is None else [np.asarray(quad, np.float32) + corner for quad in boxes]

        return [quad for quads in self._threads.map(found_in, regions) for quad in quads]

    def _with_readings(self, lines: Sequence[tuple[Quad, Line | None]], bgr: Pixels) -> list[tuple[Quad, Line]]:
        """Recognise the lines that are not known, several at once."""
        from rapidocr.utils.process_img import get_rotate_crop_image

        crops = [get_rotate_crop_image(bgr, quad.copy()) for quad, line in lines if line is None]
        readings = zip(crops, self._threads.map(self._text, crops), strict=True)
        others = [line for _, line in lines if line]
        read: list[tuple[Quad, Line]] = []
        for quad, line in lines:
            if line is None:
                line = self._recognised(quad, next(readings), others)
                others.append(line)
            read.append((quad, line))
        return read

    def _recognised(self, quad: Quad, reading: Reading, others: Sequence[Line]) -> Line:
        """The line of a reading. With a low score it is also read upside down, unless the other lines of the frame are upright."""
        crop, (text, score) = reading
        upright = Line.around(quad, text, score)
        is_horizontal = np.ptp(quad[:, 0]) >= np.ptp(quad[:, 1])
        known = sum(line.score >= _UPRIGHT_SCORE and not line.is_turned for line in others)
        if score >= _UPRIGHT_SCORE or (is_horizontal and known >= _UPRIGHT_LINES):
            return upright
        turned, turned_score = self._text(np.ascontiguousarray(crop[::-1, ::-1]))
        if turned_score >= _UPRIGHT_SCORE and sum(c.isalnum() for c in turned) >= _FEWEST_TURNED:
            return Line.around(quad, turned, turned_score, is_turned=True)
        return upright

    def _text(self, crop: Pixels) -> tuple[str, float]:
        found = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        return (found.txts[0], float(found.scores[0])) if found.txts else ("", 0.0)


class EasyOcrReader:
    """CRAFT finds the lines, a CRNN reads them; the weights wheel reads English.

    With `ocr_model`, a folder that EasyOCR filled: `craft_mlt_25k.pth`, and the recogniser of
    `language` (`latin_g2.pth` for `de`, `cyrillic_g2.pth` for `ru`, `english_g2.pth` for `en` and None).
    """

    def __init__(self, settings: Settings) -> None:
        """Find the weights; they load at first use, or at once if `ocr_model` names a folder, to check it.

        Raises:
            MissingExtraError: EasyOCR is not installed.
            WeightsError: The weights are not available.
            SettingsError: The language or the device cannot be used.
        """
        MissingExtraError.raise_if_missing("ocr='easyocr'", "easyocr", extra="easyocr")
        weights = find(settings.ocr_model or "easyocr-en", "ocr_model", offline=settings.offline)
        self.source = f"easyocr@{importlib.metadata.version('easyocr')}+{weights.source}"
        self._folder = weights.path
        self._languages = ["en"]
        if settings.ocr_model and settings.language not in (None, "en"):
            self._languages = [settings.language, "en"]
        self._device = resolve_device(settings)
        self._reader: Reader | None = None
        if settings.ocr_model:
            self._loaded()

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return one observation for each line, in reading order."""
        return [
            observation
            for segment in segments
            for observation in observations_of(segment, self._lines(segment), self.source)
        ]

    def _lines(self, segment: Segment) -> list[Line]:
        # `readtext` gives one array to both models: the detector expects RGB, the conversion to grey for the recogniser
        # expects BGR. Two separate calls give each model the right order of channels.
        rgb = segment.frame.pixels
        reader = self._loaded()
        level, tilted = reader.detect(rgb, reformat=False, width_ths=_WORD_GAP)
        grey = np.asarray(Image.fromarray(rgb).convert("L"))
        found = reader.recognize(grey, level[0], tilted[0], batch_size=_LINES_AT_ONCE, reformat=False)
        return [Line.around(quad, text, score) for quad, text, score in found if score >= EASYOCR_SCORE]

    def _loaded(self) -> "Reader":
        if self._reader is None:
            from easyocr import Reader

            warnings.filterwarnings("ignore", message="'pin_memory' argument is set", category=UserWarning)
            try:
                self._reader = Reader(
                    self._languages,
                    gpu=self._device == "cuda",
                    model_storage_directory=str(self._folder),
                    user_network_directory=str(self._folder),  # else it makes ~/.EasyOCR
                    download_enabled=False,
                    verbose=False,
                    quantize=False,  # needs torch.ao, which torch will remove; a 960x540 frame takes 2.8 s with it, 2.0 s without
                )
            except FileNotFoundError as error:
                raise WeightsError(
                    f"no weights for ocr='easyocr' in {self._folder} ({error}): set ocr_model to a folder that "
                    f"EasyOCR filled for the languages {self._languages}, or leave it out to read English"
                ) from error
            except ValueError as error:
                raise SettingsError(
                    f"language={self._languages[0]!r}: EasyOCR does not read it ({error}); set another, or leave it out"
                ) from error
            finally:
                if str(self._folder) in sys.path:
                    sys.path.remove(str(self._folder))  # EasyOCR adds it for networks in Python files
        return self._reader


def _reduced(bgr: Pixels, side: int) -> tuple[Pixels, float]:
    """Return a picture whose longer side is at most this long, and its scale."""
    import cv2

    scale = min(1.0, side / max(bgr.shape[:2]))
    return (bgr if scale == 1 else np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale), np.uint8)), scale


def _bgr(pixels: Pixels) -> Pixels:
    """Return a picture in RapidOCR's order of colours."""
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)


def _luma(bgr: Pixels) -> Pixels:
    """Return the brightness of a picture."""
    import cv2

    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def _overlap(place: Rectangle, other: Rectangle) -> float:
    """Return the share of a rectangle that another covers, 0 to 1."""
    width = min(place.right, other.right) - max(place.left, other.left)
    height = min(place.bottom, other.bottom) - max(place.top, other.top)
    return max(0, width) * max(0, height) / max(1, place.area)


def _models_of_wheel(folder: Path) -> tuple[str, str]:
    """Return version and size of the models that find and recognise lines."""
    names = [name for path in folder.glob("*.onnx") if (name := _RECOGNISER.fullmatch(path.name))]
    whole = sorted((name[1], name[2]) for name in names if (folder / f"{name[1]}_det_{name[2]}.onnx").exists())
    if not whole:
        raise WeightsError(
            f"rapidocr lacks the models of its wheel in {folder}: "
            "pip install --force-reinstall --no-deps rapidocr, or set ocr_model to a folder with models"
        )
    return whole[-1]


def _own_models(folder: Path) -> dict[str, str]:
    """RapidOCR's parameters for the models in a folder. RapidOCR would download missing files, so all are required."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    found = {kind: sorted(folder.glob(f"*{kind}*.onnx")) for kind in ("det", "rec")}
    if any(len(files) != 1 for files in found.values()):
        have = ", ".join(sorted(p.name for p in folder.glob("*.onnx"))) or "none"
        raise SettingsError(
            f"ocr_model={str(folder)!r}: RapidOCR needs a folder with one *det*.onnx and one *rec*.onnx; "
            f"its .onnx files: {have}"
        )
    (finder,), (reader,) = found["det"], found["rec"]
    for model in (finder, reader):
        try:
            session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        except (ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.InvalidProtobuf, ort.RuntimeException) as error:
            raise WeightsError(
                f"{model} is not a model that onnxruntime can load: copy or download it again"
            ) from error
    parameters = {"Det.model_path": str(finder), "Rec.model_path": str(reader)}
    if "character" not in session.get_modelmeta().custom_metadata_map:
        characters = sorted(folder.glob("*.txt"))
        if len(characters) != 1:
            raise SettingsError(
                f"ocr_model={str(folder)!r}: {reader.name} does not carry its characters, so RapidOCR needs one .txt "
                f"with them, one per line, in the same folder; there are {len(characters)}"
            )
        parameters["Rec.rec_keys_path"] = str(characters[0])
    return parameters
