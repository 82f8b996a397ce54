"""The documentation is true: commands exist, figures are those of the demo, words are defined."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

from crawler.fetching import outcomes
from crawler.words import sentences
from storage.alerts.record import kinds
from storage.ledger.cells import Cell as LedgerCell
from storage.ledger.cells import Proof
from storage.queries.coverage import Field
from storage.queries.findings import OpenFinding
from storage.queries.history import Capture, Version
from storage.queries.lives import OrganLife
from storage.queries.report import (
    Attachment,
    Cell,
    CellCorrection,
    CellPlace,
    Finding,
    Indicator,
    KeptTable,
    Report,
)
from storage.queries.runs import Run
from storage.schema import metadata
from tests.crawling import ROOT, Operator

READMES = ("README.md", "README.zh.md")
DOCS = [
    *READMES,
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
]


def commands(document: str) -> Iterator[list[str]]:
    """Every `$ …` line of the console blocks, without comments and environment."""
    text = (ROOT / document).read_text("utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if not line.startswith("$ "):
                continue  # what the command said
            words = shlex.split(line.removeprefix("$ ").removesuffix("&"), comments=True)
            words = [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)]
            if words and words[0] != "export":
                yield words


@pytest.mark.parametrize("document", READMES)
def test_every_command_of_the_readme_exists(document: str, tmp_path: Path) -> None:
    operator = Operator(tmp_path, pace="")
    known = {
        ".venv/bin/archive": operator.archive("--help").stdout,
        ".venv/bin/scrapy": operator.scrapy().stdout,
    }
    seen = list(commands(document))
    assert len(seen) >= 8
    for words in seen:
        if words[0] in known:
            assert re.search(rf"\b{words[1]}\b", known[words[0]]), words
        else:
            assert words[:3] == [".venv/bin/python", "-m", "tests.replica"] or words[0] == "sqlite3"


def test_the_options_of_the_readme_exist(tmp_path: Path) -> None:
    usage = cache(lambda command: Operator(tmp_path, pace="").archive(command, "--help").stdout)
    for document in READMES:
        for words in commands(document):
            if words[0] == ".venv/bin/archive":
                for word in words[2:]:
                    assert not word.startswith("--") or word in usage(words[1]), words


@pytest.mark.parametrize("document", DOCS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{document}: {target}"


def runnable() -> set[str]:
    """Every module of tests and bench that is a command."""
    modules = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for package in ("tests", "bench")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^if __name__ == .__main__.:", path.read_text("utf-8"), re.MULTILINE)
    }
    return {module.removesuffix(".__main__") for module in modules}


def test_every_proof_and_benchmark_stands_in_the_table() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`(?:tests|bench)\..*?) \|", text, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([\w.]+)", row)]
    assert sorted(told) == sorted(runnable())


@pytest.mark.parametrize("document", DOCS)
def test_every_proof_and_benchmark_that_is_named_exists(document: str) -> None:
    named = re.findall(r"python -m ((?:tests|bench)[\w.]*\w)", (ROOT / document).read_text("utf-8"))
    assert set(named) <= runnable()


def test_every_environment_variable_is_in_the_readme() -> None:
    sources = "".join(
        path.read_text("utf-8")
        for package in ("crawler", "storage")
        for path in (ROOT / package).rglob("*.py")
    )
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in set(re.findall(r"GONGKAI_[A-Z_]+", sources)):
        assert name in readme, name


def test_every_table_and_column_of_the_archive_is_explained() -> None:
    text = (ROOT / "docs" / "database.md").read_text("utf-8").partition("## What")[0]
    explained = dict(re.findall(r"^\| `(\w+)` \| (.*)$", text, re.MULTILINE))
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name != "id":
                assert f"`{column.name}`" in explained[table.name], f"{table.name}.{column.name}"


def test_the_shapes_of_the_answers_are_as_documented() -> None:
    text = (ROOT / "docs" / "database.md").read_text("utf-8")
    shapes = (
        Field,
        Report,
        Attachment,
        Cell,
        CellCorrection,
        CellPlace,
        Finding,
        Indicator,
        KeptTable,
    )
    for shape in (*shapes, Version, Capture, OpenFinding, Run, LedgerCell, Proof, OrganLife):
        assert "{" + ", ".join(shape.__annotations__) + "}" in text, shape


def test_every_outcome_is_documented() -> None:
    text = (ROOT / "docs" / "database.md").read_text("utf-8")
    named = [value for name, value in vars(outcomes).items() if name.isupper()]
    words = {value for value in named if isinstance(value, str)}
    words |= {outcomes.of_error(error("")) for error in outcomes.DOWNLOAD_ERRORS}
    assert len(words) > 12
    for word in words:
        assert f"`{word}`" in text, word


def test_every_class_of_alerts_is_documented_with_its_severity() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE))
    assert told == {word: kind.severity for word, kind in kinds().items()}


# Sentences that stand for the rules of relations, and no rule themselves.
SHARED_WORDS = {"sum", "across"}
# English names a table by its key, Chinese by its title.
SAME_FACT = {"title": "table", "titles": "tables"}


def test_every_rule_that_can_be_said_is_documented() -> None:
    text = (ROOT / "docs" / "forms.md").read_text("utf-8")
    rules = {key.partition(".")[0] for key in sentences()} - SHARED_WORDS - {"listing"}
    assert len(rules) > 40
    for rule in rules:
        assert f"`{rule}`" in text or f"| {rule} |" in text, rule
    listings = (ROOT / "docs" / "listings.md").read_text("utf-8")
    assert all(f"`{key}`" in listings for key in sentences() if key.startswith("listing."))


def test_both_languages_of_a_sentence_state_the_same_facts() -> None:
    for key, said in sentences().items():
        english, chinese = (
            {SAME_FACT.get(name, name) for _, name, _, _ in Formatter().parse(line) if name}
            for line in said
        )
        assert english == chinese, key
        assert said.en.strip(), key
        assert said.zh.strip(), key
