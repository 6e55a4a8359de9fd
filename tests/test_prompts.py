"""Prompts: strict rendering, and snapshots of what is sent (in `tests/snapshots/`)."""

from importlib import resources
from pathlib import Path
from string import Template

import pytest

from playhead.prompts import render

TEMPLATES = sorted(
    entry.name.removesuffix(".md")
    for entry in resources.files("playhead.prompts").iterdir()
    if entry.name.endswith(".md")
)


SNAPSHOTS = Path(__file__).resolve().parent / "snapshots"
# What the snapshots are rendered with.
VALUES = {
    "answer": {},
    "caption": {"count": "3"},
    "chapter": {},
    "choose": {},
    "claims": {},
    "earlier": {},
    "extract": {},
    "json_answer": {"schema": '{"properties": {"cells": {"type": "array"}}, "required": ["cells"], "type": "object"}'},
    "judge": {},
    "look": {"count": "16"},
    "one_sentence": {},
    "plan": {},
    "read": {},
    "repair": {"error": "cells.0: 17 is more than 16", "answer": '"{\\"cells\\": [17]}"'},
    "short_answer": {},
    "titles": {},
    "translate": {},
    "verify": {},
    "weigh": {},
    "whole": {},
    "yes_or_no": {},
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_prompt_is_as_in_its_snapshot(name: str) -> None:
    """A prompt that is meant to change changes here too: write what is rendered to `tests/snapshots/<name>.md`."""
    assert render(name, **VALUES[name]) + "\n" == (SNAPSHOTS / f"{name}.md").read_text(encoding="utf-8")


def test_no_template_is_without_a_snapshot() -> None:
    assert TEMPLATES == sorted(VALUES) == sorted(path.stem for path in SNAPSHOTS.iterdir())
    assert len(TEMPLATES) > 8


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="count"):
        render("caption")


def test_an_unused_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="prompt 'caption' has no place for question, tone"):
        render("caption", count="3", tone="dry", question="why?")


def test_a_value_is_not_rendered_again() -> None:
    assert "$count and $$ in all" in render("caption", count="$count and $$")


def test_an_unknown_prompt_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        render("no-such-prompt")


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_renders_with_its_own_names(name: str) -> None:
    text = resources.files("playhead.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
    template = Template(text)
    assert template.is_valid()
    names = template.get_identifiers()
    rendered = render(name, **{given: f"<{given}>" for given in names})
    assert rendered == rendered.strip()
    assert [given for given in names if f"<{given}>" not in rendered] == []
