"""The line under a title is read for date and source in every form the portals use."""

from __future__ import annotations

import doctest

import pytest

from crawler.cms import attachments, dates, text
from crawler.cms.dates import read_head, year_warning


@pytest.mark.parametrize("module", [attachments, dates, text])
def test_the_examples_in_the_docs_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "published", "source"),
    [
        ("2020-03-06 14:38   来源:天山区人民政府   (点击: )", "2020-03-06 14:38", "天山区人民政府"),
        ("2023-11-24 11:54   沙区政府教育督导室", "2023-11-24 11:54", "沙区政府教育督导室"),
        ("2023-11-24 11:54   (点击: 12)", "2023-11-24 11:54", None),
        ("发布时间：2022-02-11   浏览次数：4234次   【字体：", "2022-02-11", None),
        ("2025\n01/20\n12:30\n来源:\n市审计局", "2025-01-20 12:30", "市审计局"),
        ("来源: 发布时间:2023-01-31 浏览次数: 【字体:", "2023-01-31", None),
        ("来源:浏览次数:4234次 发布时间:2023-01-31", "2023-01-31", None),
        ("发表时间:2023-03-03 11:45:05 点击次数:", "2023-03-03 11:45:05", None),
        ("来源 新疆网 发布时间 2019-03-19 12:03 阅读", "2019-03-19 12:03", "新疆网"),
        (
            "发布时间:2026-02-09 11:12    信息来源:区政府办公室    【字体:",
            "2026-02-09 11:12",
            "区政府办公室",
        ),
        (
            "发布日期：2018年1月30日　发文机关：高新区（新市区）管委会",
            "2018-01-30",
            "高新区(新市区)管委会",
        ),
        (
            "发 布 时 间 ： ２０２１年０３月１０日 来 源：新疆日报编辑部 访问量：3",
            "2021-03-10",
            "新疆日报编辑部",
        ),
        ("成文日期:2018-01-08 发布日期:2018-01-30 有效日期:2020-01-01", "2018-01-30", None),
        ("有效日期:2020-01-01\n2018-01-30", "2018-01-30", None),
        ("成文日期:2018-01-08", "2018-01-08", None),
        ("发布时间:2009年3月 来源:市政府", "2009-03", "市政府"),
        ("发布机构\n区财政局\n发布日期\n2021/1/5", "2021-01-05", "区财政局"),
        ("来源:12345 发布时间:2021-01-05", "2021-01-05", None),
        ("发布时间:2021-01-05T08:09:10 阅读 来源:", "2021-01-05 08:09:10", None),
        ("", None, None),
        ("发布时间: 来源:", None, None),
        ("2022年度工作 共12条", None, None),
    ],
)
def test_a_head_line_is_read(line: str, published: str | None, source: str | None) -> None:
    head = read_head(line.split("\n"))
    assert (head.published, head.source) == (published, source)


def test_the_meta_is_trusted_first_and_refined_by_what_agrees() -> None:
    head = read_head(["发布时间:2022-02-11 12:05"], "2022-02-11", "", "2022-02")
    assert head == dates.Head("2022-02-11 12:05", None, ())
    assert read_head([], "2022-02-11", " 市政府 ").source == "市政府"


def said(head: dates.Head) -> tuple[str, ...]:
    return tuple(map(str, head.warnings))


def test_the_month_of_the_address_is_the_last_resort() -> None:
    assert read_head([], url_month="2009-03") == dates.Head("2009-03", None, ())


def test_contradictions_are_warnings() -> None:
    head = read_head(["发布时间:2022-02-12"], "2022-02-11", "甲局", "2022-03")
    assert head.published == "2022-02-11"
    assert said(head) == (
        "dates disagree: PubDate 2022-02-11, label 2022-02-12",
        "dates disagree: PubDate 2022-02-11, URL 2022-03",
    )
    assert said(read_head(["2022-01-01 来源:乙局"], "", "甲局")) == (
        "source differs: meta “甲局”, page “乙局”",
    )


@pytest.mark.parametrize("shown", ["2023-02-30", "2020-13-01", "2020-12-45", "2021年0月1日"])
def test_impossible_dates_are_warnings(shown: str) -> None:
    head = read_head([f"发布时间:{shown} 来源:市政府"])
    assert head.published is None
    assert head.source == "市政府"
    assert "impossible date in the label" in said(head)


def test_an_impossible_time_leaves_the_day() -> None:
    assert read_head(["发布时间:2020-03-06 25:61"]).published == "2020-03-06"
    assert read_head(["发布时间:2020-03-06 23:59:61"]).published == "2020-03-06 23:59"


def test_a_missing_date_and_a_date_of_writing_are_said_aloud() -> None:
    assert said(read_head(["来源:市政府"])) == ("no publication date found",)
    assert said(read_head(["成文日期:2018-01-08"])) == ("dated by 成文日期 only",)


def test_a_report_published_in_another_year_than_the_next_is_a_warning() -> None:
    title = "天山区人民政府2019年度政府信息公开工作报告"
    assert year_warning(title, "2020-03-06") == ()
    (warning,) = year_warning(title, "2023-11-24")
    assert str(warning) == "published in 2023, but the title names 2019"
    assert year_warning("2019年工作要点", "2019-03-06") == ()
    assert year_warning(title, None) == ()
