"""Vectors of hours that were not filmed, with the statistics of real ones: 3,600 texts and 3,600 frames an hour.

Texts: real lines (captions of home videos, commentary of two football matches) are embedded and clustered (512 centres).
An hour takes the clusters of 3,600 real lines in a row; each vector is its cluster's mean plus Gaussian noise with the
covariance of real lines around their means, of length 1.

Frames, one a second, as ConSE makes them: shares of ten labels times the labels' vectors, of length 1. A scene (8 s
on average) takes the ten shares of a real frame, and labels as like each other as a real frame's; from frame to frame
the shares change so much that the median cosine of frames a second apart is that of real videos.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from report import real_data
from transcripts import football

from playhead.index.retrieval.vectors.centroids import nearest_centroids, spherical_means
from playhead.index.retrieval.vectors.segments import quantizer_of
from playhead.tools.embedding.conse import LABELS_MIXED, ConseEncoder
from playhead.tools.embedding.protocol import Vectors, unit
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.media.frames import frames_at, probe
from playhead.tools.settings import Settings, cache_folder

__all__ = ["ROWS_AN_HOUR", "Lifelike"]

ROWS_AN_HOUR = 3600
_CLUSTERS = 512
_SCENE_SECONDS = 8
_CAPTIONS = 6000
_MATCHES = 2
_SECONDS_OF_A_VIDEO = 30
_SEED = 0


@dataclass(frozen=True)
class _Texts:
    """Real lines: cluster of each, means of the clusters, and what turns white noise into that around the means."""

    clusters: npt.NDArray[np.int32]
    means: Vectors
    colour: Vectors


@dataclass(frozen=True)
class _Frames:
    """Vectors of all labels, shares of the ten likeliest in real frames, how alike labels and seconds are."""

    labels: Vectors
    profiles: Vectors
    similarity: float
    change: float


class Lifelike:
    """Draws hours, each by its number."""

    def __init__(self) -> None:
        """Fit the real data.

        Raises:
            Skipped: It is not here.
            WeightsError: Nor are the models.
        """
        self._encoder = SentenceEncoder(Settings())
        self._texts = self._fit_texts()
        self._frames = self._fit_frames()

    def texts(self, hour: int) -> Vectors:
        """The vectors of an hour's texts, shape `(3600, dimensions)`."""
        random = np.random.default_rng([_SEED, 1, hour])
        fit = self._texts
        first = random.integers(len(fit.clusters))
        rows = (first + np.arange(ROWS_AN_HOUR)) % len(fit.clusters)
        noise = random.standard_normal((ROWS_AN_HOUR, len(fit.colour)), np.float32)
        return unit(fit.means[fit.clusters[rows]] + noise @ fit.colour)

    def frames(self, hour: int) -> Vectors:
        """The vectors of an hour's frames, shape `(3600, dimensions)`."""
        random = np.random.default_rng([_SEED, 2, hour])
        scenes = np.cumsum(random.random(ROWS_AN_HOUR) < 1 / _SCENE_SECONDS)
        mixed, shares = _scenes(self._frames, random, int(scenes[-1]) + 1, self._frames.similarity)
        moved = shares[scenes] * np.exp(
            self._frames.change * random.standard_normal((ROWS_AN_HOUR, LABELS_MIXED), np.float32)
        )
        spread = np.zeros((ROWS_AN_HOUR, len(self._frames.labels)), np.float32)
        np.put_along_axis(spread, mixed[scenes], moved.astype(np.float32), axis=1)
        return unit(spread @ self._frames.labels)

    def text_queries(self, count: int) -> Vectors:
        """Real questions about what home videos show."""
        with real_data("nextgqa/questions.jsonl").open(encoding="utf-8") as lines:
            asked = [json.loads(line)["question"] for line in lines]
        return self._some(sorted(set(asked)), count)

    def frame_queries(self, count: int) -> Vectors:
        """Real descriptions of pictures: captions, and questions about what is seen."""
        with real_data("nextgqa/questions.jsonl").open(encoding="utf-8") as lines:
            asked = {json.loads(line)["question"] for line in lines}
        return self._some(sorted({*_captions(), *asked}), count)

    def _some(self, texts: Sequence[str], count: int) -> Vectors:
        chosen = np.random.default_rng(_SEED).choice(len(texts), count, replace=False)
        return self._encoder.encode([texts[n] for n in chosen])

    def _fit_texts(self) -> _Texts:
        captions, matches = _captions()[:_CAPTIONS], list(football().values())[:_MATCHES]
        lines = [line.text for match in matches for line in match]
        rows = np.concatenate([self._embedded(captions), self._embedded(lines)])
        means = spherical_means(rows, _CLUSTERS)
        clusters = nearest_centroids(quantizer_of(means), rows)
        count = np.maximum(1, np.bincount(clusters, minlength=_CLUSTERS))[:, None]
        means = np.zeros_like(means)
        np.add.at(means, clusters, rows)
        means /= count
        around = rows - means[clusters]
        covariance = around.T @ around / len(rows) + 1e-9 * np.eye(rows.shape[1])
        return _Texts(clusters, means, np.linalg.cholesky(covariance).T.astype(np.float32))

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts, kept in the user's cache: they take minutes."""
        name = hashlib.blake2b("\n".join([self._encoder.embedding_id, *texts]).encode(), digest_size=8).hexdigest()
        path = cache_folder() / "benchmarks" / f"lifelike-{name}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, self._encoder.encode(texts))
        kept: Vectors = np.load(path)
        return kept

    def _fit_frames(self) -> _Frames:
        conse = ConseEncoder(Settings(), self._encoder)
        profiles, chosen, similarities = [], [], []
        network, labels = conse._network, conse._label_vectors
        for path in sorted(real_data("videos").iterdir()):
            if path.suffix not in (".avi", ".mp4", ".webm"):
                continue
            seconds = np.arange(0, min(_SECONDS_OF_A_VIDEO, int(probe(path).duration)))
            shares = [network.classify([frame.pixels])[0] for frame in frames_at(path, seconds.tolist())]
            best = [np.argsort(-one)[:LABELS_MIXED] for one in shares]
            profiles += [one[of] for one, of in zip(shares, best, strict=True)]
            vectors = unit(np.stack([one[of] @ labels[of] for one, of in zip(shares, best, strict=True)]))
            chosen.append(np.sum(vectors[1:] * vectors[:-1], axis=1))
            similarities += [float((labels[of] @ labels[of[0]])[1:].mean()) for of in best]
        fit = _Frames(labels, np.stack(profiles), 0.0, 0.0)
        similarity = _solved(lambda x: -_label_cosine(fit, x), -float(np.mean(similarities)), 0.0, 40.0)
        fit = _Frames(labels, fit.profiles, similarity, 0.0)
        change = _solved(lambda x: _second_cosine(fit, x), float(np.median(np.concatenate(chosen))), 0.0, 4.0)
        return _Frames(labels, fit.profiles, similarity, change)


def _captions() -> list[str]:
    with gzip.open(real_data("nextgqa/captions.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [text for line in lines for _, text in json.loads(line)["captions"]]


def _scenes(
    fit: _Frames, random: np.random.Generator, count: int, similarity: float
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Ten labels and their shares for each of `count` scenes; labels are drawn by their cosine to the first."""
    first = random.integers(len(fit.labels), size=count)
    cosines = fit.labels[first] @ fit.labels.T
    cosines[np.arange(count), first] = np.inf
    noise = random.gumbel(size=cosines.shape).astype(np.float32)
    mixed = np.argpartition(-(similarity * cosines + noise), LABELS_MIXED, axis=1)[:, :LABELS_MIXED]
    is_first = mixed == first[:, None]
    mixed[is_first], mixed[:, 0] = mixed[:, 0], first  # the likeliest label leads; the others are in no order
    return mixed, fit.profiles[random.integers(len(fit.profiles), size=count)]


def _label_cosine(fit: _Frames, similarity: float) -> float:
    """Mean cosine of a scene's first label with its others."""
    mixed, _ = _scenes(fit, np.random.default_rng(_SEED), 2000, similarity)
    rows = fit.labels[mixed]
    return float(np.einsum("nd,nld->nl", rows[:, 0], rows[:, 1:]).mean())


def _second_cosine(fit: _Frames, change: float) -> float:
    """Median cosine of a scene's frames a second apart."""
    random = np.random.default_rng(_SEED)
    mixed, shares = _scenes(fit, random, 2000, fit.similarity)
    one, other = (
        unit(np.einsum("nl,nld->nd", shares * np.exp(change * random.standard_normal(shares.shape)), fit.labels[mixed]))
        for _ in range(2)
    )
    return float(np.median(np.sum(one * other, axis=1)))


def _solved(falling: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a falling function has a value, by bisection."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > wanted else (low, middle)
    return (low + high) / 2
