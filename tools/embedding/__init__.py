"""Encoders: texts and pictures as unit vectors.

Vectors with the same embedding id are comparable. Search does not belong here: see `index.retrieval`.
Start reading with `protocol`; `texts` and `images` choose the encoder and its runtime.
"""
