"""The commands `playhead threads …`: the conversations that a library keeps."""

from typing import Annotated

import typer

from ..options import Chosen, Command, with_settings
from ..places import AsJson, LibraryFolder, Place, opened_at, print_json

__all__ = ["app"]

app = typer.Typer(
    name="threads",
    help="Conversations that a library keeps: list, delete.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@with_settings()
def list_(place: Place, library: LibraryFolder = None, as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the conversations.

    Each line has name, number of questions, and the last question.
    """
    opened, _ = opened_at(place, library, chosen)
    threads = opened.threads()
    if as_json:
        print_json([one.model_dump(mode="json") for one in threads])
        return
    for one in threads:
        print(
            f"{one.thread_id}  {one.questions} {'question' if one.questions == 1 else 'questions'}  {one.last_question}"
        )


@with_settings()
def delete(
    place: Place,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of conversations.")],
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Delete conversations; the videos and their index are not touched."""
    opened, _ = opened_at(place, library, chosen)
    for name in names:
        opened.delete_thread(name)
        print(f"deleted {name}")


for _name, _command in (("list", list_), ("delete", delete)):
    app.command(_name, cls=Command)(_command)
