"""Reads the metrics that our processes show, all at once, and takes the difference of two readings. For ``yiwang top``."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from yiwang.latency import quantile
from yiwang.metrics import STAGE, Spec
from yiwang.processes import Entry

TIMEOUT_S = 2.0
MOST_BYTES = 8 * 1024 * 1024
INF = float("inf")

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """What a process showed.

    Attributes:
        at_s: when, on a clock that only goes forward.
        samples: series name to labels to value.
    """

    at_s: float
    samples: dict[str, dict[Labels, float]] = field(default_factory=dict)

    def rows(self, spec: Spec, suffix: str = "") -> dict[Labels, float]:
        """All values of a metric; of a histogram those of one of its three series."""
        name = f"{spec.name}_{suffix}" if suffix else spec.written[0]
        return self.samples.get(name, {})

    def total(self, spec: Spec, **labels: str) -> float | None:
        """The sum over all labels but those given; None where it has no such metric."""
        wanted = set(labels.items())
        found = [value for have, value in self.rows(spec).items() if wanted <= have]
        return sum(found) if found else None

    def label(self, spec: Spec, name: str) -> set[str]:
        """The values of a label."""
        return {value for have in self.rows(spec) for key, value in have if key == name}

    def process(self, name: str) -> float | None:
        """One of the figures of ``PROCESS_SERIES``."""
        return next(iter(self.samples.get(name, {}).values()), None)


def parse(text: str, at_s: float) -> Page:
    """A page from its text.

    Raises:
        ValueError: it is none.
    """
    page = Page(at_s)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            page.samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return page


def fetch(address: str, timeout_s: float = TIMEOUT_S) -> Page | str:
    """The page of one process, or why there is none."""
    # No proxy: what we ask is in our own network, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=timeout_s) as answer:
            return parse(answer.read(MOST_BYTES).decode("utf-8", "replace"), time.monotonic())
    except urllib.error.HTTPError as error:
        return f"answers {error.code}"
    except urllib.error.URLError as error:
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (OSError, ValueError, UnicodeError) as error:
        return f"no metrics: {error}"


def fetch_all(entries: Sequence[Entry]) -> list[Page | str]:
    """The pages of processes, side by side, so that one that is slow holds up none of the others."""
    if not entries:
        return []
    with ThreadPoolExecutor(max_workers=min(32, len(entries))) as threads:
        return list(threads.map(_of, entries))


def _of(entry: Entry) -> Page | str:
    if not entry.alive:
        return "gone"
    return fetch(entry.address) if entry.address else "shows no metrics"


@dataclass(frozen=True, slots=True)
class Between:
    """Two readings of one process; ``before`` may be the same as ``now`` where there is only one.

    Attributes:
        seconds: between them.
    """

    before: Page
    now: Page

    @property
    def seconds(self) -> float:
        return self.now.at_s - self.before.at_s

    def rate(self, spec: Spec, **labels: str) -> float | None:
        """How fast a counter grew, per second; one that began again at 0 counts from there."""
        now = self.now.total(spec, **labels)
        if now is None or self.seconds <= 0:
            return None
        before = self.before.total(spec, **labels) or 0.0
        return (now - before if now >= before else now) / self.seconds

    def grown(self, spec: Spec, label: str) -> list[str]:
        """Values of a label whose counters grew, those that grew most first."""
        before = self.before.rows(spec)
        found: dict[str, float] = {}
        for have, value in self.now.rows(spec).items():
            name = dict(have)[label]
            found[name] = found.get(name, 0.0) + value - before.get(have, 0.0)
        return sorted((name for name, n in found.items() if n > 0), key=lambda name: -found[name])

    def cpu(self) -> float | None:
        """Part of one core that the process took."""
        name = "yiwang_process_cpu_seconds_total"
        now, before = self.now.process(name), self.before.process(name)
        if now is None or before is None or self.seconds <= 0:
            return None
        return max(0.0, now - before) / self.seconds

    def latency(self, share: float, **labels: str) -> float | None:
        """A quantile of a stage between the readings, seconds; since the start where nothing came meanwhile."""
        now = _buckets(self.now, labels)
        before = _buckets(self.before, labels)
        fresh = {le: n - before.get(le, 0.0) for le, n in now.items()}
        for cumulated in (fresh, now):
            if cumulated.get(INF, 0.0) > 0:
                return _quantile(share, cumulated)
        return None


def _buckets(page: Page, labels: dict[str, str]) -> dict[float, float]:
    """Upper bound to how many took no longer, over all labels but those given."""
    wanted = set(labels.items())
    summed: dict[float, float] = {}
    for have, value in page.rows(STAGE, "bucket").items():
        if wanted <= have:
            le = float(dict(have)["le"])
            summed[le] = summed.get(le, 0.0) + value
    return summed


def _quantile(share: float, cumulated: dict[float, float]) -> float | None:
    bounds = sorted(cumulated)
    counts = [cumulated[b] - (cumulated[bounds[i - 1]] if i else 0.0) for i, b in enumerate(bounds)]
    return quantile(share, bounds[:-1], counts)


class Kept:
    """Earlier readings of all processes, for what is reported more rarely than somebody looks.

    Args:
        seconds: ``before`` is so old at least, as soon as there is such a reading, and at most twice that.
    """

    def __init__(self, seconds: float) -> None:
        self.before: dict[str, Page | str] = {}
        self._seconds = seconds
        self._newer: dict[str, Page | str] = {}
        self._turned_s: float | None = None

    def take(self, pages: dict[str, Page | str], at_s: float) -> None:
        """A reading, by process; ``at_s`` on a clock that only goes forward."""
        if self._turned_s is None:
            self.before = self._newer = pages
            self._turned_s = at_s
        elif at_s - self._turned_s >= self._seconds:
            self.before, self._newer = self._newer, pages
            self._turned_s = at_s


def between(before: Iterable[Page | str], now: Iterable[Page | str]) -> list[Between | str]:
    """Pairs of pages; where one is missing now, why."""
    return [
        n if isinstance(n, str) else Between(b if isinstance(b, Page) else n, n)
        for b, n in zip(before, now, strict=True)
    ]
