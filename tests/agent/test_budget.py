"""The token budget of a question: what the server does not report, and what fails, counts as reserved."""

import contextlib
import json
from collections.abc import Callable, Sequence

import pytest

from playhead import Library, Settings
from playhead.agent.graph.budget import Metered, TokensSpentError
from playhead.tools.errors import (
    AnswerFormatError,
    PicturesRefusedError,
    PlayheadError,
    RequestTooLongError,
    ServerError,
)
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import Part, Reply, TokenUsage

from ..servers import Scripted

# 1,200 bytes are 401 tokens of three bytes, and no instructions are one more.
PROMPT, READ = "budget" * 200, 402


class Model:
    """Gives the next of its answers, and keeps how long each may be."""

    source = "tiny"
    capabilities = Capabilities()

    def __init__(self, *answers: Callable[[], Reply]) -> None:
        self.answers, self.limits = list(answers), []

    def ask(self, parts: Sequence[Part], *, max_tokens: int, **_: object) -> Reply:
        self.limits.append(max_tokens)
        return self.answers.pop(0)()


def says(read: int | None, written: int | None) -> Callable[[], Reply]:
    return lambda: Reply(text="Yes.", prompt_tokens=read, completion_tokens=written, truncated=False)


def fails(error: PlayheadError) -> Callable[[], Reply]:
    def answer() -> Reply:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (says(300, 20), 320),
        (says(None, None), READ + 100),
        (says(None, 20), READ + 20),
        (says(300, None), 400),
        (fails(ServerError("no answer within 5 s")), READ + 100),
        (fails(AnswerFormatError("no words", TokenUsage(prompt_tokens=300, completion_tokens=20))), 320),
        (fails(AnswerFormatError("no words", TokenUsage(prompt_tokens=None, completion_tokens=20))), READ + 20),
        (fails(AnswerFormatError("no words")), READ + 100),
        (fails(RequestTooLongError("too long")), 0),
        (fails(PicturesRefusedError("no pictures")), 0),
    ],
)
def test_what_a_request_costs(answer: Callable[[], Reply], cost: int) -> None:
    metered = Metered(Model(answer, says(10, 10)), 10_000)
    with contextlib.suppress(ServerError):
        metered.ask([PROMPT], max_tokens=100)
    assert metered.share == pytest.approx(cost / 10_000)
    metered.ask(["?"], max_tokens=100)
    assert metered.share == pytest.approx((cost + 20) / 10_000)


def test_the_budget_ends_where_nothing_is_reported() -> None:
    model = Model(*[says(None, None)] * 6)
    metered = Metered(model, 1000)
    for _ in range(2):
        metered.ask([PROMPT], max_tokens=100)
    with pytest.raises(TokensSpentError, match="max_tokens=1000 are used"):
        metered.ask([PROMPT], max_tokens=100)
    assert model.limits == [100, 96]  # 2 × 402 + 100 + 96 = 1000
    assert metered.share == 1


def test_a_resumed_question_has_spent_what_was_reported() -> None:
    assert Metered(Model(), 1000, TokenUsage(prompt_tokens=200, completion_tokens=50)).share == 0.25
    assert Metered(Model(), 1000, TokenUsage(prompt_tokens=None, completion_tokens=50)).share == 0.05


@pytest.mark.parametrize(("most", "status", "requests"), [(8000, "insufficient", 4), (3000, "truncated", 2)])
def test_a_search_ends_at_the_budget_though_the_server_reports_nothing(
    talk_library: Library, server: Scripted, most: int, status: str, requests: int
) -> None:
    server.listed = {"data": [{"id": "tiny", "architecture": {"input_modalities": ["text"]}}]}
    plan = {"said": ["travel budget"], "written": [], "shown": [], "described": []}
    server.say(json.dumps(plan))
    server.say(*(json.dumps({"found": False, "claims": [], "missing": [word]}) for word in ("battery", "rain", "cat")))
    settings = Settings(
        video_llm_url=server.url, video_llm_model="tiny", max_tokens=most, objects_model="off", offline=True
    )
    answer = Library(talk_library.folder, settings).ask("What does the speaker say about the budget for travel?")
    assert (answer.status, len(server.requests)) == (status, requests)
