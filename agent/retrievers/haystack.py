"""A library as a component of Haystack. The only module that imports haystack."""

from typing import TYPE_CHECKING, Any

from haystack import Document, component

from .documents import metadata_of

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["PlayheadRetriever", "retriever"]


@component
class PlayheadRetriever:
    """Evidence of a library as documents, best first."""

    def __init__(self, library: "Library", k: int = 10, filters: dict[str, Any] | None = None) -> None:
        """Search a library.

        Args:
            library: The library.
            k: The number of documents, at most.
            filters: Passed to `Library.search`: `modalities`, `videos`, `between`.
        """
        self._library, self._k, self._filters = library, k, filters or {}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator,unused-ignore]
    def run(self, query: str) -> dict[str, list[Document]]:
        """Return the documents that fit a query."""
        found = self._library.search(query, self._k, **self._filters)
        return {"documents": [_document(one) for one in found]}


def retriever(library: "Library", k: int, filters: dict[str, Any]) -> PlayheadRetriever:
    """The retriever of a library."""
    return PlayheadRetriever(library, k, filters)


def _document(evidence: Any) -> Document:
    return Document(id=evidence.evidence_id, content=evidence.text, meta=metadata_of(evidence), score=evidence.score)
