"""Metrics: bounded labels, the numbers of all workers in one answer."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from locum.errors import ERRORS
from locum.server import metrics
from locum.server.metrics import BOUNDS, OK, Metrics

OPERATIONS = [("sts", "AssumeRole"), ("sts", "GetCallerIdentity"), ("iam", "CreateRole")]


@pytest.fixture(autouse=True)
def _own_memory() -> Iterator[None]:
    before, metrics._memory = metrics._memory, None
    yield
    metrics._memory = before


def samples(rendered: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(rendered.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_operation_and_outcome() -> None:
    board = Metrics(OPERATIONS)
    for _ in range(3):
        board.record("sts", "AssumeRole", OK, 0.01)
    board.meter("sts", "AssumeRole").record("AccessDenied", 0.01)
    found = samples(board.render())
    assert found["locum_requests_total", OK, "AssumeRole", "sts"] == 3
    assert found["locum_requests_total", "AccessDenied", "AssumeRole", "sts"] == 1
    assert not any("GetCallerIdentity" in key for key in found)


def test_durations_fall_into_cumulative_buckets() -> None:
    board = Metrics(OPERATIONS)
    for seconds in (0.0001, 0.0002, 0.03, 100.0):
        board.record("sts", "AssumeRole", OK, seconds)
    found = samples(board.render())
    name = "locum_request_duration_seconds"

    def bucket(bound: str) -> float:
        return found[f"{name}_bucket", bound, "AssumeRole", "sts"]

    assert [bucket(each) for each in ("0.0001", "0.00025", "0.025", "0.05", "10.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    assert found[f"{name}_count", "AssumeRole", "sts"] == 4
    assert found[f"{name}_sum", "AssumeRole", "sts"] == pytest.approx(100.0303)
    assert list(BOUNDS) == sorted(BOUNDS)


def test_nothing_that_a_client_sends_becomes_a_label() -> None:
    board = Metrics(OPERATIONS)
    size = len(board.render())
    for number in range(100):
        board.record("sts", f"Made{number}Up", f"Code{number}", 0.1)
        board.record(f"service{number}", "AssumeRole", OK, 0.1)
    found = samples(board.render())
    assert found["locum_requests_total", "other", "unknown", "unknown"] == 100
    assert found["locum_requests_total", OK, "unknown", "unknown"] == 100
    assert len(board.render()) < size + 4_000


def test_every_error_of_the_table_is_an_outcome() -> None:
    board = Metrics(OPERATIONS)
    for code in ERRORS:
        board.record("iam", "CreateRole", code, 0.1)
    found = samples(board.render())
    assert all(found["locum_requests_total", code, "CreateRole", "iam"] == 1 for code in ERRORS)


def test_a_clock_that_goes_back_does_not_break_counting() -> None:
    board = Metrics(OPERATIONS)
    board.record("sts", "AssumeRole", OK, -1.0)
    assert samples(board.render())["locum_request_duration_seconds_sum", "AssumeRole", "sts"] == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_any_worker_answers_for_all_of_them_and_a_successor_goes_on() -> None:
    metrics.share(2)
    mine = Metrics(OPERATIONS)
    for _ in range(2):  # the second process takes the place of the first
        pid = os.fork()
        if not pid:
            metrics.take(1)
            Metrics(OPERATIONS).record("sts", "AssumeRole", OK, 0.1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    mine.record("sts", "AssumeRole", OK, 0.1)
    found = samples(mine.render())
    assert found["locum_requests_total", OK, "AssumeRole", "sts"] == 3
    assert found["locum_workers",] == 2


def test_a_region_is_taken_only_where_memory_is_shared() -> None:
    with pytest.raises(RuntimeError, match="no memory"):
        metrics.take(0)


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Metrics(("sts", f"Operation{number}") for number in range(1_000))


def test_the_build_is_named() -> None:
    from locum import __version__

    assert f'version="{__version__}"' in Metrics([]).render().decode()
