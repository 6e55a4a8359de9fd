"""Retrievers: a library as a source of documents for LangChain, LlamaIndex and Haystack.

One module for each framework, the only one that imports it. `Library.as_retriever` chooses between them.
Start reading with `documents`, which all of them share.
"""
