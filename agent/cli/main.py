"""The command line: parse, call, print. Results go to stdout, progress and errors to stderr."""

import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from ...tools.errors import PlayheadError, QueryError, SettingsError
from ...tools.records import clean_text
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

app = typer.Typer(
    help="""Ask questions about hour-long videos; get answers that cite the second.

    \b
    playhead index talks/
    playhead ask talks/ "What does the speaker say about the budget?"
    playhead search talks/ "red car" --in object,caption --between 10:00-20:00
    """,
    epilog="A setting comes from its option, else from the environment (PLAYHEAD_<FIELD>), else from the user's "
    "settings file (playhead/settings.toml in the configuration folder), else from its default.",
    no_args_is_help=True,
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
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
    chosen: Chosen,
) -> None:
    del version, chosen  # `--version` has exited; the options are kept for the command


for _name, _command in (
    ("index", libraries.index),
    ("watch", programs.watch),
    ("ask", asking.ask),
    ("search", asking.search),
    ("find", asking.find),
    ("check", asking.check),
    ("chat", asking.chat),
    ("ui", serving.ui),
    ("list", libraries.list_),
    ("show", libraries.show),
    ("chapters", libraries.chapters),
    ("moment", exporting.moment),
    ("clip", exporting.clip),
    ("sheet", exporting.sheet),
    ("export", exporting.export),
    ("notes", exporting.notes),
    ("open", exporting.open_),
    ("context", exporting.context),
    ("speakers", people.speakers),
    ("remove", libraries.remove),
    ("pull", libraries.pull),
    ("verify", integrity.verify),
    ("repair", integrity.repair),
    ("optimize", libraries.optimize),
    ("doctor", checking.doctor),
    ("serve", checking.serve),
    ("mcp", programs.mcp),
):
    app.command(_name, cls=Command, epilog=getattr(_command, "examples", None))(_command)
app.add_typer(model.app)
app.add_typer(config.app)
app.add_typer(threads.app)
app.add_typer(evaluation)


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
