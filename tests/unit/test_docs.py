"""What the documents point to is there: links, anchors, files that the text names, decisions by number."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.platforms import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "example-model" / "README.md",
]
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TREE = re.compile(r"`((?:services|shared|deploy|tests|docs|example-model|web)/[A-Za-z0-9_./-]*)`")
DECISION = re.compile(r"docs/decisions/(\d{4})(?:-([a-z0-9-]+)\.md)?")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def links(page: Path) -> list[str]:
    """Targets of a page's links that lie in the repository."""
    found = [a or b for a, b in LINK.findall(FENCE.sub("", page.read_text()))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_there_are_links() -> None:
    assert sum(len(links(page)) for page in PAGES) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_the_text_names(page: Path) -> None:
    roots = [ROOT, ROOT / "web" / "src"] if page.name == "web.md" else [ROOT]
    named = TREE.findall(FENCE.sub("", page.read_text()))
    missing = [name for name in named if not any((root / name).exists() for root in roots)]
    # made at set-up, not kept
    assert [name for name in missing if not name.startswith(("web/dist", "web/node_modules"))] == []


def test_the_architecture_names_files_that_are_there() -> None:
    """Short names stand for files of the folder that the paragraph is about."""
    named = set(
        re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:py|sql))`", (ROOT / "docs" / "architecture.md").read_text())
    )
    files = [str(path.relative_to(ROOT)) for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.*")]
    assert len(named) > 30
    assert [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


def test_decisions_are_numbered_without_gaps_and_say_their_number() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1)), Counter(numbers)
    for path, number in zip(DECISIONS, numbers, strict=True):
        first, *rest = path.read_text().splitlines()
        assert first.startswith(f"# {number}. "), path.name
        assert {"**Decision.**", "**Why.**", "**Consequences.**"} <= set(re.findall(r"\*\*\w+\.\*\*", "\n".join(rest)))


def test_decisions_that_code_and_text_name() -> None:
    names = {path.name[:4]: path.stem[5:] for path in DECISIONS}
    sources = [path for folder in ("services", "shared", "deploy", "tests") for path in (ROOT / folder).rglob("*.py")]
    for path in (*sources, *PAGES):
        for number, slug in DECISION.findall(path.read_text()):
            assert number in names, f"{path}: {number}"
            assert slug in ("", names[number]), f"{path}: {number}-{slug}"
