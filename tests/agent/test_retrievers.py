"""A library as a retriever of other frameworks, with the real frameworks."""

import asyncio
from pathlib import Path

import pytest

from playhead import Library
from playhead.tools.errors import QueryError


@pytest.fixture
def library(tmp_path: Path, write_talk, no_models) -> Library:
    library = Library(tmp_path / ".playhead")
    library.index(
        write_talk(tmp_path / "a.mp4", [(0, 2, "The budget grew by twelve percent"), (2, 5, "We hire three engineers")])
    )
    return library


def test_langchain(library: Library):
    pytest.importorskip("langchain_core")
    retriever = library.as_retriever("langchain", k=1, modalities="speech")
    (document,) = retriever.invoke("budget")
    assert document.page_content == "The budget grew by twelve percent"
    assert {key: document.metadata[key] for key in ("name", "start", "end", "modality")} == {
        "name": "a.mp4",
        "start": 0.0,
        "end": 2.0,
        "modality": "speech",
    }
    (later,) = asyncio.run(library.as_retriever("langchain", k=1, between=(2, 5)).ainvoke("engineers"))
    assert (later.page_content, later.metadata["start"]) == ("We hire three engineers", 2.0)


def test_llama_index(library: Library):
    pytest.importorskip("llama_index.core")
    (found,) = library.as_retriever("llama_index", k=1).retrieve("budget")
    assert found.node.text == "The budget grew by twelve percent"
    assert found.node.metadata["source"] == "a.mp4#t=0.000,2.000"
    assert 0 < found.score <= 1
    from playhead.agent.retrievers.llama_index import PlayheadReader

    assert [document.text for document in PlayheadReader(library).load_data()] == [
        "The budget grew by twelve percent",
        "We hire three engineers",
    ]


def test_haystack(library: Library):
    haystack = pytest.importorskip("haystack")
    pipeline = haystack.Pipeline()
    pipeline.add_component("videos", library.as_retriever("haystack", k=1))
    (document,) = pipeline.run({"videos": {"query": "engineers"}})["videos"]["documents"]
    assert (document.content, document.meta["start"]) == ("We hire three engineers", 2.0)


def test_another_framework_is_an_error(library: Library):
    with pytest.raises(QueryError, match="framework='x' is not known: use langchain, llama_index or haystack"):
        library.as_retriever("x")
