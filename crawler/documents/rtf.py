"""rtf → Document: the text as it shows, its tables with their merged cells. Often named .doc.

Left out is what a reader of the pages does not see, and notes, headers, footers and pictures.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from crawler.documents.flow import Down, Flow, Rule
from crawler.documents.model import Document
from crawler.errors import Unreadable

_KIND: Final = "rtf"
_MAGIC: Final = b"{\\rtf"
# Bounds against hostile files. A report of Word has some 60,000 tokens in groups ten deep.
_MOST_TOKENS: Final = 500_000
_DEEPEST: Final = 500
_MOST_COLUMNS: Final = 256

_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?[0-9]{1,10})?[ ]?"  # a word and its number
    rb"|\\'([0-9A-Fa-f]{2})"  # a byte
    rb"|\\([^A-Za-z'])"  # a sign
    rb"|([{}])"
    rb"|[\r\n\0]+"
    rb"|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
# Groups that hold no text of the pages, beside all that say they may be ignored.
_UNSEEN = frozenset(
    b"colortbl stylesheet info pict object header headerl headerr headerf footer footerl footerr"
    b" footerf footnote annotation xe tc txe rxe nonesttables sp shprslt nonshppict generator"
    b" filetbl listtable revtbl private".split()
)
# These may be ignored by readers that do not know them.
_KNOWN = frozenset((b"nesttableprops", b"shpinst", b"shppict"))
_WRITTEN = {
    b"tab": "\t", b"line": "\n", b"lbr": "\n", b"emdash": "—", b"endash": "–", b"lquote": "‘",
    b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"emspace": "\u2003",
    b"enspace": "\u2002", b"qmspace": "\u2005",
}  # fmt: skip
# Every other word is of how things look.
_MEANT = frozenset(
    b"u uc v deleted super sub nosupersub strike striked plain deff ansicpg fonttbl f fcharset pard"
    b" intbl itap cell nestcell row nestrow nesttableprops trowd trleft clmrg clvmgf clvmrg"
    b" cellx".split()
)
_SIGNS = {b"~": "\u00a0", b"_": "-", b"-": ""}
_PARAGRAPHS = frozenset((b"par", b"sect", b"page", b"column"))
# What fonts call a script by, and the codec of a code page.
_SCRIPTS = {128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5"}
_ANSI: Final = "cp1252"


class _Manner(NamedTuple):
    """What holds for the rest of a group: how bytes are read, and whether anybody sees them."""

    unseen: bool = False
    fonts: bool = False  # the group is the table of fonts
    codec: str = ""
    fallback: int = 1  # characters that follow one written by its number, for older readers
    hidden: bool = False
    raised: bool = False
    struck: bool = False


def is_mine(body: bytes) -> bool:
    """It says so."""
    return body[:64].lstrip().startswith(_MAGIC)


def read(body: bytes) -> Document:
    """Open it. Raises Unreadable."""
    reader = _Reader()
    reader.read(body)
    return reader.flow.document(reader.pictures)


def _damaged(why: str) -> Unreadable:
    return Unreadable("damaged", kind=_KIND, why=why)


class _Reader:
    def __init__(self) -> None:
        self.flow = Flow(_KIND)
        self.pictures = 0
        self._manner = _Manner()
        self._stack: list[_Manner] = []
        self._ansi = _ANSI
        self._codecs: dict[int, str] = {}
        self._font = self._default = 0
        self._bytes = bytearray()
        self._text: list[str] = []
        self._in_raised = False
        self._skip = 0  # characters for older readers still to come
        self._ignorable = False
        self._in_table, self._depth = False, 0
        self._rules: list[Rule] | None = None
        self._outer: list[tuple[int, list[Rule] | None]] = []
        self._left = 0
        self._beside = False
        self._down: Down = ""

    def read(self, body: bytes) -> None:
        for token in _tokens(body):
            word, number, byte, sign, brace, text = token.groups()
            if word:
                self._word(word, None if number is None else int(number))
            elif byte:
                self._put(bytes([int(byte, 16)]))
            elif text:
                self._put(text)
            elif sign:
                self._sign(sign)
            elif brace == b"{":
                self._open()
            elif brace:
                self._close()
                if not self._stack:
                    break
            if not (word or sign):
                self._ignorable = False
        if self._stack:
            raise Unreadable("truncated", kind=_KIND)
        if self._text or self._bytes:
            self._end_paragraph()

    # --- groups ---------------------------------------------------------------------------------

    def _open(self) -> None:
        self._flush()
        self._skip = 0
        self._stack.append(self._manner)
        if len(self._stack) > _DEEPEST:
            raise _damaged("groups too deep")

    def _close(self) -> None:
        self._flush()
        self._skip = 0
        if not self._stack:
            raise _damaged("a group that was never opened")
        if self._outer and self._outer[-1][0] == len(self._stack):
            self._rules = self._outer.pop()[1]
        self._manner = self._stack.pop()

    # --- text -----------------------------------------------------------------------------------

    def _put(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if not self._manner.unseen and not self._manner.fonts:
            self._bytes += data

    def _sign(self, sign: bytes) -> None:
        if sign == b"*":
            self._ignorable = True
        elif self._skip:
            self._skip -= 1
        elif sign in b"\\{}":
            self._put(sign)
        elif sign in b"\r\n":
            self._end_paragraph()
        else:
            self._say(_SIGNS.get(sign, ""))

    def _say(self, text: str) -> None:
        self._flush()
        self._add(text)

    def _flush(self) -> None:
        """Bytes are read once all of a run are there: a character may be two or four of them."""
        if self._bytes:
            data = bytes(self._bytes)
            self._bytes.clear()
            self._add(data.decode(self._manner.codec or self._ansi, "replace"))

    def _add(self, text: str) -> None:
        if self._manner.unseen or self._manner.hidden or self._manner.fonts or not text:
            return
        if (self._manner.raised or self._manner.struck) != self._in_raised and not text.isspace():
            self._text.append("]" if self._in_raised else "[")
            self._in_raised = not self._in_raised
        self._text.append(text)

    def _line(self) -> str:
        """The paragraph so far. A raised digit is a note mark: 22¹ would read 221, as would a 2
        struck out before 21.
        """
        self._flush()
        if self._in_raised:
            self._text.append("]")
            self._in_raised = False
        text = "".join(self._text)
        self._text.clear()
        # Characters beyond the first plane are written by two numbers.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    # --- words ----------------------------------------------------------------------------------

    def _word(self, word: bytes, number: int | None) -> None:
        ignorable, self._ignorable = self._ignorable, False
        if self._skip:
            self._skip -= 1
            return
        if word == b"pict" and not self._manner.unseen:
            self.pictures += 1
        if word in _UNSEEN or (ignorable and word not in _KNOWN):
            self._change(unseen=True)
        elif self._manner.unseen:
            return
        elif word == b"u" and number is not None:
            self._say(chr(number & 0xFFFF))
            self._skip = self._manner.fallback
        elif word in _WRITTEN:
            self._say(_WRITTEN[word])
        elif word in _PARAGRAPHS:
            if not self._manner.hidden:
                self._end_paragraph()
        elif word in _MEANT and not self._of_table(word, number):
            self._of_manner(word, number)

    def _of_manner(self, word: bytes, number: int | None) -> None:
        on = number != 0
        if word == b"uc":
            self._change(fallback=max(0, min(number or 0, 16)))
        elif word in (b"v", b"deleted"):
            self._change(hidden=on)
        elif word in (b"super", b"sub"):
            self._change(raised=on)
        elif word == b"nosupersub":
            self._change(raised=False)
        elif word in (b"strike", b"striked"):
            self._change(struck=on)
        elif word == b"plain":
            codec = self._codecs.get(self._default, "")
            self._change(hidden=False, raised=False, struck=False, codec=codec)
        elif word == b"deff":
            self._default = number or 0
        elif word == b"ansicpg":
            self._ansi = "gb18030" if number == 936 else _codec(f"cp{number}")
        elif word == b"fonttbl":
            self._change(fonts=True)
        elif word == b"f":
            self._font = number or 0
            if not self._manner.fonts:
                self._change(codec=self._codecs.get(self._font, ""))
        elif word == b"fcharset" and self._manner.fonts and number in _SCRIPTS:
            self._codecs[self._font] = _SCRIPTS[number]

    def _change(self, **changes: Any) -> None:
        self._flush()
        self._manner = self._manner._replace(**changes)

    # --- tables ---------------------------------------------------------------------------------

    def _of_table(self, word: bytes, number: int | None) -> bool:
        if word == b"pard":
            self._in_table, self._depth = False, 0
        elif word == b"intbl":
            self._in_table = True
        elif word == b"itap":
            self._depth = max(number or 0, 0)
        elif word in (b"cell", b"nestcell"):
            depth = 1 if word == b"cell" else max(self._depth, 2)
            self.flow.paragraph(self._line(), depth)
            self.flow.end_cell(depth)
        elif word in (b"row", b"nestrow"):
            self._line()
            rules = None if self._rules is None else tuple(self._rules)
            self.flow.end_row(rules, 1 if word == b"row" else max(self._depth, 2))
        elif word == b"nesttableprops":
            self._outer.append((len(self._stack), self._rules))
        else:
            return self._of_row(word, number)
        return True

    def _of_row(self, word: bytes, number: int | None) -> bool:
        if word == b"trowd":
            self._rules = []
            self._beside, self._down = False, ""
            self._left = 0
        elif word == b"trleft":
            self._left = number or 0
        elif word == b"clmrg":
            self._beside = True
        elif word == b"clvmgf":
            self._down = "first"
        elif word == b"clvmrg":
            self._down = "more"
        elif word == b"cellx" and self._rules is not None and number is not None:
            left = self._rules[-1].right if self._rules else self._left
            if len(self._rules) < _MOST_COLUMNS:
                self._rules.append(Rule(left, number, self._beside, self._down))
            self._beside, self._down = False, ""
        else:
            return False
        return True

    def _end_paragraph(self) -> None:
        self.flow.paragraph(self._line(), max(self._depth, 1) if self._in_table else 0)


def _tokens(body: bytes) -> Iterator[re.Match[bytes]]:
    at = body.find(_MAGIC)
    if at < 0:
        raise _damaged("it does not begin as one")
    for _ in range(_MOST_TOKENS):
        token = _TOKEN.match(body, at)
        if token is None:
            if at < len(body) - 3:
                raise _damaged("a sign that is none")
            return
        at = token.end()
        if token[1] == b"bin" and token[2]:
            at += max(int(token[2]), 0)
        yield token
    raise Unreadable("bomb", kind=_KIND, limit=f"{_MOST_TOKENS:,} words")


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return _ANSI
