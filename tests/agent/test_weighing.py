"""Whether a small model's answer is given: the reader's score and the model's log-odds of yes decide."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead import Library, Settings
from playhead.agent.composing.weighing import composed_weights, probability
from playhead.agent.graph.events import Answered, AnswerWeighed

from ..servers import KEY, Scripted, completion

QUESTION = "What does the speaker say about the budget for travel?"
SMALL = {"data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx": 8192, "n_params": 1_500_000_000}}]}


def asked(library: Library, server: Scripted, question: str = QUESTION) -> tuple[AnswerWeighed | None, Any]:
    """What was weighed, and the answer."""
    server.listed = SMALL
    settings = Settings(
        video_llm_url=server.url,
        video_llm_model="tiny",
        video_llm_key=KEY,
        video_llm_timeout=5.0,
        objects_model="off",
        offline=True,
    )
    events = list(Library(library.folder, settings).stream(question))
    weighed = next((event for event in events if isinstance(event, AnswerWeighed)), None)
    (answer,) = (event.answer for event in events if isinstance(event, Answered))
    return weighed, answer


def composed(answer: str = "The budget for travel grew by 12 percent.") -> str:
    return json.dumps({"answer": answer, "ids": ["E1"], "found": True})


def named(*ids: str) -> str:
    """The lines that the model chooses before it writes."""
    return json.dumps({"ids": ids or ("E5",), "found": True})


def one_word(word: str, **log_probabilities: float) -> dict:
    """A completion of one word, with the log-probabilities of the likeliest first tokens."""
    tokens = [{"token": token, "logprob": value} for token, value in log_probabilities.items()]
    body = completion(word)
    body["choices"][0]["logprobs"] = {"content": [{"token": word, "logprob": -0.1, "top_logprobs": tokens}]}
    return body


def test_an_answer_that_its_model_calls_right_is_given(talk_library: Library, server: Scripted) -> None:
    server.say(named(), composed())
    server.will(one_word("Yes", Yes=-0.2, No=-2.4))
    weighed, answer = asked(talk_library, server)
    assert (answer.status, answer.claims[0].text) == ("answered", "The budget for travel grew by 12 percent.")
    assert weighed.log_odds == pytest.approx(2.2)
    assert answer.confidence == round(weighed.probability, 3) > 0.8
    check = server.requests[2].body
    assert (check["logprobs"], check["top_logprobs"], check["max_tokens"]) == (True, 20, 1)
    read = check["messages"][-1]["content"][0]["text"]
    assert read.startswith("Lines:\n")
    assert "The budget for travel" in read
    assert read.endswith(f"Question: {json.dumps(QUESTION)}\nDo the lines answer the question? Write yes or no.")
    assert "The budget for travel grew by 12 percent." not in read  # its own answer


def test_an_answer_that_its_model_calls_wrong_is_not_given(talk_library: Library, server: Scripted) -> None:
    server.say(named(), composed())
    server.will(one_word("No", Yes=-4.0, No=-0.1))
    weighed, answer = asked(talk_library, server)
    assert weighed.log_odds == pytest.approx(-3.9)
    assert not weighed.is_given
    assert (answer.status, answer.claims) == ("insufficient", ())
    assert answer.closest[0].text.startswith("The budget for travel")
    assert len(server.requests) == 3  # the choice of lines, the answer, and its weighing


def test_without_log_probabilities_the_reader_decides(talk_library: Library, server: Scripted) -> None:
    server.say(named(), composed(), "Yes")
    weighed, answer = asked(talk_library, server)
    assert (weighed.log_odds, weighed.probability, weighed.is_given) == (None, weighed.score, True)
    assert answer.claims[0].verdict == "supported"


def test_a_server_that_refuses_log_probabilities_is_asked_without(talk_library: Library, server: Scripted) -> None:
    server.say(named(), composed())
    server.will({"error": {"message": "Unsupported parameter: 'logprobs'"}}, status=400)
    server.say("Yes")
    weighed, answer = asked(talk_library, server)
    assert (weighed.log_odds, answer.status) == (None, "answered")
    assert ["logprobs" in request.body for request in server.requests] == [False, False, True, False]


@given(st.floats(0, 1), st.floats(-10, 10), st.floats(0, 1), st.floats(0, 5))
def test_the_probability_grows_with_both(cited: float, odds: float, higher: float, more: float) -> None:
    weights = composed_weights()
    least = probability(cited, odds, weights)
    assert 0 <= least <= probability(max(cited, higher), odds + more, weights) <= 1


def test_a_question_in_another_language_is_translated_and_its_answer_is_not(
    talk_library: Library, server: Scripted
) -> None:
    asked_in_german = "Was sagt die Sprecherin über das Geld für die Reisen?"
    server.say(json.dumps({"question": QUESTION}), named(), composed("Das Geld für Reisen wuchs um 12 Prozent."))
    server.will(one_word("Yes", Yes=-0.2, No=-2.4))
    _, answer = asked(talk_library, server, asked_in_german)
    assert (answer.status, answer.claims[0].text) == ("answered", "Das Geld für Reisen wuchs um 12 Prozent.")
    parts = server.requests[2].body["messages"][-1]["content"]
    read = "\n".join(part["text"] for part in parts if part["type"] == "text")
    assert "The budget for travel" in read
    assert json.dumps(asked_in_german, ensure_ascii=False) in read


def test_a_number_that_no_line_holds_is_refused_in_any_language(talk_library: Library, server: Scripted) -> None:
    server.say(json.dumps({"question": QUESTION}), named(), composed("Das Geld für Reisen wuchs um 99 Prozent."))
    _, answer = asked(talk_library, server, "Was sagt die Sprecherin über das Geld für die Reisen?")
    assert not any("99" in claim.text for claim in answer.claims)
