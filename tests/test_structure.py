"""The structure of the source: imports run one way, without cycles, and each package says what belongs in it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("prompts", "tools", "index", "agent")
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
MOST_MODULES = 12

# Words that the first version used in a private sense, and the words to use instead (docs/vocabulary.md).
PRIVATE = {
    r"instruments?": "extractor",
    r"perceive[ds]?|perceiving": "extract, observe",
    r"stills|(a|the|each|one) still": "segment",
    r"strands?": "track",
    r"likeness(es)?": "similarity",
    r"clues?(?! spans)|beliefs?": "prior, posterior",
    r"anew": "again",
    r"at hand": "available",
    r"(is|are|was|were) told": "is reported",
    r"told (apart|once|with|that)": "distinguish, report",
    r"(?<!there )(?-i:is none)|so many": "state the value",
    r"gone on with": "resumed",
}
# The same for names, which have no grammar that would show the sense.
PRIVATE_NAMES = PRIVATE | {
    r"told|tells": "report, print",
    r"heard": "transcribed",
    r"stills?": "segment",
    r"stands?": "is",
    r"eyes": "models",
    r"watched": "inspected",
    r"nobody|wherever|whatever": "say the case",
}
ALL_FILES = sorted([*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])


def imports_of(module: str, path: Path) -> Iterator[str]:
    """The modules of this project that a module imports when it runs, imports inside functions included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in for_types:
            target = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = ".".join(part for part in target if part)
            for alias in node.names:
                for name in (f"{base}.{alias.name}", base, f"{base}.__init__"):
                    if name in MODULES:
                        yield name
                        break


IMPORTS = {module: set(imports_of(module, path)) - {module} for module, path in MODULES.items()}


def test_imports_run_one_way():
    wrong = [
        f"{module} imports {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if LAYERS.index(target.split(".")[0]) > LAYERS.index(module.split(".")[0])
    ]
    assert wrong == []


def test_no_module_imports_itself_through_others():
    assert [" → ".join(cycle) for cycle in cycles(IMPORTS)] == []


def test_cycles_are_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module, sorted (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for target in graph.get(module, ()):
            if target not in number:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], number[target])
        if low[module] == number[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    for module in graph:
        if module not in number:
            visit(module)
    return sorted(found)


def test_the_product_does_not_import_the_evaluation():
    # The command line offers `playhead eval`; nothing else needs it.
    assert [
        module
        for module, targets in IMPORTS.items()
        if not module.startswith(("agent.evaluation", "agent.cli"))
        and any(target.startswith("agent.evaluation") for target in targets)
    ] == []


PACKAGES = sorted({path.parent for path in FILES})


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_is_small_and_says_what_belongs_in_it(package: Path):
    assert len([path for path in package.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(docstring.split()) >= 8, "the docstring of a package is its map"


def test_every_package_is_in_the_wheel():
    listed = set(re.findall(r'^    "playhead\.([\w.]+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert listed == {".".join(package.relative_to(ROOT).parts) for package in PACKAGES}


def test_the_places_that_contributing_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{'|'.join(LAYERS)})/[\w./]+)`", text)
    assert len(named) > 20
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_the_pictures_of_the_layout_name_every_package():
    packages = {path.parts[len(ROOT.parts) + 1] for path in PACKAGES if len(path.parts) > len(ROOT.parts) + 1}
    for name, chapter in (("CONTRIBUTING.md", "layout in one picture"), ("docs/design.md", "Layers")):
        picture = (ROOT / name).read_text(encoding="utf-8").split(f"{chapter}\n")[1].split("\n## ")[0]
        assert {package for package in packages if not re.search(rf"\b{package}\b", picture)} == set(), name


def test_dotted_names_in_strings_and_guides_exist():
    texts = [*ALL_FILES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.ipynb")]
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in texts
        for found in re.finditer(r"playhead\.((?:tools|index|agent)(?:\.\w+)+)", path.read_text(encoding="utf-8"))
        if not exists(found[1].split("."))
    ]
    assert wrong == []


def exists(parts: list[str]) -> bool:
    """Whether a dotted name is a package, a module, or occurs as a name in its module."""
    place = ROOT
    while parts and (place / parts[0]).is_dir():
        place, parts = place / parts[0], parts[1:]
    module = place / "__init__.py"
    if parts and (place / f"{parts[0]}.py").exists():
        module, parts = place / f"{parts[0]}.py", parts[1:]
    return not parts or re.search(rf"\b{parts[0]}\b", module.read_text(encoding="utf-8")) is not None


def test_a_dotted_name_that_does_not_exist_is_found():
    assert exists("agent.library.index_runs.index_videos".split("."))
    assert not exists("agent.index_runs.index_videos".split("."))


def names_and_prose(path: Path) -> tuple[list[str], list[str]]:
    """The names that a file defines, as words; and its docstrings and comments."""
    source = path.read_text(encoding="utf-8")
    names, prose = [path.stem], []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            prose.append(ast.get_docstring(node) or "")
            names.append(getattr(node, "name", ""))
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    prose += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return [re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower() for name in names], prose


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_prose_use_the_words_of_the_vocabulary(path: Path):
    if path == Path(__file__):
        return  # it lists the words
    names, prose = names_and_prose(path)
    found = {
        f"{match.group()!r} in {text!r} (say: {instead})"
        for texts, words in ((names, PRIVATE_NAMES), (prose, PRIVATE))
        for text in texts
        for word, instead in words.items()
        for match in re.finditer(rf"\b(?:{word})\b", text, re.IGNORECASE)
    }
    assert found == set()


@pytest.mark.parametrize("sentence", ["What is perceived anew", "each still", "no clue", "They are told apart"])
def test_private_words_are_found(sentence: str):
    assert any(re.search(rf"\b(?:{word})\b", sentence) for word in PRIVATE)
