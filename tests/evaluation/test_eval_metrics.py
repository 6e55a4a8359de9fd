"""Metrics of the evaluation, each against worked examples by hand; ranking against QVHighlights' official figures."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from playhead.agent.evaluation.datasets import load
from playhead.agent.evaluation.judge import cohens_kappa
from playhead.agent.evaluation.metrics.abstention import aurc, excess_aurc, risk_coverage, selective
from playhead.agent.evaluation.metrics.choices import (
    above_blind,
    accuracy,
    chance,
    circular,
    read_option,
    rotated,
    shuffled,
)
from playhead.agent.evaluation.metrics.keyframes import Quality, mean_quality, ssim, temporal_quality, visual_quality
from playhead.agent.evaluation.metrics.ranking import average_precision, highlights, map_at_5, moment_retrieval
from playhead.agent.evaluation.metrics.resampling import halves, interval, paired_difference
from playhead.agent.evaluation.metrics.scoring import question_scores, score
from playhead.agent.evaluation.metrics.spans import (
    acc_at_gqa,
    acc_at_iou,
    best_iop,
    best_iou,
    citation_precision,
    grounding,
    iop,
    iou,
    recall_at,
    union_iou,
)
from playhead.agent.evaluation.records import Prediction, Question, ScoredSpan
from playhead.agent.records import Usage
from playhead.tools.records import Span

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "qvhighlights"
NAN = math.nan


def at(start: float, end: float, score: float = 1.0, video: str | None = None) -> ScoredSpan:
    return ScoredSpan(start=start, end=end, score=score, video=video)


def true(*pairs: tuple[float, float]) -> tuple[Span, ...]:
    return tuple(Span(start=a, end=b) for a, b in pairs)


def asked(name: str = "q", **fields) -> Question:
    return Question(**{"question_id": name, "question": "what?", "video": "v"} | fields)


def said(name: str = "q", **fields) -> Prediction:
    return Prediction(question_id=name, **fields)


def exactly(value: float) -> object:
    return pytest.approx(value, abs=1e-9)


# IoU and IoP: [2, 8) and [4, 10) share 4 s, cover 8 s; 4 of the predicted 6 s lie inside.
def test_iou_and_iop_by_hand() -> None:
    assert iou(at(2, 8), at(4, 10)) == exactly(4 / 8)
    assert iop(at(2, 8), at(4, 10)) == exactly(4 / 6)
    assert iou(at(0, 4), at(4, 9)) == 0  # half-open: they touch
    assert iou(at(3, 7), at(3, 7)) == 1


@pytest.mark.parametrize(
    "nonsense", [at(5, 5), at(8, 2), at(NAN, 9), at(0, NAN), at(-math.inf, math.inf), at(0, math.inf)]
)
def test_what_is_no_span_scores_nothing(nonsense: ScoredSpan) -> None:
    truth = true((0, 10))
    assert (iou(nonsense, truth[0]), iop(nonsense, truth[0])) == (0, 0)
    assert union_iou([nonsense], truth) == 0
    assert recall_at(1, [[nonsense]], [truth]) == 0
    assert citation_precision([[nonsense]], [truth]) == 0
    assert average_precision([nonsense], truth).tolist() == [0.0] * 10


def test_a_span_outside_of_the_video_is_not_cut() -> None:
    """A video of 10 s: half of [0, 20) lies beyond it and is wrong."""
    assert iou(at(0, 20), at(0, 10)) == exactly(0.5)
    assert iop(at(30, 40), at(0, 10)) == 0


def test_of_several_truths_the_best_counts() -> None:
    truths = true((0, 2), (10, 20))
    assert best_iou(at(12, 22), truths) == exactly(8 / 12)
    assert best_iop(at(12, 22), truths) == exactly(8 / 10)
    assert best_iou(None, truths) == 0


def test_grounding_of_three_questions_by_hand() -> None:
    predicted = [at(0, 10), at(0, 4), None, at(0, 1)]
    truths = [true((5, 15)), true((0, 4)), true((0, 1)), ()]
    # IoU: 5/15, 1, 0; IoP: 5/10, 1, 0; the last question has no truth.
    assert grounding(predicted, truths) == {
        "mIoU": exactly((1 / 3 + 1) / 3),
        "IoU@0.3": exactly(2 / 3),
        "IoU@0.5": exactly(1 / 3),
        "mIoP": exactly(0.5),
        "IoP@0.3": exactly(2 / 3),
        "IoP@0.5": exactly(2 / 3),
    }
    assert grounding([at(0, 1)], [()]) == {}


def test_recall_looks_k_deep() -> None:
    predicted = [[at(0, 1), at(5, 6)], [at(0, 1)], []]
    truths = [true((5, 7)), true((8, 9)), true((1, 2))]
    assert recall_at(1, predicted, truths) == 0
    assert recall_at(2, predicted, truths) == exactly(1 / 3)
    assert recall_at(2, predicted, truths, 0.5) == exactly(1 / 3)
    assert recall_at(2, predicted, truths, 0.6) == 0
    assert recall_at(1, [[]], [()]) is None


def test_union_iou_merges_first() -> None:
    """[0, 6) ∪ [4, 8) = 8 s; truth [6, 10) ∪ [20, 22) = 6 s; shared 2 s; together 12 s."""
    assert union_iou([at(0, 6), at(4, 8)], true((6, 10), (20, 22))) == exactly(2 / 12)
    assert union_iou([], true((0, 1))) == 0


def test_acc_at_gqa_needs_both() -> None:
    truths = [true((0, 10))] * 4
    predicted = [at(5, 15), at(5, 16), at(0, 1), None]
    assert acc_at_gqa([True, True, False, True], predicted, truths) == exactly(1 / 4)
    assert acc_at_gqa([True], [at(0, 1)], [()]) is None


def test_acc_at_iou_is_a_mean_over_thresholds() -> None:
    """IoU 0.25 is above 0.1 and 0.2 of five thresholds; 1 is above all."""
    found = acc_at_iou([True, False], [[at(0, 2.5)], [at(0, 10)]], [true((0, 10))] * 2)
    assert found == {"rec@IoU": exactly((2 + 5) / 10), "acc@IoU": exactly(2 / 10)}


def test_citation_precision_counts_spans_not_questions() -> None:
    cited = [[at(0, 1), at(8, 9)], [at(3, 4)], [at(0, 99)], []]
    truths = [true((0, 5)), true((3, 3.5)), (), true((0, 1))]
    assert citation_precision(cited, truths) == exactly(2 / 3)
    assert citation_precision([[]], [true((0, 1))]) is None


# Three windows by score: hit, miss, hit of two truths. Precision 1, 1/2, 2/3; recall 1/2, 1/2, 1.
# Envelope: 1 up to recall 1/2, 2/3 up to 1: 1/2 · 1 + 1/2 · 2/3.
def test_average_precision_by_hand() -> None:
    windows = [at(20, 30, 0.1), at(0, 10, 0.9), at(50, 60, 0.5)]
    assert average_precision(windows, true((0, 10), (20, 30)), [0.5]).tolist() == [exactly(0.5 + 1 / 3)]


def test_a_true_window_is_taken_once() -> None:
    assert average_precision([at(0, 10, 2), at(0, 10, 1)], true((0, 10)), [0.5]).tolist() == [1.0]
    assert average_precision([at(0, 9, 2), at(1, 10, 1)], true((0, 10), (40, 50)), [0.5]).tolist() == [exactly(0.5)]
    assert average_precision([], true((0, 10)), [0.5]).tolist() == [0.0]


def test_moment_retrieval_by_length_of_the_window() -> None:
    questions = [asked("a", spans=true((0, 8))), asked("b", spans=true((0, 20), (30, 38))), asked("c")]
    found = moment_retrieval(questions, [said("a", spans=(at(0, 8),)), said("b", spans=(at(30, 38),)), said("c")])
    assert found["MR-full-R1@0.5"] == 1
    assert found["MR-full-mAP"] == exactly((1 + 0.5) / 2)
    assert found["MR-short-mAP"] == 1
    assert found["MR-middle-mAP"] == 0
    assert "MR-long-mAP" not in found


def test_highlights_by_hand() -> None:
    """Three clips. Annotator one: clips 0 and 2 are Fair; two: none, which scores 0."""
    question = asked(duration=6, saliency=((0, (2, 1)), (2, (4, 0))))
    found = highlights([question], [said(saliency=(0.9, 0.5, 0.1))])
    # Ranked 0, 1, 2: precision at the recalled ones 1 and 2/3, mean 5/6; the second annotator's is 0.
    assert found["HL-min-Fair-mAP"] == exactly(5 / 12)
    assert found["HL-min-Fair-Hit1"] == 1
    assert found["HL-min-VeryGood-mAP"] == exactly(1 / 6)
    assert found["HL-min-VeryGood-Hit1"] == 0
    assert highlights([question], [said()])["HL-min-Fair-Hit1"] == 0
    assert highlights([asked()], [said()]) == {}


def test_map_at_5_by_hand() -> None:
    """Truth stretched to [0, 10). Ranks: IoU 0.5 at 1, 0 at 2, 1 at 3: 0.5·0.5 + 0 + (1.5/3)·1."""
    prediction = said(spans=(at(0, 5), at(20, 30), at(0, 10)))
    assert map_at_5([asked(spans=true((0, 2), (8, 10)))], [prediction]) == exactly(0.75)
    assert map_at_5([asked()], [prediction]) is None


@pytest.mark.skipif(not REAL.is_dir(), reason="real data qvhighlights is not beside the repository (../shared/data)")
def test_moment_retrieval_agrees_with_the_official_figures_to_the_digit() -> None:
    lines = (REAL / "sample_val_preds.jsonl").read_text(encoding="utf-8").splitlines()
    given = {str(row["qid"]): row for row in map(json.loads, lines)}
    questions = load("qvhighlights", REAL).questions
    predictions = [
        said(
            question.question_id,
            spans=tuple(at(*window) for window in given[question.question_id]["pred_relevant_windows"]),
            saliency=tuple(given[question.question_id]["pred_saliency_scores"]),
        )
        for question in questions
    ]
    ours = moment_retrieval(questions, predictions) | highlights(questions, predictions)
    official = json.loads((REAL / "sample_val_preds_metrics_raw.json").read_text(encoding="utf-8"))
    wanted = {}
    for name in ("short", "middle", "long", "full"):
        for threshold, value in official[name]["MR-mAP"].items():
            wanted[f"MR-{name}-mAP" + ("" if threshold == "average" else f"@{threshold}")] = value
        wanted |= {f"MR-{name}-R1@{threshold}": value for threshold, value in official[name]["MR-R1"].items()}
    for grade in ("Fair", "Good", "VeryGood"):
        wanted |= {f"HL-min-{grade}-{kind}": official[f"HL-min-{grade}"][f"HL-{kind}"] for kind in ("mAP", "Hit1")}
    assert len(wanted) == 90
    assert {name: float(f"{100 * ours[name]:.2f}") for name in wanted} == wanted


# Chosen at 10, 52, 90; true at 12 and 50: two of three are near, both true ones are found.
def test_temporal_quality_by_hand() -> None:
    assert temporal_quality([10, 52, 90], [12, 50]) == Quality(exactly(2 / 3), 1, exactly(0.8))
    assert temporal_quality([15], [10]) == Quality(1, 1, 1)  # 5 s are near
    assert temporal_quality([15.001], [10]) == Quality(0, 0, 0)
    assert temporal_quality([], [10]) == Quality(0, 0, 0)
    assert temporal_quality([NAN], [10]) == Quality(0, 0, 0)
    assert temporal_quality([1], []) is None


def test_mean_quality_takes_the_mean_f1_or_that_of_the_means() -> None:
    each = [Quality(1, 1, 1), Quality(0.5, 0.1, 1 / 6)]
    assert mean_quality(each, "T-")["T-F1"] == exactly(7 / 12)
    assert mean_quality(each, "V-", f1_of_means=True)["V-F1"] == exactly(2 * 0.75 * 0.55 / 1.3)
    assert mean_quality([], "T-") == {}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_ssim_agrees_with_scipy_and_with_its_formula() -> None:
    one, other = picture(0), picture(1)
    assert ssim(one, one) == exactly(1)
    gaussian = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed").gaussian_filter

    def blurred(x: np.ndarray) -> np.ndarray:
        return gaussian(x, (1.5, 1.5, 0), mode="constant", truncate=5 / 1.5)

    x, y = one / 255, other / 255
    mx, my = blurred(x), blurred(y)
    vx, vy, vxy = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
    alike = (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(one, other) == exactly(alike.mean())
    with pytest.raises(ValueError, match="one size"):
        ssim(one, other[:10])


def test_visual_quality_pairs_each_frame_with_its_likest() -> None:
    one, other = picture(0), picture(1)
    low = ssim(one, other)
    found = visual_quality([one], [one, other])
    assert found is not None
    assert (found.precision, found.recall) == (exactly(1), exactly((1 + low) / 2))
    assert visual_quality([], [one]) == Quality(0, 0, 0)
    assert visual_quality([one], []) is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("B", 1),
        ("(b) a cat", 1),
        ("B. a cat", 1),
        ("**C**", 2),
        ("The answer is (A).", 0),
        ("Answer: C", 2),
        ("a cat", 1),
        ("It is a red cat", 3),
        ("A dog", 0),
        ("the bird", None),
        ("A or B", None),
        ("", None),
        ("E", None),
    ],
)
def test_an_option_is_read_or_refused(text: str, option: int | None) -> None:
    assert read_option(text, ["a dog", "a cat", "a horse", "red"]) == option


def test_accuracy_leaves_out_secret_answers_and_counts_no_answer_as_wrong() -> None:
    questions = [
        asked("a", options=("x", "y"), option=1),
        asked("b", options=("x", "y"), option=0),
        asked("c", options=("x", "y")),
    ]
    predictions = [said("a", option=1), said("b"), said("c", option=0)]
    assert accuracy(questions, predictions) == exactly(1 / 2)
    assert accuracy(questions[2:], predictions[2:]) is None
    assert chance([asked(options=("x", "y")), asked(options=("x", "y", "z", "w"))]) == exactly(3 / 8)


def test_circular_asks_for_all_turns() -> None:
    question = asked(options=("x", "y"), option=0)
    assert rotated(question, 1).options == ("y", "x")
    assert rotated(question, 1).option == 1
    always_first = [[said(option=0)], [said(option=0)]]
    follows = [[said(option=0)], [said(option=1)]]
    assert circular([question], always_first) == 0
    assert circular([question], follows) == 1
    with pytest.raises(ValueError, match="2 options"):
        circular([question], always_first[:1])


def test_shuffling_is_seeded_and_keeps_the_truth() -> None:
    question = asked(options=("a", "b", "c", "d", "e"), option=2)
    turned = shuffled(question, 7)
    assert turned == shuffled(question, 7)
    assert turned.options[turned.option] == "c"
    assert {shuffled(question, seed).options for seed in range(20)} != {turned.options}


def test_above_blind_by_hand() -> None:
    questions = [asked(name, options=("x", "y"), option=0) for name in "abcd"]
    ours = [said("a", option=0), said("b", option=0), said("c", option=0), said("d", option=1)]
    blind = [said("a", option=0), said("b", option=1), said("c", option=1), said("d", option=1)]
    assert above_blind(questions, ours, blind) == {
        "accuracy_blind": exactly(0.25),
        "accuracy_above_blind": exactly(0.5),
        "accuracy_not_blind": exactly(2 / 3),
    }


# Surest first: right, wrong, right. Risks 0, 1/2, 1/3.
def test_risk_and_coverage_by_hand() -> None:
    coverage, risk = risk_coverage([1, 1, 0], [0.9, 0.1, 0.5])
    assert coverage.tolist() == [exactly(1 / 3), exactly(2 / 3), 1]
    assert risk.tolist() == [0, exactly(1 / 2), exactly(1 / 3)]
    assert aurc([1, 1, 0], [0.9, 0.1, 0.5]) == exactly(5 / 18)
    # The best order has risks 0, 0, 1/3.
    assert excess_aurc([1, 1, 0], [0.9, 0.1, 0.5]) == exactly(5 / 18 - 1 / 9)
    assert aurc([], []) is None


def test_equally_sure_answers_have_no_order() -> None:
    assert aurc([1, 0], [0.5, 0.5]) == aurc([0, 1], [0.5, 0.5]) == exactly(0.5)
    assert aurc([1, 0], [0.5, NAN]) == exactly(0.25)


def test_selective_accuracy() -> None:
    assert selective([1, 0, 1], [True, True, False]) == {"coverage": exactly(2 / 3), "selective_accuracy": exactly(0.5)}
    assert selective([0], [False]) == {"coverage": 0}
    assert selective([], []) == {}


# Cohen's own kind of table: both yes 20, only one 5, only other 10, both no 15: p_o 0.7, p_e 0.5.
def test_cohens_kappa_by_hand() -> None:
    first = [True] * 20 + [True] * 5 + [False] * 10 + [False] * 15
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert cohens_kappa(first, second) == exactly((0.7 - 0.5) / 0.5)
    assert cohens_kappa([True], [True]) == 1
    assert cohens_kappa([True, False], [False, True]) == exactly(-1)
    assert cohens_kappa([], []) is None


def test_intervals_are_seeded_and_resample_videos() -> None:
    values, videos = [1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b"]
    found = interval(values, videos, seed=3)
    assert found == interval(values, videos, seed=3)
    assert (found.mean, found.low, found.high) == (0.5, 0, 1)
    assert paired_difference([0, 1], [1, 1], ["a", "b"]).mean == exactly(0.5)
    assert paired_difference([0.25, 0.5], [0.5, 0.75], ["a", "b"]).low == exactly(0.25)


def test_halves_share_no_video_and_are_seeded() -> None:
    first, second = halves("abcdef")
    assert first | second == set("abcdef")
    assert not first & second
    assert (first, second) == halves("fedcba")
    assert len(first) == 3


def test_a_span_of_another_video_keeps_its_rank_and_hits_nothing() -> None:
    question = asked(video="v", spans=true((0, 10)))
    prediction = said(spans=(at(0, 10, video="w"), at(0, 10, video="v")))
    found = score([question], {"q": prediction}).metrics
    assert (found["R@1"], found["R@5"], found["mIoU"]) == (0, 1, 0)


def test_scores_of_two_questions_by_hand() -> None:
    questions = [
        asked("a", options=("x", "y"), option=0, spans=true((0, 10)), frames=(5.0,)),
        asked("b", options=("x", "y"), option=1, spans=true((0, 10)), frames=(5.0,)),
    ]
    usage = Usage(seconds=2, rounds=1, frames=4, prompt_tokens=100, completion_tokens=10)
    found = score(questions, {"a": said("a", option=0, spans=(at(0, 5),), frames=(7.0,), confidence=0.9, usage=usage)})
    assert found.questions == 2
    assert found.failed == 1
    assert found.metrics["accuracy"] == exactly(0.5)
    assert found.metrics["mIoU"] == exactly(0.25)
    assert found.metrics["Acc@GQA"] == exactly(0.5)
    assert found.metrics["acc@IoU"] == exactly(0.4)  # 0.5 is not above 0.5
    assert found.metrics["T-F1"] == exactly(0.5)
    assert found.metrics["coverage"] == exactly(0.5)
    assert found.metrics["AURC"] == exactly(0.25)
    assert (found.cost.frames, found.cost.prompt_tokens, found.cost.total_tokens) == (2, 50, 110)


def test_tokens_that_a_server_does_not_report_are_not_zero() -> None:
    found = score([asked()], {"q": said(usage=Usage(prompt_tokens=None))})
    assert (found.cost.prompt_tokens, found.cost.total_tokens) == (None, None)


def test_a_question_without_truth_has_no_scores() -> None:
    assert question_scores(asked(), said(spans=(at(0, 1),), option=None)) == {}
