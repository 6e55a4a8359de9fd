"""The command line: parse, call, print. Results go to stdout, progress and errors to stderr."""

import io
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ...tools.errors import PlayheadError, QueryError, SettingsError
from ...tools.records import clean_text
from ..evaluation.cli import app as evaluation
from . import ask as cli_ask
from . import library as cli_library
from .options import MODELS, Chosen, Command, with_settings
from .places import AsJson, print_json

__all__ = ["app", "main"]

app = typer.Typer(
    help="""Ask questions about hour-long videos; get answers that cite the second.

    \b
    playhead index talks/
    playhead ask talks/ "What does the speaker say about the budget?"
    playhead search talks/ "red car" --in object,caption --between 10:00-20:00
    """,
    epilog="A setting is taken from its option, else from the environment (PLAYHEAD_<FIELD>), else from the user's "
    "settings file (playhead/settings.toml in the configuration folder), else it has its default.",
    no_args_is_help=True,
    add_completion=False,
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
    del version, chosen  # the first has printed and left; the second is kept for the command


@with_settings(*MODELS)
def doctor(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """Tell what works here, and how to get what does not."""
    from ..display.terminal import print_findings, waiting
    from ..doctor import examine

    settings = chosen.settings()
    with waiting("examining", chosen.quiet):
        findings = examine(settings)
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        print_findings(findings)


@with_settings(*MODELS)
def serve(
    run: Annotated[bool, typer.Option("--run", help="Run it here, instead of printing it.")] = False, *, chosen: Chosen
) -> None:
    """Print or run the command that serves the video LLM."""
    from ...tools.llm.backends import serve_command

    command = serve_command(chosen.settings())
    if not run:
        print(shlex.join(command))
        return
    program = shutil.which(command[0], path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        extra = "pip install vllm" if command[0] == "vllm" else "pip install 'transformers[serving]'"
        raise SettingsError(f"{command[0]} is not installed: {extra}")
    os.execv(program, command)  # noqa: S606 (its parts are our own words and the user's own settings; no shell)


for _name, _command in (
    ("index", cli_library.index),
    ("ask", cli_ask.ask),
    ("search", cli_ask.search),
    ("find", cli_ask.find),
    ("list", cli_library.list_),
    ("show", cli_library.show),
    ("chapters", cli_library.chapters),
    ("remove", cli_library.remove),
    ("pull", cli_library.pull),
    ("doctor", doctor),
    ("serve", serve),
):
    app.command(_name, cls=Command)(_command)
app.add_typer(evaluation)


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its answer
    try:
        try:
            app(prog_name="playhead")
        finally:
            sys.stdout.flush()
    except PlayheadError as error:
        _leave(str(error), error, 2 if isinstance(error, (SettingsError, QueryError)) else 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python writes once more, and complains
        if isinstance(error, BrokenPipeError):  # `playhead show … | head`
            sys.exit(1)
        _leave(f"{error.strerror or error}: {error.filename or 'standard output'}", error, 1)


def _leave(message: str, error: Exception, code: int) -> NoReturn:
    if os.environ.get("PLAYHEAD_DEBUG") == "1":
        raise error
    print(f"playhead: {clean_text(message)}", file=sys.stderr)
    sys.exit(code)
