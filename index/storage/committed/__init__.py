"""The files of one committed video: its record, observations and vectors, and keyframes.

Where they lie, and how they are replaced, is decided in the storage backends. Start reading with `versions`.
"""
