"""Adapters of multiple-choice data sets, which have answers but no spans.

Video-MME, LongVideoBench, LVBench, MLVU, EgoSchema and VideoEval-Pro (whose questions are asked without options).
"""

import json
import re
from pathlib import Path

from ....tools.records import Span, clean_text, parse_clock
from ..records import Question
from .base import Adapter, first_file, number, option_of, rows_of, unlettered

__all__ = ["EGOSCHEMA", "LONGVIDEOBENCH", "LVBENCH", "MLVU", "VIDEOEVAL_PRO", "VIDEOMME"]

_LETTERED = re.compile(r"^\(?([A-Z])\)\s*(.+)$")
_EGOSCHEMA_SECONDS = 180.0


def _videomme(folder: Path, split: str | None) -> list[Question]:
    """`videomme/test-*.parquet`: video_id, duration (short, medium, long), …, videoID, question_id, options, answer.

    Options are `A. …`, the answer is a letter; the file of a video is `<videoID>.mp4`. The split is a duration.
    """
    rows = rows_of(first_file(folder, "videomme/test-*.parquet", "test-*.parquet", "**/*videomme*.json", "*.parquet"))
    return [
        _choice(
            row["question_id"], row["question"], row["videoID"], row["options"], row["answer"], kind=row["task_type"]
        )
        for row in rows
        if split in (None, row["duration"])
    ]


def _longvideobench(folder: Path, split: str | None) -> list[Question]:
    """`lvb_val.json`, or `validation-*.parquet`: id, video_path, question, candidates, correct_choice (from 0), duration.

    `position` counts frames of the authors' decoding. No frame rate is published, so it gives no time.
    `lvb_test_wo_gt.json` (split `test`) has no right answers. The subtitles have a JSON format of their own and are
    not read.
    """
    names = ("lvb_test_wo_gt.json", "test-*.parquet") if split == "test" else ("lvb_val.json", "validation-*.parquet")
    questions = []
    for row in rows_of(first_file(folder, *names)):
        options = row.get("candidates") or [
            row[f"option{i}"] for i in range(5) if row.get(f"option{i}") not in (None, "N/A")
        ]
        questions.append(
            _choice(
                row["id"],
                row["question"],
                row["video_path"],
                options,
                row.get("correct_choice"),
                kind=row["question_category"],
                duration=number(row["duration"]),
            )
        )
    return questions


def _lvbench(folder: Path, _: str | None) -> list[Question]:
    """`video_info.meta.jsonl`: key, and `qa` with uid, question (its options on lines `(A) …`), answer, time_reference.

    `time_reference` (`00:15-00:19`) becomes the true span; any other form is ignored.
    """
    questions = []
    for row in rows_of(first_file(folder, "**/video_info.meta.jsonl")):
        for asked in row["qa"]:
            lines = [line.strip() for line in asked["question"].split("\n") if line.strip()]
            options = [found[2] for found in map(_LETTERED.match, lines) if found]
            text = " ".join(line for line in lines if not _LETTERED.match(line))
            kind = ", ".join(asked["question_type"])
            made = _choice(asked["uid"], text, row["key"], options, asked["answer"], kind=kind)
            questions.append(made.model_copy(update={"spans": _clock_span(asked.get("time_reference"))}))
    return questions


def _mlvu(folder: Path, split: str | None) -> list[Question]:
    """`json/1_plotQA.json` …: a list of video, duration, question, candidates, answer (its words), question_type.

    The multiple-choice tasks 1 to 7; the file of a video lies in a folder named as its task. `split`: one task,
    e.g. `2_needle`. MLVU-Test (`test_multi_choice_tasks.json`) is published without the right answers.
    """
    found = [p for p in sorted(folder.glob("**/json/[1-7]_*.json")) if split in (None, p.stem)]
    if not found:
        found = [first_file(folder, "test_multi_choice_tasks.json", "**/test_multi_choice_tasks.json")]
    questions = []
    for path in found:
        for place, row in enumerate(rows_of(path)):
            video = f"{path.stem}/{row['video']}" if path.parent.name == "json" else row["video"]
            name = row.get("question_id") or f"{path.stem}-{place}"
            questions.append(
                _choice(
                    name,
                    row["question"],
                    video,
                    row["candidates"],
                    row.get("answer"),
                    kind=row["question_type"],
                    duration=number(row.get("duration")),
                )
            )
    return questions


def _egoschema(folder: Path, split: str | None) -> list[Question]:
    """`questions.json`: q_uid, question, `option 0` … `option 4`; `subset_answers.json`: the right place by q_uid.

    Only the subset's 500 answers are public, and only these questions are read; `split="full"` reads all 5,031.
    Each video is three minutes long and named by q_uid.
    """
    answers = json.loads(
        first_file(folder, "subset_answers.json", "**/subset_answers.json").read_text(encoding="utf-8")
    )
    return [
        _choice(
            row["q_uid"],
            row["question"],
            row["q_uid"],
            [row[f"option {i}"] for i in range(5)],
            answers.get(row["q_uid"]),
            kind="",
            duration=_EGOSCHEMA_SECONDS,
        )
        for row in rows_of(first_file(folder, "questions.json", "**/questions.json"))
        if split == "full" or row["q_uid"] in answers
    ]


def _videoeval_pro(folder: Path, split: str | None) -> list[Question]:
    """`data/test-*.parquet`: video, question, options, answer (a letter), answer_text, meta, source, qa_type, qa_subtype.

    Asked without options, as its authors do: only the words `answer_text` are right. `split`: a `source`.
    """
    return [
        Question(
            question_id=f"{place}",
            question=row["question"],
            video=row["video"],
            answer=row["answer_text"],
            kind=row["qa_subtype"],
        )
        for place, row in enumerate(rows_of(first_file(folder, "data/test-*.parquet", "**/*.parquet", "*.json")))
        if split in (None, row["source"])
    ]


def _choice(
    question_id: object,
    question: str,
    video: str,
    options: list[str],
    answer: object,
    kind: str,
    duration: float | None = None,
) -> Question:
    bare = tuple(clean_text(unlettered(option)) for option in options)
    option = option_of(clean_text(unlettered(answer)) if isinstance(answer, str) else answer, bare)
    return Question(
        question_id=str(question_id),
        question=question,
        video=video,
        options=bare,
        answer=None if option is None else bare[option],
        option=option,
        duration=duration,
        kind=kind,
    )


def _clock_span(reference: object) -> tuple[Span, ...]:
    first, sign, last = str(reference or "").partition("-")
    try:
        start, end = parse_clock(first), parse_clock(last)
    except ValueError:
        return ()
    if not sign or end < start:
        return ()
    return (Span(start=start, end=max(end, start + 1)),)  # whole seconds: `00:15-00:15` is one of them


VIDEOMME = Adapter(
    "videomme", "Video-MME", "academic research only, no commercial use (the data set's own terms)",
    "https://huggingface.co/datasets/lmms-lab/Video-MME", "videomme/test-*.parquet", _videomme,
)  # fmt: skip
LONGVIDEOBENCH = Adapter(
    "longvideobench", "LongVideoBench", "CC BY-NC-SA 4.0",
    "https://huggingface.co/datasets/longvideobench/LongVideoBench", "lvb_val.json", _longvideobench,
)  # fmt: skip
LVBENCH = Adapter(
    "lvbench", "LVBench", "CC BY-NC-SA 4.0",
    "https://huggingface.co/datasets/THUDM/LVBench (videos: YouTube ids)", "video_info.meta.jsonl", _lvbench,
)  # fmt: skip
MLVU = Adapter(
    "mlvu", "MLVU", "CC BY-NC-SA 4.0", "https://huggingface.co/datasets/MLVU/MVLU", "json/1_plotQA.json …", _mlvu
)
EGOSCHEMA = Adapter(
    "egoschema", "EgoSchema", "Ego4D licence (signed with its consortium)",
    "https://github.com/egoschema/EgoSchema", "questions.json, subset_answers.json", _egoschema,
)  # fmt: skip
VIDEOEVAL_PRO = Adapter(
    "videoevalpro", "VideoEval-Pro", "of the four sets it is made from (see the data set's card)",
    "https://huggingface.co/datasets/TIGER-Lab/VideoEval-Pro", "data/test-*.parquet", _videoeval_pro,
)  # fmt: skip
