"""How each CMS writes its pages, one module a CMS."""

from __future__ import annotations

from tests.replica.dialects.base import Dialect
from tests.replica.dialects.cicro import Cicro
from tests.replica.dialects.content_n import ContentN
from tests.replica.dialects.ucap import Ucap
from tests.replica.dialects.vsb import Vsb

DIALECTS: dict[str, type[Dialect]] = {
    "vsb": Vsb,
    "ucap": Ucap,
    "cicro": Cicro,
    "content_n": ContentN,
}
