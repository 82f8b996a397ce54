"""Sentences with numbers of persons that nobody has, and look-alikes; each from a seed.

Nothing is shared with storage.care.personal: check characters are computed here by other roads.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

PLANTED, ALIKE = 500, 5000

_DIVISIONS = (  # noqa: SIM905
    "650102 650103 650104 650105 650121 652801 659001 110105 120101 130102 310115 320583 330106 "
    "350203 370102 410105 420106 429004 440304 441900 469001 500112 510107 522631 530102 542221 "
    "610113 620102 630104 640105 710101 810000 820000 830000"
).split()
_FULL = str.maketrans("0123456789X+- ", "０１２３４５６７８９Ｘ＋－　")
_NAMES = ("张某", "李某某", "阿某", "王女士", "申请人", "当事人", "经办人")


@dataclass(frozen=True, slots=True)
class Planted:
    """A text, the kind of number in it, and the number as it stands there."""

    text: str
    kind: str
    number: str


def planted(seed: int, count: int = PLANTED) -> list[Planted]:
    """Texts with one number of a person each."""
    chance = random.Random(f"planted {seed}")
    makers = (_identity, _identity, _identity, _old_identity, _mobile, _mobile, _mobile, _card)
    return [makers[place % len(makers)](chance) for place in range(count)]


def alike(seed: int, count: int = ALIKE) -> list[str]:
    """Texts with nobody's number."""
    chance = random.Random(f"alike {seed}")
    return [_ALIKE[place % len(_ALIKE)](chance) for place in range(count)]


# --- numbers of persons ---------------------------------------------------------------------------


def identity_number(chance: random.Random) -> str:
    """Eighteen characters, the last found by trying which one makes the sum 1 modulo 11."""
    body = chance.choice(_DIVISIONS) + _birthday(chance) + _digits(chance, 3)
    return next(body + last for last in "0123456789X" if _weighed(body + last) == 1)


def _weighed(number: str) -> int:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1)
    values = [10 if each == "X" else int(each) for each in number]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) % 11


def _birthday(chance: random.Random) -> str:
    return (date(1930, 1, 1) + timedelta(chance.randrange(34_000))).strftime("%Y%m%d")


def mobile_number(chance: random.Random) -> str:
    return f"1{chance.choice('3456789')}{_digits(chance, 9)}"


def card_number(chance: random.Random, first: str, length: int) -> str:
    """The last digit is the one with which the doubled sum is a multiple of ten."""
    body = first + _digits(chance, length - len(first) - 1)
    return next(body + last for last in "0123456789" if passes_luhn(body + last))


def passes_luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(number[::-1]):
        total += sum(map(int, str(int(digit) * 2))) if place % 2 else int(digit)
    return total % 10 == 0


def _identity(chance: random.Random) -> Planted:
    number = identity_number(chance)
    shown = chance.choice(
        (
            number,
            number,
            number.lower(),
            number.translate(_FULL),
            f"{number[:6]} {number[6:14]} {number[14:]}",
            f"{number[:6]}-{number[6:14]}-{number[14:]}",
            " ".join((number[:6], number[6:10], number[10:14], number[14:])),
            f"{number[:6]}－{number[6:14]}－{number[14:]}".translate(_FULL),
            " ".join(number),
            f"{number[:12]}\n{number[12:]}",
        )
    )
    return _told(
        chance,
        "identity_number",
        shown,
        (
            "{name}（身份证号{number}）向本机关提出政府信息公开申请，已依法答复。",
            "申请人{name}，公民身份号码：{number}，住天山区。",
            "{number}",
            "证件号码 {number}；邮寄地址从略。",
            "附件：{name}{number}.docx",
            "名单：{name} {number} 男 汉族",
            "低保对象花名册 1 {name} {number} 320元",
            "http://www.example.gov.cn/files/%E5%90%8D%E5%8D%95{number}.pdf",
        ),
    )


def _old_identity(chance: random.Random) -> Planted:
    number = chance.choice(_DIVISIONS[:30]) + _birthday(chance)[2:] + _digits(chance, 3)
    shown = chance.choice((number, number, f"{number[:6]} {number[6:12]} {number[12:]}"))
    return _told(
        chance,
        "identity_number",
        shown,
        (
            "{name}，身份证{number}，已死亡注销。",
            "原身份证号：{number}。",
            "证件号：{number}",
            "{number}",
        ),
    )


def _mobile(chance: random.Random) -> Planted:
    number = mobile_number(chance)
    parts = number[:3], number[3:7], number[7:]
    shown = chance.choice(
        (
            number,
            number,
            number,
            " ".join(parts),
            "-".join(parts),
            "－".join(parts),
            number.translate(_FULL),
            f"{number[:3]} {number[3:]}",
            f"{number[:7]} {number[7:]}",
            f"{number[:4]} {number[4:7]} {number[7:]}",
        )
    )
    return _told(
        chance,
        "mobile_number",
        shown,
        (
            "联系人：{name}，电话{number}。",
            "如有疑问请致电+86 {number}，我们将及时回复。",
            "请拨打+86{number}",
            "（+86）{number}（微信同号）",
            "联系方式：0991-4531234/{number}",
            "{number}",
            "{name}{number}收",
            "Tel:{number}",
            "tel{number}",
            "手机号{number},传真0991-4531234",
            "邮箱：{number}@example.com",
            "咨询电话:{number}、0991-2345678",
            "http://www.example.gov.cn/files/%E5%BC%A0%E6%9F%90{number}.docx",
        ),
        {"http": number, "邮箱": number, "tel": number},
    )


def _card(chance: random.Random) -> Planted:
    first, length, sure = chance.choice(
        (
            ("6217", 19, True),
            ("6222", 19, True),
            ("6228", 19, True),
            ("6214", 16, True),
            ("6251", 16, True),
            ("4367", 16, False),
            ("5187", 16, False),
            ("2221", 16, False),
            ("9558", 19, True),
        )
    )
    number = card_number(chance, first, length)
    fours = [number[at : at + 4] for at in range(0, length, 4)]
    shown = chance.choice(
        (number, number, " ".join(fours), "-".join(fours), number.translate(_FULL))
    )
    texts = (
        "补偿款汇入{name}银行卡{number}。",
        "开户行：某银行；账号：{number}",
        "卡号 {number}，户名{name}",
    )
    return _told(
        chance,
        "bank_card",
        shown,
        (*texts, "{name} {number} 4500元", "{number}") if sure else texts,
    )


def _told(
    chance: random.Random,
    kind: str,
    number: str,
    texts: tuple[str, ...],
    plain: dict[str, str] | None = None,
) -> Planted:
    text = chance.choice(texts)
    for start, shown in (plain or {}).items():
        if text.startswith(start):
            number = shown
    if text.startswith("http"):
        number = number.replace(" ", "").replace("\n", "").replace("-", "").replace("　", "")
    return Planted(text.format(name=chance.choice(_NAMES), number=number), kind, number)


# --- nobody's numbers -----------------------------------------------------------------------------


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _hex(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789abcdef") for _ in range(count))


def _day(chance: random.Random) -> date:
    return date(2008, 1, 1) + timedelta(chance.randrange(6500))


def _document_number(chance: random.Random) -> str:
    return (
        f"根据{chance.choice(('乌政办', '国办公开办函', '新政发'))}〔{chance.randint(2008, 2025)}〕"
        f"{chance.randint(1, 400)}号文件要求，现将有关情况公布如下。"
    )


def _index_number(chance: random.Random) -> str:
    day = _day(chance)
    return chance.choice(
        (
            f"索引号：65010200{_digits(chance, 1)}/{day.year}-{_digits(chance, 5)}",
            f"索引号:010{_digits(chance, 6)}/{day:%Y%m}-{_digits(chance, 5)}",
            f"信息索引号：{_digits(chance, 9)}/{day:%Y}-{_digits(chance, 8)} 发布机构：区政府办",
            f"索引号：1{chance.choice('3456789')}{_digits(chance, 9)}",
        )
    )


def _site_code(chance: random.Random) -> str:
    return f"网站标识码：65010{_digits(chance, 5)} 新公网安备 6501{_digits(chance, 10)}号"


def _amount(chance: random.Random) -> str:
    number = f"1{chance.choice('3456789')}{_digits(chance, 9)}"
    return chance.choice(
        (
            f"全年一般公共预算收入{number}元，同比增长5.2%。",
            f"合计{number}.{_digits(chance, 2)}元",
            f"采购金额￥{number}",
            f"支出 {number} 万元",
            f"累计点击{number}次",
            f"资产总额{number[:8]}.{number[8:]}万元",
            f"占比0.{number}",
            f"投资额为{_digits(chance, 3)}.{_digits(chance, 12)}亿元",
        )
    )


def _thousands(chance: random.Random) -> str:
    groups = [
        str(chance.randint(1, 199)),
        *(_digits(chance, 3) for _ in range(chance.randint(3, 5))),
    ]
    return f"合计{','.join(groups)}元，其中专项{','.join(groups[1:])}元"


def _date(chance: random.Random) -> str:
    day = _day(chance)
    return chance.choice(
        (
            f"{day:%Y-%m-%d} {_digits(chance, 1)}:{chance.randint(10, 59)}:00 来源：区政府办",
            f"发布时间：{day:%Y年%m月%d日} {chance.randint(10, 23)}:{chance.randint(10, 59)}",
            f"统计期 {day:%Y-%m-%d} 至 {day + timedelta(300):%Y-%m-%d}",
            f"{day:%Y%m%d}—{day + timedelta(300):%Y%m%d}",
            f"{day:%Y-%m-%d %H:%M:%S}.{_digits(chance, 6)}+08:00",
        )
    )


def _timestamp(chance: random.Random) -> str:
    day = _day(chance)
    return chance.choice(
        (
            f"更新于{day:%Y%m%d}{chance.randint(10, 23)}{_digits(chance, 4)}",
            f"t={chance.randint(1_300_000_000_000, 1_799_999_999_999)}",
            f"生成时间戳 {chance.randint(1_300_000_000_000, 1_799_999_999_999)}",
            f"{day:%Y%m%d}{chance.randint(10, 23)}{_digits(chance, 7)}",
        )
    )


def _address(chance: random.Random) -> str:
    day, mobile = _day(chance), f"1{chance.choice('3456789')}{_digits(chance, 9)}"
    return chance.choice(
        (
            f"http://www.example.gov.cn/wlmqs/c120229/{day:%Y%m}/{_hex(chance, 32)}.shtml",
            f"http://www.example.gov.cn/info/3168/{_digits(chance, 6)}.htm",
            f"http://www.example.gov.cn/content/{mobile}.html",
            f"http://www.example.gov.cn/system/_content/download.jsp?owner={_digits(chance, 10)}"
            f"&wbfileid={_hex(chance, 32)}",
            f"http://www.example.gov.cn/show.jsp?id={mobile}&cat_id=15282",
            f"http://www.example.gov.cn/{day:%Y%m}/t{day:%Y%m%d}_{_digits(chance, 7)}.html",
            f"/P0{day:%Y%m%d}{_digits(chance, 12)}.pdf",
            f"W0{day:%Y%m%d}{_digits(chance, 12)}.doc",
            f"img_{mobile}_0.jpg",
            f"www.example.gov.cn/a/{card_number(chance, '6217', 19)}.html",
        )
    )


def _digest(chance: random.Random) -> str:
    return chance.choice(
        (
            f"sha256:{_hex(chance, 64)}",
            f"文件校验 {_hex(chance, 32)}",
            "-".join(_hex(chance, length) for length in (8, 4, 4, 4, 12)),
            f"编号{_hex(chance, 32).upper()}",
        )
    )


def _statistics(chance: random.Random) -> str:
    numbers = [str(chance.randint(0, chance.choice((9, 99, 999, 9999)))) for _ in range(12)]
    return chance.choice(
        (
            "本年新收 " + " ".join(numbers),
            "\t".join(numbers),
            " ".join(numbers[:8]) + " 合计",
            "（一）予以公开 " + " ".join(numbers) + " 0 0 0",
            "-".join(numbers[:4]),
            " ".join(chance.choice("0123456789") for _ in range(18)) + " 0",
        )
    )


def _organisation_code(chance: random.Random) -> str:
    body = "11650100" + _digits(chance, 9)
    return chance.choice(
        (
            f"统一社会信用代码：{body}{chance.choice('ABCDEFGH')}",
            f"统一社会信用代码 {body}{_digits(chance, 1)}",
            f"统一社会信用代码 91650100MA{_digits(chance, 7)}{chance.choice('XKLQ')}",
            f"组织机构代码：01045{_digits(chance, 3)}-{_digits(chance, 1)}",
            f"12650100{_digits(chance, 9)}X（事业单位法人证书）",
        )
    )


def _counter(chance: random.Random) -> str:
    return chance.choice(
        (
            f"浏览次数:{_digits(chance, 4)}次 【字体：大 中 小】",
            f"共有{_digits(chance, 4)}条 第{chance.randint(1, 99)}页/共{_digits(chance, 3)}页",
            f"1 2 3 4 5 6 7 8 9 10 … {_digits(chance, 3)} 下一页",
            f"您是第{_digits(chance, 11)}位访问者",
            f"createPageHTML('page-div', 9, 1, 'list','shtml', {_digits(chance, 4)})",
        )
    )


def _office(chance: random.Random) -> str:
    return chance.choice(
        (
            f"联系电话：0991-{_digits(chance, 7)}",
            f"传真：0991{_digits(chance, 7)}",
            f"咨询电话（0991）{_digits(chance, 7)}转{_digits(chance, 4)}",
            f"热线12345、4{_digits(chance, 2)}-{_digits(chance, 3)}-{_digits(chance, 4)}",
            f"监督电话：+86-991-{_digits(chance, 7)}，邮编8300{_digits(chance, 2)}",
            f"电话 010-{_digits(chance, 8)}",
            f"0991-{_digits(chance, 7)}，0991-{_digits(chance, 7)}",
        )
    )


def _order(chance: random.Random) -> str:
    day = _day(chance)
    return chance.choice(
        (
            f"订单编号：{day:%Y%m%d}{_digits(chance, 10)}",
            f"受理号 6501{_digits(chance, 13)}",
            f"办件编号：650102{day:%Y%m%d}{_digits(chance, 4)}",
            f"流水号：1{chance.choice('3456789')}{_digits(chance, 9)}",
            f"DD1{chance.choice('3456789')}{_digits(chance, 9)}",
            f"项目代码{day.year}-650102-04-{_digits(chance, 2)}-{_digits(chance, 6)}",
            f"合同编号 XJ-{day:%Y%m%d}-{_digits(chance, 11)}",
            f"凭证号：{card_number(chance, '6217', 19)}",
            f"第1{chance.choice('3456789')}{_digits(chance, 9)}号登记证",
        )
    )


def _wrong_identity(chance: random.Random) -> str:
    """Seventeen or eighteen digits that are nobody's: check character, day or length is wrong."""
    number = identity_number(chance)
    wrong = chance.choice([last for last in "0123456789" if last != number[17]])
    return chance.choice(
        (
            f"编码{number[:17]}{wrong}",
            f"序号 {number[:17]}{wrong}",
            f"{number[:17]}",
            f"条目{number[:10]}1340{number[14:17]}{wrong}",
            f"{number[:17]}{wrong}",
        )
    )


def _wrong_card(chance: random.Random) -> str:
    number = card_number(chance, chance.choice(("6217", "6228", "4367", "5187")), 16)
    wrong = number[:15] + str((int(number[15]) + chance.randint(1, 9)) % 10)
    fours = " ".join(wrong[at : at + 4] for at in range(0, 16, 4))
    return chance.choice((f"资产标签 {wrong}", fours, f"{wrong}", f"1{_digits(chance, 18)}"))


def _long(chance: random.Random) -> str:
    mobile = f"1{chance.choice('3456789')}{_digits(chance, 9)}"
    return chance.choice(
        (
            f"{_digits(chance, 2)}{mobile}{_digits(chance, 3)}",
            f"0{mobile}",
            f"{_digits(chance, 30)}",
            f"设备A{mobile}B",
            f"{mobile}-{_digits(chance, 4)}",
            f"{mobile}.5",
            f"表{_digits(chance, 2)}.{_digits(chance, 12)}",
            f"1{_digits(chance, 9)}",
            f"12{_digits(chance, 9)}",
        )
    )


_ALIKE: tuple[Callable[[random.Random], str], ...] = (
    _document_number,
    _index_number,
    _site_code,
    _amount,
    _thousands,
    _date,
    _timestamp,
    _address,
    _digest,
    _statistics,
    _organisation_code,
    _counter,
    _office,
    _order,
    _wrong_identity,
    _wrong_card,
    _long,
)


def kinds() -> Iterator[str]:
    """What sorts of look-alikes there are, in the order of `alike`."""
    yield from (maker.__name__.removeprefix("_") for maker in _ALIKE)
