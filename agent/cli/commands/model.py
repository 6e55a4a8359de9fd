"""The commands `playhead model …`: which language models there are, which one answers, and the process that runs it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..options import Chosen, Command, with_settings
from ..places import AsJson, print_json

__all__ = ["app"]

app = typer.Typer(
    name="model",
    help="Language models that answer: list, pull, use, status, stop.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of `playhead model list`, a hub name, or a path.")]


@with_settings()
def list_(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the models by plain name, and which fit here.

    Each line has size, memory, licence, and whether the model sees pictures.
    """
    from ....tools.llm.catalog import CATALOG, free_memory_bytes

    settings, free = chosen.settings().with_profile_llm(), free_memory_bytes()
    rows = [
        {
            "name": model.name,
            "in_use": settings.video_llm_backend == "llama.cpp" and settings.video_llm_model == model.name,
            "file_gb": round(model.file_bytes / 1e9, 1),
            "memory_gb": round(model.memory_bytes / 1e9, 1),
            "licence": model.licence,
            "sees_pictures": model.sees_pictures,
            "is_here": model.is_local,
            "fits": None if free is None else model.memory_bytes <= free,
            "origin": model.origin,
            "note": model.note,
        }
        for model in CATALOG
    ]
    if as_json:
        print_json(rows)
        return
    print(f"{'model':<20} {'file':>7} {'memory':>7}  {'licence':<11} {'reads':<15} {'here':<5} {'fits':<5} from")
    for row in rows:
        reads = "text, frames" if row["sees_pictures"] else "text"
        fits = "?" if row["fits"] is None else "yes" if row["fits"] else "no"
        mark = " (in use)" if row["in_use"] else ""
        print(
            f"{row['name']:<20} {row['file_gb']:>4} GB {row['memory_gb']:>4} GB  {row['licence']:<11} {reads:<15} "
            f"{'yes' if row['is_here'] else 'no':<5} {fits:<5} {row['origin']}{mark}"
        )
    print(
        "\nplayhead model use NAME: answers are composed by it; without one, answers quote the evidence.",
        file=sys.stderr,
    )


@with_settings()
def pull(name: _Name, *, chosen: Chosen) -> None:
    """Get a model's files.

    They come from installed packages, else from the model hub.
    """
    from ....tools.llm.llama_cpp.runtime import find_gguf

    settings = chosen.settings().model_copy(update={"video_llm_model": name})
    model = find_gguf(settings, offline=settings.offline)
    print(model.file)
    if model.mmproj is not None:
        print(model.mmproj)


@with_settings()
def use(
    name: Annotated[str, typer.Argument(metavar="NAME|off", help="A model for llama.cpp; off: answers quote.")],
    *,
    chosen: Chosen,
) -> None:
    """Let a model answer from now on.

    Its name is written into the user's settings file.
    """
    from ....tools.llm.llama_cpp.runtime import find_gguf
    from ....tools.settings import settings_file, write_settings

    if name == "off":
        file = write_settings({"video_llm_backend": None, "video_llm_model": None})
        print(f"answers quote the evidence ({file})")
        return
    path = Path(name).expanduser()
    if path.exists():
        name = str(path.resolve())
    settings = chosen.settings()
    model = find_gguf(settings.model_copy(update={"video_llm_model": name}), offline=settings.offline)
    write_settings({"video_llm_backend": "llama.cpp", "video_llm_model": name})
    reads = "reads frames and text" if model.mmproj else "reads text only: frames are searched, not shown to it"
    print(f"{model.source} answers from now on; it {reads} ({settings_file()})")


@with_settings()
def status(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """Show which model answers, and the processes that run.

    The first line also says whether the model can be had.
    """
    from ....tools.llm.backends import check, is_set
    from ....tools.llm.llama_cpp.runtime import running

    settings = chosen.settings()
    state = check(settings) if is_set(settings) else None
    processes = running()
    if as_json:
        print_json(
            {
                "set": state is not None,
                "ready": bool(state and state.ok),
                "detail": state.words if state else "none is set: answers quote the evidence",
                "processes": [{"pid": one.pid, "model": one.model, "url": one.url} for one in processes],
            }
        )
        return
    print(state.words if state else "no model is set: answers quote the evidence (`playhead model use NAME` sets one)")
    for one in processes:
        print(f"running: {Path(one.model).name}, process {one.pid}, {one.url}")
    if not processes:
        print("no llama.cpp process is running; it starts with the next question")


@with_settings()
def stop(*, chosen: Chosen) -> None:
    """End the llama.cpp processes of this user.

    The next question starts one again.
    """
    from ....tools.llm.llama_cpp.runtime import stop as stop_processes

    del chosen
    count = stop_processes()
    print(f"{count} {'process' if count == 1 else 'processes'} stopped")


for _name, _command in (("list", list_), ("pull", pull), ("use", use), ("status", status), ("stop", stop)):
    app.command(_name, cls=Command)(_command)
