"""Words: texts and queries cut into index terms, and the BM25 scores of rows.

What a term is decides `tokenizer`; what a row scores decides `bm25`. Vectors and fusion do not belong here.
Start reading with `tokenizer`.
"""
