"""Searching: the evidence that `Library.search` returns.

Queries for words are ranked by retrieval; queries for a place ("What is written on the title card?") return what is there.
Answers do not belong here. Start reading with `evidence`.
"""
