"""Slides with titles: their stretches, and chapters that begin with them."""

from playhead.index.localization.chapters import MOST_CHAPTERS, scene_tree, slide_chapters
from playhead.index.localization.slides import TextLine, slide_changes, slides_of
from playhead.tools.records import Box, Span

TITLES = ["Welcome", "Agenda", "Market in 2024", "Customers", "Product", "Pricing"]
TITLES += ["Roadmap", "Risks", "Hiring", "Budget", "Next steps", "Questions"]


def line(text, start, end, top, height, left=0.1):
    box = Box(left=left, top=top, right=min(1.0, left + 0.02 * len(text)), bottom=top + height)
    return TextLine(Span(start=start, end=end), text, box)


def deck(seconds=40.0):
    """Twelve slides: a title, three smaller lines, and the name of the company on each at the bottom."""
    lines = [line("ACME Corporation", 0, 12 * seconds, 0.93, 0.03)]
    for number, title in enumerate(TITLES):
        start, end = number * seconds, (number + 1) * seconds
        lines.append(line(title, start, end, 0.08, 0.08))
        lines += [line(f"point {n} of slide {number}", start + 5 * n, end, 0.3 + 0.1 * n, 0.045) for n in range(3)]
    return lines


def test_each_slide_has_its_title():
    lines = deck()
    found = slides_of(lines)
    assert [lines[slide.title].text for slide in found] == TITLES
    assert [(slide.span.start, slide.span.end) for slide in found] == [(40 * n, 40 * n + 40) for n in range(12)]


def test_twelve_slides_are_twelve_chapters():
    whole = Span(start=0, end=480.2)
    chapters = scene_tree(whole, [], (), None, [slide.span for slide in slides_of(deck())])
    assert [chapter.span.start for chapter in chapters] == [40 * n for n in range(12)]
    assert chapters[-1].span.end == 480.2


def test_a_slide_that_is_shown_again_after_a_moment_is_one():
    lines = [line("Pricing", 0, 30, 0.1, 0.08), line("Pricing", 31, 60, 0.1, 0.08), line("Risks", 60, 99, 0.1, 0.08)]
    assert [(slide.span.start, slide.span.end) for slide in slides_of(lines)] == [(0, 60), (60, 99)]


def test_neither_menus_nor_code_nor_subtitles_are_titles():
    editor = [line(f"value_{n} = compute({n})", 0, 100, 0.05 + 0.03 * n, 0.022) for n in range(20)]
    menu = [line("File Edit View", 0, 100, 0.0, 0.022)]
    subtitle = [line("I have four apples", 3, 8, 0.85, 0.06)]
    assert slides_of(editor + menu + subtitle) == []
    assert slides_of([line("===>", 0, 50, 0.1, 0.1), line("2741", 0, 50, 0.1, 0.1)]) == []


def test_a_glimpse_of_a_slide_makes_no_chapter():
    spans = [Span(start=0, end=40), Span(start=40, end=45), Span(start=45, end=90)]
    assert [span.start for span in slide_chapters(Span(start=0, end=90), spans)] == [0, 45]


def test_more_slides_than_chapters_are_left_to_the_topics():
    slides = [Span(start=30 * n, end=30 * n + 30) for n in range(40)]
    assert len(scene_tree(Span(start=0, end=1200), [], (), None, slides)) <= MOST_CHAPTERS


def test_a_slide_changes_where_its_lines_are_replaced():
    lines = [line.span for line in deck()]
    assert slide_changes(lines) == [40.0 * n for n in range(1, 12)]
    assert slide_changes([*lines[1:], Span(start=35, end=90)]) == [40.0 * n for n in range(1, 12)]
    assert slide_changes(lines[:5]) == []
    assert slide_changes([]) == []
