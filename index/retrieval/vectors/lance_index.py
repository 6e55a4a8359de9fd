"""Nearest vectors in LanceDB: for libraries whose vectors do not fit on one machine's disk. The one owner of LanceDB.

It has the interface of `index.retrieval.vectors.faiss_index.VectorIndex` and gets the same increments. The table lies in a folder or
below a URL (`s3://…`, `gs://…`); its versions are the snapshots, so a reader keeps the version of its snapshot.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from ....tools.errors import LibraryError, MissingExtraError
from .segments import Halves, Ids, as_halves

__all__ = ["LanceIndex"]

# LanceDB compares all rows up to here; beyond, cells are read (IVF without quantisation).
_MAX_COMPARED = 131_072
_CELLS_BY_ROOT = 1.0
_PROBES = 64
_GROWTH = 4
_FRAGMENTS = 32  # additions after which small files are merged
_RANGES_AT_ONCE = 500
_VECTOR, _ID = "vector", "id"


class LanceIndex:
    """Unit vectors of one embedding model under integer ids, in one LanceDB table. Not for several threads at once."""

    def __init__(
        self, dimensions: int, address: str, name: str, storage_options: Mapping[str, str] | None = None
    ) -> None:
        """Open or make a table.

        Args:
            dimensions: Length of a vector.
            address: A folder or URL of a LanceDB database.
            name: Of the table.
            storage_options: Of object storage, such as `aws_endpoint`; None: from the environment.

        Raises:
            MissingExtraError: LanceDB is not installed.
            LibraryError: The address cannot be opened.
        """
        lancedb = _load_lancedb()
        import pyarrow as pa

        self.dimensions, self._address, self._name = dimensions, address, name
        self._options = dict(storage_options or {})
        schema = pa.schema([(_ID, pa.int64()), (_VECTOR, pa.list_(pa.float16(), dimensions))])
        try:
            database = lancedb.connect(address, storage_options=self._options or None)
            self._table: Any = database.create_table(name, schema=schema, exist_ok=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise LibraryError(
                f"LanceDB cannot open {address} ({error}): check the address and the credentials"
            ) from error
        self._pending: list[tuple[Ids, Halves]] = []
        self._trained_on, self._added = 0, 0
        self._rows = int(self._table.count_rows())

    @classmethod
    def load(
        cls, saved: str, storage_options: Mapping[str, str] | None = None, *, for_writing: bool = False
    ) -> "LanceIndex":
        """Open the version that `save` noted.

        Args:
            saved: The result of `save`.
            storage_options: Of object storage.
            for_writing: Undo later versions: they belong to a process that was killed before it published them.

        Raises:
            MissingExtraError: LanceDB is not installed.
            LibraryError: The address cannot be opened.
        """
        noted = json.loads(saved)
        made = cls(noted["dimensions"], noted["address"], noted["table"], storage_options)
        made._trained_on = noted["trained_on"]
        if made._table.version != noted["version"] or not for_writing:
            made._table.checkout(noted["version"])
            if for_writing:
                made._table.restore()
        made._rows = int(made._table.count_rows())
        return made

    def save(self) -> str:
        """Write added rows; returns address and version as JSON."""
        self._write_pending()
        return json.dumps(
            {
                "dimensions": self.dimensions,
                "address": self._address,
                "table": self._name,
                "version": int(self._table.version),
                "trained_on": self._trained_on,
            }
        )

    def maintain(self) -> bool:
        """Train cells, or merge small files, if it is due; returns whether something changed and `save` should follow."""
        self._write_pending()
        if self._rows > _MAX_COMPARED and self._rows >= _GROWTH * self._trained_on:
            cells = math.ceil(_CELLS_BY_ROOT * math.sqrt(self._rows))
            config = _index_types().IvfFlat(distance_type="dot", num_partitions=cells)
            self._table.create_index(_VECTOR, config=config, replace=True)
            self._trained_on = self._rows
            return True
        if self._added >= _FRAGMENTS:
            self._table.optimize()
            self._added = 0
            return True
        return False

    @staticmethod
    def files(saved: str) -> set[str]:  # noqa: ARG004 (as `VectorIndex.files`)
        """Names of files in the library's folder: none."""
        return set()

    def __len__(self) -> int:
        return self._rows + sum(len(ids) for ids, _ in self._pending)

    def add(self, vectors: npt.NDArray[np.floating], ids: Ids) -> None:
        """Add vectors, shape `(n, dimensions)`, under new ids."""
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions or ids.shape != (len(vectors),):
            raise ValueError(f"vectors of {self.dimensions} dimensions and as many ids expected, got {vectors.shape}")
        if len(ids):
            self._pending.append((np.array(ids, np.int64), as_halves(vectors)))

    def remove(self, ranges: Ids) -> None:
        """Remove all ids in ranges, first and last, shape `(n, 2)`; unknown ids are ignored."""
        self._write_pending()
        for condition in _conditions(ranges):
            self._table.delete(condition)
        self._rows = int(self._table.count_rows())

    def search(self, query: Vectors, k: int, ranges: Ids | None = None) -> tuple[Ids, Vectors]:
        """Return the `k` nearest, best first, with their inner products; as `VectorIndex.search`."""
        self._write_pending()
        if k < 1 or not self._rows or (ranges is not None and not len(ranges)):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        found = []
        for condition in [None] if ranges is None else _conditions(ranges):
            asked = self._table.search(query.astype(np.float32), vector_column_name=_VECTOR).metric("dot")
            asked = asked.limit(k).nprobes(_PROBES).select([_ID, _VECTOR, "_distance"])
            if condition is not None:
                asked = asked.where(condition, prefilter=True)
            found.append(_columns(asked.to_arrow(), self.dimensions))
        ids = np.concatenate([some for some, _ in found])
        cosines = np.concatenate([vectors @ query for _, vectors in found]).astype(np.float32)
        order = np.argsort(-cosines, kind="stable")[:k]
        return ids[order], cosines[order]

    def vectors_of(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the ids that have a vector, and their vectors, float32, shape `(n, dimensions)`."""
        self._write_pending()
        wanted = np.unique(ids)
        if not len(wanted):
            return np.zeros(0, np.int64), np.zeros((0, self.dimensions), np.float32)
        condition = f"{_ID} IN ({', '.join(map(str, wanted.tolist()))})"
        return _columns(self._table.search().where(condition).limit(len(wanted)).to_arrow(), self.dimensions)

    def _write_pending(self) -> None:
        if not self._pending:
            return
        import pyarrow as pa

        ids = np.concatenate([some for some, _ in self._pending])
        vectors = np.concatenate([some for _, some in self._pending])
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.dimensions)
        self._table.add(pa.table({_ID: ids, _VECTOR: column}))
        self._pending, self._added = [], self._added + 1
        self._rows += len(ids)


def _conditions(ranges: Ids) -> list[str]:
    """The ranges as SQL, some at a time."""
    parts = [f"({_ID} BETWEEN {first} AND {last})" for first, last in ranges.tolist()]
    return [" OR ".join(parts[n : n + _RANGES_AT_ONCE]) for n in range(0, len(parts), _RANGES_AT_ONCE)]


def _columns(table: Any, dimensions: int) -> tuple[Ids, Vectors]:
    table = table.combine_chunks()
    vectors = np.asarray(table.column(_VECTOR).combine_chunks().flatten()).reshape(-1, dimensions)
    return np.asarray(table.column(_ID), np.int64), vectors.astype(np.float32)


def _index_types() -> Any:
    """LanceDB's index types."""
    from lancedb import index

    return index


def _load_lancedb() -> Any:
    try:
        import lancedb
    except ModuleNotFoundError as error:
        raise MissingExtraError("search on object storage", "lancedb", "lance") from error
    return lancedb
