"""A question in another language, in the words of the library: what is searched for, never what is answered."""

from pydantic import BaseModel, ConfigDict, Field

from ...prompts import render
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from .model_input import quoted

__all__ = ["translated"]


class _Translation(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: str = Field(min_length=1, max_length=600)


def translated(llm: VideoLLM, question: str, language: str, seconds: float | None = None) -> tuple[str, TokenUsage]:
    """Translate a question.

    Args:
        llm: The model.
        question: As asked.
        language: The language of the library, as ISO 639-1 or by name.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    parts = [f"Question: {quoted(question)}\nLanguage: {language}"]
    draft, usage = ask_structured(
        llm, parts, _Translation, instructions=render("translate"), max_tokens=120, seconds=seconds
    )
    return draft.question, usage
