"""A person writes down when an organ began and ended; a wrong file is refused by name and key."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from crawler.cms import cms_by_key
from crawler.errors import RegistryError
from crawler.portals import load, load_lives
from crawler.portals.registry import ROOT
from storage.capture.runs import LifeRecord, begin_run, end_run
from storage.schema import lifetimes, organs
from tests.databases import PORTAL, START, TERMS

GOOD = """
[[organs]]
name = "区教育局"
begins = 2004-05-01
ends = 2019-02-14
becomes = ["教育和体育局"]
evidence = "synthetic"

[[organs]]
name = "天山区教育和体育局"
begins = 2019-02-15
evidence = "synthetic"
"""


def write(folder: Path, text: str, name: str = "tianshan") -> Path:
    path = folder / "urumqi" / "organs" / f"{name}.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_files_are_sound_and_are_no_portals() -> None:
    registry = load(cms_by_key())
    shipped = {path.stem for path in ROOT.glob("*/organs/*.toml")}
    assert shipped
    assert shipped == set(load_lives(registry))


def test_names_are_those_of_the_archive(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    old, new = load_lives(load(cms_by_key()), tmp_path)["tianshan"]
    assert (old.organ, old.kind, old.becomes) == ("天山区教育局", "department", (new.organ,))
    assert (old.begins, old.ends) == (date(2004, 5, 1), date(2019, 2, 14))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (GOOD.replace("2019-02-14", "2019-02-30"), "not TOML"),
        (GOOD.replace("2019-02-14", '"2019-02-14"'), "organs[0].ends"),
        (GOOD.replace("2019-02-14", "2019-02-14T00:00:00"), "organs[0].ends"),
        (GOOD.replace("ends = 2019-02-14", "ends = 2003-02-14"), "before it begins"),
        (GOOD.replace("ends = 2019-02-14\n", ""), "'ends' is missing"),
        (GOOD.replace('["教育和体育局"]', '["文化局"]'), "天山区文化局 is an organ nobody knows"),
        (GOOD.replace('["教育和体育局"]', '["区教育局"]'), "is the organ itself"),
        (GOOD.replace('["教育和体育局"]', '"教育和体育局"'), "organs[0].becomes"),
        (GOOD.replace("天山区教育和体育局", "教育局"), "organs[1].name"),
        (GOOD.replace('evidence = "synthetic"', 'evidence = " "', 1), "'evidence' is missing"),
        (GOOD.replace('name = "区教育局"', ""), "'name' is missing"),
        (GOOD + 'colour = "red"\n', "colour"),
        (GOOD + 'kind = "ministry"\n', "organs[1].kind"),
        ('[organ]\nname = "区教育局"\n', "'organ'"),
        ("organs = 3\n", "[[organs]]"),
        ("organs = [3]\n", "organs[0]"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, wrong: str, named: str) -> None:
    path = write(tmp_path, wrong)
    with pytest.raises(RegistryError, match=re.escape(named)) as refused:
        load_lives(load(cms_by_key()), tmp_path)
    assert str(path) in str(refused.value)
    assert re.search(r": (?!.*: ).*\b(mend|add|name|write|use|stands)\b", str(refused.value))


def test_a_file_of_no_portal_is_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "nowhere")
    with pytest.raises(RegistryError, match="'nowhere'"):
        load_lives(load(cms_by_key()), tmp_path)


def test_a_run_keeps_a_life_once_and_again_when_it_says_something_new(engine: sa.Engine) -> None:
    def life(ends: str | None) -> LifeRecord:
        named = ("tianshan", "650102", "天山区教育局", "department")
        return LifeRecord(*named, "2004-05-01", ends, ("天山区教育和体育局",), "synthetic")

    for ends in (None, None, "2019-02-14", "2019-02-14", None):
        run = begin_run(engine, START, [(PORTAL, TERMS)], [life(ends)])
        end_run(engine, run.run_id, "complete", "finished", {})
    with engine.connect() as connection:
        kept = connection.execute(sa.select(lifetimes.c.ends).order_by(lifetimes.c.id)).scalars()
        assert list(kept) == [None, "2019-02-14", None]
        names = connection.execute(sa.select(organs.c.name).order_by(organs.c.id)).scalars()
        assert list(names)[1] == "天山区教育局"
