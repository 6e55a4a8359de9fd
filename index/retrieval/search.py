"""Search one library: the retrieval path of `search`, `find`, `ask` and the evaluation.

Each modality is ranked by words and meaning over neighbourhoods of rows (`ranking`); the scores of modalities that share
an encoder are on one scale. `find` returns rows, `passages` returns rows with their neighbours and features.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ...tools.embedding.protocol import ImageEncoder, TextEncoder, Vectors
from ...tools.errors import QueryError
from ...tools.extractors.registry import find_modalities, modality_names
from ...tools.records import Frame, Modality, Pixels, Segment, Span, clean_text
from ...tools.settings import Settings
from ..records import Evidence
from ..storage.local import LocalStorage
from .lexical.tokenizer import query_terms
from .passages import Passage, PassageFeatures
from .query_encoders import QueryEncoders
from .ranking import Encoded, RankedRow, rank_rows
from .search_index.publishing import PublishProgress
from .search_index.rows import Filter, Row
from .search_index.snapshots import Snapshot
from .stored_evidence import StoredEvidence, check_known, filter_of

__all__ = ["Search"]

# Candidates of a modality from words, and as many from vectors; more if they repeat each other.
_DEPTH = 50
_GROWTH = 4
# Most results of `similar`.
_MAX_SIMILAR = 2048


class Search(StoredEvidence):
    """Searches one library as last published. Threads take turns; a forked process opens its own files."""

    def __init__(
        self,
        storage: LocalStorage,
        settings: Settings,
        texts: TextEncoder | None = None,
        images: ImageEncoder | None = None,
        progress: PublishProgress | None = None,
    ) -> None:
        """Open nothing yet; encoders load at the first search.

        Args:
            storage: The library.
            settings: Which encoders embed queries.
            texts: A text encoder that is loaded already.
            images: A picture encoder that is loaded already.
            progress: Called while a missing search index is built.
        """
        super().__init__(storage, progress)
        self._encoders = QueryEncoders(settings, texts, images)
        self._encoders_for = ""

    def find(
        self,
        query: str,
        k: int = 10,
        modalities: Sequence[Modality] | None = None,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """Return the evidence that fits a human query best, best first.

        Args:
            query: Words as a person writes them: punctuation, quotes and codes are text, not syntax.
            k: Number of results, at least 1.
            modalities: Only these; None: all.
            video_ids: Only these videos; None: all.
            between: Only what overlaps this span of its video.

        Raises:
            QueryError: The query is empty, or a filter is not valid.
            LibraryError: The search index cannot be read.
        """
        with self._snapshots.reading() as snapshot:
            found = self._ranked(snapshot, query, k, modalities, video_ids, between, spread=False)
            return [self._evidence(snapshot, row, ranked) for row, ranked in found]

    def passages(
        self,
        query: str,
        k: int = 10,
        modalities: Sequence[Modality] | None = None,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Passage]:
        """Return the passages that fit a query best, best first, with the features that a reader scores.

        A passage is a row and its neighbours (up to three on each side, of the same modality and video). No two share a
        row. All of it is read from one snapshot. `between` limits the best row; its neighbours may lie outside.

        Args:
            query: A question, or words as a person writes them.
            k: Number of passages, at least 1.
            modalities: Only these; None: all.
            video_ids: Only these videos; None: all.
            between: Only passages whose best row overlaps this span of its video.

        Returns:
            Passages with `features`: BM25 and cosine of the best row and of the whole passage, ranks within the
            modality, the share of the query's terms that occur (by inverse document frequency), the terms that occur
            and those that do not, and the margin to the next passage. Example: `passages("Who won?")[0].features`.

        Raises:
            QueryError: The query is empty, or a filter is not valid.
            LibraryError: The search index cannot be read.
        """
        with self._snapshots.reading() as snapshot:
            found = self._ranked(snapshot, query, k, modalities, video_ids, between, spread=True)
            rows = snapshot.catalog.fetch({near for _, ranked in found for near in ranked.neighbours})
            terms = [term.text for term in query_terms(clean_text(query))]
            return [
                self._passage(snapshot, row, ranked, rows, terms, _margin(found, place))
                for place, (row, ranked) in enumerate(found)
            ]

    def compare(
        self,
        query: str,
        modality: Modality,
        video_id: str,
        between: Span,
        around: Collection[str] | None = None,
        reach: int = 0,
    ) -> list[Evidence]:
        """Return the evidence of one modality in a stretch of a video, in order, with its cosine to a query.

        The cosine is 0 where there is no vector.

        Args:
            query: Plain words.
            modality: Which.
            video_id: The video.
            between: The stretch.
            around: Only the evidence with these ids and its neighbours; None: all.
            reach: Number of neighbours on each side.

        Raises:
            QueryError: The library holds no such video.
        """
        where = Filter(modality, (video_id,), between)
        with self._snapshots.reading() as snapshot:
            check_known(snapshot, [video_id])
            placed = snapshot.catalog.ids_where(where)
            near = {
                number
                for place, (_, evidence_id) in enumerate(placed)
                if around is None or evidence_id in around
                for number in range(place - reach, place + reach + 1)
            }
            chosen = [row for place, (row, _) in enumerate(placed) if place in near]
            encoded = self._encoded(snapshot, clean_text(query), modality)
            cosines = _cosines(encoded, chosen) if encoded else {}
            rows = snapshot.catalog.fetch(chosen)
            return [self._evidence(snapshot, rows[one], similarity=cosines.get(one, 0.0)) for one in chosen]

    def similar(
        self, query: str, modality: Modality, video_ids: Sequence[str] | None = None, between: Span | None = None
    ) -> list[Evidence]:
        """Return the evidence of one modality that is similar to a query, by video and time, with its cosine.

        At most 2,048, the most similar ones.
        """
        with self._snapshots.reading() as snapshot:
            encoded = self._encoded(snapshot, clean_text(query), modality)
            where = filter_of(modality, video_ids, between)
            return self._near(snapshot, encoded, where, _MAX_SIMILAR) if encoded else []

    def nearest_frames(
        self,
        vector: Vectors,
        embedding_id: str,
        k: int,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """Return the `frame` evidence nearest to a vector, best first, with its cosine.

        Args:
            vector: Unit vector, shape `(dimensions,)`.
            embedding_id: Its embedding model; pictures of another one are not compared.
            k: At most this many.
            video_ids: Only these videos; None: all.
            between: Only what overlaps this span of its video.
        """
        with self._snapshots.reading() as snapshot:
            index = snapshot.vectors_of("frame", embedding_id)
            where = filter_of("frame", video_ids, between)
            found = self._near(snapshot, Encoded(index, lambda: vector, -math.inf), where, k) if index else []
        scored = [one.model_copy(update={"score": min(1.0, max(0.0, one.similarity))}) for one in found]
        return sorted(scored, key=lambda one: -one.similarity)

    def embed_picture(self, pixels: Pixels) -> tuple[Vectors, str] | None:
        """Return the unit vector of a picture and its embedding model; None if there is no encoder of pictures."""
        with self._snapshots.reading() as snapshot:
            self._serve(snapshot)
        encoder = self._encoders.images()
        if encoder is None:
            return None
        seen = Segment(span=Span(start=0, end=1), frame=Frame(seconds=0.0, pixels=pixels))
        return encoder.observe([seen])[1][0], encoder.embedding_id

    def shows(self, query: str, evidence: Evidence) -> bool:
        """Whether the picture of an evidence of this query shows what the query describes."""
        encoder = self._encoders.images()
        return encoder is not None and encoder.shows(query, evidence.text, evidence.similarity)

    def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Embed texts with the text encoder; None if there is no encoder."""
        encoder = self._encoders.texts()
        return encoder.encode(texts) if encoder else None

    def _ranked(
        self,
        snapshot: Snapshot,
        query: str,
        k: int,
        modalities: Sequence[Modality] | None,
        video_ids: Sequence[str] | None,
        between: Span | None,
        *,
        spread: bool,
    ) -> list[tuple[Row, RankedRow]]:
        """The best `k` rows of all modalities; `spread`: none within the neighbourhood of a better one."""
        query = _checked(query, k)
        check_known(snapshot, video_ids or ())
        filters = [filter_of(one, video_ids, between) for one in find_modalities(modalities or modality_names())]
        terms = query_terms(query)
        encoded = {where.modality: self._encoded(snapshot, query, where.modality) for where in filters}
        depth = max(_DEPTH, 4 * k)
        while True:
            ranked, is_all = rank_rows(snapshot.catalog, filters, terms, encoded, depth)
            ranked.sort(key=lambda one: (-one.score, -one.cosine))
            chosen = _chosen(snapshot, ranked, k, between, spread=spread)
            if len(chosen) == k or is_all:
                return chosen
            depth *= _GROWTH

    def _encoded(self, snapshot: Snapshot, query: str, modality: Modality) -> Encoded | None:
        """A query in the vector space of a modality; None: it is searched by words only."""
        self._serve(snapshot)
        if modality == "frame":
            images = self._encoders.images()
            index = snapshot.vectors_of("frame", images.embedding_id) if images else None
            return Encoded(index, lambda: images.encode_queries([query])[0], images.floor) if images and index else None
        if modality == "action":
            actions = self._encoders.actions()
            index = snapshot.vectors_of("action", actions.embedding_id) if actions else None
            if actions and index is None:
                self._encoders.report_other_clips(actions.embedding_id)
            return (
                Encoded(index, lambda: actions.encode_queries([query])[0], actions.floor) if actions and index else None
            )
        texts = self._encoders.texts()
        index = snapshot.vectors_of(modality, texts.embedding_id) if texts else None
        return Encoded(index, lambda: texts.encode([query])[0], texts.floor) if texts and index else None

    def _near(self, snapshot: Snapshot, encoded: Encoded, where: Filter, most: int) -> list[Evidence]:
        """The evidence whose vectors are nearest, at most `most`, by video and time."""
        ranges = None if where.is_open else snapshot.catalog.ranges(where)
        rows, cosines = encoded.index.search(encoded.vector, most, ranges)
        near = {row: cos for row, cos in zip(rows.tolist(), cosines.tolist(), strict=True) if cos >= encoded.floor}
        fetched = snapshot.catalog.fetch(near)
        ordered = [fetched[row] for row in snapshot.catalog.in_order(near)]
        kept = [row for row in ordered if where.between is None or row.end > where.between.start]
        return [self._evidence(snapshot, row, similarity=near[row.row]) for row in kept]

    def _serve(self, snapshot: Snapshot) -> None:
        if snapshot.snapshot_id != self._encoders_for:
            self._encoders_for = snapshot.snapshot_id
            self._encoders.serve(*snapshot.embedding_ids())

    def _passage(
        self,
        snapshot: Snapshot,
        row: Row,
        ranked: RankedRow,
        rows: Mapping[int, Row],
        terms: Sequence[str],
        margin: float,
    ) -> Passage:
        best = self._evidence(snapshot, row, ranked)
        around = [best if near == row.row else self._evidence(snapshot, rows[near]) for near in ranked.neighbours]
        features = PassageFeatures(
            modality=row.modality,
            bm25=ranked.bm25,
            passage_bm25=ranked.passage_bm25,
            cosine=ranked.cosine,
            passage_cosine=ranked.passage_cosine,
            coverage=ranked.coverage,
            passage_coverage=ranked.passage_coverage,
            matched=ranked.matched,
            passage_matched=ranked.passage_matched,
            missing=tuple(term for term in terms if term not in ranked.passage_matched),
            lexical_rank=ranked.lexical_rank,
            dense_rank=ranked.dense_rank,
            score=ranked.score,
            margin=margin,
        )
        return Passage(rows=tuple(around), best=best, features=features)


def _checked(query: str, k: int) -> str:
    query = clean_text(query)
    if not query:
        raise QueryError("the query is empty: say what to look for, in words")
    if k < 1:
        raise QueryError(f"k={k}: at least 1 result must be asked for")
    return query


def _chosen(
    snapshot: Snapshot, ranked: Sequence[RankedRow], k: int, between: Span | None, *, spread: bool
) -> list[tuple[Row, RankedRow]]:
    """The best `k`; the same words or label again in the same moment count once."""
    found: list[tuple[Row, RankedRow]] = []
    seen: dict[tuple[str, Modality, str], list[Row]] = {}
    taken: set[int] = set()
    for first in range(0, len(ranked), 4 * k):
        part = ranked[first : first + 4 * k]
        rows = snapshot.catalog.fetch(one.row for one in part)
        for one in part:
            row = rows[one.row]
            if between is not None and not (row.start < between.end and row.end > between.start):
                continue
            same = seen.setdefault((row.video_id, row.modality, row.text.casefold()), [])
            if any(row.start < other.end and row.end > other.start for other in same):
                continue
            if spread and taken.intersection(one.neighbours):
                continue
            same.append(row)
            taken.update(one.neighbours)
            found.append((row, one))
            if len(found) == k:
                return found
    return found


def _cosines(encoded: Encoded, rows: Sequence[int]) -> dict[int, float]:
    ids, vectors = encoded.index.vectors_of(np.array(rows, np.int64))
    return dict(zip(ids.tolist(), (vectors @ encoded.vector).tolist(), strict=True))


def _margin(found: Sequence[tuple[Row, RankedRow]], place: int) -> float:
    row, ranked = found[place]
    after = (other.score for near, other in found[place + 1 :] if near.modality == row.modality)
    following = next(after, math.nan)
    return 0.0 if math.isnan(following) else ranked.score - following
