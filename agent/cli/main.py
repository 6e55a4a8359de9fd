"""The command line: parse, call, print. Results go to stdout, progress and errors to stderr."""

import io
import math
import os
import shlex
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from ...tools.errors import PlayheadError, QueryError, SettingsError
from ...tools.records import clean_text
from ...tools.words import stem, tokens
from ..evaluation.cli import app as evaluation
from .commands import (
    asking,
    checking,
    config,
    exporting,
    integrity,
    libraries,
    model,
    people,
    programs,
    serving,
    threads,
)
from .options import Chosen, Command, with_settings

__all__ = ["app", "main"]

_SHORT = 66  # characters of a command's description, on a line of 80
_LONG = 400  # characters of a description that is searched for a word
_NAMED = 3  # commands that a message names
# Two words begin alike if this share of the stem is the same, and this many letters.
_ALIKE, _STEM = 0.75, 5

# The commands by what they are for; the help lists them in this order.
_GROUPS: dict[str, dict[str, Any]] = {
    "Index and ask": {
        "index": libraries.index,
        "ask": asking.ask,
        "search": asking.search,
        "find": asking.find,
        "check": asking.check,
        "chat": asking.chat,
        "ui": serving.ui,
    },
    "See and take away": {
        "list": libraries.list_,
        "show": libraries.show,
        "chapters": libraries.chapters,
        "speakers": people.speakers,
        "people": people.people,
        "moment": exporting.moment,
        "open": exporting.open_,
        "clip": exporting.clip,
        "sheet": exporting.sheet,
        "export": exporting.export,
        "notes": exporting.notes,
        "context": exporting.context,
    },
    "Keep, set up and connect": {
        "watch": programs.watch,
        "live": programs.live,
        "remove": libraries.remove,
        "pull": libraries.pull,
        "verify": integrity.verify,
        "repair": integrity.repair,
        "optimize": libraries.optimize,
        "threads": threads.app,
        "doctor": checking.doctor,
        "config": config.app,
        "model": model.app,
        "serve": checking.serve,
        "mcp": programs.mcp,
        "eval": evaluation,
    },
}


class Commands(TyperGroup):
    """The list of commands by what they are for. A question in a command's position gets a hint."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named."""
        if args and self.get_command(ctx, args[0]) is None:
            if " " in args[0].strip():
                ctx.fail(f"there is no command {args[0]!r}. To ask: playhead ask PLACE {shlex.quote(args[0])}")
            if not args[0].startswith("-") and not get_close_matches(args[0], self.commands):  # Typer names these
                about = ", ".join(f"`playhead {name} --help`" for name in self._about(ctx, args[0])[:_NAMED])
                ctx.fail(f"No such command {args[0]!r}. See {about or '`playhead --help`'}.")
        return super().resolve_command(ctx, args)

    def _about(self, ctx: Any, word: str) -> list[str]:
        """The commands whose help holds a word: in the first line, else in the options."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        first = {name: one.get_short_help_str(_LONG) for name, one in commands.items() if one}
        options = {
            name: " ".join(getattr(parameter, "help", None) or "" for parameter in one.params)
            for name, one in commands.items()
            if one
        }
        return next(
            filter(None, ([name for name in texts if _holds(texts[name], word)] for texts in (first, options))), []
        )

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands, one title for each group, without blank lines: all fit a screen."""
        for title, names in _GROUPS.items():
            formatter.write(f"{title}:\n")
            found = ((name, self.get_command(ctx, name)) for name in names)
            with formatter.indentation():
                formatter.write_dl([(name, one.get_short_help_str(_SHORT)) for name, one in found if one])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Where to read more, without a blank line before it."""
        del ctx
        formatter.write(f"{self.epilog}\n")


def _holds(text: str, word: str) -> bool:
    """Whether a text holds a word or one that begins alike: "transcripts" for "transcribe"."""
    wanted = stem(word.casefold())
    start = wanted[: max(_STEM, math.ceil(_ALIKE * len(wanted)))]
    return any(one == wanted or (len(start) >= _STEM and one.startswith(start)) for one in map(stem, tokens(text)))


app = typer.Typer(
    cls=Commands,
    help="Ask questions about hour-long videos; get answers that cite the second.",
    epilog="Examples: playhead COMMAND --help. Also: --version, --install-completion.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"playhead {version('playhead')}")
        raise typer.Exit


@app.callback()
@with_settings()
def _general(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
    chosen: Chosen,
) -> None:
    del version, chosen  # `--version` has exited; the options are kept for the command
    if context.invoked_subcommand is None:
        from ..display.welcome import print_welcome

        print_welcome(Path())


for _group in _GROUPS.values():
    for _name, _command in _group.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command)
        else:
            app.command(_name, cls=Command, epilog=_command.examples)(_command)


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still shows the answer
    try:
        try:
            app(prog_name="playhead")
        finally:
            sys.stdout.flush()
    except PlayheadError as error:
        _leave(str(error), error, 2 if isinstance(error, (SettingsError, QueryError)) else 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python writes again at exit, and fails
        if isinstance(error, BrokenPipeError):  # `playhead show … | head`
            sys.exit(1)
        _leave(f"{error.strerror or error}: {error.filename or 'standard output'}", error, 1)


def _leave(message: str, error: Exception, code: int) -> NoReturn:
    if os.environ.get("PLAYHEAD_DEBUG") == "1":
        raise error
    print(f"playhead: {clean_text(message)}", file=sys.stderr)
    sys.exit(code)
