"""The skeleton of a page: its frame without text, rows and counters, as a small sketch.

Two ordinary pages of one template have nearly the same set of paths (tag, id and classes, from the
root down), however many rows or menu entries each shows. Of the set only the smallest digests are
kept (bottom-k MinHash): bounded in size, and two sketches still tell how much of it is shared
(storage/drift/measures.py compares them).
"""

from __future__ import annotations

from zlib import crc32

from lxml.html import HtmlElement

# Digests kept a page; sets no larger than this are compared exactly.
SIZE = 48
# What is looked at of one page: a frame has hundreds of elements, a broken page endless ones.
MOST_ELEMENTS, DEEPEST = 3000, 24
_NOTHING = frozenset({"script", "style", "link", "meta", "br", "option", "noscript", "base"})
# Without a class or an id they are the text's, not the frame's.
_INLINE = frozenset({"a", "b", "em", "font", "i", "img", "p", "span", "strong", "u"})
# A number in an id or a class is a component's or an article's: `titlestyle1400`, `line_u7_3`.
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))


def sketch(tree: HtmlElement, content: HtmlElement | None = None) -> str:
    """The smallest digests of the page's paths, ascending, eight hexadecimal digits each.

    `content` and what is in it is left out.
    """
    found: set[int] = set()
    waiting = [(tree, 0, 0)]
    seen = 0
    while waiting and seen < MOST_ELEMENTS:
        element, above, depth = waiting.pop()
        for child in element:
            tag = child.tag
            if child is content or not isinstance(tag, str) or tag in _NOTHING:
                continue
            seen += 1
            marks = f"{child.get('id', '')}.{child.get('class', '')}"
            if tag in _INLINE and marks == ".":
                continue
            path = crc32(f"{tag}#{marks.translate(_NO_DIGITS)}".encode(), above)
            found.add(path)
            if depth < DEEPEST and len(child):
                waiting.append((child, path, depth + 1))
    return "".join(f"{path:08x}" for path in sorted(found)[:SIZE])
