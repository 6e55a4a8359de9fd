"""Drops hallucinations of Whisper: sentences over noise, music and silence, and repeated loops.

The limits were measured on generated noise, music and silence and on real speech: `tests/benchmarks/bench_invented.py`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["INVENTED", "Segment", "is_invented", "without_loops"]

# Whisper's probability of no speech, and its mean log-probability of the words.
_NO_SPEECH = 0.6
_UNSURE = -1.0
# Above this probability of no speech, only words with this log-probability or more are kept.
_HARDLY_SPEECH = 0.9
_FAIRLY_SURE = -0.5
# Words of real speech have a higher log-probability.
_GUESSED = -1.5
# Text that repeats itself is compressed more than this many times. A real repetition is too, but has a high probability.
_MOST_COMPRESSION = 2.4
# At least this share of the words' time is voiced.
_LEAST_VOICED = 0.25
# People say fewer words per second.
_MOST_WORDS_A_SECOND = 8.0
# Most repetitions of a phrase in a row, and most words of such a phrase.
_MOST_REPEATS = 3
_LONGEST_LOOP = 30

INVENTED: tuple[float, ...] = (
    1,
    _NO_SPEECH,
    _UNSURE,
    _HARDLY_SPEECH,
    _FAIRLY_SURE,
    _GUESSED,
    _MOST_COMPRESSION,
    _LEAST_VOICED,
)
INVENTED += (_MOST_WORDS_A_SECOND, _MOST_REPEATS, _LONGEST_LOOP)


class Segment(NamedTuple):
    """Whisper's measures of a segment.

    Attributes:
        spans: Start and end of each word, in seconds.
        words: The words.
        no_speech: Probability that it holds no speech.
        log_probability: Mean log-probability of its tokens.
        compression: Length of its text divided by its compressed length.
    """

    spans: Sequence[tuple[float, float]]
    words: Sequence[str]
    no_speech: float
    log_probability: float
    compression: float


def is_invented(segment: Segment, voiced: Sequence[tuple[float, float]]) -> bool:
    """Whether Whisper invented a segment.

    Args:
        segment: The segment.
        voiced: Stretches with speech, in seconds of the same clock.
    """
    length = max(1e-3, sum(end - start for start, end in segment.spans))
    shared = (min(end, b) - max(start, a) for a, b in voiced for start, end in segment.spans)
    share = sum(max(0.0, seconds) for seconds in shared) / length
    sure = segment.log_probability
    return (
        share < _LEAST_VOICED
        or (segment.no_speech > _NO_SPEECH and sure < _UNSURE)
        or (segment.no_speech > _HARDLY_SPEECH and sure < _FAIRLY_SURE)
        or sure < _GUESSED
        or (segment.compression > _MOST_COMPRESSION and sure < _FAIRLY_SURE)
        or len(segment.words) / length > _MOST_WORDS_A_SECOND
        or not re.search(r"\w", "".join(segment.words))
    )


def without_loops(words: Sequence[str]) -> list[int]:
    """Return the rows of the words to keep: a phrase that is repeated more than three times in a row is kept once."""
    plain = [re.sub(r"\W", "", word).casefold() for word in words]
    kept: list[int] = []
    row = 0
    while row < len(words):
        for length in range(1, min(_LONGEST_LOOP, (len(words) - row) // 2) + 1):
            phrase = plain[row : row + length]
            times = 1
            while plain[row + times * length : row + (times + 1) * length] == phrase:
                times += 1
            if times > _MOST_REPEATS and any(phrase):
                kept += range(row, row + length)
                row += times * length
                break
        else:
            kept.append(row)
            row += 1
    return kept
