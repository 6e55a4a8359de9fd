"""Runs, comparisons, reports, baselines and the judge, with a scripted video LLM and texts as libraries."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from playhead.agent.evaluation.cli import app
from playhead.agent.evaluation.compare import compare
from playhead.agent.evaluation.datasets import Dataset
from playhead.agent.evaluation.harness import Wanted, evaluate, judged, visual
from playhead.agent.evaluation.judge import judge
from playhead.agent.evaluation.plot import Dot, frontier, score_cost_plot
from playhead.agent.evaluation.records import Budget, Line, Prediction, Question, ScoredSpan, without_truth
from playhead.agent.evaluation.report import write_report
from playhead.agent.evaluation.runs import execute, open_run, run_info
from playhead.agent.evaluation.systems.baselines import BASELINES, Baseline, baseline
from playhead.agent.evaluation.systems.cached_vectors import CachedVectors
from playhead.agent.evaluation.systems.finders import TranscriptFinder
from playhead.agent.evaluation.systems.grounders import Captioned, CaptionGrounder
from playhead.agent.evaluation.systems.masking import masked_library
from playhead.agent.evaluation.systems.transcripts import text_library, text_video_id
from playhead.agent.library import Library
from playhead.index.records import Evidence
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError, QueryError, ServerError
from playhead.tools.llm.openai_server.client import OpenAIVideoLLM
from playhead.tools.records import Span
from playhead.tools.settings import Settings

from ..fakes import BagOfWords
from ..media import write_media
from ..servers import Scripted, scripted_server, settings_for


@pytest.fixture
def script():
    with scripted_server() as scripted:
        yield scripted


class Parrot:
    """A system that answers from a table, and raises where that says so."""

    def __init__(self, name: str, answers: dict[str, Prediction | Exception]) -> None:
        self.name, self.fingerprint, self.answers = name, f"parrot-{name}", answers
        self.asked: list[Question] = []

    def answer(self, question: Question, budget: Budget) -> Prediction:
        self.asked.append(question)
        answer = self.answers[question.question_id]
        if isinstance(answer, Exception):
            raise answer
        return answer


def questions(count: int = 4) -> list[Question]:
    return [
        Question(
            question_id=f"q{i}", question=f"what is {i}?", video=f"v{i // 2}", options=("yes", "no"), option=0,
            answer="yes", spans=(Span(start=0, end=10),), duration=60,
        )
        for i in range(count)
    ]  # fmt: skip


def table(options: str, end: float = 10) -> dict[str, Prediction | Exception]:
    return {
        f"q{i}": Prediction(question_id=f"q{i}", option=int(c), spans=(ScoredSpan(start=0, end=end),))
        for i, c in enumerate(options)
    }


def ran(folder: Path, name: str, options: str, end: float = 10):
    system, asked = Parrot(name, table(options, end)), questions(len(options))
    return execute(folder / name, system, asked, run_info(system, "toy", asked, Budget()))


def test_a_run_is_a_folder_and_its_truth_is_hidden(tmp_path: Path) -> None:
    asked, system = questions(), Parrot("parrot", table("0010"))
    reported = []
    run = execute(
        tmp_path / "r", system, asked, run_info(system, "toy", asked, Budget()), lambda *at: reported.append(at)
    )
    assert sorted(p.name for p in run.folder.iterdir()) == [
        "predictions.jsonl",
        "questions.jsonl",
        "run.json",
        "traces.jsonl",
    ]
    assert reported == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert system.asked == [without_truth(one) for one in asked]
    assert [(one.option, one.answer, one.spans) for one in system.asked] == [(None, None, ())] * 4
    scores = run.scores()
    assert scores.metrics["accuracy"] == 0.75
    assert json.loads((run.folder / "metrics.json").read_text())["metrics"]["mIoU"] == 1
    assert open_run(run.folder).info.fingerprint == "parrot-parrot"


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    asked, system = questions(), Parrot("parrot", table("0000"))
    info = run_info(system, "toy", asked, Budget())
    execute(tmp_path, system, asked, info)
    path = tmp_path / "predictions.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:17])  # killed while writing the third
    again = Parrot("parrot", table("0011"))
    run = execute(tmp_path, again, asked, info)
    assert [one.question_id for one in again.asked] == ["q2", "q3"]
    assert [run.predictions[f"q{i}"].option for i in range(4)] == [0, 0, 1, 1]


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    asked, system = questions(), Parrot("parrot", table("0000"))
    execute(tmp_path, system, asked, run_info(system, "toy", asked, Budget()))
    with pytest.raises(LibraryError, match="holds a run with other seed, budget: name another folder"):
        execute(tmp_path, system, asked, run_info(system, "toy", asked, Budget(frames=8), seed=1))
    other = [one.model_copy(update={"question_id": f"x{one.question_id}"}) for one in asked]
    with pytest.raises(LibraryError, match="holds a run of other questions"):
        execute(tmp_path, system, other, run_info(system, "toy", other, Budget()))
    with pytest.raises(LibraryError, match=r"is no run: it has no run\.json"):
        open_run(tmp_path / "nothing")
    (tmp_path / "predictions.jsonl").write_text("{}\n")
    with pytest.raises(LibraryError, match="line 1 is damaged"):
        _ = open_run(tmp_path).predictions


def test_one_failure_is_a_wrong_answer_and_a_failing_start_is_an_error(tmp_path: Path) -> None:
    answers = table("0000")
    answers["q2"] = ServerError("no answer came")
    asked, system = questions(), Parrot("parrot", answers)
    run = execute(tmp_path / "a", system, asked, run_info(system, "toy", asked, Budget()))
    assert (run.predictions["q2"].status, run.predictions["q2"].error) == ("failed", "no answer came")
    assert (run.scores().failed, run.scores().metrics["accuracy"]) == (1, 0.75)
    answers["q0"] = ServerError("nobody there")
    with pytest.raises(ServerError, match="nobody there"):
        execute(tmp_path / "b", system, asked, run_info(system, "toy", asked, Budget()))


def test_nonsense_survives_a_run(tmp_path: Path) -> None:
    nonsense = Prediction(
        question_id="q0", spans=(ScoredSpan(start=float("nan"), end=float("inf")),), confidence=float("nan")
    )
    asked, system = questions(1), Parrot("parrot", {"q0": nonsense})
    run = execute(tmp_path, system, asked, run_info(system, "toy", asked, Budget()))
    assert np.isnan(run.predictions["q0"].spans[0].start)
    assert run.scores().metrics["mIoU"] == 0


def test_a_comparison_is_in_pairs_with_an_interval(tmp_path: Path) -> None:
    first, second = ran(tmp_path, "one", "01010101"), ran(tmp_path, "two", "00000000", end=5)
    found = compare(first.folder, second.folder, metrics=["accuracy", "mIoU"])
    assert [(one.metric, one.first, one.second, one.difference) for one in found.differences] == [
        ("accuracy", 0.5, 1, 0.5),
        ("mIoU", 1, 0.5, -0.5),
    ]
    assert found.differences[1].interval == (-0.5, -0.5)
    assert found.differences[0].interval == (0.5, 0.5)  # each video has one that is won
    assert [one.is_clear for one in found.differences] == [True, True]
    assert compare(first.folder, second.folder, metrics=["accuracy", "mIoU"]) == found
    with pytest.raises(QueryError, match="no metric bleu in these runs: there are accuracy, mIoU"):
        compare(first.folder, second.folder, metrics=["bleu"])


def test_a_report_escapes_what_was_said_and_loads_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'playhead[eval]'")
    evil = '<script>alert(1)</script><img src="https://example.org/x">$title'
    asked = [questions(1)[0].model_copy(update={"question": evil})]
    folders = []
    for name in ("first", "second"):
        system = Parrot(name, {"q0": Prediction(question_id="q0", option=0, answer=evil)})
        folders.append(execute(tmp_path / name, system, asked, run_info(system, "toy", asked, Budget())).folder)
    page, plot = write_report(folders, tmp_path / "out" / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,)', text)
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # the question, and two answers
    assert "$title" in text
    assert "default-src 'none'" in text
    assert plot.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(QueryError, match="at least one run"):
        write_report([], page)


def test_the_frontier_holds_what_none_beats() -> None:
    dots = [
        Dot("a", 1, 0.2, 0.1, 0.3),
        Dot("b", 2, 0.1, 0, 0.2),
        Dot("c", 3, 0.5, 0.4, 0.6),
        Dot("d", 3, 0.4, 0.3, 0.5),
    ]
    assert [dot.name for dot in frontier(dots)] == ["a", "c"]
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'playhead[eval]'")
    named = [dots[0]._replace(name="a $ b_{x"), dots[2]]
    assert score_cost_plot(named, "tokens $", "R@1").startswith(b"\x89PNG")


def asked_of(script: Scripted, place: int = -1) -> list[dict]:
    content = script.requests[place].body["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def test_blind_sees_nothing_and_reads_a_letter(script: Scripted) -> None:
    script.say("The answer is (B).", prompt_tokens=50, completion_tokens=4)
    system = Baseline("blind", OpenAIVideoLLM(settings_for(script)))
    found = system.answer(without_truth(questions(1)[0]), Budget())
    assert (found.option, found.status) == (1, "answered")
    assert (found.usage.frames, found.usage.prompt_tokens, found.usage.completion_tokens) == (0, 50, 4)
    parts = asked_of(script)
    assert [part["type"] for part in parts] == ["text"]
    assert 'Question: "what is 0?"\nA. "yes"\nB. "no"' in parts[0]["text"]


def test_an_answer_that_names_no_option_is_no_guess(script: Scripted) -> None:
    script.say("I cannot tell.")
    found = Baseline("blind", OpenAIVideoLLM(settings_for(script))).answer(questions(1)[0], Budget())
    assert (found.option, found.status, found.answer) == (None, "insufficient", "I cannot tell.")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s, one picture a second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_media(path, [float(number) for number in range(16)])
    return path


def test_uniform_frames_are_shown_after_their_times(script: Scripted, film: Path) -> None:
    script.say("A")
    question = questions(1)[0].model_copy(update={"file": film, "duration": 16.0})
    found = Baseline("uniform", OpenAIVideoLLM(settings_for(script))).answer(question, Budget(frames=4))
    assert found.frames == (2.0, 6.0, 10.0, 14.0)
    assert (found.option, found.usage.frames) == (0, 4)
    parts = asked_of(script)
    times = [i for i, part in enumerate(parts) if part["type"] == "text" and "<6.0 seconds>" in part["text"]]
    assert parts[times[0] + 1]["type"] == "image_url"
    assert [part["type"] for part in parts].count("image_url") == 4


def test_one_random_frame_is_drawn_by_the_seed(script: Scripted, film: Path) -> None:
    script.say("A")
    llm = OpenAIVideoLLM(settings_for(script))
    asked = [one.model_copy(update={"file": film, "duration": 16.0}) for one in questions(8)]
    drawn = [
        [Baseline("one-random-frame", llm, seed=seed).answer(one, Budget()).frames for one in asked]
        for seed in (0, 0, 1)
    ]
    assert all(len(frames) == 1 for frames in drawn[0])
    assert drawn[0] == drawn[1] != drawn[2]


def test_t_star_looks_at_grids_and_counts_what_it_saw(script: Scripted, film: Path) -> None:
    pytest.importorskip("scipy", reason="SciPy is not installed")
    script.say('{"cells": [1]}', "B", prompt_tokens=10, completion_tokens=1)
    script.answers.insert(1, script.answers[0])  # one look at the grid, one at the cell alone
    question = questions(1)[0].model_copy(update={"file": film, "duration": 16.0})
    found = Baseline("t-star", OpenAIVideoLLM(settings_for(script))).answer(question, Budget(frames=2))
    assert found.option == 1
    assert (found.usage.frames, found.usage.prompt_tokens) == (16 + 1 + len(found.frames), 30)
    assert 0.0 in found.frames


def toy_set(film: Path) -> Dataset:
    asked = [one.model_copy(update={"file": film, "duration": 16.0, "spans": ()}) for one in questions(2)]
    return Dataset(name="toy", title="Toy", licence="none", source="https://example.org", questions=tuple(asked))


def test_systems_are_run_on_one_budget_and_against_blind(script: Scripted, film: Path, tmp_path: Path) -> None:
    script.say("B", "A", "A", "A")  # blind is wrong once; uniform is right twice
    wanted = Wanted(systems=("blind", "uniform"), budget=Budget(frames=2))
    found = evaluate(toy_set(film), wanted, tmp_path, settings_for(script))
    assert found["blind"]["accuracy"] == 0.5
    uniform = found["uniform"]
    assert (uniform["accuracy"], uniform["accuracy_above_blind"], uniform["cost"]["frames"]) == (1, 0.5, 2)
    assert json.loads((tmp_path / "uniform" / "metrics.json").read_text())["metrics"]["accuracy_blind"] == 0.5
    asked = len(script.requests)
    assert evaluate(toy_set(film), wanted, tmp_path, settings_for(script)) == found  # nothing is asked again
    assert len(script.requests) == asked == 4
    with pytest.raises(QueryError, match="no system oracle: there are blind"):
        evaluate(toy_set(film), Wanted(systems=("oracle",)), tmp_path, settings_for(script))


def test_circular_evaluation_turns_the_options(script: Scripted, film: Path, tmp_path: Path) -> None:
    script.say("A", "A", "B", "A")  # question 0 follows its option, question 1 always says A
    wanted = Wanted(systems=("blind",), circular=True)
    found = evaluate(toy_set(film), wanted, tmp_path, settings_for(script))["blind"]
    assert (found["accuracy"], found["CircularEval"]) == (1, 0.5)
    assert 'A. "no"' in asked_of(script, 2)[0]["text"]


def test_each_mask_is_a_run_of_its_own(script: Scripted, film: Path, tmp_path: Path) -> None:
    script.say("A")
    wanted = Wanted(systems=("uniform",), budget=Budget(frames=2), masks=("frame",))
    found = evaluate(toy_set(film), wanted, tmp_path, settings_for(script))
    assert {name: parts["cost"]["frames"] for name, parts in found.items()} == {
        "uniform": 2,
        "uniform-without-frame": 0,
    }
    assert open_run(tmp_path / "uniform-without-frame").info.masked == ("frame",)


def test_chosen_frames_are_compared_by_what_they_show(film: Path) -> None:
    question = questions(1)[0].model_copy(update={"file": film, "frames": (3.0,)})
    same = visual([question], {"q0": Prediction(question_id="q0", frames=(3.2,))})
    assert same == {"V-Precision": pytest.approx(1), "V-Recall": pytest.approx(1), "V-F1": pytest.approx(1)}
    other = visual([question], {"q0": Prediction(question_id="q0", frames=(9.0,))})
    assert other["V-F1"] < 0.99
    assert visual([question], {})["V-F1"] == 0
    assert visual(questions(1), {}) == {}


def test_captions_ground_a_question(tmp_path: Path) -> None:
    said = ["a man walks"] * 20 + ["the dog jumps over the fence"] * 10 + ["a man walks"] * 30
    spans = tuple(Span(start=i, end=i + 1) for i in range(60))
    captions = {"v0": Captioned(Span(start=0, end=60), spans, tuple(said))}
    asked = [Question(question_id="q", question="what does the dog jump over", video="v0")]
    asked.append(asked[0].model_copy(update={"question_id": "r", "video": "nowhere"}))
    vectors = CachedVectors(BagOfWords(), tmp_path)
    for mode in ("balanced", "precise"):
        system = CaptionGrounder(captions, asked, vectors, mode)
        found = system.answer(asked[0], Budget()).spans[0]
        assert 18 <= found.start < found.end <= 32
        assert system.answer(asked[1], Budget()).status == "insufficient"
    assert found.end - found.start < 6  # precise spans are short


def test_what_a_baseline_lacks_is_said() -> None:
    with pytest.raises(QueryError, match="'uniform' asks a video LLM"):
        baseline("uniform", None, None)
    with pytest.raises(QueryError, match="the agent answers from a library"):
        baseline("agent", None, None)
    assert len(BASELINES) == 9


def test_llovi_reads_captions_and_video_rag_what_fits(script: Scripted, tmp_path: Path, no_models: None) -> None:
    texts = {"film": [Line(0, 5, "a dog barks"), Line(5, 9, "a cat sleeps")]}
    encoder = BagOfWords()
    vectors = {"film": encoder.encode([line.text for line in texts["film"]])}
    store = text_library(tmp_path / "library", texts, vectors, encoder.embedding_id, "caption")
    library = Library(store.folder, settings_for(script))
    script.say("a dog", prompt_tokens=9, completion_tokens=2)
    question = Question(question_id="q", question="what barks?", video="film", file=store.absolute_path("film"))
    found = Baseline("llovi", OpenAIVideoLLM(settings_for(script)), library).answer(question, Budget())
    assert (found.answer, found.usage.evidence) == ("a dog", 2)
    text = asked_of(script)[0]["text"]
    assert text.index('"a dog barks"') < text.index('"a cat sleeps"')
    rag = Baseline("video-rag", OpenAIVideoLLM(settings_for(script)), library, masked=("frame",))
    assert rag.answer(question.model_copy(update={"duration": 9.0}), Budget()).usage.evidence == 1


class Segments:
    """A library: one segment a second; those at `like` are similar to the question."""

    settings = Settings(offline=True)

    def __init__(self, film: Path, like: dict[int, float]) -> None:
        self.segments = [
            Evidence(
                evidence_id=str(i), video_id="film", video=str(film), start=i, end=i + 1, modality="frame", text="",
                score=0, similarity=like.get(i, 0.1), source="given@1", frame_seconds=i,
            )
            for i in range(16)
        ]  # fmt: skip

    def observed(self, video: Path) -> tuple[None, list[Evidence]]:
        return None, self.segments

    def search(self, query: str, k: int, **_: object) -> list[Evidence]:
        return sorted(self.segments, key=lambda one: -one.similarity)[:k]


def test_frames_are_chosen_by_their_content(script: Scripted, film: Path) -> None:
    script.say("A")
    llm, library = OpenAIVideoLLM(settings_for(script)), Segments(film, {7: 0.9, 3: 0.8, 12: 0.3})
    question = questions(1)[0].model_copy(update={"file": film, "duration": 16.0})
    assert Baseline("top-k", llm, library).answer(question, Budget(frames=2)).frames == (3.0, 7.0)
    # The two exceed the rest by more than AKS's threshold: the whole is one piece, and gives its best.
    assert Baseline("aks", llm, library).answer(question, Budget(frames=2)).frames == (3.0, 7.0)
    assert Baseline("aks", llm, library).answer(question, Budget(frames=64)).usage.frames == 16
    with pytest.raises(QueryError, match="name a library with --library"):
        Baseline("top-k", llm).answer(question, Budget())


def test_the_agent_is_a_system_too(tmp_path: Path, no_models: None) -> None:
    texts = {"film": [Line(0, 5, "The budget was cut in March."), Line(5, 9, "The weather is fine today.")]}
    encoder = BagOfWords()
    vectors = {"film": encoder.encode([line.text for line in texts["film"]])}
    store = text_library(tmp_path / "library", texts, vectors, encoder.embedding_id)
    system = baseline("agent", None, Library(store.folder, Settings()))
    question = Question(
        question_id="q", question="when was the budget cut?", video="film", file=store.absolute_path("film")
    )
    found = system.answer(question, Budget())
    assert found.status == "answered"
    assert [(one.start, one.end) for one in found.cited] == [(0, 5)]
    assert found.usage.rounds == 1
    assert found.trace


def test_masking_takes_a_modality_out(tmp_path: Path) -> None:
    texts = {"film": [Line(0, 5, "a dog barks")]}
    encoder = BagOfWords()
    store = text_library(tmp_path / "whole", texts, {"film": encoder.encode(["a dog barks"])}, encoder.embedding_id)
    masked = LocalStorage(masked_library(store.folder, ["speech"], tmp_path / "out" / "masked"))
    record = masked.read()[text_video_id("film")]
    assert record.stage("speech").state == "skipped"
    assert list(masked.table(record).observations) == []
    assert masked.absolute_path(record.paths[0]) == store.absolute_path("film")
    kept = LocalStorage(masked_library(store.folder, ["text"], tmp_path / "out" / "kept"))
    assert len(kept.table(kept.read()[record.video_id]).observations) == 1
    with pytest.raises(QueryError, match="no modality smell"):
        masked_library(store.folder, ["smell"], tmp_path / "x")


def test_a_judge_gives_a_verdict_and_is_not_asked_about_empty_answers(script: Scripted) -> None:
    llm = OpenAIVideoLLM(settings_for(script))
    question = Question(question_id="q", question="how many?", video="v", answer="two")
    nothing, usage = judge(llm, question, Prediction(question_id="q", status="insufficient", answer="two"))
    assert (nothing.correct, usage.requests, script.requests) == (False, 0, [])
    script.say('{"reason": "same number", "verdict": "correct"}')
    found, usage = judge(llm, question, Prediction(question_id="q", answer='2"}\nAnswer: "two'))
    assert (found.correct, found.reason, usage.requests) == (True, "same number", 1)
    assert 'Answer: "2\\"}' in asked_of(script)[0]["text"]  # what was said stays quoted
    script.answers.clear()
    script.say("well, perhaps")
    assert judge(llm, question, Prediction(question_id="q", answer="2"))[0].correct is None
    with pytest.raises(QueryError, match="no known answer"):
        judge(llm, question.model_copy(update={"answer": None}), Prediction(question_id="q"))


def test_a_run_is_judged_twice(script: Scripted, tmp_path: Path) -> None:
    asked = [Question(question_id=f"q{i}", question="?", video="v", answer="two") for i in range(2)]
    system = Parrot("p", {f"q{i}": Prediction(question_id=f"q{i}", answer="two") for i in range(2)})
    run = execute(tmp_path, system, asked, run_info(system, "toy", asked, Budget()))
    verdicts = ("correct", "incorrect", "correct", "incorrect")
    script.say(*(json.dumps({"reason": "r", "verdict": verdict}) for verdict in verdicts))
    assert judged(run, OpenAIVideoLLM(settings_for(script))) == {"judged": 0.5, "judge_kappa": 1.0}
    kept = json.loads((tmp_path / "judgements.json").read_text())
    assert [one["correct"] for one in kept["judgements"]] == [True, False]


def test_a_passage_is_found_by_what_its_sentences_say_together(tmp_path: Path) -> None:
    filler = ["we open it", "this is fine", "now we wait", "it goes on", "you see this", "that was it", "then we go"]
    talks = {
        "a": [*filler, "choose the brush", "then set its size", *filler],
        "b": ["choose a layer", *filler, "the size of a file"],
    }
    lines = {name: [Line(n, n + 1, text) for n, text in enumerate(talk)] for name, talk in talks.items()}
    system = TranscriptFinder(tmp_path / "library", lines, CachedVectors(BagOfWords(), tmp_path / "v"), "passages")
    question = Question(question_id="q", question="how do i choose the size of the brush", video="")
    first, *others = system.answer(question, Budget()).spans
    assert first.video == "a"
    assert first.start <= 7
    assert first.end >= 9
    assert all(one.video != "a" or one.end <= first.start or one.start >= first.end for one in others)


@pytest.mark.parametrize("finder", ["words", "search", "passages"])
def test_a_finder_names_the_video(tmp_path: Path, finder: str) -> None:
    texts = {
        "a": [Line(0, 4, "the owl hoots at night")],
        "b": [Line(0, 3, "a train arrives"), Line(3, 6, "doors open")],
    }
    vectors = CachedVectors(BagOfWords(), tmp_path / "vectors")
    system = TranscriptFinder(tmp_path / "library", texts, vectors, finder, Settings(offline=True))
    question = Question(question_id="q", question="when does the train arrive?", video="")
    first = system.answer(question, Budget()).spans[0]
    assert (first.video, first.start) == ("b", 0)


def test_vectors_are_kept(tmp_path: Path) -> None:
    encoder = BagOfWords()
    kept = CachedVectors(encoder, tmp_path)
    first = kept.encode(["a", "b"])
    assert np.array_equal(CachedVectors(encoder, tmp_path).encode(["a", "b"]), first)
    assert np.array_equal(kept.encode(["b"])[0], first[1])
    assert encoder.asked == ["a", "b"]


def test_the_command_line_compares_and_lists(tmp_path: Path) -> None:
    one, two = ran(tmp_path, "one", "0101"), ran(tmp_path, "two", "0000")
    runner = CliRunner()
    reported = runner.invoke(app, ["compare", str(one.folder), str(two.folder), "--json", "--metrics", "accuracy"])
    assert json.loads(reported.stdout)["differences"][0]["difference"] == 0.5
    shown = runner.invoke(app, ["compare", str(one.folder), str(two.folder)])
    assert "+0.5000" in shown.stdout
    listed = json.loads(runner.invoke(app, ["datasets", "--json"]).stdout)
    assert listed[0]["name"] == "videomme"
