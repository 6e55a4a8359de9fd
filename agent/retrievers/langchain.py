"""A library as a retriever of LangChain. The only module that imports langchain-core."""

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from .documents import metadata_of

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["PlayheadRetriever", "retriever"]


class PlayheadRetriever(BaseRetriever):  # type: ignore[misc,unused-ignore]
    """Evidence of a library as documents, best first.

    Attributes:
        library: The library.
        k: The number of documents, at most.
        filters: Passed to `Library.search`: `modalities`, `videos`, `between`.
    """

    library: Any
    k: int = 10
    filters: dict[str, Any] = {}  # noqa: RUF012 (a pydantic field: copied for each object)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        return [_document(one) for one in self.library.search(query, self.k, **self.filters)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        return [_document(one) for one in await self.library.asearch(query, self.k, **self.filters)]


def retriever(library: "Library", k: int, filters: dict[str, Any]) -> PlayheadRetriever:
    """The retriever of a library."""
    return PlayheadRetriever(library=library, k=k, filters=filters)


def _document(evidence: Any) -> Document:
    return Document(id=evidence.evidence_id, page_content=evidence.text, metadata=metadata_of(evidence))
