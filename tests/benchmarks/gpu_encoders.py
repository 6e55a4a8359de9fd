"""Encoders, the detector and the OCR engine on CUDA, by Playhead's own modules: how many a second, and as the CPU?"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from random_models import make_detector, make_siglip
from report import Figures, real_data
from transcripts import football

from playhead.tools.embedding import clip, conse, texts
from playhead.tools.embedding.label_network import TorchLabels
from playhead.tools.errors import PlayheadError
from playhead.tools.extractors import objects, ocr
from playhead.tools.media.frames import frames_at
from playhead.tools.records import Segment, Span
from playhead.tools.settings import Settings
from playhead.tools.weights import find

__all__ = ["measure"]

_SENTENCES, _PICTURES, _PAGES = 4096, 128, 16
_REPEATS = 2
_DEVICES: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")
# Slow on a CPU: it gets this many.
_PICTURES_ON_CPU, _SENTENCES_ON_CPU, _PAGES_ON_CPU = 8, 1024, 4


def measure() -> Figures:
    """All figures of the encoders. A model whose weights or package are missing is named."""
    found: dict[str, list[dict[str, Any]]] = {}
    missing: list[dict[str, Any]] = []
    pictures = _segments("real/code_tutorial.mp4", _PICTURES)
    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "Sentences (MiniLM)": _sentences,
        "Pictures (SigLIP 2, random weights)": lambda: _clip(pictures),
        "Pictures (EfficientNet-Lite2, ConSE)": lambda: _labels(pictures),
        "Objects (YOLO11, random weights)": lambda: _objects(pictures),
        "Text in pictures (EasyOCR)": lambda: _pages(pictures[:: _PICTURES // _PAGES]),
    }
    for name, rows in parts.items():
        try:
            found[name] = list(rows())
        except (PlayheadError, ImportError, RuntimeError) as error:
            missing.append({"what": name, "why": f"{type(error).__name__}: {str(error)[-300:]}"})
    return found | ({"Not measured": missing} if missing else {})


def _settings(device: Literal["cpu", "cuda"], **values: Any) -> Settings:
    return Settings(device=device, offline=True, **values)


def _sentences() -> Iterator[dict[str, Any]]:
    lines = [line.text for match in football().values() for line in match][:_SENTENCES]
    own = os.environ.get("PLAYHEAD_BENCH_TEXT_MODEL")
    folder = find(own or "all-MiniLM-L6-v2", "text_model", offline=True).path
    reference = texts._SentenceTransformers(folder, "cpu")
    seconds, right = _best(lambda: reference.encode(lines[:_SENTENCES_ON_CPU]))
    yield _rate("cpu, float32", 8, _SENTENCES_ON_CPU, seconds) | {"least_cosine": None, "mean_cosine": None}
    for size in (32, 64, 128, 256, 512, 1024):
        on_gpu = texts._SentenceTransformers(folder, "cuda")
        on_gpu._batch = size
        on_gpu.encode(lines[:size])
        seconds, ours = _best(lambda on_gpu=on_gpu: on_gpu.encode(lines))  # type: ignore[misc]
        cosines = (ours[:_SENTENCES_ON_CPU] * right).sum(1)
        yield _rate("cuda, float16", size, len(lines), seconds) | {
            "least_cosine": round(float(cosines.min()), 5),
            "mean_cosine": round(float(cosines.mean()), 6),
        }


def _clip(pictures: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    for name in ("siglip2-base-patch16-224", "siglip2-so400m-patch14-384"):
        with TemporaryDirectory(prefix="playhead-gpu-") as folder:
            path = Path(folder) / f"{name}-random"
            make_siglip(path, name)
            vectors: dict[str, Any] = {}
            for device in _DEVICES:
                shown = pictures if device == "cuda" else pictures[:_PICTURES_ON_CPU]
                encoder = clip.ClipEncoder(_settings(device, image_model=str(path)))
                for size in (16, 64, 128) if device == "cuda" else (16,):
                    with _batch(clip, size):
                        encoder.observe(shown[:2])
                        seconds, (_, vectors[device]) = _best(lambda e=encoder, s=shown: e.observe(s))  # type: ignore[misc]
                    network = _network_alone(encoder, size) if device == "cuda" else None
                    yield {
                        "model": name,
                        **_rate(device, size, len(shown), seconds),
                        "network_alone_a_second": network,
                        "least_cosine": _cosine(vectors) if device == "cuda" else None,
                    }
                del encoder


def _network_alone(encoder: clip.ClipEncoder, size: int) -> float:
    """Pictures a second of the network on the GPU, without preparing pictures."""
    import torch

    model, processor = encoder._load()
    picture = np.zeros((64, 64, 3), np.uint8)
    inputs = processor(images=[picture] * size, return_tensors="pt", input_data_format="channels_last")
    seconds, _ = _best(lambda: [encoder._run(model.get_image_features, inputs) for _ in range(4)])
    torch.cuda.synchronize()
    return round(4 * size / seconds, 1)


def _labels(pictures: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    path = find("efficientnet-lite2", "image_model", offline=True).path
    frames = [segment.frame.pixels for segment in pictures]
    shares: dict[str, Any] = {}
    for device in _DEVICES:
        network, shown = TorchLabels(path, device), frames if device == "cuda" else frames[:_PICTURES_ON_CPU]
        for size in (conse._BATCH, 64, 128) if device == "cuda" else (conse._BATCH,):

            def run(size: int = size, network: TorchLabels = network, shown: Sequence[Any] = shown) -> Any:
                return np.concatenate([network.classify(shown[n : n + size]) for n in range(0, len(shown), size)])

            run()
            seconds, shares[device] = _best(run)
            yield _rate(f"{device}, torch", size, len(shown), seconds) | _alike(shares)


def _alike(shares: dict[str, Any]) -> dict[str, float | None]:
    if "cuda" not in shares:
        return {"most_apart": None, "same_best_label": None}
    right, ours = shares["cpu"], shares["cuda"][: len(shares["cpu"])]
    return {
        "most_apart": round(float(np.abs(ours - right).max()), 5),
        "same_best_label": round(float((ours.argmax(1) == right.argmax(1)).mean()), 3),
    }


def _objects(pictures: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    for name in ("yolo11n", "yolo11l"):
        with TemporaryDirectory(prefix="playhead-gpu-") as folder:
            file = Path(folder) / f"{name}.pt"
            make_detector(file)
            for device in _DEVICES:
                shown = pictures if device == "cuda" else pictures[:_PICTURES_ON_CPU]
                detector = objects.ObjectDetector(_settings(device, objects_model=str(file)))
                for size in (1, 16, 64) if device == "cuda" else (16,):
                    with _batch(objects, size):
                        detector.observe(shown[:size])
                        seconds, _ = _best(lambda d=detector, s=shown: d.observe(s))  # type: ignore[misc]
                    yield {"model": name, **_rate(device, size, len(shown), seconds)}


def _pages(pages: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    read: dict[str, list[str]] = {}
    own = os.environ.get("PLAYHEAD_BENCH_EASYOCR")
    for device in _DEVICES:
        shown = pages if device == "cuda" else pages[:_PAGES_ON_CPU]
        reader = ocr.EasyOcrReader(_settings(device, ocr="easyocr", ocr_model=own))
        for size in (ocr._LINES_AT_ONCE, 64) if device == "cuda" else (ocr._LINES_AT_ONCE,):
            with _batch(ocr, size, "_LINES_AT_ONCE"):
                reader.observe(shown[:1])
                seconds, found = _best(lambda r=reader, s=shown: r.observe(s), repeats=1 if device == "cpu" else 2)  # type: ignore[misc]
            last = shown[min(len(shown), _PAGES_ON_CPU) - 1].span.end
            read[device] = [line.text for line in found if line.span.start < last]
            same = sum(one in read["cpu"] for one in read[device]) / max(1, len(read[device]))
            yield _rate(device, size, len(shown), seconds) | {"lines": len(found), "same_as_cpu": round(same, 3)}


def _segments(name: str, count: int) -> list[Segment]:
    path = real_data(name)
    seconds = [100.0 * (place + 0.5) / count for place in range(count)]
    frames = list(frames_at(path, seconds))
    return [Segment(Span(start=at, end=at + 100.0 / count), frame) for at, frame in zip(seconds, frames, strict=True)]


class _batch:  # noqa: N801 (a context manager)
    """Set a module's batch size for a while."""

    def __init__(self, module: Any, size: int, name: str = "_BATCH") -> None:
        self._module, self._name, self._size, self._usual = module, name, size, getattr(module, name)

    def __enter__(self) -> None:
        setattr(self._module, self._name, self._size)

    def __exit__(self, *_: object) -> None:
        setattr(self._module, self._name, self._usual)


def _best(run: Callable[[], Any], repeats: int = _REPEATS) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(repeats):
        began = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - began)
    return best, result


def _rate(device: str, batch: int, count: int, seconds: float) -> dict[str, Any]:
    return {"device": device, "batch": batch, "number": count, "a_second": round(count / seconds, 1)}


def _cosine(vectors: dict[str, Any]) -> float:
    right = vectors["cpu"]
    return round(float((vectors["cuda"][: len(right)] * right).sum(1).min()), 5)
