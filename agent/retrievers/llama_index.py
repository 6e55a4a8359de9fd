"""A library as a retriever and a reader of LlamaIndex. The only module that imports llama-index-core."""

from typing import TYPE_CHECKING, Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import Document, NodeWithScore, QueryBundle, TextNode

from .documents import metadata_of

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["PlayheadReader", "PlayheadRetriever", "retriever"]


class PlayheadRetriever(BaseRetriever):  # type: ignore[misc,unused-ignore]
    """Evidence of a library as scored nodes, best first."""

    def __init__(self, library: "Library", k: int = 10, filters: dict[str, Any] | None = None) -> None:
        """Search a library.

        Args:
            library: The library.
            k: The number of nodes, at most.
            filters: Passed to `Library.search`: `modalities`, `videos`, `between`.
        """
        super().__init__()
        self._library, self._k, self._filters = library, k, filters or {}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(one) for one in self._library.search(query_bundle.query_str, self._k, **self._filters)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(one) for one in await self._library.asearch(query_bundle.query_str, self._k, **self._filters)]


class PlayheadReader(BaseReader):  # type: ignore[misc,unused-ignore]
    """All observations of the videos of a library, as documents."""

    def __init__(self, library: "Library") -> None:
        """Read a library."""
        self._library = library

    def load_data(self) -> list[Document]:
        """One document for each observation with text, video by video, in order of time."""
        return [
            Document(id_=one.evidence_id, text=one.text, metadata=metadata_of(one))
            for record in self._library.videos()
            for one in sorted(self._library.observed(record.video_id)[1], key=lambda one: (one.start, one.end))
            if one.text
        ]


def retriever(library: "Library", k: int, filters: dict[str, Any]) -> PlayheadRetriever:
    """The retriever of a library."""
    return PlayheadRetriever(library, k, filters)


def _node(evidence: Any) -> NodeWithScore:
    node = TextNode(id_=evidence.evidence_id, text=evidence.text, metadata=metadata_of(evidence))
    return NodeWithScore(node=node, score=evidence.score)
