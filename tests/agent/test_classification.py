"""What kind of answer a question wants, and its parts: read by rules, and nothing read into what they do not know."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.question.classification import options_of, shape_of
from playhead.agent.question.planning import _ENUMERATOR, make_plan
from playhead.tools.extractors.registry import modality_names
from playhead.tools.records import Span

SHOWN = ("frame", "object", "caption")


def subjects(question: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(s.query, " ".join(t.text for t in s.terms), s.modalities) for s in make_plan(question).subjects]


@pytest.mark.parametrize(
    "question",
    [
        "Summarise the video.",
        "What is this video about?",
        "What is the talk about?",
        "What are the main topics of this lecture?",
        "Give me a brief summary of the last ten minutes.",
        "What happens in the video?",
        "What happens?",
        "Describe the film.",
        "List the key points of the meeting",
    ],
)
def test_a_question_about_all_of_it_wants_a_summary(question):
    plan = make_plan(question)
    assert (plan.kind, plan.terms) == ("whole", ())


@pytest.mark.parametrize(
    "question",
    [
        "Summarise what is said about penguins.",
        "What is the book about?",
        "What happens to the bridge?",
        "Describe the red car.",
        "What are the main parts of the engine?",
    ],
)
def test_a_question_that_names_something_wants_that(question):
    plan = make_plan(question)
    assert plan.kind == "needle"
    assert any(term.required for term in plan.terms)


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("How many times does the speaker mention the budget?", ("budget", "budget", ("speech",))),
        ("How often is the cat shown?", ("cat", "cat", SHOWN)),
        ('How often is the word "gold" said?', ("word gold", "gold", ("speech",))),
        ("How many people are shown at once?", ("people", "people", SHOWN)),
        ("How many dogs can we see?", ("dogs", "dogs", SHOWN)),
        ("Count how often the speaker says sorry.", ("sorry", "sorry", ("speech",))),
        ("How many slides have “Draft” written on them?", ("Draft", "draft", ("text",))),
        ("On how many slides is “DRAFT” written?", ("DRAFT", "draft", ("text",))),
    ],
)
def test_what_is_counted(question, what):
    assert make_plan(question).kind == "count"
    assert subjects(question) == [what]


@pytest.mark.parametrize(
    "question",
    ["How many engineers were hired?", "How often should the filter be changed?", "How many planets are there?"],
)
def test_a_number_that_somebody_says_is_not_a_count(question):
    assert make_plan(question).kind == "needle"


def test_things_may_be_counted_in_one_moment():
    plan = make_plan("How many people are in the picture at 0:12?")
    assert (plan.kind, plan.between, [term.text for term in plan.terms]) == (
        "count",
        Span(start=12, end=13),
        ["people"],
    )


@pytest.mark.parametrize(
    ("question", "parts", "ordinal"),
    [
        ("Which comes first, the cat or the rocket?", [("cat", modality_names()), ("rocket", modality_names())], 1),
        ("Which is mentioned first, travel or hiring?", [("travel", ("speech",)), ("hiring", ("speech",))], 1),
        ("What is shown last: a cup or a cat?", [("cup", SHOWN), ("cat", SHOWN)], -1),
        ("Is the cat shown before the rocket?", [("cat", SHOWN), ("rocket", SHOWN)], 1),
        ("Was gold mentioned after silver?", [("gold", ("speech",)), ("silver", ("speech",))], -1),
        ("In what order are the cat, the rocket and the cup shown?", [("cat", SHOWN), ("rocket", SHOWN), ("cup", SHOWN)], 1),
    ],
)  # fmt: skip
def test_what_is_put_in_order(question, parts, ordinal):
    plan = make_plan(question)
    assert (plan.kind, plan.ordinal) == ("order", ordinal)
    assert [(query, where) for query, _, where in subjects(question)] == parts


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Compare the budget for travel and the budget for hiring.", ["budget for travel", "budget for hiring"]),
        ("What is the difference between HNSW and IVF?", ["HNSW", "IVF"]),
        ("How does Paris differ from London?", ["Paris", "London"]),
    ],
)
def test_what_is_compared(question, parts):
    plan = make_plan(question)
    assert (plan.kind, [subject.query for subject in plan.subjects]) == ("compare", parts)


def test_names_in_parts_of_a_question_are_exact():
    assert all(t.exact for s in make_plan("How does Paris differ from London?").subjects for t in s.terms)


@pytest.mark.parametrize(
    ("question", "ordinal", "terms"),
    [
        ("When is the cat first shown?", 1, ["cat"]),
        ("When does the dog first appear?", 1, ["dog"]),
        ("When does the speaker mention travel for the last time?", -1, ["travel"]),
        ("What is said the second time that gold is mentioned?", 2, ["gold"]),
        ("Who won the last race?", None, ["won", "last", "race"]),
        ("When does the third quarter start?", None, ["third", "quarter", "start"]),
    ],
)
def test_which_occurrence(question, ordinal, terms):
    plan = make_plan(question)
    assert (plan.kind, plan.ordinal, [term.text for term in plan.terms]) == ("needle", ordinal, terms)


@pytest.mark.parametrize(
    ("question", "relation", "event", "where", "ordinal", "asked"),
    [
        ("What happens after the second goal?", "after", "goal", modality_names(), 2, modality_names()),
        ("What comes next after the cat?", "after", "cat", modality_names(), None, modality_names()),
        ("what follows the cat", "after", "cat", modality_names(), None, modality_names()),
        ("What precedes the second goal?", "before", "goal", modality_names(), 2, modality_names()),
        ("What is said after the slide about the budget?", "after", "slide about the budget", ("text",), None, ("speech",)),
        ("What is written right before the dog appears?", "before", "dog", modality_names(), None, ("text",)),
        ("After the break, what does she talk about?", "after", "break", modality_names(), None, ("speech",)),
        ("What is on the slide when the speaker mentions travel?", "during", "travel", ("speech",), None, ("text",)),
        ("What is the last thing she says before the video shows a dog?", "before", "dog", SHOWN, None, ("speech",)),
        ("What is shown while he talks about Mars?", "during", "Mars", ("speech",), None, SHOWN),
    ],
)  # fmt: skip
def test_an_event_sets_the_time(question, relation, event, where, ordinal, asked):
    plan = make_plan(question)
    assert plan.anchor is not None
    assert (plan.anchor.relation, plan.anchor.event.query, plan.anchor.ordinal) == (relation, event, ordinal)
    assert (plan.anchor.event.modalities, plan.modalities, plan.terms) == (where, asked, ())


def test_what_is_asked_for_at_an_event_is_searched():
    plan = make_plan("What does she say about travel after the break?")
    assert ([term.text for term in plan.terms], plan.anchor.event.query) == (["travel"], "break")


@pytest.mark.parametrize(
    "question",
    [
        "What do I do after selecting the layer?",
        "How do I save it before I close it?",
        "What happens when you press shift?",
        "What is said before 0:00?",
        "When does it start?",
        "What happened after that?",
        "What follows from the experiment?",
        "When does boarding of flight LX 814 begin, according to the slide?",
        "By when must applicants send in their papers?",
        "Since when has she led the team?",
    ],
)
def test_what_is_not_an_event_of_the_video_sets_no_time(question):
    assert make_plan(question).anchor is None


@pytest.mark.parametrize(
    ("question", "relation", "thing", "other"),
    [
        ("What is left of the dog?", "left", "", "dog"),
        ("Who stands next to the car?", "beside", "", "car"),
        ("When is a person to the right of a car?", "right", "person", "car"),
        ("Is the cup above the plate?", "above", "cup", "plate"),
        ("Is the cup on the left?", "left", "cup", None),
        ("What is on the left side of the picture?", "left", "", None),
        ("Which is the biggest dog shown?", "biggest", "dog", None),
    ],
)
def test_where_in_the_picture(question, relation, thing, other):
    place = make_plan(question).place
    assert (place.relation, place.thing.query, place.other and place.other.query) == (relation, thing, other)


@pytest.mark.parametrize("question", ["What is the biggest problem?", "Where is the cup?", "What does the left say?"])
def test_what_is_no_place_in_the_picture(question):
    assert make_plan(question).place is None


@pytest.mark.parametrize(
    ("question", "asked", "options"),
    [
        ("What color is it? A. red B. dark blue C. green", "What color is it?", ("red", "dark blue", "green")),
        ("Who speaks?\n(A) a man\n(B) a woman", "Who speaks?", ("a man", "a woman")),
        ("Who speaks? 1) a man, 2) a woman", "Who speaks?", ("a man", "a woman")),
        ("Who speaks?\na. a man\nb. B. B. King", "Who speaks?", ("a man", "B. B. King")),
        ("Is vitamin A) good?", "Is vitamin A) good?", ()),
        ("A. red B. blue", "A. red B. blue", ()),
        ("A) Anna B) Ben: who leads the team?", "who leads the team?", ("Anna", "Ben")),
        ("(a) Anna (b) Ben. Who leads the team?", "Who leads the team?", ("Anna", "Ben")),
        ("1. at 12:30\n2. at 13:45\nWhen does it leave?", "When does it leave?", ("at 12:30", "at 13:45")),
        ("A. Dr. Ann Lee, B. Dr. Bo Ray - who speaks first?", "who speaks first?", ("Dr. Ann Lee", "Dr. Bo Ray")),
        ("A) Anna B) Ben", "A) Anna B) Ben", ()),
        ("1. Anna speaks. 2. Ben speaks. Both leave.", "1. Anna speaks. 2. Ben speaks. Both leave.", ()),
        ("Which plan? B. this A. that", "Which plan? B. this A. that", ()),
    ],
)
def test_a_list_of_answers_is_taken_off(question, asked, options):
    assert options_of(question) == (asked, options)


@pytest.mark.parametrize(
    ("question", "part"),
    [("What is said at the end?", "end"), ("What do we see at the beginning of the video?", "start")],
)
def test_a_part_of_the_video_by_itself_is_a_moment(question, part):
    plan = make_plan(question)
    assert (plan.part, plan.is_moment, plan.terms) == (part, True, ())


def test_a_part_with_something_else_is_not_a_stretch():
    assert make_plan("Who wins at the end?").part is None


WORDS = (
    "what is which first last , or and before after when the cat Dog shown said how many times summarise compare "
    "difference between left of on top biggest A. B. (1) 2) in order are at end 0:12 once while I you"
).split()


@settings(max_examples=400)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_row_of_words_is_taken_apart(question):
    shape = shape_of(options_of(_ENUMERATOR.sub("", question))[0])
    plan = make_plan(question)
    assert plan.kind == shape.kind or plan.between or plan.part
    assert len(plan.subjects) >= {"order": 2, "compare": 2, "count": 1}.get(plan.kind, 0)
    assert all(any(term.required for term in subject.terms) for subject in plan.subjects)
    assert plan.anchor is None or any(term.required for term in plan.anchor.event.terms)
