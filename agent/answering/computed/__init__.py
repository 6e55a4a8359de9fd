"""Answers that code computes: how often, how many, in which order, where in the picture, how long.

Occurrences come from stored observations; the sentences about them are checked like any other claim. Quotes and
summaries do not belong here. Start reading with `tally`.
"""
