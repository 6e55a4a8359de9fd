"""Hybrid search: words (BM25) and meaning (vectors), ranked apart in each modality and fused by rank.

Fusion is reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, section 2): scores of different
models are never compared, only ranks.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ..tools.embed import ImageEncoder, SentenceEncoder, TextEncoder, Vectors, image_encoder
from ..tools.errors import MissingExtraError, QueryError, WeightsError
from ..tools.records import MODALITIES, Modality, Span
from ..tools.settings import Settings
from .catalog import Filter, Row
from .derived import Derived
from .keyframes import keyframe_at, keyframe_times
from .records import Evidence, VideoRecord
from .store import Store

__all__ = ["RRF_K", "Search", "reciprocal_rank_fusion"]

logger = logging.getLogger(__name__)

RRF_K = 60  # the paper's constant
# Each ranking is read this deep, or four times as deep as results are wanted.
_DEPTH = 50


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
    """Searches one library. Safe to use from several threads."""

    def __init__(self, store: Store, settings: Settings, texts: TextEncoder | None = None) -> None:
        """Open what is derived; encoders load at the first search.

        Args:
            store: The library.
            settings: Which encoders embed queries.
            texts: A text encoder that is loaded already.
        """
        self._store = store
        self._settings = settings
        self._derived = Derived(store)
        self._records: dict[str, VideoRecord] = {}
        self._read_at = -1
        self._texts = texts
        self._images: ImageEncoder | None = None
        self._keyframes: dict[tuple[str, str], list[int]] = {}
        self._told: set[str] = set()

    @property
    def records(self) -> dict[str, VideoRecord]:
        """The committed videos by their id."""
        try:
            changed = self._store.videos_folder.stat().st_mtime_ns
        except FileNotFoundError:
            changed = 0
        if changed != self._read_at:
            self._records = self._derived.refresh()
            self._read_at = changed
        return self._records

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
        if not query.strip():
            raise QueryError("the query is empty: say what to look for, in words")
        if k < 1:
            raise QueryError(f"k={k}: at least 1 result must be asked for")
        unknown = set(modalities or ()) - set(MODALITIES)
        if unknown:
            raise QueryError(f"no modality {', '.join(sorted(unknown))}: there are {', '.join(MODALITIES)}")
        records = self.records
        missing = set(video_ids or ()) - set(records)
        if missing:
            raise QueryError(f"no video {', '.join(sorted(missing))} in this library")
        depth = max(_DEPTH, 4 * k)
        hits: list[_Hit] = []
        for modality in modalities or MODALITIES:
            where = Filter(modality, tuple(video_ids) if video_ids is not None else None, between)
            hits += self._in_modality(query, where, depth)
        hits.sort(key=lambda hit: (-hit.fused, -hit.similarity, hit.row))
        return self._evidence(hits, k)

    def evidence(self, evidence_id: str) -> Evidence | None:
        """The stored evidence with an id; None if there is none."""
        records = self.records
        row = self._derived.catalog.by_evidence_id(evidence_id)
        return self._as_evidence(row, records[row.video_id], 0.0, 0.0) if row and row.video_id in records else None

    def of_video(self, video_id: str) -> list[Evidence]:
        """All evidence of a video, by modality and time."""
        record = self.records[video_id]
        return [self._as_evidence(row, record, 0.0, 0.0) for row in self._derived.catalog.of_video(video_id)]

    def nearby(self, evidence: Evidence, seconds: float) -> list[Evidence]:
        """Evidence of the same kind in the same video that overlaps the evidence's span or lies so near; not itself."""
        around = Span(start=max(0.0, evidence.start - seconds), end=evidence.end + seconds)
        catalog, record = self._derived.catalog, self.records[evidence.video_id]
        rows = catalog.fetch(catalog.rows_where(Filter(evidence.modality, (evidence.video_id,), around)).tolist())
        found = sorted(rows.values(), key=lambda row: (row.start, row.row))
        return [self._as_evidence(row, record, 0.0, 0.0) for row in found if row.evidence_id != evidence.evidence_id]

    def shows(self, query: str, evidence: Evidence) -> bool:
        """Whether the picture of an evidence of this query shows what the query describes."""
        encoder = self._image_encoder()
        return encoder is not None and encoder.shows(query, evidence.text, evidence.similarity)

    def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Texts in the text encoder's space; None where there is no encoder."""
        encoder = self._text_encoder()
        return encoder.encode(texts) if encoder else None

    def _in_modality(self, query: str, where: Filter, depth: int) -> list[_Hit]:
        catalog = self._derived.catalog
        by_words = [row for row, _ in catalog.match(query, where, depth)]
        similarities = self._alike(query, where, depth)
        fused = reciprocal_rank_fusion([by_words, list(similarities)])
        return [_Hit(row, score, similarities.get(row, 0.0)) for row, score in fused.items()]

    def _alike(self, query: str, where: Filter, depth: int) -> dict[int, float]:
        """Rows of one modality near the query, best first, with their cosine."""
        assert where.modality is not None
        if where.modality == "frame":
            images = self._image_encoder()
            if images is None or (index := self._derived.vectors("frame", images.space)) is None:
                return {}
            vector, floor = images.encode_queries([query])[0], images.floor
        else:
            texts = self._text_encoder()
            if texts is None or (index := self._derived.vectors(where.modality, texts.space)) is None:
                return {}
            vector, floor = texts.encode([query])[0], texts.floor
        among = None if where.is_open else self._derived.catalog.rows_where(where)
        rows, cosines = index.search(vector, depth, among)
        return {row: cosine for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True) if cosine >= floor}

    def _text_encoder(self) -> TextEncoder | None:
        """The encoder of queries; None, told once, where it cannot be had."""
        spaces = {record.text_space for record in self._records.values()} - {""}
        if self._texts is None and spaces and "texts" not in self._told:
            try:
                self._texts = SentenceEncoder(self._settings)
            except (WeightsError, MissingExtraError) as error:
                self._tell("texts", f"texts are searched by their words only: {error}")
        if self._texts is not None:
            self._tell_others(spaces - {self._texts.space}, "text_model")
        return self._texts

    def _image_encoder(self) -> ImageEncoder | None:
        """The encoder of queries for pictures; None, told once, where it cannot be had."""
        spaces = {record.image_space for record in self._records.values()} - {""}
        if self._images is None and spaces and "images" not in self._told:
            try:
                self._images = image_encoder(self._settings, self._text_encoder())
            except (WeightsError, MissingExtraError) as error:
                self._tell("images", f"pictures are searched by their labels only: {error}")
        if self._images is not None:
            self._tell_others(spaces - {self._images.space}, "image_model")
        return self._images

    def _tell_others(self, spaces: set[str], setting: str) -> None:
        for space in sorted(spaces):
            self._tell(
                space,
                f"some videos were embedded with another model ({space}) and are searched by their words only: "
                f"set {setting} as it was, or run `playhead index` again",
            )

    def _tell(self, key: str, message: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.warning(message)

    def _evidence(self, hits: Sequence[_Hit], k: int) -> list[Evidence]:
        """The best `k` as evidence; the same words or label seen again in the same moment count once."""
        most = 2 / (RRF_K + 1)  # first by words and by meaning
        rows = self._derived.catalog.fetch(hit.row for hit in hits[: 8 * k])
        found: list[Evidence] = []
        for hit in hits[: 8 * k]:
            row = rows.get(hit.row)
            record = self._records.get(row.video_id) if row else None
            if row is None or record is None or any(_repeats(row, other) for other in found):
                continue
            found.append(self._as_evidence(row, record, min(1.0, hit.fused / most), hit.similarity))
            if len(found) == k:
                break
        return found

    def _as_evidence(self, row: Row, record: VideoRecord, score: float, similarity: float) -> Evidence:
        folder = self._store.videos_folder / row.video_id
        key = (row.video_id, record.commit)
        if key not in self._keyframes:
            self._keyframes[key] = keyframe_times(folder)
        keyframe = keyframe_at(
            folder, self._keyframes[key], row.start if row.frame_seconds is None else row.frame_seconds
        )
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
            keyframe=str(keyframe) if keyframe else None,
        )


def _repeats(row: Row, other: Evidence) -> bool:
    return (
        row.video_id == other.video_id
        and row.modality == other.modality
        and row.text.casefold() == other.text.casefold()
        and row.start < other.end
        and row.end > other.start
    )
