"""Data sets are read from hand-made rows in their authors' exact form; no published row is copied."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from playhead.agent.evaluation.datasets import ADAPTERS, load
from playhead.agent.evaluation.datasets.moment_sets import tutorial_lines
from playhead.agent.evaluation.systems.grounders import read_captions
from playhead.tools.errors import MediaError, QueryError
from playhead.tools.records import Span


def put(folder: Path, name: str, rows: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif name.endswith((".csv", ".txt")):
        path.write_text(str(rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows), encoding="utf-8")


def spans(*pairs: tuple[float, float]) -> tuple[Span, ...]:
    return tuple(Span(start=a, end=b) for a, b in pairs)


def test_videomme(tmp_path: Path) -> None:
    row = {
        "video_id": "001", "duration": "short", "domain": "Knowledge", "sub_category": "Biology",
        "url": "https://www.youtube.com/watch?v=abcdefghijk", "videoID": "abcdefghijk", "question_id": "001-1",
        "task_type": "Counting Problem", "question": "How many owls sit there?",
        "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."], "answer": "C",
    }  # fmt: skip
    put(tmp_path, "videomme/test-00000-of-00001.parquet", [row, row | {"duration": "long", "question_id": "900-1"}])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "abcdefghijk.mp4").touch()
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "abcdefghijk.srt").touch()
    data = load("videomme", tmp_path)
    first = data.questions[0]
    assert [one.question_id for one in data.questions] == ["001-1", "900-1"]
    assert (first.options, first.option, first.answer) == (("One.", "Two.", "Three.", "Four."), 2, "Three.")
    assert (first.video, first.kind) == ("abcdefghijk", "Counting Problem")
    assert (first.file, first.subtitles) == (tmp_path / "data/abcdefghijk.mp4", tmp_path / "subtitle/abcdefghijk.srt")
    assert data.missing == ()
    assert [one.question_id for one in load("videomme", tmp_path, split="long").questions] == ["900-1"]


def test_longvideobench(tmp_path: Path) -> None:
    row = {
        "video_id": "Ab3", "question": "What does the man on the pier hold?", "question_wo_referring_query": "What?",
        "candidates": ["a rope", "a map", "a cup"], "correct_choice": 1, "position": [120, 300],
        "topic_category": "NP-News-Programs", "question_category": "S2E", "level": "L1-Extraction", "id": "Ab3_0",
        "video_path": "Ab3.mp4", "subtitle_path": "Ab3_en.json", "duration_group": 600,
        "starting_timestamp_for_subtitles": 0, "duration": 190.16, "view_count": 9,
    }  # fmt: skip
    put(tmp_path, "lvb_val.json", [row])
    put(tmp_path, "lvb_test_wo_gt.json", [{k: v for k, v in row.items() if k != "correct_choice"} | {"id": "t"}])
    only = load("longvideobench", tmp_path).questions[0]
    assert (only.option, only.answer, only.duration, only.kind, only.video) == (1, "a map", 190.16, "S2E", "Ab3.mp4")
    assert only.frames == ()
    secret = load("longvideobench", tmp_path, split="test").questions[0]
    assert (secret.question_id, secret.option, secret.answer) == ("t", None, None)


def test_lvbench(tmp_path: Path) -> None:
    asked = {
        "uid": "17", "question": "What falls off the shelf?\n(A) A vase\n(B) A book\n(C) A lamp\n(D) A shoe",
        "answer": "B", "question_type": ["event understanding", "reasoning"], "time_reference": "01:15-01:19",
    }  # fmt: skip
    qa = [
        asked,
        asked | {"uid": "18", "time_reference": "1:02:03-1:02:03"},
        asked | {"uid": "19", "time_reference": "all"},
    ]
    put(tmp_path, "video_info.meta.jsonl", [{"key": "Cm73", "video_info": {"fps": 30.0}, "type": "cartoon", "qa": qa}])
    found = load("lvbench", tmp_path).questions
    assert found[0].question == "What falls off the shelf?"
    assert (found[0].options[1], found[0].option, found[0].kind) == ("A book", 1, "event understanding, reasoning")
    assert [one.spans for one in found] == [spans((75, 79)), spans((3723, 3724)), ()]


def test_mlvu(tmp_path: Path) -> None:
    row = {
        "video": "needle_1.mp4", "duration": 475.8, "question": "Which fruit is cut?",
        "candidates": ["kiwi", "apple", "plum", "fig"], "answer": "plum", "question_type": "findNeedle",
    }  # fmt: skip
    put(tmp_path, "MLVU/json/2_needle.json", [row])
    put(tmp_path, "MLVU/json/3_ego.json", [row | {"question_type": "ego"}])
    for task in ("2_needle", "3_ego"):
        (tmp_path / "MLVU" / "video" / task).mkdir(parents=True)
        (tmp_path / "MLVU" / "video" / task / "needle_1.mp4").touch()
    found = load("mlvu", tmp_path).questions
    assert [one.question_id for one in found] == ["2_needle-0", "3_ego-0"]
    assert (found[0].option, found[0].duration) == (2, 475.8)
    assert found[1].file == tmp_path / "MLVU/video/3_ego/needle_1.mp4"  # two files have one name
    assert len(load("mlvu", tmp_path, split="3_ego").questions) == 1


def test_egoschema(tmp_path: Path) -> None:
    row = {"q_uid": "aa-1", "google_drive_id": "x", "question": "What is C doing?"}
    row |= {f"option {i}": f"thing {i}" for i in range(5)}
    put(tmp_path, "questions.json", [row, row | {"q_uid": "aa-2"}])
    put(tmp_path, "subset_answers.json", {"aa-1": 4})
    found = load("egoschema", tmp_path).questions
    assert [(one.question_id, one.option, one.answer, one.duration) for one in found] == [("aa-1", 4, "thing 4", 180)]
    assert [one.option for one in load("egoschema", tmp_path, split="full").questions] == [4, None]


def test_videoeval_pro_is_asked_without_options(tmp_path: Path) -> None:
    row = {
        "video": "3yV5.mp4", "question": "What colour is the kite?", "options": ["A. red", "B. blue"], "answer": "B",
        "answer_text": "Blue", "meta": "{}", "source": "lvbench", "qa_subtype": "Extraction", "qa_type": "Local",
    }  # fmt: skip
    put(tmp_path, "data/test-00000-of-00001.parquet", [row, row | {"source": "mlvu"}])
    found = load("videoevalpro", tmp_path).questions
    assert [(one.question_id, one.options, one.answer) for one in found] == [("0", (), "Blue"), ("1", (), "Blue")]
    assert [one.question_id for one in load("videoevalpro", tmp_path, split="mlvu").questions] == ["1"]


def test_nextgqa(tmp_path: Path) -> None:
    head = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
    line = "77,900,640,480,why did the dog bark,hungry,3,CW,scared,hungry,play,sleep,run"
    put(tmp_path, "val.csv", f"{head}\n{line}\n")
    gsub = {"77": {"duration": 30, "location": {"3": [[1.5, 4.0], [9.0, 9.0], [10, 12.5]]}, "fps": 30.0}}
    put(tmp_path, "gsub_val.json", gsub)
    only = load("nextgqa", tmp_path).questions[0]
    assert (only.question_id, only.option, only.duration, only.kind) == ("77_3", 1, 30, "CW")
    assert only.spans == spans((1.5, 4), (10, 12.5))  # one annotation is empty


def test_cgbench(tmp_path: Path) -> None:
    row = {
        "video_uid": "uid1", "qid": 12, "question": "Which number?", "choices": ["7", "8"], "right_answer": "B",
        "answer": "8", "clue_intervals": [[20, 25], [100, 110]], "domain": "Sports", "sub_category": "Digit",
        "duration": 1200,
    }  # fmt: skip
    put(tmp_path, "cgbench.json", [row])
    put(tmp_path, "cgbench_mini.json", [row | {"qid": 13}])
    only = load("cgbench", tmp_path).questions[0]
    assert (only.question_id, only.option, only.answer, only.kind) == ("12", 1, "8", "Digit")
    assert only.spans == spans((20, 25), (100, 110))
    assert load("cgbench", tmp_path, split="mini").questions[0].question_id == "13"


@pytest.mark.parametrize("form", ["parquet", "json"])
def test_lv_haystack_as_rows_and_as_columns(tmp_path: Path, form: str) -> None:
    row = {
        "video_id": "ego-1", "vclip_id": "c", "question": "Where is the mug?",
        "options": {"A": "sink", "B": "shelf", "C": None, "D": None, "E": None}, "answer": "B",
        "frame_indexes_video": [300, 615], "frame_indexes_vclip": [0, 315],
        "video_metadata": {"frame_rate": 30.0, "video_duration": 3600.5, "vclip_interval_in_video": [10.0, 490.0]},
    }  # fmt: skip
    if form == "parquet":
        put(tmp_path, "data/test-00000-of-00001.parquet", [row])
    else:
        put(tmp_path, "LVHaystack_test.json", {key: [value] for key, value in row.items()})
    only = load("lvhaystack", tmp_path).questions[0]
    assert (only.frames, only.options, only.option) == ((10.0, 20.5), ("sink", "shelf"), 1)
    assert (only.duration, only.video) == (3600.5, "ego-1")


def test_qvhighlights(tmp_path: Path) -> None:
    row = {
        "qid": 5, "query": "A man ties a boat.", "duration": 150, "vid": "x_0.0_150.0", "relevant_clip_ids": [3, 4],
        "saliency_scores": [[1, 2, 4], [0, 0, 3]], "relevant_windows": [[6, 10]],
    }  # fmt: skip
    put(tmp_path, "highlight_val_release.jsonl", [row])
    only = load("qvhighlights", tmp_path).questions[0]
    assert (only.question_id, only.spans) == ("5", spans((6, 10)))
    assert only.saliency == ((3, (1, 2, 4)), (4, (0, 0, 3)))


def test_charades_sta(tmp_path: Path) -> None:
    put(tmp_path, "charades_sta_test.txt", "AB1CD 0.4 6.9##a person opens a door.\nAB1CD 7.0 7.0##nothing.\n")
    put(tmp_path, "Charades_v1_test.csv", "id,subject,scene,length\nAB1CD,X,Hall,30.96\n")
    found = load("charadessta", tmp_path).questions
    assert [(one.question_id, one.spans, one.duration) for one in found] == [
        ("AB1CD-0", spans((0.4, 6.9)), 30.96),
        ("AB1CD-1", (), 30.96),
    ]
    assert found[0].question == "a person opens a door."


def test_activitynet_captions(tmp_path: Path) -> None:
    video = {"duration": 82.7, "timestamps": [[0.8, 19.9], [17.4, 60.8]], "sentences": [" He waves.", " He leaves."]}
    put(tmp_path, "val_1.json", {"v_ab": video})
    found = load("activitynet", tmp_path).questions
    assert [(one.question_id, one.video, one.question) for one in found] == [
        ("v_ab-0", "v_ab", "He waves."),
        ("v_ab-1", "v_ab", "He leaves."),
    ]
    assert found[1].spans == spans((17.4, 60.8))


def test_momentseeker_takes_queries_by_text_only(tmp_path: Path) -> None:
    clips = [{"output_path": f"/share/clips/movie7/{a}.00_{a + 3}.00.mp4"} for a in (0, 3, 6)]
    row = {"qry_text": "the train stops", "qry_img_path": "", "qry_video_path": "", "candidate_video_list": clips}
    rows = [row | {"gt_indices": [1, 2]}, row | {"gt_indices": [0], "qry_img_path": "a.png"}]
    put(tmp_path, "json/movie_t2v.json", rows)
    only = load("momentseeker", tmp_path).questions
    assert [(one.question_id, one.video, one.spans) for one in only] == [
        ("movie_t2v-0", "movie7", spans((3, 6), (6, 9)))
    ]


def test_tutorialvqa_shares_known_times_by_words(tmp_path: Path) -> None:
    video = {
        "video_id": "14", "video_title": "t", "transcript": ["Hi all here now.", "Click it.", "Save the big file now then.", "Bye."],
        "segments": [{"title": "s", "timestamps": {"start": "10.0", "end": "18.0"}, "sentence_indexes": {"start": 1, "end": 2}}],
    }  # fmt: skip
    put(tmp_path, "videos.json", [video])
    rows = [
        {"split": "test", "video_id": "14", "question": "how to save?", "answer_start": 1, "answer_end": 2},
        {"split": "train", "video_id": "14", "question": "how to click?", "answer_start": 1, "answer_end": 1},
        {"split": "test", "video_id": "14", "question": "  ", "answer_start": 0, "answer_end": 0},
    ]
    put(tmp_path, "questions.jsonl", rows)
    lines = tutorial_lines(tmp_path)["14"]
    # 8 s for 2 + 6 words; 4 words before at 2.5 a second would begin at 8.4; one word after ends 0.4 s later.
    assert [(round(line.start, 6), round(line.end, 6)) for line in lines] == [
        (5.0, 10.0),
        (10, 12),
        (12, 18),
        (18, 18.4),
    ]
    assert [(one.question, one.spans) for one in load("tutorialvqa", tmp_path).questions] == [
        ("how to save?", spans((10, 18)))
    ]
    assert len(load("tutorialvqa", tmp_path, split="all").questions) == 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    put(tmp_path, "charades_sta_test.txt", "AB1 0 6##opens.\nAB2 0 6##closes.\n")
    (tmp_path / "AB2.mp4").touch()
    data = load("charadessta", tmp_path)
    assert data.missing == ("AB1",)
    with pytest.raises(MediaError, match=r"1 of the 2 videos of Charades-STA are missing: AB1\. Get them from https"):
        data.need_videos()
    assert [one.video for one in data.present().questions] == ["AB2"]
    data.present().need_videos()


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    put(tmp_path, "charades_sta_test.txt", "AB1 0 6##opens.\n")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "AB1.mp4").touch()
    with pytest.raises(MediaError, match="2 files are named AB1"):
        load("charadessta", tmp_path)


def test_errors_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no data set 'imagenet': there are activitynet, cgbench"):
        load("imagenet", tmp_path)
    with pytest.raises(QueryError, match=r"is not a folder: put cgbench\.json of CG-Bench there, from https"):
        load("cgbench", tmp_path / "none")
    with pytest.raises(QueryError, match=r"holds none of cgbench\.json"):
        load("cgbench", tmp_path)
    put(tmp_path, "cgbench.json", [{"qid": 1}])
    with pytest.raises(QueryError, match=r"have an unknown form \(KeyError: 'choices'\)"):
        load("cgbench", tmp_path)
    (tmp_path / "cgbench.json").write_text("{", encoding="utf-8")
    with pytest.raises(QueryError, match=r"cannot be read as \.json"):
        load("cgbench", tmp_path)


def test_each_adapter_names_licence_and_source() -> None:
    assert len(ADAPTERS) == 14
    for name, adapter in ADAPTERS.items():
        assert name == adapter.name
        assert adapter.licence
        assert adapter.source.startswith("https://")
        assert adapter.read.__doc__


def test_captions_are_read_gzipped(tmp_path: Path) -> None:
    row = {"video_id": "7", "duration": 3, "captions": [[0, "a dog\nruns"], [2, "it sits"]]}
    with gzip.open(tmp_path / "captions.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    found = read_captions(tmp_path)["7"]
    assert found.captions == ("a dog runs", "it sits")
    assert found.spans == spans((0, 1), (2, 3))
    with pytest.raises(QueryError, match=r"holds no captions\.jsonl"):
        read_captions(tmp_path / "none")
