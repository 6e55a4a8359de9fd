"""The catalogue of words: a human's query neither crashes nor misses, and the file can always be made again."""

import multiprocessing
import sqlite3
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playhead.index.retrieval.lexical import Catalog, CatalogError, Filter, match_expression
from playhead.index.retrieval.tokenizer import terms_of
from playhead.index.storage.table import ObservationTable
from playhead.tools.records import Span, Word

from ..fakes import BOX, observation, record

VIDEO, OTHER = "ab" * 16, "cd" * 16
ANY = Filter()

TEXTS = (
    "The ORDER-7731 was shipped on Monday.",
    "ERR_CERT_DATE: your clock is wrong",
    "ERR CERT DATE invalid",
    "the budget for travel was doubled",
    "NEAR(the, end) AND more OR less* col: ^x",
    "Ich wohne in der Straße des 17. Juni",
    "Café Müller à São Paulo",
    "私は東京に住んでいます",
    "北京欢迎你",
    "서울에서 만나요",
    "ฉันรักกรุงเทพ",
    "мы говорим по-русски",
    "हिन्दी में बात करते हैं",
    "release notes v2.10 of mp4box",
    "🚀 launch ♪",
    "order number 42, part B",
    "Ｆｕｌｌｗｉｄｔｈ ﬁnancial ½",
    "C'est l'avion d'Amélie",
    "İstanbul'da",
    "the speaker's slides",
    "it costs $5 at 09:30",
    "ガギグ ﾊﾝｶｸ",
    "GLÜCKWUNSCH",
)


@pytest.fixture(scope="module")
def catalog():
    made = Catalog(None)
    with made.changing():
        made.add(record(), ObservationTable([observation(text, n) for n, text in enumerate(TEXTS)]))
    return made


def found(catalog, query, where=ANY, limit=50):
    rows = [row for row, _ in catalog.match(query, where, limit)]
    texts = catalog.fetch(rows)
    return [texts[row].text for row in rows]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("ORDER-7731", TEXTS[0]),
        ("order 7731", TEXTS[0]),
        ("order_7731?", TEXTS[0]),
        ("Order7731", TEXTS[0]),
        ("7731", TEXTS[0]),
        ('"order" (7731)', TEXTS[0]),
        ("budget", TEXTS[3]),
        ("What did she say about the budget?", TEXTS[3]),
        ("budgets", TEXTS[3]),
        ('"travel budget"', TEXTS[3]),
        ("travel -budget", TEXTS[3]),
        ("it's a budget!!!", TEXTS[3]),
        ("strasse", TEXTS[5]),
        ("STRASSE", TEXTS[5]),
        ("straße", TEXTS[5]),
        ("cafe muller", TEXTS[6]),
        ("CAFÉ", TEXTS[6]),
        ("Cafe\u0301", TEXTS[6]),
        ("sao", TEXTS[6]),
        ("東京", TEXTS[7]),
        ("東京はどこですか", TEXTS[7]),
        ("住", TEXTS[7]),
        ("北京", TEXTS[8]),
        ("서울", TEXTS[9]),
        ("กรุงเทพ", TEXTS[10]),
        ("русски", TEXTS[11]),
        ("हिन्दी", TEXTS[12]),
        ("v2.10", TEXTS[13]),
        ("v2 10", TEXTS[13]),
        ("mp4", TEXTS[13]),
        ("🚀", TEXTS[14]),
        ("♪", TEXTS[14]),
        ("🚀?", TEXTS[14]),
        ("fullwidth", TEXTS[16]),
        ("financial", TEXTS[16]),
        ("Amélie", TEXTS[17]),
        ("avion", TEXTS[17]),
        ("Istanbul", TEXTS[18]),
        ("İSTANBUL", TEXTS[18]),
        ("speaker", TEXTS[19]),
        ("speaker’s", TEXTS[19]),
        ("$5", TEXTS[20]),
        ("9:30 or 09:30", TEXTS[20]),
        ("ガ", TEXTS[21]),
        ("ハンカク", TEXTS[21]),
        ("glückwunsch", TEXTS[22]),
    ],
)
def test_a_human_query_finds_its_text_first(catalog, query, text):
    assert found(catalog, query)[0] == text


@pytest.mark.parametrize(
    "query", ["ERR_CERT_DATE", "ERR CERT DATE", "err-cert-date", "Err.Cert.Date?", "NET::ERR_CERT_DATE_INVALID"]
)
def test_a_code_is_found_however_it_was_cut(catalog, query):
    assert set(found(catalog, query)[:2]) == {TEXTS[1], TEXTS[2]}


def test_a_code_written_in_one_word_is_found():
    catalog = Catalog(None)
    with catalog.changing():
        catalog.add(
            record(), ObservationTable([observation(t) for t in ("ERRCERTDATE", "ORDER7731", "order 7732", "7731")])
        )
    assert found(catalog, "ERR_CERT_DATE") == ["ERRCERTDATE"]
    assert found(catalog, "ORDER-7731")[0] == "ORDER7731"


@pytest.mark.parametrize(
    "query",
    ["AND", "OR", "NOT", "NEAR(", "NEAR(a b, 2)", "*", "^", "^x", "col:", "text: a", "{text}: a", '"', '"""', "'", "a*", "-", "--", "(", ")", "+", "\0", "a\0b", "\ud800", "\u200b", "", " ", "\n", ";DROP TABLE rows", "%", "_", "?", "a AND", "\\"],
)  # fmt: skip
def test_syntax_is_text(catalog, query):
    assert all(text in TEXTS for text in found(catalog, query))


@pytest.mark.parametrize("word", ["AND", "NEAR", "col", "less*", "^x", "more"])
def test_words_of_the_syntax_are_found_as_words(catalog, word):
    """`and`, `more` are stop words: alone they are looked for."""
    assert TEXTS[4] in found(catalog, word)


@pytest.mark.parametrize("query", ["", " ", "?!", '"', "\0", "\ud800", "___", "- - -", "\u0301"])
def test_a_query_without_words_finds_nothing(catalog, query):
    assert match_expression(query) == ""
    assert found(catalog, query) == []


def test_long_queries(catalog):
    """100 kB of words, of one word, of one character, of quotes, of Chinese: an answer within a second."""
    many = " ".join(f"word{n}" for n in range(10_000))
    for query in ("budget " + many, "budget " * 14_000, "budget" + "x" * 100_000, '"' * 100_000, "北京" * 30_000):
        began = time.perf_counter()
        found(catalog, query)
        assert time.perf_counter() - began < 2
    assert found(catalog, "budget " + many)[0] == TEXTS[3]
    assert found(catalog, "北京" * 30_000)[0] == TEXTS[8]


@settings(deadline=None, max_examples=400)
@given(st.text())
@example("AND OR NOT NEAR")
@example("a\x00b")
@example("ﬃ İ ŉ ǰ ΐ")
@example("\U0001f469\u200d\U0001f52c")
def test_any_text_finds_itself(text):
    """Whatever it holds: no error, and no miss where it has a word at all."""
    catalog = Catalog(None)
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation(text), observation("something else")]))
    rows = [row for row, _ in catalog.match(text, ANY, 10)]
    assert (1 in rows) == bool(match_expression(text)) == bool(terms_of(text))
    with catalog.changing():
        catalog.drop("ab" * 16)
    assert catalog.match(text, ANY, 10) == []


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(codec="utf-8"), max_size=200), st.text(max_size=50))
def test_an_expression_is_only_phrases_of_terms(query, other):
    for expression in (match_expression(query), match_expression(query + other)):
        for phrase in filter(None, expression.split(" OR ")):
            assert phrase[0] == phrase[-1] == '"'
            inside = phrase[1:-1]
            assert inside
            assert all(c.isalnum() or c == " " or terms_of(c) == c for c in inside)


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("ORDER-7731", '"order 7731" OR "order" OR "7731"'),
        ("What is the price of gold?", '"price" OR "gold"'),
        ("what is it", '"what" OR "is" OR "it"'),
        ("ERR_CERT", '"err cert" OR "errcert" OR "err" OR "cert"'),
        ("3.5 %", '"3 5" OR "3" OR "5"'),
        ("gold Gold GOLD", '"gold"'),
        ("東京都", '"東 京" OR "京 都"'),
    ],
)
def test_expressions(query, expression):
    assert match_expression(query) == expression


# Ranking and filters


def test_the_rarer_word_counts_more():
    catalog = Catalog(None)
    texts = ["gold price", *["price price"] * 20, "gold"]
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation(t, n) for n, t in enumerate(texts)]))
    ranked = catalog.match("gold price", ANY, 3)
    assert {row for row, _ in ranked[:2]} == {1, 22}
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert ranked[0][1] > 0


def test_filters():
    catalog = Catalog(None)
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("gold", n, n + 1) for n in range(5)]))
        catalog.add(record(video_id=OTHER), ObservationTable([observation("gold", 0, 2, modality="text")]))

    def rows(**limits):
        where = Filter(**limits)
        matched = {row for row, _ in catalog.match("gold", where, 50)}
        assert matched == set(catalog.rows_where(where).tolist())
        return matched

    assert rows() == {1, 2, 3, 4, 5, 6}
    assert rows(modality="text") == {6}
    assert rows(video_ids=(VIDEO,)) == {1, 2, 3, 4, 5}
    assert rows(video_ids=(VIDEO, OTHER)) == {1, 2, 3, 4, 5, 6}
    assert rows(video_ids=()) == set()
    assert rows(video_ids=tuple(f"{n:032x}" for n in range(40_000))) == set()
    assert rows(between=Span(start=1, end=2)) == {2, 6}
    assert rows(between=Span(start=2, end=3)) == {3}
    assert rows(between=Span(start=1.999, end=2.001)) == {2, 3, 6}
    assert rows(modality="speech", video_ids=(VIDEO,), between=Span(start=0, end=1)) == {1}
    assert Filter(modality="text").is_open
    assert not Filter(video_ids=()).is_open


def test_ties_do_not_depend_on_when_they_were_added():
    def ranked(*ids):
        catalog = Catalog(None)
        with catalog.changing():
            for video_id in ids:
                catalog.add(
                    record(video_id=video_id), ObservationTable([observation("gold", 1), observation("gold", 0)])
                )
        rows = [row for row, _ in catalog.match("gold", ANY, 10)]
        assert catalog.in_order(reversed(rows)) == rows
        return [(catalog.fetch([row])[row].video_id, catalog.fetch([row])[row].start) for row in rows]

    assert ranked(VIDEO, OTHER) == ranked(OTHER, VIDEO) == [(VIDEO, 0), (VIDEO, 1), (OTHER, 0), (OTHER, 1)]


# Rows


def test_rows_come_back_as_they_were(catalog):
    seen = observation("x", 1 / 3, 2.5, modality="object", box=BOX, frame_seconds=0.4, source="a@1")
    heard = observation("hello you", 1, 2, words=(Word(text="hello", start=1, end=1.5),))
    catalog = Catalog(None)
    with catalog.changing():
        assert catalog.add(record(), ObservationTable([heard, seen])) == 1
    first, second = catalog.of_video(VIDEO)[::-1]
    assert (first.text, first.start, first.end, first.words) == ("hello you", 1, 2, heard.words)
    assert (second.start, second.end, second.box, second.frame_seconds, second.source) == (1 / 3, 2.5, BOX, 0.4, "a@1")
    assert catalog.by_evidence_id(first.evidence_id) == first
    assert first.evidence_id.startswith(VIDEO[:12] + "-")
    assert catalog.by_evidence_id("nothing") is None
    assert catalog.fetch([2, 99]) == {2: second}
    assert list(catalog.fetch(range(40_000))) == [1, 2]


def test_a_row_number_is_never_used_again():
    catalog = Catalog(None)
    with catalog.changing():
        assert catalog.add(record(), ObservationTable([observation("a"), observation("b")])) == 1
        assert catalog.drop(VIDEO).tolist() == [1, 2]
        assert catalog.add(record(), ObservationTable([observation("c")])) == 3
        assert catalog.first_row(VIDEO) == 3
    assert catalog.commits() == {VIDEO: "1"}


def test_changes_are_made_together_or_not(tmp_path):
    catalog = Catalog(tmp_path / "c.sqlite")

    def half():
        with catalog.changing():
            catalog.add(record(), ObservationTable([observation("gold")]))
            catalog.set_state("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert catalog.commits() == {}
    assert catalog.state() == ""
    assert found(catalog, "gold") == []
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("gold")]))
        catalog.set_state("new")
    again = Catalog(tmp_path / "c.sqlite")
    assert again.state() == "new"
    assert found(again, "gold") == ["gold"]


# Files


@pytest.mark.parametrize("content", [b"", b"junk" * 5000, b"SQLite format 3\0" + b"\xff" * 4096, b"\0" * 100])
def test_a_damaged_file_is_made_again(tmp_path, content):
    path = tmp_path / "c.sqlite"
    path.write_bytes(content)
    path.with_name("c.sqlite-journal").write_bytes(b"old")
    catalog = Catalog(path)
    assert catalog.commits() == {}
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("gold")]))
    assert found(Catalog(path), "gold") == ["gold"]


def test_a_file_of_another_version_is_made_again(tmp_path):
    path = tmp_path / "c.sqlite"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE rows (a); INSERT INTO rows VALUES (1); CREATE TABLE mine (b);"
        "CREATE VIRTUAL TABLE text_words USING fts5 (text); PRAGMA user_version = 1"
    )
    old.close()
    catalog = Catalog(path)
    assert catalog.commits() == {}
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert not {("mine",), ("text_words",)} & set(tables)


def test_a_file_that_cannot_be_made_is_told(tmp_path):
    with pytest.raises(CatalogError):
        Catalog(tmp_path / "missing" / "c.sqlite")


def add_one(path, number):
    catalog = Catalog(path)
    with catalog.changing():
        catalog.add(record(video_id=f"{number:032x}"), ObservationTable([observation(f"gold {number}")]))


def test_processes_that_make_and_fill_it_at_once(tmp_path):
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=add_one, args=(tmp_path / "c.sqlite", n), daemon=True) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert sorted(found(Catalog(tmp_path / "c.sqlite"), "gold")) == [f"gold {n}" for n in range(6)]


def test_a_catalogue_that_another_process_made_meanwhile_is_left_alone(tmp_path, monkeypatch):
    """Both saw that there was none; the first has filled it when the second gets its turn."""
    first = Catalog(tmp_path / "c.sqlite")
    with first.changing():
        first.add(record(), ObservationTable([observation("gold")]))
    real, asked = Catalog._version, []
    monkeypatch.setattr(Catalog, "_version", lambda self: real(self) if asked else asked.append(1) or 0)
    assert found(Catalog(tmp_path / "c.sqlite"), "gold") == ["gold"]
