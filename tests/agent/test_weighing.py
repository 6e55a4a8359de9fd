"""Whether a small model's answer is given: the reader's score and the log-odds of yes decide; if not, it reads the next passage."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead import Library, Settings
from playhead.agent.composing.weighing import Signs, composed_weights, probability
from playhead.agent.graph.events import Answered, AnswerWeighed

from ..servers import KEY, Scripted, completion

QUESTION = "What does the speaker say about the budget for travel?"
SMALL = {"data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx": 8192, "n_params": 1_500_000_000}}]}


def asked(library: Library, server: Scripted, question: str = QUESTION) -> tuple[list[AnswerWeighed], Any]:
    """What was weighed, and the answer."""
    server.listed, server.props = SMALL, {"modalities": {"vision": False}}
    settings = Settings(
        video_llm_url=server.url,
        video_llm_model="tiny",
        video_llm_key=KEY,
        video_llm_timeout=5.0,
        objects_model="off",
        offline=True,
        remember_answers=False,
    )
    events = list(Library(library.folder, settings).stream(question))
    weighed = [event for event in events if isinstance(event, AnswerWeighed)]
    (answer,) = (event.answer for event in events if isinstance(event, Answered))
    return weighed, answer


COMPOSED = "The budget for travel grew by 12 percent."


def one_word(word: str, **log_probabilities: float) -> dict:
    """A completion of one word, with the log-probabilities of the likeliest first tokens."""
    tokens = [{"token": token, "logprob": value} for token, value in log_probabilities.items()]
    body = completion(word)
    body["choices"][0]["logprobs"] = {"content": [{"token": word, "logprob": -0.1, "top_logprobs": tokens}]}
    return body


RIGHT, WRONG = one_word("Yes", Yes=-0.2, No=-2.4), one_word("No", Yes=-4.0, No=-0.1)


def test_an_answer_that_its_model_calls_right_is_given(talk_library: Library, server: Scripted) -> None:
    server.say(COMPOSED)
    server.will(RIGHT)
    (weighed,), answer = asked(talk_library, server)
    assert (answer.status, answer.claims[0].text) == ("answered", COMPOSED)
    assert answer.claims[0].citations[0].quote == "Travel 12 percent more"
    assert weighed.log_odds == pytest.approx(2.2)
    assert answer.confidence == round(weighed.probability, 3) > 0.8
    written, check = (request.body for request in server.requests)
    assert "response_format" not in written  # a sentence, no JSON
    assert (check["logprobs"], check["top_logprobs"], check["max_tokens"]) == (True, 20, 1)
    read = check["messages"][-1]["content"][0]["text"]
    assert read.startswith("Lines:\n")
    assert "The budget for travel" in read
    assert read.endswith(f"Question: {json.dumps(QUESTION)}\nDo the lines answer the question? Write yes or no.")
    assert COMPOSED not in read  # its own answer


def test_after_an_answer_that_its_model_calls_wrong_the_next_passage_is_read(
    talk_library: Library, server: Scripted
) -> None:
    server.say("The budget is for travel.")
    server.will(WRONG)
    server.say("The speaker wants to talk about money first.")
    server.will(RIGHT)
    (first, second), answer = asked(talk_library, server)
    assert (first.is_given, second.is_given) == (False, True)
    # The same log-odds count less for a later passage.
    assert second.probability < probability(Signs(second.log_odds, True, True, second.score), composed_weights())
    read = [request.body["messages"][-1]["content"][0]["text"] for request in server.requests]
    assert "The budget for travel" in read[0]
    assert "First, let us talk about money." in read[2]
    assert "First, let us talk about money." in [one.quote for one in answer.claims[0].citations]


def test_an_answer_that_its_model_calls_wrong_for_each_passage_is_not_given(
    talk_library: Library, server: Scripted
) -> None:
    for _ in range(3):
        server.say("The budget for travel grew.")
        server.will(WRONG)
    weighed, answer = asked(talk_library, server)
    assert weighed[0].log_odds == pytest.approx(-3.9)
    assert not any(one.is_given for one in weighed)
    assert (answer.status, answer.claims) == ("insufficient", ())
    assert answer.closest[0].text.startswith("The budget for travel")


def test_without_log_probabilities_the_reader_decides(talk_library: Library, server: Scripted) -> None:
    server.say(COMPOSED, "Yes")
    (weighed,), answer = asked(talk_library, server)
    assert (weighed.log_odds, weighed.probability, weighed.is_given) == (None, weighed.score, True)
    assert answer.claims[0].verdict == "supported"


def test_a_server_that_refuses_log_probabilities_is_asked_without(talk_library: Library, server: Scripted) -> None:
    server.say(COMPOSED)
    server.will({"error": {"message": "Unsupported parameter: 'logprobs'"}}, status=400)
    server.say("Yes")
    (weighed,), answer = asked(talk_library, server)
    assert (weighed.log_odds, answer.status) == (None, "answered")
    assert ["logprobs" in request.body for request in server.requests] == [False, True, False]


@given(st.floats(-10, 10), st.booleans(), st.floats(0, 1), st.floats(0, 5), st.floats(0, 1))
def test_the_probability_grows_with_both_and_is_less_for_a_later_passage(
    odds: float, cites_writing: bool, best: float, more: float, higher: float
) -> None:
    weights = composed_weights()
    least = probability(Signs(odds, True, cites_writing, best), weights)
    assert 0 <= least <= probability(Signs(odds + more, True, cites_writing, max(best, higher)), weights) <= 1
    assert probability(Signs(odds, False, cites_writing, best), weights) <= least


def test_the_readers_score_counts_for_speech_alone() -> None:
    weights = composed_weights()
    slides, speech = (
        [probability(Signs(0, True, written, best), weights) for best in (0.1, 0.9)] for written in (True, False)
    )
    assert slides[0] == slides[1]
    assert speech[0] < speech[1]


def test_a_summary_that_no_line_supports_is_named_as_the_reason(talk_library: Library, server: Scripted) -> None:
    made_up = {"answer": "Penguins hatched 99 eggs.", "ids": ["E1"]}
    server.say(json.dumps({"claims": [made_up], "found": True}))
    _, answer = asked(talk_library, server, "Summarise the video.")
    assert (answer.status, answer.claims) == ("insufficient", ())
    assert answer.text == "The model's summary is not supported by the videos."


def test_a_question_in_another_language_is_translated_and_its_answer_is_not(
    talk_library: Library, server: Scripted
) -> None:
    asked_in_german = "Was sagt die Sprecherin über das Geld für die Reisen?"
    server.say(json.dumps({"question": QUESTION}), "Das Geld für Reisen wuchs um 12 Prozent.")
    server.will(RIGHT)
    _, answer = asked(talk_library, server, asked_in_german)
    assert (answer.status, answer.claims[0].text) == ("answered", "Das Geld für Reisen wuchs um 12 Prozent.")
    parts = server.requests[1].body["messages"][-1]["content"]
    read = "\n".join(part["text"] for part in parts if part["type"] == "text")
    assert "The budget for travel" in read
    assert json.dumps(asked_in_german, ensure_ascii=False) in read


def test_a_number_that_no_line_holds_is_refused_in_any_language(talk_library: Library, server: Scripted) -> None:
    server.say(json.dumps({"question": QUESTION}), *["Das Geld für Reisen wuchs um 99 Prozent."] * 3)
    _, answer = asked(talk_library, server, "Was sagt die Sprecherin über das Geld für die Reisen?")
    assert not any("99" in claim.text for claim in answer.claims)
