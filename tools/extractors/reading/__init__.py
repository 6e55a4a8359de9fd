"""Text in pictures: where letters may be, what they say, and which lines a later picture still shows.

`ocr` reads, `presence` decides what is worth reading, `lines` orders and compares what was read. Merging of readings over
time belongs to `index.indexing.merging`. Start at `ocr.text_reader`.
"""
