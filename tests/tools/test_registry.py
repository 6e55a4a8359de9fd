"""The registry of modalities: names and participles, and plug-ins that cannot be used."""

import logging
from importlib.metadata import EntryPoint

import pytest
from pydantic import ValidationError

from playhead.index.indexing.merging.merges import MERGES
from playhead.tools.errors import QueryError
from playhead.tools.extractors import registry
from playhead.tools.extractors.specification import ModalitySpec, UnavailableError
from playhead.tools.records import Observation, Span
from playhead.tools.settings import Settings

OWN = ("speech", "text", "object", "caption", "frame", "sounds")


def spec(name="colour", **fields):
    made = {"participle": "coloured", "title": "colour", "reads": "frames", "make": lambda *_: None}
    return ModalitySpec(name=name, **made | {"asked_as": "shown", "holds": "labels"} | fields)


GOOD, CLASH, NOT_A_SPEC = spec(), spec("speech"), "colour"


@pytest.fixture
def plugins(monkeypatch):
    """Installs entry points for one test."""

    def install(**values):
        found = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: found if group == registry.GROUP else [])
        registry.modalities.cache_clear()

    yield install
    monkeypatch.undo()
    registry.modalities.cache_clear()


def test_names_and_participles_are_the_same():
    assert registry.modality_names()[:6] == OWN
    assert registry.find_modalities("said") == registry.find_modalities(["speech"]) == ("speech",)
    assert registry.find_modalities([" Written", "text", "shown"]) == ("text", "frame")
    with pytest.raises(QueryError, match=r"no modality smelled: there are said \(speech\), written \(text\)"):
        registry.find_modalities("smelled")


def test_what_questions_ask_for():
    assert [registry.asked_as(how) for how in ("said", "written", "shown")] == [
        ("speech",),
        ("text",),
        ("frame", "object", "caption"),
    ]
    assert registry.sentences() == ("speech", "text", "caption")
    assert registry.labels()[:2] == ("object", "frame")
    assert registry.boxed() == ("object", "text")
    assert "frame" not in registry.cited_as_text()


def test_a_plug_in_is_a_modality(plugins):
    plugins(colour=f"{__name__}:GOOD")
    assert registry.modality_names() == (*OWN, "colour")
    assert registry.find_modalities("coloured") == ("colour",)
    assert registry.asked_as("shown") == ("frame", "object", "caption", "colour")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module:SPEC", "No module named 'no_such_module'"),
        (f"{__name__}:CLASH", "a modality speech exists already"),
        (f"{__name__}:NOT_A_SPEC", "is not a ModalitySpec"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_left_out_with_a_warning(plugins, caplog, value, why):
    plugins(a=value, b=f"{__name__}:GOOD")
    with caplog.at_level(logging.WARNING):
        assert registry.modality_names() == (*OWN, "colour")
    assert why in caplog.text


def test_a_modality_whose_package_is_missing_keeps_its_name():
    assert registry.participle("colour") == "colour"
    with pytest.raises(UnavailableError, match="not installed"):
        registry.spec_of("colour").make(Settings(), None)


@pytest.mark.parametrize("name", ["", "Speech", "two words", "terms; DROP TABLE rows", "1st", "x" * 41])
def test_a_name_is_an_identifier(name):
    with pytest.raises(ValueError, match="lower-case letters"):
        spec(name)
    with pytest.raises(ValidationError, match="lower-case letters"):
        Observation(modality=name, span=Span(start=0, end=1), text="a", score=1, source="s@1")


@pytest.mark.parametrize("fields", [{"reads": "sound"}, {"assemble": lambda *_: iter(())}])
def test_sound_is_assembled(fields):
    with pytest.raises(ValueError, match="assemble"):
        spec(**fields)


def test_the_same_text_in_the_next_segment_is_one_observation():
    def seen(text, start, end, score):
        return Observation(modality="colour", span=Span(start=start, end=end), text=text, score=score, source="c@1")

    merged = MERGES["same text"](
        [seen("red", 0, 2, 0.5), seen("red", 2, 4, 0.9), seen("blue", 4, 6, 0.7), seen("red", 6, 8, 0.4)]
    )
    assert [(o.text, o.span.start, o.span.end, o.score) for o in merged] == [
        ("red", 0, 4, 0.9),
        ("blue", 4, 6, 0.7),
        ("red", 6, 8, 0.4),
    ]
