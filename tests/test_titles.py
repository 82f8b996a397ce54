"""What a title says: a report or not, of whom, for which year."""

from __future__ import annotations

import doctest

import pytest

from crawler.portals import Portal, load, titles
from crawler.portals.titles import canonical_organ, identify, is_annual, is_report, leads_on

REGISTRY = load({"vsb", "ucap", "cicro", "content_n"})


def portal(key: str) -> Portal:
    return REGISTRY.portals[key]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(titles).failed == 0


@pytest.mark.parametrize(
    ("key", "title", "organ", "year"),
    [
        (
            "city",
            "乌鲁木齐市人民政府机关2013年度政府信息公开工作报告",
            "乌鲁木齐市人民政府",
            2013,
        ),
        (
            "city",
            "乌鲁木齐市人民政府外事办公室2023年度政府信息公开工作年度报告",
            "乌鲁木齐市人民政府外事办公室",
            2023,
        ),
        ("city", "2016年政府信息公开年度报告", "乌鲁木齐市人民政府", 2016),
        ("city", "市市场监督管理局2020年政府信息公开年报", "乌鲁木齐市市场监督管理局", 2020),
        ("city", "市场监督管理局2020年政府信息公开年报", "乌鲁木齐市市场监督管理局", 2020),
        (
            "tianshan",
            "天山区人民政府2019年度政府信息公开工作报告",
            "乌鲁木齐市天山区人民政府",
            2019,
        ),
        (
            "tianshan",
            "天山区政务服务管理局2022年度政府信息公开工作年报",
            "天山区政务服务管理局",
            2022,
        ),
        ("tianshan", "乌鲁木齐市天山区教育局二〇一九年度政府信息公开年报", "天山区教育局", 2019),
        ("tianshan", "天山区政府信息公开2018年度报告", "乌鲁木齐市天山区人民政府", 2018),
        ("tianshan", "区教育局　2020 年政府信息公开年报", "天山区教育局", 2020),
        (
            "xinshi",
            "2022年高新区（新市区）政府信息公开工作年度报告",
            "乌鲁木齐市新市区人民政府",
            2022,
        ),
        ("xinshi", "新市区教育局2021年政府信息公开工作年度报告", "高新区(新市区)教育局", 2021),
        (
            "dabancheng",
            "达坂城区2025年政府信息公开工作年度报告",
            "乌鲁木齐市达坂城区人民政府",
            2025,
        ),
        (
            "wulumuqixian",
            "乌鲁木齐县人民政府2021年政府信息公开工作年度报告",
            "乌鲁木齐县人民政府",
            2021,
        ),
    ],
)
def test_a_title_names_organ_and_year(key: str, title: str, organ: str, year: int) -> None:
    assert is_report(title)
    identity = identify(portal(key), [title])
    assert (identity.organ, identity.year) == (organ, year)


@pytest.mark.parametrize(
    "title",
    [
        "关于做好2023年政府信息公开工作年度报告编制发布工作的通知",
        "天山区政府信息公开指南（2021年版）",
        "2022年政务公开工作要点",
        "2020年统计年报",
        "天山区2021年部门决算",
        "政府信息公开年报",
        "天山区召开2022年政务公开工作培训会",
        "",
    ],
)
def test_what_stands_beside_reports_is_none(title: str) -> None:
    assert not is_report(title)


def test_a_bare_title_counts_only_inside_an_annual_channel() -> None:
    assert is_report("2015年年报", within_annual=True)
    assert not is_report("2015年年报")
    assert not is_report("2015年统计年报", within_annual=True)


def test_an_organ_the_title_does_not_name_is_the_source_or_the_government() -> None:
    tianshan = portal("tianshan")
    title = "2021年政府信息公开工作年度报告"
    assert identify(tianshan, [title], source="天山区教育局").organ == "天山区教育局"
    assert identify(tianshan, [title], source="天山区政府办公室").organ == tianshan.government
    assert identify(tianshan, [title], source="新疆网").organ == "乌鲁木齐市天山区人民政府"


def test_a_year_that_only_the_date_suggests_is_marked_inferred() -> None:
    identity = identify(portal("tianshan"), ["政府信息公开年报"], published="2020-03-06 14:38")
    assert (identity.year, identity.inferred) == (2019, True)
    assert identify(portal("tianshan"), ["政府信息公开年报"]).year is None


def test_one_organ_has_one_name_however_it_is_written() -> None:
    names = ["天山区教育局", "乌鲁木齐市天山区教育局", "区教育局", "教育局", "天山区 教育局"]
    assert {canonical_organ(portal("tianshan"), name) for name in names} == {"天山区教育局"}


@pytest.mark.parametrize(
    "text", ["政府信息公开", "信息公开年报", "部门信息公开", "政府信息公开工作年度报告"]
)
def test_links_that_lead_towards_reports(text: str) -> None:
    assert leads_on(text, ())


@pytest.mark.parametrize("text", ["新闻中心", "依申请公开申请", "网上办事", ""])
def test_links_that_do_not(text: str) -> None:
    assert not leads_on(text, ("政府信息公开",))


def test_a_year_or_an_organ_leads_on_only_below_a_disclosure_channel() -> None:
    assert leads_on("2021年", ("政府信息公开年报",))
    assert leads_on("区教育局", ("部门信息公开",))
    assert not leads_on("2021年", ("新闻",))


def test_the_channel_decides_not_a_menu_above_it() -> None:
    assert is_annual(("政府信息公开", "年报", "2021年"))
    assert not is_annual(("年报", "政府信息公开指南"))


@pytest.mark.parametrize(
    ("key", "title", "division", "organ", "year"),
    [
        ("tianshan", "天山区统计局2021年政府信息公开工作年度报告", "650102", "天山区统计局", 2021),
        ("tianshan", "天山区档案馆2021年政府信息公开年报", "650102", "天山区档案馆", 2021),
        ("tianshan", "红十字会2021年政府信息公开年报", "650102", "天山区红十字会", 2021),
        ("tianshan", "附件1:天山区教育局2021年政府信息公开年报", "650102", "天山区教育局", 2021),
        ("tianshan", "2021年政府信息公开年报(教育局)", "650102", "天山区教育局", 2021),
        ("tianshan", "天山区教育局二0二一年政府信息公开年报", "650102", "天山区教育局", 2021),
        (
            "tianshan",
            "乌政办〔2020〕5号天山区教育局2019年信息公开年报",
            "650102",
            "天山区教育局",
            2019,
        ),
        ("city", "天山区2021年政府信息公开年报", "650102", "乌鲁木齐市天山区人民政府", 2021),
        ("city", "乌鲁木齐市天山区教育局2021年信息公开年报", "650102", "天山区教育局", 2021),
        ("city", "乌鲁木齐县2021年政府信息公开年报", "650121", "乌鲁木齐县人民政府", 2021),
        ("city", "乌鲁木齐市统计局2021年政府信息公开年报", "650100", "乌鲁木齐市统计局", 2021),
    ],
)
def test_no_report_is_given_to_another_organ(
    key: str, title: str, division: str, organ: str, year: int
) -> None:
    assert is_report(title)
    identity = identify(portal(key), [title], others=tuple(REGISTRY))
    assert (identity.division_code, identity.organ, identity.year) == (division, organ, year)


@pytest.mark.parametrize(
    "title",
    [
        "2021年上半年政务公开工作报告",
        "2021年政府信息公开工作年度报告更正说明",
        "2021年政府信息公开工作年度报告编制部署会",
        "一图读懂2021年政府信息公开工作年度报告",
        "2021年部门预算信息公开工作报告",
    ],
)
def test_what_only_sounds_like_a_report_is_none(title: str) -> None:
    assert not is_report(title)
