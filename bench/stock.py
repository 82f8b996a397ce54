"""Stock Scrapy with its default settings: follows the links of bench.site and keeps nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse


class Stock(scrapy.Spider):
    name = "stock"

    async def start(self) -> AsyncIterator[Any]:
        yield scrapy.Request("http://www.xjsmgq.gov.cn/")

    def parse(self, response: Response, **kwargs: Any) -> Iterator[Any]:
        if not isinstance(response, TextResponse):
            return
        main = response.css("#text a, li.am-list-item-dated a, .am-pagination-centered a")
        for link in main or response.css("li a"):
            yield response.follow(link, self.parse)
        yield {"url": response.url}


if __name__ == "__main__":
    process = CrawlerProcess({"LOG_LEVEL": "ERROR"})
    process.crawl(Stock)
    process.start()
