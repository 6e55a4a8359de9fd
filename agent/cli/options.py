"""The options that commands share: one flag for each setting, made from the fields of `Settings`; and their help."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args

import typer
from typer.core import TyperCommand

from ...tools.errors import SettingsError
from ...tools.settings import Settings, mistyped_variables
from ...tools.tracing import export_traces, traced_span
from .logs import JsonLines

__all__ = ["MODELS", "Chosen", "Command", "with_settings"]

_Wrapped = TypeVar("_Wrapped", bound=Callable[..., None])

# Fields with their own flag; `--set FIELD=VALUE` sets the others.
GENERAL = ("offline", "device")
MODELS = (
    "profile",
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
_PANEL = "Models and settings"
_HELP_MODELS = "playhead.help_models"
_METAVARS = {
    "language": "CODE",
    "ocr_model": "DIR",
    "stream": "INDEX|all",
    "video_llm_url": "URL",
    "video_llm_model": "NAME",
}


@dataclass(frozen=True)
class Chosen:
    """The options given before and after a command's name.

    Attributes:
        values: Fields of `Settings` that were given.
        quiet: No progress, no warnings.
        verbose: More messages.
    """

    values: dict[str, Any]
    quiet: bool
    verbose: bool

    def settings(self) -> Settings:
        """Return the settings: these, else the environment's, else the user's file's.

        Raises:
            SettingsError: One of them is unknown or not valid.
        """
        return Settings(**self.values)


class Command(TyperCommand):
    """A command whose help has one section for each group of options."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS]` and the names of the arguments."""
        return ["[OPTIONS]", *map(_usage, (p for p in self.get_params(ctx) if p.param_type_name == "argument"))]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments as values. Words left over are refused with the reason why they usually are: missing quotes."""
        ctx.allow_extra_args = True
        super().parse_args(ctx, args)
        if ctx.args:
            words = " ".join(ctx.args)
            ctx.fail(f"too many arguments from {words!r} on: put words that belong together in quotes")
        return []

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options; with `--help-models`, the options for models and settings instead."""
        sections: dict[str, list[tuple[str, str]]] = {}
        wants_models = bool(ctx.meta.get(_HELP_MODELS))
        for parameter in self.get_params(ctx):
            if (getattr(parameter, "rich_help_panel", None) == _PANEL) != wants_models:
                continue
            record = parameter.get_help_record(ctx)
            if parameter.param_type_name == "argument":
                title, record = "Arguments", (parameter.metavar or "", getattr(parameter, "help", None) or "")
            else:
                title = getattr(parameter, "rich_help_panel", None) or "Options"
            if record:
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, each on its own line."""
        del ctx
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _usage(argument: Any) -> str:
    return argument.metavar if argument.required else f"[{argument.metavar}]"


def with_settings(*fields: str, examples: tuple[str, ...] = ()) -> Callable[[_Wrapped], _Wrapped]:
    """Give a command the general options and one for each field; it receives them together as `chosen: Chosen`.

    Options before a command's name count too. Those after it win.

    Args:
        fields: Fields of `Settings`. With any, the command also has `--set` for all others.
        examples: Command lines that the help shows.
    """
    added = {
        "quiet": Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")],
        "verbose": Annotated[bool, typer.Option("-v", "--verbose", help="Show more messages.")],
        **{name: _flag(name) for name in GENERAL},
        **{name: _flag(name, _PANEL) for name in fields},
    }
    if fields:
        added["set_"] = Annotated[list[str] | None, _other_settings()]
        added["help_models"] = Annotated[bool, _models_help()]

    def decorate(command: _Wrapped) -> _Wrapped:
        signature = inspect.signature(command)
        parameters = [parameter for name, parameter in signature.parameters.items() if name != "chosen"]
        for name, annotation in added.items():
            default = False if name in ("quiet", "verbose", "help_models") else None
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            )
        if "context" not in signature.parameters:
            parameters.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
        takes_context = "context" in signature.parameters

        @functools.wraps(command)
        def wrapped(context: typer.Context, **values: Any) -> None:
            before = context.obj if isinstance(context.obj, Chosen) else Chosen({}, quiet=False, verbose=False)
            given = {name: values.pop(name) for name in (*GENERAL, *fields)}
            values.pop("help_models", None)
            others = dict(_pair(text) for text in values.pop("set_", None) or ())
            chosen = context.obj = Chosen(
                before.values | {name: value for name, value in given.items() if value is not None} | others,
                quiet=values.pop("quiet") or before.quiet,
                verbose=values.pop("verbose") or before.verbose,
            )
            _log(chosen)
            if takes_context:
                values["context"] = context
            with traced_span(f"cli.{command.__name__.strip('_')}"):
                command(**values, chosen=chosen)

        wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.examples = "\n".join(examples)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapped  # type: ignore[return-value]

    return decorate


def _flag(name: str, panel: str | None = None) -> Any:
    """The annotation of a setting's flag. A flag that is not given is None, and the other sources decide."""
    field = Settings.model_fields[name]
    parts = [field.annotation, *get_args(field.annotation)]  # Literal["a", "b"] | None
    choices = [value for part in parts for value in get_args(part) if isinstance(value, str)]
    is_flag = field.annotation is bool
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=field.description,
        metavar=None if is_flag else _METAVARS.get(name) or "|".join(choices) or "NAME|PATH",
        show_default=False,
        rich_help_panel=panel,
    )
    return Annotated[bool | None if is_flag else str | None, option]


def _models_help() -> Any:
    def show(context: typer.Context, wanted: bool) -> None:
        if wanted:
            context.meta[_HELP_MODELS] = True
            print(context.get_help())
            raise typer.Exit

    return typer.Option("--help-models", help="Show the options for models and settings.", is_eager=True, callback=show)


def _other_settings() -> Any:
    others = [name for name in Settings.model_fields if name not in (*GENERAL, *MODELS)]
    return typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help=f"Any other setting; can be repeated. Fields: {', '.join(others)}.",
        rich_help_panel=_PANEL,
    )


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise SettingsError(f"--set {text!r}: give FIELD=VALUE, e.g. --set sample_seconds=1")
    return name.strip(), value


@functools.cache
def _name_mistyped_variables() -> None:
    for name, right in mistyped_variables().items():
        logging.getLogger(__name__).warning("%s is not used: did you mean %s?", name, right)


def _log(chosen: Chosen) -> None:
    level = logging.ERROR if chosen.quiet else logging.INFO if chosen.verbose else logging.WARNING
    logging.basicConfig(level=logging.ERROR, format="playhead: %(message)s", stream=sys.stderr)
    logging.getLogger(__name__.partition(".")[0]).setLevel(level)
    _name_mistyped_variables()
    try:
        settings = chosen.settings()
    except SettingsError:
        return  # the command reports it, or corrects it
    if settings.log == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    if settings.traces != "off":
        export_traces(settings.traces)
