"""The commands about this machine and its models: `doctor`, `serve`."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ....tools.errors import SettingsError
from ..options import MODELS, Chosen, with_settings
from ..places import AsJson, print_json

__all__ = ["doctor", "serve"]


@with_settings(*MODELS, examples=("playhead doctor", "playhead doctor --profile gpu --json"))
def doctor(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """Check what works on this machine, and how to get what does not."""
    from ...display.tables import print_checks
    from ...display.terminal import waiting
    from ...doctor import check_parts

    settings = chosen.settings()
    with waiting("checking", chosen.quiet):
        checks = check_parts(settings)
    if as_json:
        print_json([check.model_dump() for check in checks])
    else:
        print_checks(checks)


@with_settings(*MODELS, examples=("playhead serve --video-llm-model Qwen/Qwen3-VL-4B-Instruct", "playhead serve --run"))
def serve(
    run: Annotated[bool, typer.Option("--run", help="Run it here instead of printing it.")] = False, *, chosen: Chosen
) -> None:
    """Print or run the command that serves the video LLM."""
    from ....tools.llm.backends import serve_command

    command = serve_command(chosen.settings())
    if not run:
        print(shlex.join(command))
        return
    program = shutil.which(command[0], path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        extra = "pip install vllm" if command[0] == "vllm" else "pip install 'transformers[serving]'"
        raise SettingsError(f"{command[0]} is not installed: {extra}")
    os.execv(program, command)  # noqa: S606 (its parts are our own words and the user's own settings; no shell)
