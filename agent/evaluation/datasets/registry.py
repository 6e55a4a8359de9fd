"""The registry of data sets, and the function that reads one."""

from pathlib import Path

from ....tools.errors import QueryError
from .base import Adapter, Dataset, VideoFiles
from .choice_sets import EGOSCHEMA, LONGVIDEOBENCH, LVBENCH, MLVU, VIDEOEVAL_PRO, VIDEOMME
from .grounded_sets import CGBENCH, LV_HAYSTACK, NEXTGQA
from .moment_sets import ACTIVITYNET, CHARADES, MOMENTSEEKER, QVHIGHLIGHTS, TUTORIALVQA

__all__ = ["ADAPTERS", "load"]

ADAPTERS: dict[str, Adapter] = {
    one.name: one
    for one in (
        VIDEOMME, LONGVIDEOBENCH, LVBENCH, MLVU, LV_HAYSTACK, CGBENCH, EGOSCHEMA, NEXTGQA, QVHIGHLIGHTS, ACTIVITYNET,
        CHARADES, MOMENTSEEKER, VIDEOEVAL_PRO, TUTORIALVQA,
    )
}  # fmt: skip


def load(name: str, folder: Path | str, videos: Path | str | None = None, split: str | None = None) -> Dataset:
    """Read a data set from its authors' files.

    Args:
        name: A name of `ADAPTERS`.
        folder: Folder of the authors' files.
        videos: Folder of the videos and subtitles, at any depth; None: `folder`.
        split: Part of the data set, see the docstring of the adapter; None: its default.

    Raises:
        QueryError: There is no such data set, its files are missing, or they have an unknown form.
        MediaError: Several videos have the same name.
    """
    adapter = ADAPTERS.get(name)
    if adapter is None:
        raise QueryError(f"no data set {name!r}: there are {', '.join(sorted(ADAPTERS))}")
    place = Path(folder)
    if not place.is_dir():
        raise QueryError(
            f"{place} is not a folder: put {adapter.files} of {adapter.title} there, from {adapter.source} "
            f"(licence: {adapter.licence})"
        )
    try:
        questions = adapter.read(place, split)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise QueryError(
            f"the files of {adapter.title} in {place} have an unknown form ({type(error).__name__}: "
            f"{error}): expected are {adapter.files} from {adapter.source}"
        ) from error
    if not questions:
        raise QueryError(f"{adapter.title} in {place} holds no question of split {split!r}: name another")
    files = VideoFiles([Path(videos)] if videos else [place])
    return Dataset(
        name=name,
        title=adapter.title,
        licence=adapter.licence,
        source=adapter.source,
        questions=tuple(
            question.model_copy(
                update={"file": files.video(question.video), "subtitles": files.subtitles(question.video)}
            )
            for question in questions
        ),
    )
