"""Passages: stretches of neighbouring rows that may answer a question, with the features that a reader scores."""

from pydantic import Field

from ...tools.records import Modality, Record, Span
from ..records import Evidence

__all__ = ["Passage", "PassageFeatures"]


class PassageFeatures(Record):
    """How a passage fits a query. Scores of words are BM25 over the rows of one modality."""

    modality: Modality = Field(description="Modality of the rows.")
    bm25: float = Field(ge=0, description="BM25 of the best row.")
    passage_bm25: float = Field(ge=0, description="BM25 of all rows together.")
    cosine: float = Field(description="Cosine of the query and the best row; 0 if not embedded.")
    passage_cosine: float = Field(description="Cosine of the query and the mean of the rows' vectors.")
    coverage: float = Field(
        ge=0,
        le=1.0001,
        description="Share of the query's terms in the best row, weighted by inverse document frequency.",
    )
    passage_coverage: float = Field(ge=0, le=1.0001, description="The same in all rows together.")
    matched: tuple[str, ...] = Field(description="Query terms in the best row, as written in the query.")
    passage_matched: tuple[str, ...] = Field(description="Query terms in any row.")
    missing: tuple[str, ...] = Field(description="Query terms in no row of the passage.")
    lexical_rank: int | None = Field(description="Rank by BM25 among the candidates of the modality, from 1.")
    dense_rank: int | None = Field(description="Rank by cosine among the candidates of the modality, from 1.")
    score: float = Field(ge=0, le=1, description="Fused score by which passages are ranked; not calibrated.")
    margin: float = Field(description="Score minus the score of the next passage of the same modality; 0 for the last.")


class Passage(Record):
    """Neighbouring rows of one modality of one video.

    The best row is the one that was found; the others are up to three rows before and after it.
    """

    rows: tuple[Evidence, ...] = Field(min_length=1, description="In order of time.")
    best: Evidence = Field(description="The row that fits the query best.")
    features: PassageFeatures = Field(description="How the passage fits the query.")

    @property
    def score(self) -> float:
        """The fused score, 0 to 1."""
        return self.features.score

    @property
    def span(self) -> Span:
        """From the start of the first row to the latest end."""
        return Span(start=self.rows[0].start, end=max(row.end for row in self.rows))

    @property
    def text(self) -> str:
        """The texts of the rows, joined by spaces."""
        return " ".join(row.text for row in self.rows)
