"""The command line's options that are settings: one flag each, from the described fields of `Settings`."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args

import typer

from ..tools.errors import SettingsError
from ..tools.settings import Settings

__all__ = ["with_settings"]

_Command = TypeVar("_Command", bound=Callable[..., None])

# Fields that have a flag of their own; any other is set by `--set FIELD=VALUE`.
FLAGS = (
    "profile",
    "device",
    "offline",
    "language",
    "speech_model",
    "text_model",
    "image_model",
    "objects_model",
    "ocr",
    "ocr_model",
    "video_llm_url",
    "video_llm_model",
)
_METAVARS = {"language": "CODE", "video_llm_url": "URL", "video_llm_model": "NAME"}


def with_settings(command: _Command) -> _Command:
    """Give a command one option a settings field; it receives them together as `settings: dict`."""
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "settings"]
    options = [_option(name) for name in FLAGS]
    options.append(
        inspect.Parameter(
            "set_",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                list[str] | None,
                typer.Option("--set", metavar="FIELD=VALUE", help="Any other setting; may be repeated."),
            ],
        )
    )

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in FLAGS}
        pairs = dict(_pair(text) for text in values.pop("set_") or ())
        command(**values, settings={name: value for name, value in chosen.items() if value is not None} | pairs)

    wrapped.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
    return wrapped  # type: ignore[return-value]


def _option(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    parts = [field.annotation, *get_args(field.annotation)]  # Literal["a", "b"] | None
    choices = [value for part in parts for value in get_args(part) if isinstance(value, str)]
    is_flag = field.annotation is bool
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=field.description,
        metavar=None if is_flag else "|".join(choices) or _METAVARS.get(name, "NAME|PATH"),
        show_default=False,
    )
    kind = bool | None if is_flag else str | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise SettingsError(f"--set {text!r}: FIELD=VALUE is wanted, e.g. --set sample_seconds=1")
    return name.strip(), value
