"""Encoders: texts and pictures as unit vectors.

Vectors with the same embedding id are comparable. Search does not belong here: see `index.retrieval`.
Start reading with `encoders`.
"""
