"""Hybrid search: words (BM25) and meaning (vectors), ranked apart in each modality and fused by rank.

Fusion is reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, section 2): scores of different
models are never compared, only ranks.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import ImageEncoder, TextEncoder, Vectors
from ...tools.errors import QueryError
from ...tools.extractors.registry import find_modalities, modality_names
from ...tools.records import Modality, Span, clean_text
from ...tools.settings import Settings
from ..records import Evidence, VideoRecord
from ..storage.local import LocalStorage
from .lexical import CatalogError, Filter, Row
from .query_encoders import QueryEncoders
from .search_index import Derived
from .vectors import VectorIndex

__all__ = ["RRF_K", "Search", "reciprocal_rank_fusion"]

RRF_K = 60  # the paper's constant
# Each ranking is read this deep, or four times as deep as results are wanted; deeper where they repeat each other.
_DEPTH = 50
# A folder's time is a clock tick of the system: what changed just now may have changed again.
_SETTLED_NS = 100_000_000

_T = TypeVar("_T")


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> dict[int, float]:
    """Fused score of each id: the sum over rankings of `1 / (k + rank)`, ranks from 1.

    Args:
        rankings: Ids, best first, each at most once in a ranking.
        k: How little the first ranks stand out.
    """
    fused: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            fused[item] = fused.get(item, 0.0) + 1.0 / (k + rank)
    return fused


@dataclass
class _Hit:
    row: int
    fused: float
    similarity: float


class Search:
    """Searches one library as it is now, also where another process changes it. Threads take turns."""

    def __init__(
        self,
        store: LocalStorage,
        settings: Settings,
        texts: TextEncoder | None = None,
        images: ImageEncoder | None = None,
    ) -> None:
        """Open what is derived; encoders load at the first search.

        Args:
            store: The library.
            settings: Which encoders embed queries.
            texts: A text encoder that is loaded already.
            images: A picture encoder that is loaded already.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        self._lock = threading.RLock()
        self._store = store
        self._derived = Derived(store)
        self._records: dict[str, VideoRecord] = {}
        self._read_at = -1
        self._encoders = QueryEncoders(settings, texts, images)

    @property
    def records(self) -> dict[str, VideoRecord]:
        """The committed videos by their id.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        with self._lock:
            self._refresh()
            return self._records

    def close(self) -> None:
        """Close the catalogue; the search cannot be used after that."""
        with self._lock:
            self._derived.catalog.close()

    def find(
        self,
        query: str,
        k: int = 10,
        modalities: Sequence[Modality] | None = None,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """The evidence that fits a human query best, best first.

        Args:
            query: Words as a person writes them: punctuation, quotes and codes are text, not syntax.
            k: At most this many.
            modalities: Only these; None: all.
            video_ids: Only these videos; None: all.
            between: Only what overlaps this span of its video.

        Raises:
            QueryError: The query is empty, or a filter is not valid.
            LibraryError: A video's folder is damaged.
        """
        query = clean_text(query)
        if not query:
            raise QueryError("the query is empty: say what to look for, in words")
        if k < 1:
            raise QueryError(f"k={k}: at least 1 result must be asked for")
        within = tuple(video_ids) if video_ids is not None else None
        filters = [Filter(modality, within, between) for modality in find_modalities(modalities or modality_names())]
        return self._reading(lambda: self._find(query, k, filters))

    def evidence(self, evidence_id: str) -> Evidence | None:
        """The stored evidence with an id; None if there is none."""

        def read() -> Evidence | None:
            row = self._derived.catalog.by_evidence_id(evidence_id)
            return self._as_evidence(row) if row and row.video_id in self._records else None

        return self._reading(read)

    def of_video(self, video_id: str, modality: Modality | None = None) -> list[Evidence]:
        """All evidence of a video, or of one kind, by modality and time.

        Raises:
            QueryError: The library holds no such video.
        """

        def read() -> list[Evidence]:
            self._check_known([video_id])
            rows = self._derived.catalog.of_video(video_id)
            return [self._as_evidence(row) for row in rows if modality in (None, row.modality)]

        return self._reading(read)

    def file_of(self, video_id: str) -> Path:
        """Where a video's file lies now."""
        return self._store.file_of(self.records[video_id])

    def embedded(self, video_id: str, modality: Modality) -> tuple[list[Evidence], Vectors]:
        """All evidence of one kind in a video, in order, with its vectors, shape `(n, dimensions)`.

        A row of zeros was not embedded; no columns: none of them was.

        Raises:
            QueryError: The library holds no such video.
            LibraryError: The video's folder is damaged.
        """

        def read() -> tuple[list[Evidence], Vectors]:
            self._check_known([video_id])
            perceived = self._store.table(self._records[video_id])
            first = self._derived.catalog.first_row(video_id)
            rows = [row for row in self._derived.catalog.of_video(video_id) if row.modality == modality]
            is_frame = modality == "frame"
            same = [number for number, o in enumerate(perceived.observations) if (o.modality == "frame") == is_frame]
            place = {number: row for row, number in enumerate(same)}
            vectors = perceived.image_vectors if is_frame else perceived.text_vectors
            found = [self._as_evidence(row) for row in rows]
            if not vectors.size:
                return found, np.zeros((len(found), 0), np.float32)
            return found, vectors[[place[row.row - first] for row in rows]].astype(np.float32)

        return self._reading(read)

    def nearby(self, evidence: Evidence, seconds: float) -> list[Evidence]:
        """Evidence of the same kind in the same video that overlaps the evidence's span or lies so near; not itself."""
        around = Span(start=max(0.0, evidence.start - seconds), end=evidence.end + seconds)

        def read() -> list[Evidence]:
            catalog = self._derived.catalog
            among = catalog.rows_where(Filter(evidence.modality, (evidence.video_id,), around)).tolist()
            return [one for one in self._in_order(among) if one.evidence_id != evidence.evidence_id]

        return self._reading(read)

    def compare(self, query: str, modality: Modality, video_id: str, between: Span) -> list[Evidence]:
        """All evidence of one kind in a stretch of a video, in order, with its cosine to a query; 0 where it has none.

        Raises:
            QueryError: The library holds no such video.
        """
        where = Filter(modality, (video_id,), between)

        def read() -> list[Evidence]:
            self._check_known([video_id])
            catalog = self._derived.catalog
            among = catalog.rows_where(where)
            asked = self._asked(clean_text(query), where)
            cosines = _cosines(asked[0], asked[1], len(among), among) if asked else {}
            rows = catalog.fetch(among.tolist())
            ordered = sorted(rows.values(), key=lambda row: (row.start, row.row))
            return [self._as_evidence(row, similarity=cosines.get(row.row, 0.0)) for row in ordered]

        return self._reading(read)

    def texts(
        self, modality: Modality, video_ids: Sequence[str] | None = None, between: Span | None = None
    ) -> list[str]:
        """The different texts of one kind of evidence, sorted."""
        where = Filter(modality, None if video_ids is None else tuple(video_ids), between)
        return self._reading(lambda: self._derived.catalog.texts(where))

    def with_texts(
        self,
        texts: Sequence[str],
        modality: Modality,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """All evidence of one kind whose text is one of these, by video and time."""
        where = Filter(modality, None if video_ids is None else tuple(video_ids), between)

        def read() -> list[Evidence]:
            among = self._derived.catalog.with_texts(texts, where)
            return self._in_order(among.tolist())

        return self._reading(read)

    def alike(
        self, query: str, modality: Modality, video_ids: Sequence[str] | None = None, between: Span | None = None
    ) -> list[Evidence]:
        """All evidence of one kind that a query is alike to, by video and time, each with its cosine."""
        where = Filter(modality, None if video_ids is None else tuple(video_ids), between)

        def read() -> list[Evidence]:
            asked = self._asked(clean_text(query), where)
            if asked is None:
                return []
            index, vector, floor = asked
            among = self._derived.catalog.rows_where(where)
            cosines = _cosines(index, vector, len(among), among)
            return self._in_order([row for row, cosine in cosines.items() if cosine >= floor], cosines)

        return self._reading(read)

    def shows(self, query: str, evidence: Evidence) -> bool:
        """Whether the picture of an evidence of this query shows what the query describes."""
        with self._lock:
            encoder = self._encoders.images()
            return encoder is not None and encoder.shows(query, evidence.text, evidence.similarity)

    def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Texts in the text encoder's space; None where there is no encoder."""
        with self._lock:
            encoder = self._encoders.texts()
            return encoder.encode(texts) if encoder else None

    def _in_order(self, among: Sequence[int], cosines: Mapping[int, float] | None = None) -> list[Evidence]:
        """Rows as evidence, by video and time, of videos that are still there."""
        catalog, known = self._derived.catalog, cosines or {}
        rows = catalog.fetch(among)
        return [
            self._as_evidence(rows[row], similarity=known.get(row, 0.0))
            for row in catalog.in_order(among)
            if rows[row].video_id in self._records
        ]

    def _reading(self, read: Callable[[], _T]) -> _T:
        """Read from the library as it is now; once more where the catalogue turns out to be damaged."""
        with self._lock:
            self._refresh()
            try:
                return read()
            except CatalogError as error:
                self._derived.make_again(error)
                self._read_at = -1
                self._refresh()
                return read()

    def _refresh(self) -> None:
        try:
            changed = self._store.videos_folder.stat().st_mtime_ns
        except FileNotFoundError:
            changed = 0
        if changed == self._read_at:
            return
        has_settled = time.time_ns() - changed > _SETTLED_NS
        self._records = self._derived.refresh()
        self._read_at = changed if has_settled else -1
        records = self._records.values()
        self._encoders.serve(
            {record.text_embedding_id for record in records}, {record.image_embedding_id for record in records}
        )

    def _check_known(self, video_ids: Sequence[str]) -> None:
        missing = set(video_ids) - set(self._records)
        if missing:
            raise QueryError(f"no video {', '.join(sorted(missing))} in this library")

    def _find(self, query: str, k: int, filters: Sequence[Filter]) -> list[Evidence]:
        self._check_known(filters[0].video_ids or ())
        depth = max(_DEPTH, 4 * k)
        while True:
            hits: list[_Hit] = []
            is_all = True
            for where in filters:
                ranked, is_all_of_it = self._in_modality(query, where, depth)
                hits += ranked
                is_all = is_all and is_all_of_it
            hits.sort(key=lambda hit: (-hit.fused, -hit.similarity))
            found = self._evidence(hits, k)
            if len(found) == k or is_all:
                return found
            depth *= 4

    def _in_modality(self, query: str, where: Filter, depth: int) -> tuple[list[_Hit], bool]:
        """Rows of one modality, fused; and whether these are all that the rankings hold."""
        catalog = self._derived.catalog
        by_words = [row for row, _ in catalog.match(query, where, depth)]
        asked = self._asked(query, where)
        if asked is None:
            hits = [_Hit(row, fused, 0.0) for row, fused in reciprocal_rank_fusion([by_words]).items()]
            return hits, len(by_words) < depth
        index, vector, floor = asked
        among = None if where.is_open else catalog.rows_where(where)
        cosines = _cosines(index, vector, depth, among)
        # Ties are told apart by what the rows hold, so that a catalogue made again ranks as before.
        by_meaning = sorted(
            catalog.in_order(row for row, cosine in cosines.items() if cosine >= floor), key=lambda row: -cosines[row]
        )
        fused = reciprocal_rank_fusion([by_words, by_meaning])
        unknown = np.asarray([row for row in by_words if row not in cosines], np.int64)
        cosines |= _cosines(index, vector, len(unknown), unknown)
        hits = [_Hit(row, score, cosines.get(row, 0.0)) for row, score in fused.items()]
        return hits, max(len(by_words), len(by_meaning)) < depth

    def _asked(self, query: str, where: Filter) -> tuple[VectorIndex, Vectors, float] | None:
        """Where a modality's vectors are, the query in their space, and the cosine from which they are alike."""
        assert where.modality is not None
        if where.modality == "frame":
            images = self._encoders.images()
            index = self._derived.vectors("frame", images.embedding_id) if images else None
            return (index, images.encode_queries([query])[0], images.floor) if images and index is not None else None
        texts = self._encoders.texts()
        index = self._derived.vectors(where.modality, texts.embedding_id) if texts else None
        return (index, texts.encode([query])[0], texts.floor) if texts and index is not None else None

    def _evidence(self, hits: Sequence[_Hit], k: int) -> list[Evidence]:
        """The best `k` as evidence; the same words or label seen again in the same moment count once."""
        most = 2 / (RRF_K + 1)  # first by words and by meaning
        found: list[Evidence] = []
        seen: dict[tuple[str, Modality, str], list[Row]] = {}
        for first in range(0, len(hits), 4 * k):
            part = hits[first : first + 4 * k]
            rows = self._derived.catalog.fetch(hit.row for hit in part)
            for hit in part:
                row = rows.get(hit.row)
                if row is None or row.video_id not in self._records:
                    continue  # another process took it out at this moment
                same = seen.setdefault((row.video_id, row.modality, row.text.casefold()), [])
                if any(row.start < other.end and row.end > other.start for other in same):
                    continue
                same.append(row)
                found.append(self._as_evidence(row, min(1.0, hit.fused / most), hit.similarity))
                if len(found) == k:
                    return found
        return found

    def _as_evidence(self, row: Row, score: float = 0.0, similarity: float = 0.0) -> Evidence:
        record = self._records[row.video_id]
        shown_at = (row.start + row.end) / 2 if row.frame_seconds is None else row.frame_seconds
        return Evidence(
            evidence_id=row.evidence_id,
            video_id=row.video_id,
            video=str(self._store.file_of(record)),
            start=row.start,
            end=row.end,
            modality=row.modality,
            text=row.text,
            score=score,
            similarity=similarity,
            source=row.source,
            box=row.box,
            words=row.words,
            frame_seconds=row.frame_seconds,
            keyframe=self._store.keyframe_reference(record, shown_at),
        )


def _cosines(index: VectorIndex, vector: Vectors, depth: int, among: npt.NDArray[np.int64] | None) -> dict[int, float]:
    rows, cosines = index.search(vector, depth, among)
    return dict(zip(rows.tolist(), cosines.tolist(), strict=True))
