"""One Settings object: arguments over environment over file over default."""

import hashlib
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

__all__ = ["Settings", "cache_folder", "settings_file"]


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


# What each profile chooses for a model setting that is left at None.
_PROFILES: dict[str, dict[str, str]] = {
    "local": {
        "speech_model": "whisper-base",
        "ocr": "rapidocr",
        "objects_model": "yolo11n.pt",
        "text_model": "all-MiniLM-L6-v2",
        "image_model": "efficientnet-lite2",
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
    `off` to leave its stage out. None means: what the profile chooses.
    """

    model_config = SettingsConfigDict(env_prefix="PLAYHEAD_", extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: Literal["local", "gpu"] = Field(
        "local", description="Which models are the default: small ones, or large ones for a GPU."
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
    video_llm_model: str | None = Field(None, description="The model's name on that server.")
    video_llm_key: SecretStr = Field(SecretStr("none"), description="API key for that server.")
    video_llm_timeout: float = Field(120.0, gt=0, description="Seconds to wait for one answer.")
    video_llm_backend: Literal["server", "in-process"] = Field(
        "server", description="Where the video LLM runs; in this process, its model is a hub name or a path."
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
            raise SettingsError(f"settings file {settings_file()} is no TOML ({error}): mend or remove it") from error
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
        told = self.model_dump_json(
            exclude={"video_llm_key", "video_llm_url", "video_llm_timeout", "caption_requests", "offline"}
        )
        return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

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
