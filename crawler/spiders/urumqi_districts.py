"""`scrapy crawl urumqi_districts`: the seven districts of Urumqi and its county."""

from __future__ import annotations

from crawler.portals import Portal
from crawler.spiders.walk import PortalSpider


class UrumqiDistricts(PortalSpider):
    name = "urumqi_districts"

    @classmethod
    def choose(cls, portal: Portal) -> bool:
        return portal.division_code.startswith("6501") and portal.organ_kind != "city"
