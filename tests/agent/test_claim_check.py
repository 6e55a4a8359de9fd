"""Claims that somebody else made, checked against the demo's talk: each verdict with its evidence."""

import io
import json
import re
import sys
from typing import Any

import pytest

from playhead import Library, Settings
from playhead.agent.checking.claims import CheckedClaim, claims_in, stated
from playhead.agent.checking.rivals import first_name, rivals_of
from playhead.agent.cli.main import main
from playhead.agent.records import Term
from playhead.tools.errors import QueryError
from playhead.tools.records import Span

from ..servers import KEY, Scripted


def check(library: Library, claim: str, at: Any = None, video: str = "talk.mp4") -> CheckedClaim:
    (checked,) = library.check([{"claim": claim, "video": video, "at": at}])
    return checked


@pytest.mark.parametrize(
    ("claim", "at", "modality", "words"),
    [
        ("The budget for travel grew by 12 percent.", "0:11", "speech", "budget for travel"),
        ("The slide says that the certificate expired.", 28, "text", "certificate expired"),
        ("A cat is shown.", "0:36-0:40", "frame", ""),
        ("They want to hire three new engineers.", None, "speech", "three new engineers"),
    ],
)
def test_a_true_claim_is_verified_by_the_line_at_its_time(
    talk_library: Library, claim: str, at: Any, modality: str, words: str
) -> None:
    checked = check(talk_library, claim, at)
    assert checked.verdict == "verified"
    assert checked.evidence[0].modality == modality
    assert words in checked.evidence[0].quote
    assert (checked.elsewhere, checked.judged_by) == ((), "reader")
    assert checked.probability >= 0.41


@pytest.mark.parametrize(
    ("claim", "at", "line", "reason"),
    [
        ("The budget for travel grew by 21 percent.", 11, "12%", "the line has 12, and the claim 21"),
        ("The launch is on 7 September.", 47, "Launch: 1 September", "the line has 1, and the claim 7"),
        ("The launch is on 1 October.", 47, "Launch: 1 September", "the line has september, and the claim october"),
    ],
)
def test_another_number_at_that_time_contradicts(
    talk_library: Library, claim: str, at: float, line: str, reason: str
) -> None:
    checked = check(talk_library, claim, at)
    assert (checked.verdict, checked.reason) == ("contradicted", reason)
    assert line in checked.evidence[0].quote


def test_a_claim_at_the_wrong_time_is_found_elsewhere(talk_library: Library) -> None:
    checked = check(talk_library, "The new battery lasts for two days.", "0:05")
    assert checked.verdict == "nothing there"
    assert checked.evidence == ()
    assert "two days" in checked.elsewhere[0].quote


@pytest.mark.parametrize(
    ("at", "video", "reason"),
    [
        (300, "talk.mp4", "the video ends at 00:01:18.0, before 00:05:00.0"),
        (300, "", "the longest video ends at 00:01:18.0, before 00:05:00.0"),
        (10, "missing.mp4", "'missing.mp4' names no video of this library, or several"),
    ],
)
def test_a_time_or_video_that_does_not_exist_is_out_of_range(
    talk_library: Library, at: float, video: str, reason: str
) -> None:
    checked = check(talk_library, "The new battery lasts for two days.", at, video)
    assert checked.verdict == "out of range"
    assert checked.reason.startswith(reason)
    assert "two days" in checked.elsewhere[0].quote


def test_what_is_said_is_not_shown(talk_library: Library) -> None:
    checked = check(talk_library, "A battery is shown.", 38)
    assert checked.verdict == "weak"
    assert checked.reason.endswith("and this is said")


@pytest.mark.parametrize(
    ("claim", "whose"),
    [("Our website was not down last month.", "claim"), ("Customers could log in, and many called us.", "line")],
)
def test_a_negation_on_one_side_verifies_nothing(talk_library: Library, claim: str, whose: str) -> None:
    checked = check(talk_library, claim, 30)
    assert checked.verdict == "weak"
    assert checked.reason.startswith(f"only the {whose} has a negation")


def test_another_code_is_named(talk_library: Library) -> None:
    checked = check(talk_library, "The order number is ORDER-7732.", 12)
    assert (checked.verdict, checked.reason) == ("weak", "no line there has order 7732, this one has ORDER-7731")


def test_what_never_happens_has_no_evidence(talk_library: Library) -> None:
    checked = check(talk_library, "The speaker announces a merger.", 5)
    assert (checked.verdict, checked.evidence, checked.elsewhere) == ("nothing there", (), ())


@pytest.mark.parametrize(
    ("claim", "said", "verdict"),
    [
        ("The new battery lasts for two days.", "supported", "verified"),
        ("The new battery lasts for two days.", "refuted", "contradicted"),
        ("The new battery lasts for two days.", "unverified", "weak"),
        ("The new battery lasts for two days in Paris.", "supported", "weak"),  # no line has Paris
    ],
)
def test_a_model_gives_the_last_verdict_but_names_and_numbers_stay_hard(
    talk_library: Library, server: Scripted, claim: str, said: str, verdict: str
) -> None:
    server.say(json.dumps({"verdict": said}))
    settings = {"video_llm_timeout": 5.0, "objects_model": "off", "offline": True, "video_llm_key": KEY}
    library = Library(talk_library.folder, Settings(video_llm_url=server.url, video_llm_model="tiny", **settings))
    checked = check(library, claim, 38)
    assert (checked.verdict, checked.reason) == (verdict, f"{checked.judged_by} read the lines: {said}")
    sent = json.dumps(server.requests[0].body)
    assert "lasts for two days" in sent
    assert "Design freeze" not in sent


def test_a_model_is_not_asked_about_another_number(talk_library: Library, server: Scripted) -> None:
    server.say(json.dumps({"verdict": "supported"}))
    library = Library(
        talk_library.folder, Settings(video_llm_url=server.url, video_llm_model="tiny", video_llm_key=KEY, offline=True)
    )
    assert check(library, "The new battery lasts for nine days.", 38).verdict == "contradicted"
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("10:02", Span(start=602, end=603)),
        (602.5, Span(start=602.5, end=603.5)),
        ("10:02-10:40", Span(start=602, end=640)),
        ("10:02 – 10:40", Span(start=602, end=640)),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_a_second_or_a_stretch(given: Any, span: Span | None) -> None:
    assert claims_in(json.dumps([{"claim": "x", "at": given}]))[0].at == span


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "are not JSON"),
        ('{"claim": "x"}', "must be a JSON list"),
        ('[{"claim": "x"}, {"claim": ""}]', "claim 2, claim: "),
        ('[{"claim": "x", "at": "noon"}]', "claim 1, at: 'noon' is not a time"),
        ('[{"claim": "x", "at": "20-10"}]', "claim 1, at: a span ends after it starts"),
        ('[{"claim": "x", "at": true}]', "claim 1, at: at=True"),
        ('[{"claim": "x", "who": "me"}]', "claim 1, who: "),
        ("[7]", "claim 1, claim: "),
    ],
)
def test_a_claim_that_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=re.escape(message)):
        claims_in(text)


@pytest.mark.parametrize(
    ("missing", "line", "rivals"),
    [
        ("310", "Office rent: 810 EUR, since 02:40", ["810"]),
        ("02:50", "14 March, 02:40 to 03:10", ["02:40", "03:10"]),
        ("order 7732", "ORDER-7731 and ERR_CERT_DATE", ["ORDER-7731"]),
        ("monday", "It opens on Friday in May", ["friday"]),
        ("alice", "Bob flew to London in 2019", []),
    ],
)
def test_a_rival_is_of_the_same_kind(missing: str, line: str, rivals: list[str]) -> None:
    term = Term(text=missing, exact=True)
    assert rivals_of([term], [term], line) == rivals


def test_the_command_prints_verdicts_and_fails_if_one_is_not_verified(
    talk_library: Library, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true = {"claim": "The new battery lasts for two days.", "video": "talk.mp4", "at": "0:38"}
    false = {"claim": "The new battery lasts for nine days.", "at": "0:38"}
    file = tmp_path / "claims.json"
    file.write_text(json.dumps([true, false]))

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["playhead", "check", "--library", str(talk_library.folder), *words])
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    place = str(talk_library.folder.parent)
    code, shown = run(place, str(file), "--offline")
    assert code == 1
    assert shown.splitlines()[0] == "verified  The new battery lasts for two days.  (talk.mp4 00:00:38.0)"
    assert "contradicted  The new battery lasts for nine days.  (00:00:38.0)" in shown
    assert shown.splitlines()[-1] == "1 verified, 1 contradicted"
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps([true])))
    code, shown = run(place, "-", "--json", "--offline")
    assert code == 0
    assert [one["verdict"] for one in json.loads(shown)] == ["verified"]
    assert run(place, true["claim"], "--offline")[0] == 0
    code, shown = run(str(talk_library.folder.parent / "talk.mp4"), false["claim"], "--json", "--offline")
    assert (code, [one["video"].endswith("talk.mp4") for one in json.loads(shown)]) == (1, [True])


def test_claims_may_be_given_in_words() -> None:
    assert [one.claim for one in stated("It rained.")] == ["It rained."]
    given = ["It rained.", {"claim": "It snowed.", "at": "0:10"}]
    assert [(one.claim, one.at and one.at.start) for one in stated(given)] == [("It rained.", None), ("It snowed.", 10)]
    assert [one.claim for one in claims_in('["It rained."]')] == ["It rained."]
    with pytest.raises(QueryError, match="claim 2, claim"):
        stated(["It rained.", ""])


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("Peter wrote the report.", {"peter"}),
        ("“Peter” is the coach.", {"peter"}),
        ("James leads the team.", {"james"}),
        ("Cities grow.", set()),
        ("Boxes are packed.", set()),
        ("Training costs 4 percent less.", {"training"}),
        ("Customers received a refund.", set()),
        ("Yesterday the price rose.", set()),
        ("Finally, she leaves.", set()),
        ("The budget grew.", set()),
        ("He uses React.", set()),
        ("ORDER-7732 was sent.", set()),
        ("peter wrote it", set()),
        ("Peter", set()),
    ],
)
def test_a_claim_may_begin_with_a_name(claim: str, name: set[str]) -> None:
    assert first_name(claim) == name


@pytest.mark.parametrize(
    "claim", ["Peter says that the website was down for half an hour.", "Peter wants three new engineers."]
)
def test_a_name_at_the_start_of_a_claim_must_be_in_the_line(talk_library: Library, claim: str) -> None:
    checked = check(talk_library, claim)
    assert (checked.verdict, checked.reason) == ("weak", "no line there has peter")
