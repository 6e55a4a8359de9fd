"""What a search returns."""

from collections.abc import Iterable

from ...index.records import Evidence

__all__ = ["SearchResults"]


class SearchResults(list[Evidence]):
    """Evidence, best first.

    Attributes:
        limits: What the search was limited to by the words of the query, as a sentence; empty: nothing.
    """

    def __init__(self, found: Iterable[Evidence] = (), limits: str = "") -> None:
        super().__init__(found)
        self.limits = limits
