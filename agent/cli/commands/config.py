"""The command group `config`: show the settings and where each comes from, change the user's settings file."""

import os
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from ....tools.errors import SettingsError
from ....tools.settings import Settings, no_setting, settings_file, settings_in_file, write_settings
from ..options import MODELS, Chosen, Command, with_settings
from ..places import AsJson, print_json

__all__ = ["app"]

app = typer.Typer(
    name="config",
    help="Show and change settings: show, set, unset, path.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A setting, e.g. speech_model.")]


@with_settings(*MODELS, examples=("playhead config show", "playhead config show speech_model"))
def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One setting. Default: all.")] = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show each setting, its value, and where the value comes from."""
    from ...display.tables import print_settings

    if name is not None:
        _check(name)
    settings, in_file = chosen.settings(), settings_in_file()
    variables = {variable.upper() for variable in os.environ}
    rows = []
    for field in [name] if name else Settings.model_fields:
        if field in chosen.values:
            origin = "argument"
        elif f"PLAYHEAD_{field.upper()}" in variables:
            origin = "environment"
        else:
            origin = "file" if field in in_file else "default"
        rows.append({"name": field, "value": _shown(settings, field), "from": origin})
    if as_json:
        print_json(rows)
    else:
        print_settings(rows)


@with_settings(examples=("playhead config set speech_model whisper-tiny.en", "playhead config set skip object,caption"))
def set_(
    name: _Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As after `--set NAME=`.")],
    *,
    chosen: Chosen,
) -> None:
    """Store a setting in the settings file. Its comments and other settings stay."""
    _check(name)
    settings = Settings(**chosen.values | {name: value})
    file = write_settings({name: _stored(getattr(settings, name))})
    print(f"{name} = {_shown(settings, name)} in {file}")
    variable = f"PLAYHEAD_{name.upper()}"
    if variable in map(str.upper, os.environ):
        print(f"the environment variable {variable} overrides it")


@with_settings(examples=("playhead config unset speech_model",))
def unset(name: _Name, *, chosen: Chosen) -> None:
    """Remove a setting from the settings file, so that the default counts again."""
    del chosen
    if name not in settings_in_file():
        raise SettingsError(f"{settings_file()} has no {name}: `playhead config show` lists where settings come from")
    print(f"{name} removed from {write_settings({name: None})}")


@with_settings(examples=("playhead config path",))
def path(*, chosen: Chosen) -> None:
    """Print the path of the settings file, which need not exist."""
    del chosen
    print(settings_file())


def _check(name: str) -> None:
    if name not in Settings.model_fields:
        raise no_setting(name)


def _shown(settings: Settings, name: str) -> Any:
    """A setting's value for display: a secret is only named, a model that the profile chooses is shown."""
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        default = Settings.model_fields[name].default
        return "not set" if value == default else "set, not shown"
    if value is None:
        chosen = settings.of_profile(name)
        return f"{chosen} (profile {settings.profile})" if chosen else None
    return list(value) if isinstance(value, tuple) else value


def _stored(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return list(value) if isinstance(value, tuple) else value


for _command_name, _command in (("show", show), ("set", set_), ("unset", unset), ("path", path)):
    app.command(_command_name, cls=Command, epilog=getattr(_command, "examples", None))(_command)
