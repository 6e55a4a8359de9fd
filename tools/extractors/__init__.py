"""Extractors: each turns frames or audio into observations with spans.

Storage, search and the choice of frames do not belong here.
Start reading with `speech` or `reading`.
"""
