"""Search by words: a human's query neither crashes nor misses; the catalogue is read as one snapshot."""

import multiprocessing
import sqlite3
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playhead.index.retrieval.lexical import bm25 as lexical
from playhead.index.retrieval.lexical.bm25 import candidates, weighted_terms
from playhead.index.retrieval.lexical.counting import counts_in
from playhead.index.retrieval.lexical.tokenizer import TextTerms, match_expression, query_terms, terms_of
from playhead.index.retrieval.ranking import rank_rows
from playhead.index.retrieval.search_index.catalog import Catalog, CatalogError
from playhead.index.retrieval.search_index.rows import Filter
from playhead.index.storage.committed.table import ObservationTable
from playhead.tools.records import Span, Word
from playhead.tools.words import tokens

from ..fakes import BOX, observation, record

VIDEO, OTHER = "ab" * 16, "cd" * 16
ANY = Filter("speech")

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


def catalog_of(texts, **fields):
    made = Catalog.empty()
    with made.changing():
        made.add(record(**fields), ObservationTable([observation(text, n) for n, text in enumerate(texts)]), 1)
    return made


@pytest.fixture(scope="module")
def catalog():
    return catalog_of(TEXTS)


def rows_of(catalog, query, where=ANY, limit=50):
    return [one.row for one in rank_rows(catalog, [where], query_terms(query), {}, limit)[0]]


def found(catalog, query, where=ANY, limit=50):
    rows = rows_of(catalog, query, where, limit)
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
    catalog = catalog_of(["ERRCERTDATE", "ORDER7731", "order 7732", "7731"])
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
    """100 kB of words, of one word, of one character, of quotes, of Chinese: an answer within seconds."""
    many = " ".join(f"word{n}" for n in range(10_000))
    for query in ("budget " + many, "budget " * 14_000, "budget" + "x" * 100_000, '"' * 100_000, "北京" * 30_000):
        began = time.perf_counter()
        found(catalog, query)
        assert time.perf_counter() - began < 10
    assert found(catalog, "budget " + many)[0] == TEXTS[3]
    assert found(catalog, "北京" * 30_000)[0] == TEXTS[8]


@settings(max_examples=150)
@given(st.text())
@example("AND OR NOT NEAR")
@example("a\x00b")
@example("ﬃ İ ŉ ǰ ΐ")
@example("\U0001f469\u200d\U0001f52c")
@example("C# .NET R&D a@b.c")
@example("今年的旅行预算")
def test_any_text_finds_itself(text):
    """Whatever it holds: no error, and no miss where the query has a term at all."""
    catalog = catalog_of([text, "something else"])
    assert (1 in rows_of(catalog, text)) == bool(match_expression(text))
    with catalog.changing():
        catalog.drop("ab" * 16)
    assert rows_of(catalog, text) == []
    assert catalog.size_of("speech") == (0, 0)
    assert not any(catalog.row_counts("speech", terms_of(text).split()).values())


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("ORDER-7731", '"order 7731" OR "order" OR "7731"'),
        ("What is the price of gold?", '"price" OR "gold"'),
        ("what is it", '"what" OR "is" OR "it"'),
        ("ERR_CERT", '"err cert" OR "errcert" OR "err" OR "cert"'),
        ("3.5 %", '"3 5" OR "3" OR "5"'),
        ("gold Gold GOLD", '"gold"'),
        ("東京都", '"東京" OR "都" *'),
        ("C#", '"c#" OR "c sharp"'),
        ("Wi-Fi", '"wi fi" OR "wifi"'),
    ],
)
def test_expressions(query, expression):
    assert match_expression(query) == expression


# Names with signs, and scripts


@pytest.mark.parametrize(
    ("query", "text", "is_found"),
    [
        ("C#", "C# runs on a virtual machine", True),
        ("C#", "C was made for operating systems", False),
        ("C#", "in C sharp we write", True),
        ("C", "C# runs on a virtual machine", False),
        ("C++", "C++ templates are checked", True),
        ("C++", "C# and C", False),
        ("F#", "a note in F", False),
        (".NET", "The net was full of fish", False),
        (".NET", "it runs on .NET", True),
        (".NET", "we use dot net here", True),
        ("net", "The net was full of fish", True),
        ("R&D", "our R & D budget", True),
        ("R&D", "our R&D budget", True),
        ("R&D", "the letter R", False),
        ("Node.js", "we use node js", True),
        ("nodejs", "Node.js is fast", True),
        ("Node.js", "a nodejs server", True),
        ("wifi", "The Wi-Fi is down", True),
        ("Wi-Fi", "The wifi is down", True),
        ("wi fi", "The Wi-Fi is down", True),
        ("ann@example.org", "write to Ann@Example.org now", True),
        ("ann@example.org", "write to bob@example.org now", False),
        ("www.example.com", "go to https://www.example.com/help", True),
        ("预算", "今年的旅行预算增加了百分之十二", True),
        ("招聘", "今年的旅行预算增加了百分之十二", False),
        ("算", "旅行预算", True),
        ("東京", "私は東京に住んでいます", True),
        ("서울", "서울에서 만나요", True),
        ("กรุงเทพ", "ฉันรักกรุงเทพมหานคร", True),
        ("ميزانية", "والميزانية العامة", True),
        ("كتاب", "کتاب خوب است", True),
        ("بودجه", "دربارهٔ بودجهٔ سفر", True),
        ("हिन्दी", "हिन्दीभाषी लोग", True),
        ("हिन्दी", "हनद", False),
        ("హైదరాబాద్", "మేము హైదరాబాద్‌లో ఉన్నాము", True),
    ],
)
def test_names_and_scripts(query, text, is_found):
    terms = TextTerms(text)
    assert any(terms.count(term) >= 1 for term in query_terms(query)) == is_found
    assert (found(catalog_of(["something else", text]), query)[:1] == [text]) == is_found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C# and C++ on .NET", ["c#", "and", "c++", "on", ".net", "net"]),
        ("the R & D team", ["the", "r&d", "team"]),
        ("The Wi-Fi, an e-mail", ["the", "wifi", "an", "email"]),
        ("今年的旅行预算增加了", ["今年", "的", "旅行", "预算", "增加", "了"]),
        ("ฉันรักกรุงเทพ", ["ฉัน", "รัก", "กรุงเทพ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
    ],
)
def test_tokens_of_names_and_scripts(text, words):
    assert tokens(text) == words


SIGNED = [
    "C# or c, C++",
    "The Wi-Fi: a wifi",
    "R & D or R&D",
    "Node.js. node js",
    "me@node.js is a.b",
    "v 2.10 v2",
    "the café's's order",
]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*TEXTS, *SIGNED, "It's the order's order.", "one.two", "a\0b order", ""]), max_size=12),
    st.sampled_from(
        [
            "order number",
            "the speaker slides",
            "order a b",
            "東京 order",
            "v2.10 order",
            "wi-fi c",
            "C# and R&D",
            "node.js",
        ]
    ),
)
def test_texts_that_are_cut_together_have_the_counts_of_each_alone(texts, query):
    terms = query_terms(query)
    counts, lengths = counts_in(terms, texts)
    cut = [TextTerms(text) for text in texts]
    assert lengths.tolist() == [len(text) for text in cut]
    assert counts.tolist() == [[text.count(term) for term in terms] for text in cut]


# Ranking and filters


def test_candidates_are_ranked_as_fts5_ranks_them():
    """No term is twice in a text; rows of one length with one term are in order."""
    random = np.random.default_rng(0)
    words = [f"word{chr(97 + n)}" for n in range(12)]
    texts = [" ".join(random.permutation(words)[: random.integers(1, 9)]) for _ in range(500)]
    catalog = catalog_of(texts)
    terms = weighted_terms(catalog, ANY, query_terms("worda wordc wordf"))
    own = sqlite3.connect(":memory:")
    own.execute("CREATE VIRTUAL TABLE said USING fts5 (text)")
    own.executemany("INSERT INTO said VALUES (?)", [(text,) for text in texts])
    ranked = "SELECT rowid FROM said WHERE said MATCH ? ORDER BY round(bm25(said), 2), rowid"
    assert len(candidates(catalog, ANY, terms, None, 1000)) == sum(
        bool({"worda", "wordc", "wordf"} & {*text.split()}) for text in texts
    )
    rows = candidates(catalog, ANY, terms, None, 60)
    idf = {one.term.text: one.idf for one in terms}

    def score(row):
        held = texts[row - 1].split()
        mean = np.mean([len(text.split()) for text in texts])
        norm = 1.2 * (0.25 + 0.75 * len(held) / mean)
        return sum(idf.get(word, 0) for word in held) * 2.2 / (1 + norm)

    assert rows == sorted(range(1, 501), key=lambda row: (-round(score(row), 9), row))[:60]
    by_fts5 = [row for (row,) in own.execute(ranked, ['"worda" OR "wordc" OR "wordf"'])][:60]
    assert len({*rows} & {*by_fts5}) >= 55  # its inverse document frequency is another one


def test_lengths_of_rows():
    catalog = Catalog.empty()
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("a b c"), observation(" ".join(["word"] * 300), 1)]), 1)
    assert catalog.lengths_of(np.array([1, 2])).tolist() == [3, 255]
    with catalog.changing():
        catalog.drop(VIDEO)
        catalog.add(record(), ObservationTable([observation("a b"), observation("", 1)]), 2)
    assert catalog.lengths_of(np.array([4, 3])).tolist() == [0, 2]
    assert catalog.all("SELECT first FROM lengths") == [(3,)]


def test_the_rarer_word_counts_more():
    catalog = catalog_of(["gold price", *["price price"] * 20, "gold"])
    ranked, _ = rank_rows(catalog, [ANY], query_terms("gold price"), {}, 30)
    assert {one.row for one in ranked[:2]} == {1, 22}
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    by_row = {one.row: one for one in ranked}
    assert by_row[22].bm25 > by_row[10].bm25 > 0
    assert by_row[1].coverage == pytest.approx(1)
    assert by_row[22].coverage > by_row[10].coverage
    assert by_row[22].matched == ("gold",)


def test_filters():
    catalog = Catalog.empty()
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("gold", n, n + 1) for n in range(5)]), 1)
        catalog.add(record(video_id=OTHER), ObservationTable([observation("gold", 0, 2, modality="text")]), 2)

    def rows(modality="speech", **limits):
        where = Filter(modality, **limits)
        matched = set(rows_of(catalog, "gold", where))
        assert matched == {row.row for row in catalog.rows_where(where)}
        inside = {row for first, last in catalog.ranges(where).tolist() for row in range(first, last + 1)}
        assert matched <= inside
        return matched

    assert rows() == {1, 2, 3, 4, 5}
    assert rows("text") == {6}
    assert rows("object") == set()
    assert rows(video_ids=(VIDEO,)) == {1, 2, 3, 4, 5}
    assert rows(video_ids=(OTHER,)) == set()
    assert rows(video_ids=()) == set()
    assert rows(video_ids=tuple(f"{n:032x}" for n in range(40_000))) == set()
    assert rows(between=Span(start=1, end=2)) == {2}
    assert rows(between=Span(start=2, end=3)) == {3}
    assert rows(between=Span(start=1.999, end=2.001)) == {2, 3}
    assert rows("text", between=Span(start=1.5, end=9)) == {6}
    assert rows(video_ids=(VIDEO,), between=Span(start=0, end=1)) == {1}
    assert Filter("text").is_open
    assert not Filter("text", video_ids=()).is_open


@pytest.mark.parametrize("ranges", [1, 512])
def test_ranges_of_many_videos_are_exact(monkeypatch, ranges):
    """Each range by itself, or all matches compared with the ranges."""
    monkeypatch.setattr(lexical, "_MAX_RANGES", ranges)
    catalog = Catalog.empty()
    names = [f"{n:032x}" for n in range(30)]
    with catalog.changing():
        for change, name in enumerate(names):
            table = ObservationTable(
                [observation("gold", 0, 5), observation("silver", 5, 6), observation("gold", 8, 9)]
            )
            catalog.add(record(video_id=name), table, change)
    where = Filter("speech", tuple(names[::3]), Span(start=4, end=8.5))
    rows = catalog.fetch(rows_of(catalog, "gold", where, 100))
    assert {(row.video_id, row.start) for row in rows.values()} == {(name, at) for name in names[::3] for at in (0, 8)}


def test_common_words_do_not_decide_what_is_visited(monkeypatch):
    """Beyond the budget only rare terms select candidates; the best rows stay the best."""
    random = np.random.default_rng(0)
    common, rare = ["the", "goal", "kick", "ball"], [f"word{n}" for n in range(200)]
    texts = [" ".join([*random.choice(common, 4), *random.choice(rare, 2)]) for _ in range(3000)]
    catalog = catalog_of(texts)
    queries = [f"goal kick {random.choice(rare)} {random.choice(rare)}" for _ in range(20)]

    def ranked(query, limit):
        return rank_rows(catalog, [ANY], query_terms(query), {}, limit)[0][:10]

    whole = [ranked(query, 3000) for query in queries]
    monkeypatch.setattr(lexical, "_BUDGET", 200)
    monkeypatch.setattr(lexical, "_UNSCORED", 1000)
    limited = [ranked(query, 50) for query in queries]
    assert np.mean([one[0].row == other[0].row for one, other in zip(whole, limited, strict=True)]) >= 0.8
    assert sum(one.score for some in limited for one in some) >= 0.9 * sum(one.score for some in whole for one in some)
    terms = weighted_terms(catalog, ANY, query_terms("goal kick"))
    assert 1000 <= len(candidates(catalog, ANY, terms, None, 50)) <= 2000
    assert all(
        "goal" in texts[row - 1] or "kick" in texts[row - 1] for row in candidates(catalog, ANY, terms, None, 50)
    )


def test_ties_do_not_depend_on_when_they_were_added():
    def ranked(*ids):
        catalog = Catalog.empty()
        with catalog.changing():
            for video_id in ids:
                catalog.add(
                    record(video_id=video_id), ObservationTable([observation("gold", 1), observation("gold", 0)]), 1
                )
        rows = rows_of(catalog, "gold")
        assert catalog.in_order(reversed(rows)) == rows
        return [(catalog.fetch([row])[row].video_id, catalog.fetch([row])[row].start) for row in rows]

    assert ranked(VIDEO, OTHER) == ranked(OTHER, VIDEO) == [(VIDEO, 0), (VIDEO, 1), (OTHER, 0), (OTHER, 1)]


# Rows


def test_rows_come_back_as_they_were():
    seen = observation("x", 1 / 3, 2.5, modality="object", box=BOX, frame_seconds=0.4, source="a@1")
    said = observation("hello you", 1, 2, words=(Word(text="hello", start=1, end=1.5),))
    catalog = Catalog.empty()
    with catalog.changing():
        assert catalog.add(record(), ObservationTable([said, seen]), 1).tolist() == [2, 1]
    second, first = catalog.of_video(VIDEO)
    assert (first.text, first.start, first.end, first.words) == ("hello you", 1, 2, said.words)
    assert (second.start, second.end, second.box, second.frame_seconds, second.source) == (1 / 3, 2.5, BOX, 0.4, "a@1")
    assert catalog.by_evidence_id(first.evidence_id) == first
    assert first.evidence_id.startswith(VIDEO[:12] + "-")
    assert catalog.by_evidence_id("nothing") is None
    assert catalog.by_evidence_id("") is None
    assert catalog.fetch([1, 99]) == {1: second}
    assert list(catalog.fetch(range(40_000))) == [1, 2]
    assert catalog.texts(Filter("object")) == ["x"]
    assert catalog.texts(ANY, '"hello"') == ["hello you"]
    assert catalog.texts(ANY, '"bye"') == []


def test_a_row_number_is_never_used_again():
    catalog = Catalog.empty()
    with catalog.changing():
        assert catalog.add(record(), ObservationTable([observation("a"), observation("b")]), 1).tolist() == [1, 2]
        assert catalog.drop(VIDEO) == [(1, 2)]
        assert catalog.drop(VIDEO) == []
        assert catalog.add(record(), ObservationTable([observation("c")]), 2).tolist() == [3]
    assert catalog.commits() == {VIDEO: "1"}


def test_changes_are_made_together_or_not(tmp_path):
    catalog = Catalog.for_writing(tmp_path / "c.sqlite")

    def half():
        with catalog.changing():
            catalog.add(record(), ObservationTable([observation("gold")]), 1)
            catalog.note("snapshot", "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert catalog.commits() == {}
    assert catalog.noted("snapshot") == ""
    assert found(catalog, "gold") == []
    with catalog.changing():
        catalog.add(record(), ObservationTable([observation("gold")]), 1)
        catalog.note("snapshot", "new")
    again = Catalog.for_reading(tmp_path / "c.sqlite")
    assert again.noted("snapshot") == "new"
    assert found(again, "gold") == ["gold"]


def test_a_reader_sees_one_state_while_another_process_writes(tmp_path):
    """It neither waits for a writer in the middle of a change, nor sees half of one."""
    writer = Catalog.for_writing(tmp_path / "c.sqlite")
    with writer.changing():
        writer.add(record(), ObservationTable([observation("gold one")]), 1)
    reader = Catalog.for_reading(tmp_path / "c.sqlite")
    with reader.reading():
        assert found(reader, "gold") == ["gold one"]
        with writer.changing():
            writer.add(record(video_id=OTHER), ObservationTable([observation("gold two")]), 2)
            began = time.perf_counter()
            assert found(reader, "gold") == ["gold one"]
            assert time.perf_counter() - began < 1
        assert found(reader, "gold") == ["gold one"]
    assert sorted(found(reader, "gold")) == ["gold one", "gold two"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.note("snapshot", "mine")


# Files


@pytest.mark.parametrize("content", [b"junk" * 5000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_an_error(tmp_path, content):
    path = tmp_path / "c.sqlite"
    path.write_bytes(content)
    with pytest.raises(CatalogError):
        Catalog.for_reading(path)
    with pytest.raises(CatalogError):
        Catalog.for_writing(path)


def test_a_file_of_another_version_is_made_again(tmp_path):
    path = tmp_path / "c.sqlite"
    old = sqlite3.connect(path)
    old.executescript("CREATE TABLE mine (b); PRAGMA user_version = 1")
    old.close()
    with pytest.raises(CatalogError, match="version 1, not"):
        Catalog.for_reading(path)
    assert Catalog.for_writing(path).commits() == {}
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert ("mine",) not in tables


def test_a_file_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(CatalogError):
        Catalog.for_writing(tmp_path / "missing" / "c.sqlite")
    with pytest.raises(CatalogError):
        Catalog.for_reading(tmp_path / "missing.sqlite")


def add_one(path, number):
    catalog = Catalog.for_writing(path)
    with catalog.changing():
        catalog.add(record(video_id=f"{number:032x}"), ObservationTable([observation(f"gold {number}")]), number)


def test_processes_that_make_and_fill_it_at_once(tmp_path):
    Catalog.for_writing(tmp_path / "c.sqlite").close()
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=add_one, args=(tmp_path / "c.sqlite", n), daemon=True) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    reader = Catalog.for_reading(tmp_path / "c.sqlite")
    assert sorted(found(reader, "gold")) == [f"gold {n}" for n in range(6)]
