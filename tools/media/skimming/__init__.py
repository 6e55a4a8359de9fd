"""Finds where a video's picture may change: by the sizes of packets before decoding, by pixels after it.

Which frames become segments is decided in `index/indexing/change_detection`. Start reading with `skim`.
"""
