"""Where cosines of things that have nothing to do with each other lie: what the encoders' floors rest on.

Texts: 500 questions about design programs (TutorialVQA, seed 0) against 2000 lines of football commentary
(SoccerNet-Echoes) are unrelated; a question and the sentences of its answer are related, and so are a question
and the best of them.

Pictures: the segments of all real videos and of the sample talk, by ConSE. Unrelated are short queries for what is
in none of them, football commentary and questions about design programs; related are a video's segments and
a short description of it, the best segment of each video with its description, and each photograph of
the talk with what it shows.

A floor lets through what lies at or above it: related pairs should pass, unrelated ones should not. "Queries that
segment hit" is the share of unrelated queries with at least one line or segment at or above the floor.
"""

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from recordings import make_talk
from report import Figures, percent, real_data
from transcripts import football, tutorial_questions, tutorials

from playhead.index.indexing.change_detection import segments
from playhead.tools.embedding.conse import ConseEncoder
from playhead.tools.embedding.protocol import Vectors
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Segment
from playhead.tools.settings import Settings

_QUESTIONS, _LINES = 500, 2000

# What each real video shows, as its source describes it or as one sees.
_DESCRIBED = {
    "agent327.mp4": "an animated film in a barber shop",
    "artcritic.mp4": "a drawing of a car on a notepad",
    "boats.mp4": "sailing boats",
    "jobs.mp4": "a man speaks on a stage",
    "manifesto.mp4": "the cover of a book",
    "nasa.mp4": "the mirror of a space telescope",
    "sam_dog.mp4": "a woman and a dog",
    "tos.webm": "a battle with robots",
    "vllava_1.mp4": "a small child with glasses reads a book",
    "vtest.avi": "people walk across a yard",
}
# In none of the videos, nor in the talk.
_ABSENT = (
    "a giraffe", "a bowl of soup", "playing the piano", "a birthday cake", "a train at a station", "a snowy mountain",
    "a swimming pool", "an elephant", "a bride and groom", "a man milking a cow", "bicycle race", "a violin concert",
    "sushi on a plate", "penguins on ice", "a volcano erupting", "a lighthouse", "a tennis match", "a horse jumping",
    "a zebra crossing the river", "fireworks at night",
)  # fmt: skip

_Cosines = npt.NDArray[np.float32]


def measure() -> Figures:
    encoder = SentenceEncoder(Settings())
    asked = random.Random(0).sample(tutorial_questions(["train", "dev", "test"]), _QUESTIONS)
    questions = encoder.encode([question.text for question in asked])
    lines = [line.text for match in football().values() for line in match]
    commentary = encoder.encode(random.Random(0).sample(lines, _LINES))
    answers = {name: encoder.encode([line.text for line in sentences]) for name, sentences in tutorials().items()}
    related = [
        answers[question.video][question.first : question.last + 1] @ row
        for question, row in zip(asked, questions, strict=True)
    ]
    texts = {
        "question and answering sentence": np.concatenate(related),
        "question and best answering sentence": np.array([cosines.max() for cosines in related]),
    }
    unrelated = questions @ commentary.T
    pictures, shown = _pictures(encoder, questions, commentary)
    conse_floor = ConseEncoder.floor
    return {
        "Texts: cosines": [
            _distribution("unrelated pairs", unrelated),
            _distribution(f"best of {_LINES} unrelated", unrelated.max(axis=1)),
            *(_distribution(name, cosines) for name, cosines in texts.items()),
        ],
        "Texts: floors": _floors(SentenceEncoder.floor, unrelated, texts),
        "Pictures: cosines": [
            *(_distribution(name, cosines) for name, cosines in pictures.items()),
            *(_distribution(name, cosines) for name, cosines in shown.items()),
        ],
        **{
            f"Pictures: floors, against {name}": _floors(conse_floor, cosines, shown)
            for name, cosines in pictures.items()
        },
    }


def _pictures(
    encoder: SentenceEncoder, questions: Vectors, commentary: Vectors
) -> tuple[Mapping[str, _Cosines], Mapping[str, _Cosines]]:
    """Cosines of unrelated and of related queries and segments."""
    conse = ConseEncoder(Settings(), encoder)
    videos = {name: conse.observe(_segments(real_data(f"videos/{name}")))[1] for name in _DESCRIBED}
    with tempfile.TemporaryDirectory() as folder:
        talk = make_talk(Path(folder))
        shown = json.loads(talk.with_suffix(".truth.json").read_text(encoding="utf-8"))["shown"]
        chosen = _segments(talk)
    talk_vectors = conse.observe(chosen)[1]
    everything = np.concatenate([*videos.values(), talk_vectors])
    unrelated = {
        "what is in none": conse.encode_queries(_ABSENT) @ everything.T,
        "football commentary": commentary @ everything.T,
        "questions about design": questions @ everything.T,
    }
    own = [vectors @ conse.encode_queries([_DESCRIBED[name]])[0] for name, vectors in videos.items()]
    photographs = [
        talk_vectors[n] @ conse.encode_queries([photo["what"]])[0]
        for photo in shown
        for n, segment in enumerate(chosen)
        if photo["start"] <= segment.span.start < photo["end"]
    ]
    return unrelated, {
        "segment and its video's description": np.concatenate(own),
        "best segment of each video": np.array([cosines.max() for cosines in own]),
        "photograph and what it shows": np.array(photographs),
    }


def _segments(path: Path) -> list[Segment]:
    return list(segments(skim(path), Settings().sample_seconds))


def _distribution(name: str, cosines: _Cosines) -> dict[str, str | float]:
    points = {f"p{point:g}": round(float(np.percentile(cosines, point)), 3) for point in (1, 5, 50, 95, 99, 99.9)}
    return {"pairs": name, "count": cosines.size, **points}


def _floors(now: float, unrelated: _Cosines, related: Mapping[str, _Cosines]) -> Sequence[dict[str, str | float]]:
    """What the floor in use and three others keep out and lose."""
    chosen = {"in use": now}
    chosen |= {f"keeps {share:g} % out": float(np.percentile(unrelated, share)) for share in (95, 99, 99.9)}
    return [
        {
            "floor": name,
            "at": round(floor, 3),
            "unrelated_kept_out_percent": round(100 * float(np.mean(unrelated < floor)), 2),
            "queries_that_still_hit_percent": percent(np.mean(unrelated.max(axis=1) >= floor)),
            **{f"lost: {pairs}, %": percent(np.mean(cosines < floor)) for pairs, cosines in related.items()},
        }
        for name, floor in chosen.items()
    ]
