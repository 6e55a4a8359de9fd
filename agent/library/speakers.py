"""Lists the voices of a library, and names them."""

from ...index.people.introductions import ProposedName, proposed_names
from ...index.people.voices import Speaker
from .opening import OpenLibrary

__all__ = ["Speakers"]


class Speakers(OpenLibrary):
    """Lists and names the voices of a library."""

    def speakers(self) -> tuple[Speaker, ...]:
        """Return the voices of all videos, the one that speaks most first; the same voice in several videos is one.

        Raises:
            LibraryError: The library is damaged.
        """
        return self._voices.speakers()

    def proposed_names(self) -> list[ProposedName]:
        """Return names that are said or written for speakers without a name, with the evidence; none is applied.

        Raises:
            LibraryError: The library is damaged.
        """
        return proposed_names(self._store, self._voices)

    def name_speaker(self, number: int, name: str) -> Speaker:
        """Name a speaker of `speakers`, in all videos and those that are indexed later.

        Raises:
            QueryError: There is no such speaker.
            LibraryError: The library cannot be written.
        """
        return self._voices.name(number, name)

    def forget_speaker(self, name: str) -> None:
        """Delete a speaker's name, and the voice that it was given for.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library cannot be written.
        """
        self._voices.forget(name)
