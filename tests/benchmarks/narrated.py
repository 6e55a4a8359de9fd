"""Narrated slide talks of one to two minutes (`narrated_talks.py`) as films, made with `examples/make_sample.py`, and their libraries."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from make_sample import Voice, plan, write_film
from narrated_talks import Scenes, Talk

from playhead import Library, Settings

__all__ = ["library_of_talk"]


def library_of_talk(folder: Path, talk: Talk, settings: Settings) -> tuple[Library, Scenes]:
    """Write and index a talk below a folder, where that was not done before."""
    voice = Voice()
    shots = plan(talk.scenes, voice)
    film = folder / talk.name / f"{talk.name}.mp4"
    if not film.exists():
        film.parent.mkdir(parents=True, exist_ok=True)
        write_film(film, shots, voice.rate)
    library = Library(film.parent, settings)
    library.index(film)
    return library, [(float(shot.start), float(shot.end)) for shot in shots]
