"""A citation as people write it: GB/T 7714 in Chinese, a sentence in English, BibTeX."""

from __future__ import annotations

import re

from storage.queries.citation import Citation

# What TeX would take for its own. Of a backslash first: the others bring theirs.
_TEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "{}&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def in_chinese(told: Citation, seal: str | None) -> str:
    """By GB/T 7714-2015, an electronic resource; the date of citing is that of the capture."""
    published = f"({told['published'][:10]})" if told["published"] else ""
    parts = [
        f"{told['organ']}. {told['title']}[EB/OL]. {published}[{_day(told)}]. {told['url']}.",
        f"档案 {told['address']}，第 {told['number']} 版（{told['version_id']}），",
        f"WARC 记录 {told['record_id']}，摘要 {told['payload_digest']}，",
        f"抓取于 {told['captured_at']}{_seal(seal, '，档案封存 ')}.",
    ]
    figure = told["figure"]
    if figure is not None:
        parts.append(
            f" 所引数字 {figure['path']}：{figure['raw'] or '（空）'}（{figure['state']}）."
        )
    return "".join([parts[0], " ", *parts[1:]])


def in_english(told: Citation, seal: str | None) -> str:
    """The same in English."""
    published = f" Published {told['published'][:10]}." if told["published"] else ""
    figure = told["figure"]
    cited = ""
    if figure is not None:
        cited = f" Figure {figure['path']}: {figure['raw'] or '(nothing)'} ({figure['state']})."
    return (
        f"{told['organ']}. {told['title']}.{published} {told['url']}, captured "
        f"{told['captured_at']}. gongkai {told['address']}, version {told['number']} "
        f"({told['version_id']}), WARC record {told['record_id']}, {told['payload_digest']}"
        f"{_seal(seal, ', archive sealed as ')}.{cited}"
    )


def as_bibtex(told: Citation, seal: str | None) -> str:
    """An entry `@misc`; text is escaped for TeX, addresses stand as they are."""
    figure = told["figure"]
    note = [
        f"gongkai {told['address']}",
        f"version {told['number']} ({told['version_id']})",
        f"captured {told['captured_at']}",
        f"WARC record {told['record_id']}",
        told["payload_digest"],
        *([f"archive sealed as sha256:{seal}"] if seal else []),
    ]
    if figure is not None:
        note.append(f"figure {figure['path']}: {figure['raw']} ({figure['state']})")
    year = (told["published"] or told["captured_at"])[:4]
    fields = {
        "author": f"{{{_tex(told['organ'])}}}",
        "title": f"{{{_tex(told['title'])}}}",
        "year": year,
        "url": re.sub(r"[{}\s]", lambda sign: f"%{ord(sign[0]):02X}", told["url"]),
        "urldate": _day(told),
        "note": _tex("; ".join(note)),
    }
    lines = [f"  {name} = {{{said}}}," for name, said in fields.items()]
    key = f"gongkai-{told['division_code']}-{told['year']}-{told['version_id']}"
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _seal(seal: str | None, before: str) -> str:
    return f"{before}sha256:{seal}" if seal else ""


def _day(told: Citation) -> str:
    return told["captured_at"][:10]


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, " " if sign.isspace() else sign) for sign in text)
