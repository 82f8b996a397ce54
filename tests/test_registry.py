"""An engineer adds a portal by one file; a wrong file is refused by name and key."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from crawler.cms import cms_by_key
from crawler.errors import RegistryError
from crawler.portals import load
from crawler.portals.registry import ROOT, Bound

GOOD = """
division_code = "650102"
organ_kind = "district"
name_zh = "天山区"
name_en = "Tianshan District"
government = "乌鲁木齐市天山区人民政府"
short_names = ["天山区"]
cms = "vsb"
home = "http://www.xjtsq.gov.cn/"
disclosure = []
"""


def write(folder: Path, text: str, name: str = "tianshan") -> Path:
    path = folder / "city" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_registry_holds_the_city_and_its_eight_districts() -> None:
    registry = load(cms_by_key())
    assert [portal.division_code for portal in registry] == [
        "650100", "650102", "650103", "650104", "650105", "650106", "650107", "650109", "650121",
    ]  # fmt: skip


def test_a_district_takes_twenty_lines_apart_from_its_seeds() -> None:
    for path in ROOT.glob("*/*.toml"):
        lines = [line for line in path.read_text("utf-8").splitlines() if "{ url" not in line]
        assert len(lines) <= 20, path


def test_a_new_file_is_a_new_portal(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert list(load({"vsb"}, tmp_path).portals) == ["tianshan"]


def test_a_file_may_say_how_much_is_expected(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "[expect]\nreports = [3, 526]\nlistings = [2]\n")
    portal = load({"vsb"}, tmp_path).portals["tianshan"]
    assert portal.expect == (Bound("reports", 3, 526), Bound("listings", 2, None))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (GOOD + 'colour = "red"\n', "colour"),
        (GOOD.replace("650102", "990102"), "division_code"),
        (GOOD.replace("650102", "65010"), "division_code"),
        (GOOD.replace('"vsb"', '"trs"'), "cms"),
        (GOOD + 'former_cms = ["hanweb"]\n', "former_cms"),
        (GOOD.replace("district", "planet", 1), "organ_kind"),
        (GOOD.replace('name_zh = "天山区"\n', ""), "name_zh"),
        (GOOD.replace('["天山区"]', '"天山区"'), "short_names"),
        (GOOD.replace("http://www.xjtsq.gov.cn/", "www.xjtsq.gov.cn"), "home"),
        (GOOD.replace("[]", '["http://www.example.org/"]'), "disclosure"),
        (GOOD + 'seeds = [{ url = "http://www.xjtsq.gov.cn/a", year = 2019 }]\n', "seeds[0]"),
        (GOOD + "delay = 0.1\n", "delay"),
        (GOOD + "delay = nan\n", "delay"),
        (GOOD + "budget = 0\n", "budget"),
        (GOOD + 'budget = "all"\n', "budget"),
        (GOOD + "budget = 1.5\n", "budget"),
        (GOOD + 'window = ["22:00"]\n', "window"),
        (GOOD + 'timezone = "Asia/Urumchi"\n', "timezone"),
        (GOOD + 'timezone = "../x"\n', "timezone"),
        (GOOD + 'window = ["22", "06:00"]\n', "window"),
        (GOOD + "expect = 3\n", "expect"),
        (GOOD + "[expect]\npages = [1]\n", "expect.pages"),
        (GOOD + "[expect]\nreports = 5\n", "expect.reports"),
        (GOOD + "[expect]\nreports = [9, 5]\n", "expect.reports"),
        (GOOD + "[expect]\nreports = [-1]\n", "expect.reports"),
        (GOOD + '[expect]\nreports = ["1"]\n', "expect.reports"),
        (GOOD + "[expect]\nreports = [true]\n", "expect.reports"),
        (GOOD + "[expect]\nreports = []\n", "expect.reports"),
        (GOOD + "broken =\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_key(
    tmp_path: Path, wrong: str, named: str
) -> None:
    path = write(tmp_path, wrong)
    with pytest.raises(RegistryError, match=re.escape(str(path))) as refused:
        load({"vsb"}, tmp_path)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_files_for_one_division_are_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "tianshan2")
    with pytest.raises(RegistryError, match="650102"):
        load({"vsb"}, tmp_path)


def test_an_empty_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no portal file"):
        load({"vsb"}, tmp_path)


def test_an_unknown_key_names_the_known_ones() -> None:
    with pytest.raises(RegistryError, match=r"'tianshang'.*tianshan"):
        load(cms_by_key()).select(["tianshang"])


def test_alias_hosts_are_rewritten_to_the_home_and_old_hosts_are_not() -> None:
    registry = load(cms_by_key())
    city, midong = registry.portals["city"], registry.portals["midong"]
    assert city.canonical("http://urumqi.gov.cn/wlmqs/a.shtml#top") == (
        "http://www.wlmq.gov.cn/wlmqs/a.shtml"
    )
    assert midong.canonical("http://new.xjmd.gov.cn/a.htm") == "http://new.xjmd.gov.cn/a.htm"


def test_every_known_address_of_the_nine_portals_is_a_seed() -> None:
    evidence = Path(__file__).parents[2] / "shared" / "evidence" / "known-reports.json"
    if not evidence.is_file():
        pytest.skip("the evidence is not beside this checkout")
    import json

    registry = load(cms_by_key())
    codes = {portal.division_code for portal in registry}
    known = {
        report["url"]
        for report in json.loads(evidence.read_text("utf-8"))
        if report["portal"] in codes and report["url"]
    }
    assert known == {seed.url for portal in registry for seed in portal.seeds}


def test_a_portal_in_another_city_needs_no_python(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "urumqi", tmp_path / "urumqi")
    other = GOOD.replace("650102", "652301").replace("www.xjtsq.gov.cn", "www.cj.gov.cn")
    (tmp_path / "changji").mkdir()
    (tmp_path / "changji" / "changji.toml").write_text(other, encoding="utf-8")
    assert "changji" in load(cms_by_key(), tmp_path).portals
