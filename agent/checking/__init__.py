"""Checks claims with times that somebody else made, against a library.

`claims` reads them and holds the records; `judging` gives each claim its verdict with the reader of `agent.answering`, and
with a language model where one is set. Answers of this project are checked in `agent.answering.citation_check`.
"""
