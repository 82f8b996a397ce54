"""`scrapy crawl urumqi_city`: the portal of the city of Urumqi."""

from __future__ import annotations

from crawler.portals import Portal
from crawler.spiders.walk import PortalSpider


class UrumqiCity(PortalSpider):
    name = "urumqi_city"

    @classmethod
    def choose(cls, portal: Portal) -> bool:
        return portal.division_code.startswith("6501") and portal.organ_kind == "city"
