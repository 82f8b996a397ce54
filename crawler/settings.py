"""Every Scrapy setting we change, with the reason and Scrapy's own default beside it."""

from __future__ import annotations

from importlib.metadata import version

from crawler.fetching import pace as _pace
from crawler.fetching.outcomes import LONGEST_REDIRECT

PACE = _pace.from_environment()

BOT_NAME = "gongkai"
SPIDER_MODULES = ["crawler.spiders"]
COMMANDS_MODULE = "crawler.commands"

# --- who we are -------------------------------------------------------------------------------
# A portal's operator must be able to find us (Scrapy: its own name and address).
USER_AGENT = f"gongkai/{version('gongkai')} (archive of public disclosure; contact {PACE.contact})"
# The portals answer in Chinese; asking for English first (Scrapy: en) meets other templates.
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5",
    "Accept-Encoding": "gzip, deflate",  # what crawler/fetching/answers.py opens
}
# Scrapy: True. The answer is opened where it is judged, before anyone sees it.
COMPRESSION_ENABLED = False

# --- a good guest -----------------------------------------------------------------------------
ROBOTSTXT_OBEY = True  # Scrapy: False
CONCURRENT_REQUESTS_PER_DOMAIN = 1  # Scrapy: 8. One connection a host.
DOWNLOAD_DELAY = PACE.seconds(3.0)  # Scrapy: 0. A portal's file may ask for more.
DOWNLOAD_DELAY_JITTER = 0  # Scrapy: 0.5, which turns 3 s into gaps down to 1.5 s.
DOWNLOAD_TIMEOUT = 60  # Scrapy: 180. A slot is held that long.
RETRY_TIMES = 2  # Scrapy: 2. What fails three times waits for the next run.
REDIRECT_MAX_TIMES = LONGEST_REDIRECT  # Scrapy: 20
# Ours, in seconds. A run that does nothing for so long hangs, and is ended. Honestly silent is who
# waits an hour for a portal that asked for it (Retry-After, Crawl-delay), then a minute for an
# answer, and then reads a scan: half an hour is left for that.
WATCHDOG_SILENCE = 5400
METAREFRESH_MAXDELAY = 5  # Scrapy: 100. A page that reloads itself after a minute is that page.
# Scrapy's own, which asks whatever address a name leads to.
TWISTED_DNS_RESOLVER = "crawler.fetching.addresses.GuardedResolver"
COOKIES_ENABLED = False  # Scrapy: True. No portal needs them, and its filter loads a list online.

# --- what comes in ----------------------------------------------------------------------------
DOWNLOAD_HANDLERS = {
    "http": "crawler.fetching.handler.RecordingHandler",
    "https": "crawler.fetching.handler.RecordingHandler",
    "data": None,
    "file": None,
    "ftp": None,
    "s3": None,
}
DOWNLOAD_MAXSIZE = 64 * 1024 * 1024  # Scrapy: 1 GiB
DOWNLOAD_WARNSIZE = 0  # Scrapy: 32 MiB; the attempt's row says it
# Scrapy: 0, no limit. A crawl takes 150 MB; what grows beyond this is stopped, and gone on with by
# the next start.
MEMUSAGE_LIMIT_MB = 1024
# Scrapy: False. Nobody can stand between us and a replica on this machine.
DOWNLOAD_VERIFY_CERTIFICATES = not PACE.rehearsal

DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "crawler.fetching.redirects.MetaRefreshes": 580,  # in the places of Scrapy's own
    "crawler.fetching.redirects.Redirects": 600,
    "crawler.fetching.scope.ScopeMiddleware": 50,
    "crawler.fetching.replay.ReplayMiddleware": 75,
    "crawler.fetching.robots.RobotsMiddleware": 100,
    "crawler.fetching.probe.ProbeMiddleware": 110,
    "crawler.fetching.encoding.EncodingMiddleware": 585,
}
EXTENSIONS = {
    "crawler.fetching.run.Run": 0,
    "crawler.fetching.watchdog.Watchdog": 5,
    "crawler.fetching.window.Window": 10,
    "crawler.fetching.progress.Progress": 20,
    # Not even loaded: a console for whoever reaches the port; and Python that is posted, executed.
    "scrapy.extensions.telnet.TelnetConsole": None,
    "scrapy.extensions.remote_control.RemoteControl": None,
}
ITEM_PIPELINES = {
    "crawler.pipelines.captures.CapturePipeline": 100,
    "crawler.pipelines.attachments.AttachmentPipeline": 200,
    "crawler.pipelines.facts.FactsPipeline": 300,
    "crawler.pipelines.listings.ListingsPipeline": 400,
}
# Scrapy: 100, which starts a hundred tasks for every answer; ours come one by one.
CONCURRENT_ITEMS = 1
# Breadth first (Scrapy: last in, first out): a page is reached by its shortest trail.
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"

# --- a quiet process ---------------------------------------------------------------------------
LOG_LEVEL = "WARNING"  # Scrapy: DEBUG. Cron mails what is printed; the run's row says the rest.
