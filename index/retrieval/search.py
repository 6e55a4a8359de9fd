"""Search one library: the retrieval path of `search`, `find`, `ask` and the evaluation.

Each modality is ranked by words and meaning over neighbourhoods of rows (`ranking`); the scores of modalities that share
an encoder are on one scale. `find` returns rows, `passages` returns rows with their neighbours and features.
"""

import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...tools.embedding.protocol import ImageEncoder, TextEncoder, Vectors
from ...tools.errors import QueryError
from ...tools.extractors.registry import find_modalities, modality_names
from ...tools.records import Frame, Modality, Pixels, Segment, Span, clean_text
from ...tools.settings import Settings
from ..metadata_conditions import FIELDS, Condition, parse_condition
from ..people.faces import FACE
from ..people.known import KnownPeople
from ..records import Evidence, VideoRecord
from ..storage.local import LocalStorage
from .lexical.tokenizer import match_expression, query_terms, terms_of
from .passages import Passage, PassageFeatures
from .query_encoders import QueryEncoders
from .ranking import Encoded, RankedRow, rank_rows
from .search_index.publishing import PublishProgress
from .search_index.rows import Filter, Row
from .search_index.snapshots import Snapshot, Snapshots

__all__ = ["Search"]

# Candidates of a modality from words, and as many from vectors; more if they repeat each other.
_DEPTH = 50
_GROWTH = 4
# Most results of `similar`.
_MAX_SIMILAR = 2048
# Values that an error lists, and their most characters.
_LISTED_VALUES, _LONGEST_VALUE = 8, 60


class Search:
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
        self._storage = storage
        self.voices = KnownPeople(storage)
        self.faces = KnownPeople(storage, FACE)
        self._snapshots = Snapshots(storage, progress)
        self._encoders = QueryEncoders(settings, texts, images)
        self._encoders_for = ""

    def close(self) -> None:
        """Close the files; a later call opens them again."""
        self._snapshots.close()

    @property
    def records(self) -> Mapping[str, VideoRecord]:
        """The published videos by their id."""
        with self._snapshots.reading() as snapshot:
            return snapshot.records

    @property
    def snapshot_id(self) -> str:
        """The published state that a search would see now; it changes with each increment."""
        with self._snapshots.reading() as snapshot:
            return snapshot.snapshot_id

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

    def attributed(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return evidence of speech with its speaker, where one is known; other evidence as it is."""
        return self.voices.attributed(evidence) if self._is_indexed(self.voices) else list(evidence)

    @property
    def speaker_titles(self) -> tuple[str, ...]:
        """Names and numbers of the library's speakers, who speaks most first; empty: speakers were not indexed."""
        return tuple(one.title for one in self.voices.people()) if self._is_indexed(self.voices) else ()

    @property
    def person_titles(self) -> tuple[str, ...]:
        """Names and numbers of the people whose faces are recognised, who is seen longest first; empty: people were not indexed."""
        return tuple(one.title for one in self.faces.people()) if self._is_indexed(self.faces) else ()

    def _is_indexed(self, known: KnownPeople) -> bool:
        with self._snapshots.reading() as snapshot:
            return snapshot.catalog.size_of(known.stage)[0] > 0

    def videos_where(self, conditions: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of the videos for which all conditions are true, such as `date>=2026-01` or `tag=lecture`.

        `index.metadata_conditions` describes conditions.

        Raises:
            QueryError: A condition is not valid, or no video fits.
        """
        parsed = [parse_condition(one) for one in conditions]
        with self._snapshots.reading() as snapshot:
            known = snapshot.catalog.fact_names() | set(FIELDS)
            for condition in parsed:
                if condition.name not in known:
                    raise QueryError(f"{condition}: no field {condition.name!r}: use one of {', '.join(sorted(known))}")
            found = snapshot.catalog.videos_where(parsed)
            if not found:
                raise QueryError(_none_fits(snapshot, parsed))
            return tuple(found)

    def evidence(self, evidence_id: str) -> Evidence | None:
        """Return the stored evidence with an id; None if there is none."""
        with self._snapshots.reading() as snapshot:
            row = snapshot.catalog.by_evidence_id(evidence_id)
            return self._evidence(snapshot, row) if row else None

    def videos_called(self, name: Path | str) -> list[VideoRecord]:
        """Return the videos that a path, file name, folder or id can mean; others may be among them."""
        path = os.path.abspath(Path(name).expanduser())
        with self._snapshots.reading() as snapshot:
            if f"{self._storage.folder.parent}{os.sep}".startswith(path.rstrip(os.sep) + os.sep):
                return list(snapshot.records.values())
            found = snapshot.catalog.videos_called(os.path.basename(path), self._storage.stored_path(Path(path)))
            return [snapshot.records[video_id] for video_id in found]

    def of_video(
        self, video_id: str, modalities: Sequence[Modality] | None = None, between: Span | None = None
    ) -> list[Evidence]:
        """Return the evidence of a video, by modality and time.

        Args:
            video_id: The video.
            modalities: Only these; None: all, without the texts of metadata.
            between: Only what overlaps this span.

        Raises:
            QueryError: The library holds no such video.
        """
        with self._snapshots.reading() as snapshot:
            _check_known(snapshot, [video_id])
            return [self._evidence(snapshot, row) for row in snapshot.catalog.of_video(video_id, modalities, between)]

    def file_of(self, video_id: str) -> Path:
        """Return the current path of a video's file."""
        return self._storage.file_of(self.records[video_id])

    def embedded(self, video_id: str, modality: Modality) -> tuple[list[Evidence], Vectors]:
        """Return all evidence of one modality of a video, in order, with its vectors, shape `(n, dimensions)`.

        Rows and vectors are of one snapshot. A row of zeros was not embedded; without columns none was.

        Raises:
            QueryError: The library holds no such video.
        """
        with self._snapshots.reading() as snapshot:
            _check_known(snapshot, [video_id])
            record = snapshot.records[video_id]
            rows = snapshot.catalog.of_video(video_id, [modality])
            found = [self._evidence(snapshot, row) for row in rows]
            embedding_id = record.image_embedding_id if modality == "frame" else record.text_embedding_id
            index = snapshot.vectors_of(modality, embedding_id) if embedding_id else None
            if index is None:
                return found, np.zeros((len(found), 0), np.float32)
            ids, vectors = index.vectors_of(np.array([row.row for row in rows], np.int64))
            if not len(ids):
                return found, np.zeros((len(found), 0), np.float32)
            own = dict(zip(ids.tolist(), vectors, strict=True))
            zero = np.zeros(index.dimensions, np.float32)
            return found, np.stack([own.get(row.row, zero) for row in rows])

    def nearby(self, evidence: Evidence, seconds: float) -> list[Evidence]:
        """Return evidence of the same modality and video that overlaps the span or is at most this far away; not itself."""
        around = Span(start=max(0.0, evidence.start - seconds), end=evidence.end + seconds)
        with self._snapshots.reading() as snapshot:
            rows = snapshot.catalog.rows_where(Filter(evidence.modality, (evidence.video_id,), around))
            return [self._evidence(snapshot, row) for row in rows if row.evidence_id != evidence.evidence_id]

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
            _check_known(snapshot, [video_id])
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

    def counts(self, words: Sequence[str], modalities: Sequence[Modality] | None = None) -> tuple[int, dict[str, int]]:
        """Count the observations, and for each word those that contain it in any form: how rare a word is.

        Of a code or phrase, the rarest part is counted.

        Args:
            words: Which.
            modalities: Only rows of these; None: all that a search includes by default.
        """
        parts = {word: terms_of(word).split() for word in words}
        wanted = {part for of_word in parts.values() for part in of_word}
        rows: Counter[str] = Counter()
        total = 0
        with self._snapshots.reading() as snapshot:
            for modality in modality_names() if modalities is None else modalities:
                total += snapshot.catalog.size_of(modality)[0]
                rows.update(snapshot.catalog.row_counts(modality, wanted))
        return total, {word: min((rows[part] for part in of_word), default=0) for word, of_word in parts.items()}

    def texts(
        self,
        modality: Modality,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
        words: str | None = None,
    ) -> list[str]:
        """Return the different texts of one modality, sorted.

        Args:
            modality: Which.
            video_ids: Only these videos; None: all.
            between: Only what overlaps this span of its video.
            words: Only texts that contain one of these words, or another form of it; None: all texts. Ask for words
                wherever the library may be large.
        """
        expression = None if words is None else match_expression(words)
        if expression == "":
            return []
        with self._snapshots.reading() as snapshot:
            return snapshot.catalog.texts(_filter(modality, video_ids, between), expression)

    def with_texts(
        self,
        texts: Sequence[str],
        modality: Modality,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """Return all evidence of one modality with exactly one of some texts, by video and time."""
        with self._snapshots.reading() as snapshot:
            rows = snapshot.catalog.with_texts(texts, _filter(modality, video_ids, between))
            return [self._evidence(snapshot, row) for row in rows]

    def similar(
        self, query: str, modality: Modality, video_ids: Sequence[str] | None = None, between: Span | None = None
    ) -> list[Evidence]:
        """Return the evidence of one modality that is similar to a query, by video and time, with its cosine.

        At most 2,048, the most similar ones.
        """
        with self._snapshots.reading() as snapshot:
            encoded = self._encoded(snapshot, clean_text(query), modality)
            where = _filter(modality, video_ids, between)
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
            where = _filter("frame", video_ids, between)
            found = self._near(snapshot, Encoded(index, vector, -math.inf), where, k) if index else []
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
        _check_known(snapshot, video_ids or ())
        filters = [_filter(one, video_ids, between) for one in find_modalities(modalities or modality_names())]
        terms = query_terms(query)
        encoded = {where.modality: self._encoded(snapshot, query, where.modality) for where in filters}
        depth = max(_DEPTH, 4 * k)
        while True:
            ranked: list[RankedRow] = []
            is_all = True
            for where in filters:
                some, is_all_of_it = rank_rows(snapshot.catalog, where, terms, encoded[where.modality], depth)
                ranked += some
                is_all = is_all and is_all_of_it
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
            return Encoded(index, images.encode_queries([query])[0], images.floor) if images and index else None
        if modality == "action":
            actions = self._encoders.actions()
            index = snapshot.vectors_of("action", actions.embedding_id) if actions else None
            if actions and index is None:
                self._encoders.report_other_clips(actions.embedding_id)
            return Encoded(index, actions.encode_queries([query])[0], actions.floor) if actions and index else None
        texts = self._encoders.texts()
        index = snapshot.vectors_of(modality, texts.embedding_id) if texts else None
        return Encoded(index, self._embedded_query(texts, query), texts.floor) if texts and index else None

    def _near(self, snapshot: Snapshot, encoded: Encoded, where: Filter, most: int) -> list[Evidence]:
        """The evidence whose vectors are nearest, at most `most`, by video and time."""
        ranges = None if where.is_open else snapshot.catalog.ranges(where)
        rows, cosines = encoded.index.search(encoded.vector, most, ranges)
        near = {row: cos for row, cos in zip(rows.tolist(), cosines.tolist(), strict=True) if cos >= encoded.floor}
        fetched = snapshot.catalog.fetch(near)
        ordered = [fetched[row] for row in snapshot.catalog.in_order(near)]
        kept = [row for row in ordered if where.between is None or row.end > where.between.start]
        return [self._evidence(snapshot, row, similarity=near[row.row]) for row in kept]

    def _embedded_query(self, encoder: TextEncoder, query: str) -> Vectors:
        key = (encoder.embedding_id, query)
        if self._last_query[0] != key:
            self._last_query = (key, encoder.encode([query])[0])
        return self._last_query[1]

    _last_query: tuple[tuple[str, str], Vectors] = (("", ""), np.zeros(0, np.float32))

    def _serve(self, snapshot: Snapshot) -> None:
        if snapshot.snapshot_id != self._encoders_for:
            self._encoders_for = snapshot.snapshot_id
            self._encoders.serve(*snapshot.embedding_ids())

    def _evidence(
        self, snapshot: Snapshot, row: Row, ranked: RankedRow | None = None, similarity: float = 0.0
    ) -> Evidence:
        record = snapshot.records[row.video_id]
        shown_at = (row.start + row.end) / 2 if row.frame_seconds is None else row.frame_seconds
        return Evidence(
            evidence_id=row.evidence_id,
            video_id=row.video_id,
            video=str(self._storage.file_of(record)),
            start=row.start,
            end=row.end,
            modality=row.modality,
            text=row.text,
            score=ranked.score if ranked else 0.0,
            similarity=ranked.cosine if ranked else similarity,
            matched=ranked.matched if ranked else (),
            source=row.source,
            box=row.box,
            words=row.words,
            frame_seconds=row.frame_seconds,
            stream=row.stream,
            keyframe=self._storage.keyframe_reference(record, shown_at, row.stream),
        )

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


def _check_known(snapshot: Snapshot, video_ids: Sequence[str]) -> None:
    missing = [video_id for video_id in video_ids if video_id not in snapshot.records]
    if missing:
        raise QueryError(f"no video {', '.join(sorted(missing))} in this library")


def _none_fits(snapshot: Snapshot, conditions: Sequence[Condition]) -> str:
    """A message that names the values that there are."""
    there = []
    for name in dict.fromkeys(condition.name for condition in conditions):
        values = snapshot.catalog.fact_values(name, _LISTED_VALUES)
        listed = ", ".join(value[:_LONGEST_VALUE] for value in values)
        there.append(f"values of {name} are {listed}" if values else f"no video has a {name}")
    return f"no video fits {' and '.join(map(str, conditions))}: {'; '.join(there)}"


def _filter(modality: Modality, video_ids: Sequence[str] | None, between: Span | None) -> Filter:
    return Filter(modality, None if video_ids is None else tuple(video_ids), between)


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
