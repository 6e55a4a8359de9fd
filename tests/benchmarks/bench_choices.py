"""Multiple choice from captions by a real language model: NExT-GQA as LLoVi does it, against the same model without captions.

The held-out half of NExT-GQA's validation questions (the halves of `bench_nextgqa.py`): whole videos are drawn until there are
`PLAYHEAD_BENCH_CHOICES` questions (200). The model, Qwen2.5-Coder-1.5B (4 bits, llama.cpp), reads 24 captions of a video, evenly
spread, then the question and its five answers, and writes a letter (LLoVi, Zhang et al. 2024, without its summaries). All captions,
one a second, take up to 9,000 tokens, more than the model's context here, and minutes on two cores.
"Blind" reads the question and the answers alone. `Acc@GQA` (Xiao et al. 2024, section 3.3): the letter is right and our span of
2 s, found without the model, lies in a true span by half or more. A guess is right in 20 %.
"""

import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence

from bench_model import MODEL, model_settings
from pydantic import Field, create_model
from report import Figures, percent, real_data

from playhead.agent.composing.model_input import quoted
from playhead.agent.evaluation.datasets import load
from playhead.agent.evaluation.metrics.resampling import halves, interval
from playhead.agent.evaluation.metrics.spans import acc_at_gqa
from playhead.agent.evaluation.records import Question, letter
from playhead.agent.evaluation.systems.cached_vectors import CachedVectors
from playhead.agent.evaluation.systems.grounders import Captioned, CaptionGrounder, read_captions
from playhead.prompts import render
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.llm.backends import video_llm
from playhead.tools.llm.structured import ask_structured
from playhead.tools.records import Span
from playhead.tools.settings import Settings

_SHORTEST_SECONDS = 2.0
_CAPTIONS = 24


def measure() -> Figures:
    """The figures."""
    folder = real_data("nextgqa/captions.jsonl.gz").parent
    captions, questions = read_captions(folder), load("nextgqa", folder).questions
    asked = _drawn(captions, questions)
    grounder = CaptionGrounder(captions, questions, CachedVectors(SentenceEncoder(Settings())))
    spans = [
        grounder.locate(one.question, one.video, mode="precise", shortest_seconds=_SHORTEST_SECONDS)[0] for one in asked
    ]
    rows: list[dict[str, str | float | None]] = []
    for name, given in (("blind", {}), ("captions", captions)):
        right, seconds = _answered(asked, given)
        share = interval([float(one) for one in right], [one.video for one in asked])
        rows.append(
            {
                "answers": f"{MODEL}, {name}",
                "questions": len(asked),
                "videos": len({one.video for one in asked}),
                "accuracy_percent": percent(statistics.mean(right)),
                "interval": f"{percent(share.low)} to {percent(share.high)}",
                "acc_at_gqa_percent": percent(acc_at_gqa(right, spans, [one.spans for one in asked]) or 0.0),
                "median_seconds": round(statistics.median(seconds), 2),
            }
        )
    return {"NExT-GQA, held-out half": rows}


def _drawn(captions: Mapping[str, Captioned], questions: Sequence[Question]) -> list[Question]:
    """All questions of videos drawn from the held-out half, in the order of the videos: a prompt's beginning is read once."""
    count = int(os.environ.get("PLAYHEAD_BENCH_CHOICES", "200"))
    _, held_out = halves(captions)
    names = sorted(held_out)
    random.Random(0).shuffle(names)
    drawn = [one for name in names for one in questions if one.video == name]
    return drawn[:count]


def _answered(asked: Sequence[Question], captions: Mapping[str, Captioned]) -> tuple[list[bool], list[float]]:
    """Whether each answer is right, and the seconds for each."""
    llm = video_llm(model_settings())
    form = create_model("Choice", option=(str, Field(json_schema_extra={"enum": ["A", "B", "C", "D", "E"]})))
    right, seconds = [], []
    for one in asked:
        video = captions.get(one.video)
        shown = [] if video is None else _spread(list(zip(video.spans, video.captions, strict=True)))
        lines = [f"{span.start:.0f} s: {quoted(text)}" for span, text in shown]
        options = [f"{letter(number)}: {quoted(text)}" for number, text in enumerate(one.options)]
        words = "\n".join([*lines, f"Question: {quoted(one.question)}", *options])
        began = time.perf_counter()
        draft, _ = ask_structured(llm, [words], form, instructions=render("choose"), max_tokens=12, seconds=600)
        seconds.append(time.perf_counter() - began)
        right.append(one.option is not None and draft.option == letter(one.option))
        print(f"{one.video} | {one.question} | {draft.option} | {right[-1]}", flush=True)
    return right, seconds


def _spread(captions: list[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """At most 24 captions, evenly spread."""
    step = max(1.0, len(captions) / _CAPTIONS)
    return [captions[int(number * step)] for number in range(min(_CAPTIONS, len(captions)))]
