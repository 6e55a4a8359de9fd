"""Adapters of data sets with both answers and true spans: NExT-GQA, CG-Bench, LV-Haystack."""

import json
from pathlib import Path

from ....tools.records import Span, clean_text
from ..records import Question
from .base import Adapter, first_file, number, option_of, rows_of, span_of

__all__ = ["CGBENCH", "LV_HAYSTACK", "NEXTGQA"]


def _nextgqa(folder: Path, split: str | None) -> list[Question]:
    """`val.csv` or `test.csv` (video_id, question, answer, qid, type, a0 … a4) with `gsub_val.json` or `gsub_test.json`.

    `answer` is the words of the right option; gsub holds, by video, `duration` and `location`: spans by qid. The
    default split is `val`. If these files are missing, `questions.jsonl` with one row per question
    (video_id, qid, type, question, choices, answer, spans) is read.
    """
    name = split or "val"
    if not (folder / f"{name}.csv").exists() and (folder / "questions.jsonl").exists():
        rows = list(rows_of(folder / "questions.jsonl"))
        return [_gqa(row, row["choices"], row["spans"], number(row.get("duration"))) for row in rows]
    located = json.loads(first_file(folder, f"gsub_{name}.json").read_text(encoding="utf-8"))
    questions = []
    for row in rows_of(first_file(folder, f"{name}.csv")):
        there = located.get(row["video_id"], {})
        spans = there.get("location", {}).get(row["qid"], [])
        questions.append(_gqa(row, [row[f"a{i}"] for i in range(5)], spans, number(there.get("duration"))))
    return questions


def _gqa(row: dict, choices: list[str], spans: list[list[float]], duration: float | None) -> Question:
    options = tuple(clean_text(choice) for choice in choices)
    option = option_of(clean_text(row["answer"]), options)
    return Question(
        question_id=f"{row['video_id']}_{row['qid']}",  # as the official predictions name it
        question=row["question"],
        video=row["video_id"],
        options=options,
        option=option,
        answer=None if option is None else options[option],
        spans=_spans(spans),
        duration=duration,
        kind=row["type"],
    )


def _cgbench(folder: Path, split: str | None) -> list[Question]:
    """`cgbench.json`, or `cgbench_mini.json` for the split `mini`: a list of video_uid, qid, question, choices, right_answer.

    `right_answer` is a letter, `clue_intervals` the true spans, `sub_category` the kind; a video is `<video_uid>.mp4`.
    In CG-Bench all clue spans together are the truth, not any one of them; `acc@IoU` uses them this way.
    """
    questions = []
    for row in rows_of(first_file(folder, "cgbench_mini.json" if split == "mini" else "cgbench.json")):
        options = tuple(clean_text(choice) for choice in row["choices"])
        option = option_of(row["right_answer"], options)
        questions.append(
            Question(
                question_id=str(row["qid"]),
                question=row["question"],
                video=row["video_uid"],
                options=options,
                option=option,
                answer=None if option is None else options[option],
                spans=_spans(row["clue_intervals"]),
                duration=number(row.get("duration")),
                kind=row["sub_category"],
            )
        )
    return questions


def _lv_haystack(folder: Path, split: str | None) -> list[Question]:
    """`data/<split>-*.parquet` (`test`, `test_tiny`, `val`, `train`), or `LVHaystack_<split>.json`, whose values are columns.

    Of a row: video_id (of Ego4D), question, options (A … E, some empty), answer (a letter), frame_indexes_video, and
    video_metadata with frame_rate and vclip_interval_in_video. Keyframes are published as frame numbers only: their
    seconds are number / frame_rate, as the authors' own code takes them, and true at a constant frame rate.
    """
    name = split or "test"
    short = name.removeprefix("test_")
    questions = []
    path = first_file(folder, f"data/{name}-*.parquet", f"{name}-*.parquet", f"**/LVHaystack_{short}.json")
    for place, row in enumerate(rows_of(path)):
        lettered = [(key, text) for key, text in sorted((row["options"] or {}).items()) if text]
        options = tuple(clean_text(text) for _, text in lettered)
        keys = [key for key, _ in lettered]
        option = keys.index(row["answer"]) if row["answer"] in keys else None
        about = row["video_metadata"]
        questions.append(
            Question(
                question_id=f"{name}-{place}",
                question=row["question"],
                video=row["video_id"],
                options=options,
                option=option,
                answer=options[option] if option is not None else row["answer"] or None,
                frames=tuple(index / about["frame_rate"] for index in row["frame_indexes_video"]),
                duration=number(about.get("video_duration")),
            )
        )
    return questions


def _spans(pairs: list[list[float]]) -> tuple[Span, ...]:
    return tuple(span for start, end in pairs if (span := span_of(start, end)))


NEXTGQA = Adapter(
    "nextgqa", "NExT-GQA", "MIT (annotations); videos are VidOR's (research only)",
    "https://github.com/doc-doc/NExT-GQA (datasets/nextgqa)", "val.csv, gsub_val.json", _nextgqa,
)  # fmt: skip
CGBENCH = Adapter(
    "cgbench",
    "CG-Bench",
    "CC BY-NC-SA 4.0",
    "https://huggingface.co/datasets/CG-Bench/CG-Bench",
    "cgbench.json",
    _cgbench,
)
LV_HAYSTACK = Adapter(
    "lvhaystack", "LV-Haystack", "MIT (annotations); videos under the Ego4D licence",
    "https://huggingface.co/datasets/LVHaystack/LongVideoHaystack", "data/test-*.parquet", _lv_haystack,
)  # fmt: skip
