"""Vectors: the nearest ones by inner product, in FAISS files of the library or in LanceDB.

Encoders do not belong here (`tools/embedding`, `query_encoders`). Start reading with `stores`, which chooses the store.
"""
