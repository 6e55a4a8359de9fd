"""Adapters of moment retrieval data sets: QVHighlights, Charades-STA, ActivityNet Captions, MomentSeeker, TutorialVQA."""

import bisect
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ....tools.records import Span, clean_text
from ..records import Line, Question
from .base import Adapter, first_file, number, rows_of, span_of

__all__ = ["ACTIVITYNET", "CHARADES", "MOMENTSEEKER", "QVHIGHLIGHTS", "TUTORIALVQA", "tutorial_lines"]

_WORDS_A_SECOND = 2.5
_STA = re.compile(r"^(\S+) (\S+) (\S+)##(.+)$")


def _qvhighlights(folder: Path, split: str | None) -> list[Question]:
    """`highlight_<split>_release.jsonl`: qid, query, duration, vid, relevant_windows, relevant_clip_ids, saliency_scores.

    The default split is `val`; `test` has neither windows nor scores. A video is `<vid>.mp4`.
    """
    questions = []
    for row in rows_of(first_file(folder, f"**/highlight_{split or 'val'}_release.jsonl")):
        clips = zip(row.get("relevant_clip_ids", []), row.get("saliency_scores", []), strict=True)
        questions.append(
            Question(
                question_id=str(row["qid"]),
                question=row["query"],
                video=row["vid"],
                spans=tuple(s for a, b in row.get("relevant_windows", []) if (s := span_of(a, b))),
                saliency=tuple((clip, tuple(given)) for clip, given in clips),
                duration=number(row["duration"]),
            )
        )
    return questions


def _charades(folder: Path, split: str | None) -> list[Question]:
    """`charades_sta_<split>.txt`, lines `ID start end##sentence`, with lengths from `Charades_v1_<split>.csv` (id, length).

    The default split is `test`. Without the second file, lengths are unknown.
    """
    name = split or "test"
    lengths: dict[str, float | None] = {}
    for path in sorted(folder.glob(f"**/Charades_v1_{name}.csv")):
        lengths |= {row["id"]: number(row["length"]) for row in rows_of(path)}
    questions = []
    lines = first_file(folder, f"**/charades_sta_{name}.txt").read_text(encoding="utf-8").splitlines()
    for place, found in enumerate(map(_STA.match, lines)):
        if found:
            span = span_of(found[2], found[3])
            questions.append(
                Question(
                    question_id=f"{found[1]}-{place}",
                    question=found[4],
                    video=found[1],
                    spans=(span,) if span else (),
                    duration=lengths.get(found[1]),
                )
            )
    return questions


def _activitynet(folder: Path, split: str | None) -> list[Question]:
    """`<split>.json` (default `val_1`): by video (`v_…`) its duration, timestamps and sentences."""
    name = split or "val_1"
    questions = []
    for row in rows_of(first_file(folder, f"{name}.json", f"**/{name}.json")):
        for place, ((start, end), sentence) in enumerate(zip(row["timestamps"], row["sentences"], strict=True)):
            span = span_of(start, end)
            questions.append(
                Question(
                    question_id=f"{row['id']}-{place}",
                    question=sentence,
                    video=row["id"],
                    spans=(span,) if span else (),
                    duration=number(row["duration"]),
                )
            )
    return questions


def _momentseeker(folder: Path, split: str | None) -> list[Question]:
    """`json/<domain>_t2v.json`: qry_text, candidate_video_list with output_path `…/<video>/<start>_<end>.mp4`, gt_indices.

    Follows the authors' evaluation code (`MomentSeeker/evaluate_languagebind.py`). Only text queries are read: no
    system here accepts queries with a picture or a video (`ti2v`, `tv2v`). The split is a file's name, e.g.
    `movie_t2v`. The authors have published other formats since; a file without these fields is an error.
    """
    questions = []
    patterns = (f"**/{split}.json",) if split else ("**/*_t2v.json",)
    paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))] or [first_file(folder, *patterns)]
    for path in paths:
        for place, row in enumerate(rows_of(path)):
            if row.get("qry_img_path") or row.get("qry_video_path"):
                continue
            clips = [PurePosixPath(row["candidate_video_list"][i]["output_path"]) for i in row["gt_indices"]]
            spans = (span_of(*clip.stem.split("_")[:2]) for clip in clips)
            questions.append(
                Question(
                    question_id=f"{path.stem}-{place}",
                    question=row["qry_text"],
                    video=clips[0].parent.name,
                    spans=tuple(span for span in spans if span),
                    kind=path.stem.split("_")[0],
                )
            )
    return questions


def _tutorialvqa(folder: Path, split: str | None) -> list[Question]:
    """`questions.jsonl`, or `<split>.json`: split, video_id, question, answer_start, answer_end (sentences, from 0).

    The default split is `test`; `all` reads every question. Spans use the seconds of `tutorial_lines`. Some questions
    are empty and are left out.
    """
    wanted = split or "test"
    lines = tutorial_lines(folder)
    if (folder / "questions.jsonl").exists():
        rows = [row for row in rows_of(folder / "questions.jsonl") if wanted in ("all", row["split"])]
    else:
        names = ("train", "dev", "test") if wanted == "all" else (wanted,)
        rows = [row | {"split": name} for name in names for row in rows_of(first_file(folder, f"{name}.json"))]
    return [
        Question(
            question_id=f"{row['split']}-{place}",
            question=row["question"],
            video=row["video_id"],
            spans=(
                Span(
                    start=lines[row["video_id"]][row["answer_start"]].start,
                    end=lines[row["video_id"]][row["answer_end"]].end,
                ),
            ),
            duration=lines[row["video_id"]][-1].end,
            kind=row["split"],
        )
        for place, row in enumerate(rows)
        if row["question"].strip() and row["video_id"] in lines
    ]


def tutorial_lines(folder: Path) -> dict[str, list[Line]]:
    """The sentences of each TutorialVQA video, in seconds.

    `videos.json`: a list of video_id, transcript (sentences) and segments with `timestamps` and `sentence_indexes`.
    Only segments have times. Sentences between two known times share the interval in proportion to their number of
    words; outside of all segments the rate is 2.5 words a second.

    Raises:
        QueryError: The file is missing or broken.
    """
    rows = rows_of(first_file(folder, "videos.json"))
    return {row["video_id"]: _timed([clean_text(text) for text in row["transcript"]], row["segments"]) for row in rows}


def _timed(sentences: Sequence[str], segments: Sequence[dict]) -> list[Line]:
    words = [0]
    for sentence in sentences:
        words.append(words[-1] + max(1, len(sentence.split())))
    known: list[tuple[int, float]] = []
    for segment in sorted(segments, key=lambda one: one["sentence_indexes"]["start"]):
        for place, known_second in (
            (segment["sentence_indexes"]["start"], segment["timestamps"]["start"]),
            (segment["sentence_indexes"]["end"] + 1, segment["timestamps"]["end"]),
        ):
            at = (words[min(place, len(sentences))], float(known_second))
            if not known or (at[0] > known[-1][0] and at[1] > known[-1][1]):
                known.append(at)
    known = known or [(0, 0.0)]
    if known[0][0] > 0:
        known.insert(0, (0, max(0.0, min(known[0][1] - known[0][0] / _WORDS_A_SECOND, known[0][1] / 2))))
    if known[-1][0] < words[-1]:
        known.append((words[-1], known[-1][1] + (words[-1] - known[-1][0]) / _WORDS_A_SECOND))
    places = [place for place, _ in known]

    def second(word: int) -> float:
        i = min(len(known) - 2, bisect.bisect_right(places, word) - 1)
        (a, start), (b, end) = known[i], known[i + 1]
        return start + (end - start) * (word - a) / (b - a)

    edges = [second(word) for word in words]
    return [Line(edges[i], edges[i + 1], text) for i, text in enumerate(sentences)]


QVHIGHLIGHTS = Adapter(
    "qvhighlights", "QVHighlights", "CC BY-NC-SA 4.0",
    "https://github.com/jayleicn/moment_detr (data)", "highlight_val_release.jsonl", _qvhighlights,
)  # fmt: skip
CHARADES = Adapter(
    "charadessta", "Charades-STA", "Charades' own, non-commercial",
    "https://github.com/jiyanggao/TALL; videos: https://prior.allenai.org/projects/charades",
    "charades_sta_test.txt, Charades_v1_test.csv", _charades,
)  # fmt: skip
ACTIVITYNET = Adapter(
    "activitynet", "ActivityNet Captions", "none stated; videos are YouTube's",
    "https://cs.stanford.edu/people/ranjaykrishna/densevid/", "val_1.json", _activitynet,
)  # fmt: skip
MOMENTSEEKER = Adapter(
    "momentseeker", "MomentSeeker", "CC BY-NC-SA 4.0",
    "https://huggingface.co/datasets/avery00/MomentSeeker", "json/*_t2v.json", _momentseeker,
)  # fmt: skip
TUTORIALVQA = Adapter(
    "tutorialvqa", "TutorialVQA", "CC BY-NC 4.0",
    "https://github.com/acolas1/TutorialVQAData", "videos.json, questions.jsonl or test.json", _tutorialvqa,
)  # fmt: skip
