"""Lists the voices and faces of a library, names them, and deletes them."""

import re

from ...index.people.introductions import ProposedName, proposed_names
from ...index.people.known import Person
from ...index.records import Evidence
from ...index.retrieval.search_index.publishing import publish
from ...tools.errors import QueryError
from ...tools.extractors.overlaps import OVERLAPPING
from ...tools.extractors.registry import asked_as
from ...tools.words import tokens
from .opening import OpenLibrary

__all__ = ["Speakers"]


class Speakers(OpenLibrary):
    """Lists, names and deletes the voices and faces of a library."""

    def speakers(self) -> tuple[Person, ...]:
        """Return the voices of all videos, the one that speaks most first; the same voice in several videos is one.

        Raises:
            LibraryError: The library is damaged.
        """
        return self._voices.people()

    def proposed_names(self) -> list[ProposedName]:
        """Return names that are said or written for speakers without a name, with the evidence; none is applied.

        Raises:
            LibraryError: The library is damaged.
        """
        return proposed_names(self._store, self._voices)

    def overlaps(self) -> list[Evidence]:
        """Return where two people speak at once, by video and time; empty also where this is not indexed.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return self._opened().with_texts([OVERLAPPING], "overlap")

    def name_speaker(self, number: int, name: str) -> Person:
        """Name a speaker of `speakers`, in all videos and those that are indexed later.

        Raises:
            QueryError: There is no such speaker.
            LibraryError: The library cannot be written.
        """
        return self._voices.name(number, name)

    def forget_speaker(self, name: str) -> None:
        """Delete a speaker's name, and the vectors of the voice in all videos, older versions of the videos included.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library cannot be written.
        """
        self._voices.forget(name)
        publish(self._store)

    def people(self) -> tuple[Person, ...]:
        """Return the people of all videos by their faces, the one that is seen longest first.

        Raises:
            LibraryError: The library is damaged.
        """
        return self._faces.people()

    def name_person(self, number: int, name: str) -> Person:
        """Name a person of `people`, in all videos and those that are indexed later.

        Raises:
            QueryError: There is no such person.
            LibraryError: The library cannot be written.
        """
        return self._faces.name(number, name)

    def forget_person(self, name: str) -> None:
        """Delete a person's name and the vectors of the face in all videos, older versions of the videos included.

        Pictures and media files stay. A video that is indexed again with `force` gets new vectors.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library cannot be written.
        """
        self._faces.forget(name)
        publish(self._store)

    def sightings(self, name: str) -> list[Evidence]:
        """Return when a person is recognised by face and by voice, and where the name is said or written, by video and time.

        Args:
            name: A name, `Person 2` or `Speaker 2`.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library is empty or damaged.
        """
        wanted = name.strip().casefold()
        found: list[Evidence] = []
        for known, stage in ((self._faces, "person"), (self._voices, "speaker")):
            for one in known.people():
                if one.title.casefold() == wanted:
                    labels = {place.video_id: place.label for place in one.videos}
                    rows = [row for video_id in labels for row in self._opened().of_video(video_id, [stage])]
                    found += [
                        row.model_copy(update={"speaker": one.title})
                        for row in rows
                        if row.text == labels[row.video_id]
                    ]
        if re.fullmatch(r"\w+ \d+", name.strip()) is None:
            found += self._mentions(name)
        if not found:
            titles = [one.title for known in (self._faces, self._voices) for one in known.people()]
            raise QueryError(
                f"nobody is called {name!r}: there are {', '.join(titles) or 'no people (see playhead people)'}"
            )
        return sorted(found, key=lambda e: (e.video, e.start))

    def _mentions(self, name: str) -> list[Evidence]:
        """What is said or written with all words of a name, one after the other."""
        wanted = f" {' '.join(tokens(name))} "
        found: list[Evidence] = []
        for modality in (*asked_as("said"), *asked_as("written")):
            texts = [
                text for text in self._opened().texts(modality, words=name) if wanted in f" {' '.join(tokens(text))} "
            ]
            found += self._opened().with_texts(texts, modality) if texts and wanted.strip() else []
        return found
