"""How the numbers of stored unit vectors are written: as float16, as one byte each, or as one bit each."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from ...byte_vectors import from_bytes, largest

__all__ = ["Bits", "decoded", "empty_index", "search_parameters"]

Bits = Literal[1, 8, 16]  # of each number
_QUERY_BITS = 8  # of each number of a query for vectors of one bit: with more a search takes a hundred times as long


def empty_index(faiss: Any, bits: Bits, quantizer: Any, dimensions: int, cell_count: int) -> Any:
    """Return an empty FAISS index, which needs no training.

    Args:
        faiss: The module.
        bits: Of each number. 1: RaBitQ (Gao and Long 2024), which codes the difference between a vector and its cell's centroid.
        quantizer: A FAISS index of the centroids. Their values matter only with 1 bit.
        dimensions: Length of a vector.
        cell_count: Number of cells.
    """
    metric = faiss.METRIC_INNER_PRODUCT
    if bits == 1:
        index = faiss.IndexIVFRaBitQ(quantizer, dimensions, cell_count, metric)
    else:
        # FAISS's `QT_8bit_direct_signed` rounds the query to whole numbers, too, where 64 divides the dimensions.
        kind = faiss.ScalarQuantizer.QT_8bit_uniform if bits == 8 else faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(quantizer, dimensions, cell_count, kind, metric, False)
        limit = largest(dimensions)  # FAISS would learn the least value, and the range
        faiss.copy_array_to_vector(np.array([-limit, 2 * limit] if bits == 8 else [], np.float32), index.sq.trained)
    index.is_trained = True
    return index


def search_parameters(faiss: Any, bits: Bits, cells: int, selector: Any) -> Any:
    """Return FAISS's parameters of a search in some cells, and in the rows of a selector; None: in all."""
    if bits == 1:
        return faiss.IVFRaBitQSearchParameters(nprobe=cells, sel=selector, qb=_QUERY_BITS)
    return faiss.SearchParametersIVF(nprobe=cells, sel=selector)


def decoded(codes: npt.NDArray[Any], bits: Bits, dimensions: int) -> Vectors:
    """Return stored vectors of 8 or 16 bits as FAISS reads them, float32, shape `(n, dimensions)`."""
    if bits == 16:
        return codes.view(np.float16).reshape(-1, dimensions).astype(np.float32)
    return from_bytes(codes.view(np.uint8).reshape(-1, dimensions))
