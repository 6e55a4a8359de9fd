"""One Settings object: arguments over environment over file over default."""

import hashlib
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .errors import SettingsError

__all__ = ["Settings", "cache_folder", "settings_file", "write_settings"]


def settings_file() -> Path:
    """The user's settings file (TOML): `$PLAYHEAD_SETTINGS_FILE`, else in the user's configuration folder."""
    given = os.environ.get("PLAYHEAD_SETTINGS_FILE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "playhead" / "settings.toml"


def cache_folder() -> Path:
    """Where Playhead keeps what it can make again (joined weights): in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "playhead"


def write_settings(changes: dict[str, str | int | float | bool | None]) -> Path:
    """Change the user's settings file: a value of None removes the setting. Returns the file.

    Other settings stay; comments are kept, as only the lines of the changed settings are replaced.

    Raises:
        SettingsError: The file cannot be written, or is not valid TOML.
    """
    file = settings_file()
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        tomllib.loads("\n".join(lines))
        kept = [line for line in lines if line.partition("=")[0].strip() not in changes]
        # Settings are top-level: they stand before the first table.
        first_table = next((n for n, line in enumerate(kept) if line.lstrip().startswith("[")), len(kept))
        new = [f"{name} = {json.dumps(value)}" for name, value in changes.items() if value is not None]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([*kept[:first_table], *new, *kept[first_table:]]) + "\n", encoding="utf-8")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {file} is not valid TOML ({error}): correct or remove it") from error
    except OSError as error:
        raise SettingsError(
            f"settings file {file} cannot be written ({error.strerror}): check its permissions"
        ) from error
    return file


# What each profile chooses for a model setting that is left at None. `offline`: all from packages; `laptop`: from the
# model hub, for a CPU or a Mac.
_PROFILES: dict[str, dict[str, str]] = {
    "offline": {
        "speech_model": "whisper-base",
        "ocr": "rapidocr",
        "objects_model": "yolo11n.pt",
        "text_model": "all-MiniLM-L6-v2",
        "image_model": "efficientnet-lite2",
    },
    "laptop": {
        "speech_model": "Systran/faster-whisper-small",
        "ocr": "rapidocr",
        "objects_model": "yolo11n.pt",
        "text_model": "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "image_model": "google/siglip2-base-patch16-224",
        "video_llm_backend": "llama.cpp",
        "video_llm_model": "qwen3-vl-2b",
    },
    "gpu": {
        "speech_model": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "ocr": "easyocr",
        "objects_model": "yolov8x-worldv2.pt",
        "text_model": "all-MiniLM-L6-v2",
        "image_model": "google/siglip2-so400m-patch14-384",
    },
}


def _listed(value: object) -> object:
    """`car, bus` as a list."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """How Playhead works. Each field is also the environment variable `PLAYHEAD_<FIELD>`.

    A model setting takes a name that `playhead doctor` knows, a model hub's name, a local path, or
    `off` to leave its stage out. None: as the profile chooses.
    """

    model_config = SettingsConfigDict(env_prefix="PLAYHEAD_", extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: Literal["offline", "laptop", "gpu"] = Field(
        "offline",
        description="Which models are the default: from packages, from the model hub for a CPU, or for a GPU.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run. `auto`: cuda if there is one, else cpu."
    )
    offline: bool = Field(False, description="Never ask a model hub.")
    decoder: Literal["pyav", "decord", "nvdec"] = Field(
        "pyav", description="What decodes pictures. `nvdec`: PyAV on an NVIDIA GPU; single frames on the CPU."
    )
    sample_seconds: float = Field(2.0, ge=0.1, le=60, description="While the picture moves, one frame each so often.")
    stream: int | None = Field(None, ge=0, description="Index of the video stream to index. Unset: FFmpeg's best one.")
    audio_stream: int | None = Field(
        None, ge=0, description="Index of the audio stream to transcribe. Unset: by language, then the default flag."
    )
    language: str | None = Field(None, description="Spoken language as ISO 639-1, e.g. `en`. Unset: detected.")
    speech_model: str | None = Field(None, description="`whisper-base`, `whisper-tiny.en`, a hub name, or a path.")
    speakers_model: str = Field("off", description="What tells voices apart: `resemblyzer`, or a path to its weights.")
    sidecars: bool = Field(True, description="Use subtitles beside a video, or inside it, instead of transcribing it.")
    ocr: Literal["rapidocr", "easyocr", "off"] | None = Field(None, description="What reads text in the picture.")
    ocr_model: str | None = Field(
        None, description="A folder with other weights for the reader of text. Unset: its usual ones."
    )
    objects_model: str | None = Field(None, description="An Ultralytics detector: a name, or a path (.pt, .onnx).")
    objects_vocabulary: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Labels for an open-vocabulary detector, with commas. Empty: the detector's own labels."
    )
    objects_score: float = Field(0.4, ge=0, le=1, description="Boxes below this confidence are dropped.")
    text_model: str | None = Field(None, description="A sentence-transformers model: a name, hub name, or path.")
    image_model: str | None = Field(
        None, description="`efficientnet-lite2` (ConSE, in the text space), or a SigLIP or CLIP: hub name or path."
    )
    skip: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Modalities to leave out, with commas, e.g. `caption`: also those of installed plug-ins."
    )
    video_llm_url: str | None = Field(None, description="Base URL of an OpenAI-compatible server, e.g. …/v1.")
    video_llm_model: str | None = Field(
        None, description="The model's name on that server; for llama.cpp a name of `playhead model list` or a path."
    )
    video_llm_key: SecretStr = Field(SecretStr("none"), description="API key for that server.")
    video_llm_timeout: float = Field(120.0, gt=0, description="Seconds to wait for one answer.")
    video_llm_backend: Literal["server", "llama.cpp", "transformers"] | None = Field(
        None,
        description="What runs the video LLM: a server (`video_llm_url`), llama.cpp or transformers on this machine. "
        "Unset: as the profile chooses, else a server.",
    )
    video_llm_context: int = Field(
        8192, ge=1024, description="Tokens of question and answer together, for llama.cpp. More needs more memory."
    )
    video_llm_idle_minutes: float = Field(
        10.0, gt=0, description="llama.cpp's process ends after this time without a request."
    )
    video_llm_frames: Literal["images", "video"] = Field(
        "images", description="How a server gets frames. `video`: as vLLM's JPEG sequences; not for Qwen3-VL."
    )
    caption_requests: int = Field(
        4, ge=1, le=64, description="Scenes that the video LLM describes at the same time while indexing."
    )

    answerer: Literal["extractive", "video-llm"] | None = Field(
        None, description="Who answers: quotes of the evidence, or the video LLM. Unset: the video LLM if one is set."
    )
    answer_threshold: float | None = Field(
        None, ge=0, le=1, description="Probability from which on a quote is an answer. Unset: as measured (0.41)."
    )
    remember_answers: bool = Field(
        True, description="Keep what verified answers of a video LLM rest on, as hints for similar questions."
    )
    max_rounds: int = Field(3, ge=1, le=20, description="Rounds of search for one question, with a video LLM.")
    max_frames: int = Field(32, ge=1, le=512, description="Frames that the video LLM is shown for one question.")
    frame_tokens: int = Field(8000, ge=2048, description="Tokens for these frames together, at 32×32 pixels a token.")
    max_tokens: int = Field(60_000, ge=1000, description="Tokens for one question; no new round starts beyond.")
    max_seconds: float = Field(300.0, gt=0, description="Seconds for one question, with a video LLM.")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _complaint(error, values) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"settings file {settings_file()} is not valid TOML ({error}): correct or remove it"
            ) from error
        except OSError as error:
            raise SettingsError(
                f"settings file {settings_file()} cannot be read ({error.strerror}): check its permissions"
            ) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic-settings calls by these names)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the user's file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())

    def fingerprint(self) -> str:
        """12 hex digits over all settings but secrets, and what does not change a result."""
        shown = self.model_dump_json(
            exclude={
                "video_llm_key",
                "video_llm_url",
                "video_llm_timeout",
                "video_llm_idle_minutes",
                "caption_requests",
                "offline",
            }
        )
        return hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()

    def with_profile_llm(self) -> "Settings":
        """These settings with the profile's video LLM, where neither a backend, a model nor a server is set."""
        if self.video_llm_backend is not None:
            return self
        if self.video_llm_url or self.video_llm_model:
            return self.model_copy(update={"video_llm_backend": "server"})
        chosen = {n: v for n, v in _PROFILES[self.profile].items() if n.startswith("video_llm_")}
        return self.model_copy(update={"video_llm_backend": "server"} | chosen)

    def model_for(self, stage: str) -> str:
        """The model that a setting names: as set, else as the profile chooses. `off` leaves its stage out."""
        chosen: str | None = getattr(self, stage)
        return chosen if chosen is not None else _PROFILES[self.profile][stage]


def _complaint(error: ValidationError, arguments: dict[str, Any]) -> SettingsError:
    """The first thing that is wrong with the settings, and where it was set. A secret is not shown."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    known = ", ".join(Settings.model_fields)
    variable = f"PLAYHEAD_{name.upper()}"
    if name in arguments:
        place = ""
    elif variable in map(str.upper, os.environ):
        place = f" (set by {variable})"
    else:
        place = f" (set in {settings_file()})"
    if name not in Settings.model_fields:
        return SettingsError(f"there is no setting {name!r}{place}: settings are {known}")
    value = "a value" if Settings.model_fields[name].annotation is SecretStr else repr(first["input"])
    return SettingsError(f"setting {name} does not take {value}{place}: {first['msg']}")
