"""Counters and latencies, for Prometheus to collect.

The numbers of all workers stand in one piece of shared memory that the supervisor maps before it forks: a region for
each worker, which alone writes there, so that counting is a handful of additions without a lock, and any worker can
answer for all.  A worker that was restarted goes on in the region of the one before it, so that no counter falls.

Labels are bounded: operations come from the table that the server was built with, outcomes from the table of errors;
everything else is ``unknown`` and ``other``.  Nothing that a client sends becomes a label.
"""

from __future__ import annotations

import mmap
import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from locum import __version__
from locum.errors import ERRORS

__all__ = ["BOUNDS", "CONTENT_TYPE", "OK", "Meter", "Metrics", "share", "take"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of what :meth:`Metrics.render` returns."""

OK: Final = "ok"
"""The outcome of a request that succeeded; every other outcome is an error's wire code."""

BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the latency buckets, in seconds; one more bucket has none."""

_OTHER: Final = "other"
_UNKNOWN: Final = "unknown"
_OUTCOMES: Final = (OK, *sorted(ERRORS), _OTHER)
_OFFSETS: Final = {code: offset for offset, code in enumerate(_OUTCOMES)}
_BUCKETS: Final = len(_OUTCOMES)
_SUM: Final = _BUCKETS + len(BOUNDS) + 1
_CELLS: Final = _SUM + 1
_REGION: Final = 1 << 18
"""Bytes of a worker's region: about 350 operations.  Pages that nobody touches cost nothing."""


class _Memory:
    """The regions of every worker, and which of them is this process's."""

    def __init__(self, workers: int) -> None:
        cells = memoryview(mmap.mmap(-1, workers * _REGION)).cast("Q")
        size = _REGION // 8
        self.regions: Final = [cells[index * size : (index + 1) * size] for index in range(workers)]
        self.own = 0


_memory: _Memory | None = None


def share(workers: int) -> None:
    """Map the memory for ``workers`` processes; called once, before they are forked."""
    global _memory
    _memory = _Memory(workers)


def take(index: int) -> None:
    """Count in the region of worker ``index`` from now on; called in the worker, before it makes its metrics."""
    if _memory is None:
        raise RuntimeError("no memory is shared")
    _memory.own = index


class Meter:
    """The numbers of one operation in one process.  For one thread at a time."""

    __slots__ = ("_base", "_buckets", "_cells", "_sum")

    def __init__(self, cells: memoryview, base: int) -> None:
        self._cells = cells
        self._base = base
        self._buckets = base + _BUCKETS
        self._sum = base + _SUM

    def record(self, code: str, seconds: float) -> None:
        """Count a request: ``code`` is :data:`OK` or the wire code of the error, ``seconds`` how long it took."""
        cells = self._cells
        cells[self._base + _OFFSETS.get(code, _BUCKETS - 1)] += 1
        cells[self._buckets + bisect_left(BOUNDS, seconds)] += 1
        if seconds > 0:
            cells[self._sum] += int(seconds * 1_000_000)


class Metrics(Collector):
    """The metrics of a server that knows ``operations``, pairs of service and operation.

    The same operations in every worker: the layout of the shared memory follows from them.
    """

    def __init__(self, operations: Iterable[tuple[str, str]]) -> None:
        pairs = sorted({*operations, (_UNKNOWN, _UNKNOWN)})
        if len(pairs) * _CELLS * 8 > _REGION:
            raise ValueError(f"{len(pairs)} operations do not fit into a worker's region")
        memory = _memory or _Memory(1)
        own = memory.regions[memory.own]
        self._regions: Final = memory.regions
        self._pairs: Final = pairs
        self._meters: Final = {pair: Meter(own, index * _CELLS) for index, pair in enumerate(pairs)}
        self._unknown: Final = self._meters[_UNKNOWN, _UNKNOWN]
        self._registry: Final = CollectorRegistry()
        self._registry.register(self)

    def meter(self, service: str, operation: str) -> Meter:
        """The meter of an operation, or of all unknown ones; to be kept by whoever records often."""
        return self._meters.get((service, operation), self._unknown)

    def record(self, service: str, operation: str, code: str, seconds: float) -> None:
        """Count a request of an operation; see :meth:`Meter.record`."""
        self._meters.get((service, operation), self._unknown).record(code, seconds)

    def render(self) -> bytes:
        """What ``/metrics`` answers: the numbers of all workers in Prometheus's text format (:data:`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metric families, summed over the workers."""
        requests = CounterMetricFamily(
            "locum_requests", "Requests by operation and outcome", labels=("service", "operation", "code")
        )
        durations = HistogramMetricFamily(
            "locum_request_duration_seconds",
            "Time from the whole request to the answer",
            labels=("service", "operation"),
        )
        for index, (service, operation) in enumerate(self._pairs):
            base = index * _CELLS
            cells = [
                sum(column) for column in zip(*(each[base : base + _CELLS] for each in self._regions), strict=True)
            ]
            if not any(cells):
                continue
            for code, count in zip(_OUTCOMES, cells, strict=False):
                if count:
                    requests.add_metric((service, operation, code), count)
            counts = accumulate(cells[_BUCKETS:_SUM])
            buckets = list(zip((*map(str, BOUNDS), "+Inf"), counts, strict=True))
            durations.add_metric((service, operation), buckets, cells[_SUM] / 1_000_000)
        yield requests
        yield durations
        workers = GaugeMetricFamily("locum_workers", "Processes that answer requests")
        workers.add_metric((), len(self._regions))
        yield workers
        build = GaugeMetricFamily("locum_build_info", "Constant 1, labelled by version", labels=("version", "python"))
        build.add_metric((__version__, platform.python_version()), 1)
        yield build
