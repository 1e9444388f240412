"""When a call is made again: the modes against botocore's, the quota, the pace, the clock, and the call's own time."""

from __future__ import annotations

import os
import signal
import warnings
from typing import Any, Final
from unittest.mock import Mock

import pytest
from botocore.retries import adaptive, bucket, standard, throttling
from hypothesis import given
from hypothesis import strategies as st

from locum.api.sts import AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand
from locum.client.effects import Flow, Now
from locum.client.failures import (
    AnswerTooLarge,
    CertificateFailure,
    ClientFailure,
    ConfigurationFailure,
    ConnectionFailure,
    CredentialsFailure,
    TimedOut,
    UnreadableResponse,
)
from locum.client.retry import MODES, THROTTLING_CODES, Pace, Quota, RetryMode, worth_retrying
from locum.client.skew import parse_date
from locum.errors import (
    AccessDenied,
    ExpiredToken,
    IDPCommunicationErrorException,
    InternalFailure,
    RequestExpired,
    ServiceException,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    Throttling,
    ValidationError,
    error_for,
)
from locum.http import Response
from locum.secret import Secret

from .far_end import DATE, GOOD, ME, START, FarEnd, calls, refusal

ASK: Final = GetCallerIdentityCommand()
BUSY: Final = refusal(ServiceUnavailable("try later"))
LATE: Final = "Fri, 02 Jan 2026 03:24:05 GMT"
"""Twenty minutes after START."""


def outcome(far_end: FarEnd, **options: Any) -> Any:
    """The answer of one call, or what it raised."""
    try:
        return far_end.play(calls(**options).call(ASK))
    except (ServiceException, ClientFailure) as error:
        return error


@pytest.mark.facts("STS-CL-003", "STS-CL-004")
@pytest.mark.parametrize(("mode", "attempts"), [("legacy", 5), ("standard", 3), ("adaptive", 3)])
def test_a_busy_service_is_asked_as_often_as_the_mode_says(mode: str, attempts: int) -> None:
    far_end = FarEnd(BUSY)
    assert isinstance(outcome(far_end, retry_mode=mode), ServiceUnavailable)
    assert len(far_end.sent) == attempts
    assert [each.request.header("amz-sdk-request") for each in far_end.sent] == [
        "attempt=1",
        *[f"attempt={number}; max={attempts}" for number in range(2, attempts + 1)],
    ]
    assert len({each.request.header("amz-sdk-invocation-id") for each in far_end.sent}) == 1
    far_end = FarEnd(BUSY)
    assert isinstance(outcome(far_end, retry_mode=mode, max_attempts=2), ServiceUnavailable)
    assert len(far_end.sent) == 2


@pytest.mark.facts("STS-CL-006")
def test_an_error_says_what_it_is_and_how_often_it_was_tried() -> None:
    """What the SDK for JavaScript calls name, message, $fault, $metadata and $retryable."""
    error = outcome(FarEnd(BUSY), max_attempts=4)
    assert isinstance(error, ServiceUnavailable)
    assert (type(error).__name__, error.code, error.message) == (
        "ServiceUnavailable",
        "ServiceUnavailable",
        "try later",
    )
    assert (error.fault, error.status, error.request_id, error.retryable) == ("server", 503, "request-1", True)
    assert (error.attempts, error.total_retry_delay) == (4, 0.5 + 1 + 2)
    error = outcome(FarEnd(refusal(AccessDenied("no"))))
    assert (error.fault, error.status, error.retryable) == ("client", 403, False)
    assert (error.attempts, error.total_retry_delay) == (1, 0)
    failure = outcome(FarEnd(BUSY, ConnectionFailure("reset")), max_attempts=2)
    assert isinstance(failure, ConnectionFailure)
    assert (failure.attempts, failure.total_retry_delay) == (2, 0.5)
    with pytest.raises(ValidationError) as unsent:
        FarEnd(GOOD).play(calls().call(AssumeRoleCommand(role_arn="x", role_session_name="me")))
    assert (unsent.value.attempts, unsent.value.total_retry_delay) == (0, 0)


def test_an_error_that_leaves_no_time_for_a_pause_counts_none() -> None:
    error = outcome(FarEnd(BUSY), timeout=1.0, max_attempts=4)
    assert (error.attempts, error.total_retry_delay) == (2, 0.5)


PASSING: Final = [
    BUSY,
    refusal(InternalFailure()),
    refusal(Throttling("Rate exceeded")),
    Response(500, (), b"<html>"),
    Response(502, (), b""),
    Response(504, (), b"<ErrorResponse><Error>"),
    ConnectionFailure("reset"),
    TimedOut("late"),
]


@pytest.mark.facts("STS-CL-003")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trouble", PASSING, ids=lambda each: str(getattr(each, "status", each)))
def test_passing_trouble_ends_in_success(trouble: Any, mode: RetryMode) -> None:
    far_end = FarEnd(trouble, GOOD)
    assert outcome(far_end, retry_mode=mode) == ME
    assert len(far_end.sent) == 2
    assert far_end.slept[0] == 0.5


@pytest.mark.parametrize(
    "trouble",
    [
        refusal(AccessDenied("no")),
        refusal(ExpiredToken("old")),
        refusal(SignatureDoesNotMatch("wrong")),
        Response(200, (), b"<truncated"),
        Response(302, (), b""),
        CertificateFailure("not trusted"),
        AnswerTooLarge("huge"),
        CredentialsFailure("none"),
    ],
    ids=lambda each: str(getattr(each, "status", each)),
)
def test_lasting_trouble_ends_at_once(trouble: Any) -> None:
    far_end = FarEnd(trouble, GOOD)
    assert isinstance(outcome(far_end), Exception)
    assert (len(far_end.sent), far_end.slept) == (1, [])


@pytest.mark.facts("STS-CL-002")
@pytest.mark.parametrize("mode", MODES)
def test_an_identity_provider_that_is_out_of_reach_is_worth_a_retry(mode: RetryMode) -> None:
    command = AssumeRoleWithWebIdentityCommand(
        role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me", web_identity_token=Secret("token")
    )
    far_end = FarEnd(refusal(IDPCommunicationErrorException("no answer")))
    assert far_end.answers[0].status == 400  # type: ignore[union-attr]
    with pytest.raises(IDPCommunicationErrorException):
        far_end.play(calls(retry_mode=mode, max_attempts=2).call(command))
    assert len(far_end.sent) == 2


def _context(error: ServiceException | None, status: int) -> Any:
    return standard.RetryContext(
        attempt_number=1,
        operation_model=Mock(error_shapes=[]),
        http_response=Mock(status_code=status, headers={}),
        parsed_response={"Error": {"Code": error.code}} if error else {},
    )


CODES: Final = [
    *sorted(THROTTLING_CODES),
    *("RequestTimeout", "RequestTimeoutException", "AccessDenied", "NewlyInvented", "RequestThrottledError"),
]


@pytest.mark.facts("STS-CL-004")
@pytest.mark.parametrize("status", [400, 403, 429, 500, 501, 502, 503, 504, 509])
@pytest.mark.parametrize("code", CODES)
def test_the_standard_mode_retries_what_botocores_does(code: str, status: int) -> None:
    error = error_for(code, "")
    conditions = standard.StandardRetryConditions(max_attempts=3)
    theirs = conditions.is_retryable(_context(error, status))
    assert worth_retrying(MODES["standard"], error, status) == theirs


@pytest.mark.facts("STS-CL-003")
@pytest.mark.parametrize("status", [400, 429, 500, 501, 502, 503, 504, 509])
@pytest.mark.parametrize("code", CODES)
def test_the_legacy_mode_retries_these_statuses_and_codes(code: str, status: int) -> None:
    throttled = {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
        "ProvisionedThroughputExceededException",
    }
    expected = code in throttled or status in {429, 500, 502, 503, 504, 509}
    assert worth_retrying(MODES["legacy"], error_for(code, ""), status) == expected


@pytest.mark.facts("STS-CL-004")
@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_the_pauses_are_botocores(attempt: int, chance: float) -> None:
    theirs = standard.ExponentialBackoff(max_backoff=20, random=lambda: chance)
    context = _context(None, 500)
    context.attempt_number = attempt
    assert MODES["standard"].delay(attempt, chance) == pytest.approx(theirs.delay_amount(context))


@pytest.mark.facts("STS-CL-003")
def test_the_pauses_of_the_legacy_mode_double_by_chance() -> None:
    assert [MODES["legacy"].delay(attempt, 0.5) for attempt in range(1, 6)] == [0.5, 1, 2, 4, 8]


def test_retries_are_bounded_by_a_quota_that_successes_fill() -> None:
    client = calls()
    refused = 0
    for _ in range(60):
        far_end = FarEnd(BUSY)
        with pytest.raises(ServiceUnavailable):
            far_end.play(client.call(ASK))
        refused += len(far_end.sent)
    # 500 tokens are 100 retries; after that every call is one attempt.
    assert refused == 60 + Quota.CAPACITY // Quota.RETRY_COST
    assert client.quota.left == 0
    for number in range(1, 6):
        FarEnd(GOOD).play(client.call(ASK))
        assert client.quota.left == number
    assert FarEnd(BUSY, GOOD).play(client.call(ASK)) == ME
    assert client.quota.left == 5


def test_a_retry_after_a_timeout_costs_more() -> None:
    quota = Quota()
    assert (quota.take(TimedOut("")), quota.take(ServiceUnavailable())) == (10, 5)
    assert quota.left == 485
    quota.give_back(10)
    quota.give_back(0)
    assert quota.left == 496
    for _ in range(10):
        quota.give_back(5)
    assert quota.left == Quota.CAPACITY


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_locks_that_a_thread_held_at_a_fork_are_free_in_the_child() -> None:
    quota, pace = Quota(), Pace()
    with quota._lock, pace._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if not child:
            signal.alarm(10)
            quota.give_back(0)
            pace.wait(0.0)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


class TheirClock:
    """A clock for botocore's limiter; its bucket waits by turning it."""

    def __init__(self) -> None:
        self.now = 0.0

    def current_time(self) -> float:
        return self.now


@pytest.mark.facts("STS-CL-004")
@given(st.lists(st.tuples(st.floats(0.001, 3), st.booleans()), min_size=1, max_size=60))
def test_the_pace_is_that_of_botocores_adaptive_mode(events: list[tuple[float, bool]]) -> None:
    clock = TheirClock()
    clock.now = START
    tokens = bucket.TokenBucket(max_rate=1, clock=clock)
    limiter = adaptive.ClientRateLimiter(
        rate_adjustor=throttling.CubicCalculator(starting_max_rate=0, start_time=clock.now),
        rate_clocker=adaptive.RateClocker(clock),
        token_bucket=tokens,
        throttling_detector=Mock(is_throttling_error=lambda throttled: throttled),
        clock=clock,
    )
    pace = Pace()
    assert pace.wait(START) == 0.0
    for elapsed, throttled in events:
        clock.now += elapsed
        limiter.on_receiving_response(throttled=throttled)
        pace.learn(clock.now, throttled=throttled)
        assert (pace.rate is not None) == limiter._enabled
        if pace.rate is not None:
            assert pace.rate == pytest.approx(tokens.max_rate, rel=1e-6)


def test_an_adaptive_client_waits_before_it_sends_again() -> None:
    client = calls(retry_mode="adaptive", max_attempts=1)
    far_end = FarEnd(refusal(Throttling("Rate exceeded")), GOOD)
    with pytest.raises(Throttling):
        far_end.play(client.call(ASK))
    assert (far_end.slept, client.pace.rate) == ([], 0.5)
    assert far_end.play(client.call(ASK)) == ME
    # The slowest rate is one attempt in two seconds, and nothing was saved up.
    assert sum(far_end.slept) == pytest.approx(2.0)


def test_waiting_for_the_pace_counts_against_the_calls_time() -> None:
    client = calls(retry_mode="adaptive", max_attempts=1)
    far_end = FarEnd(refusal(Throttling("Rate exceeded")), GOOD)
    with pytest.raises(Throttling):
        far_end.play(client.call(ASK))
    with pytest.raises(TimedOut, match="not done within"):
        far_end.play(client.call(ASK, {"timeout": 1.5}))
    assert len(far_end.sent) == 1


# The clock


def skewed(error: ServiceException, date: str | None = LATE) -> Response:
    return refusal(error, **({} if date is None else {"date": date}))


@pytest.mark.parametrize("error", [SignatureDoesNotMatch("Signature expired"), RequestExpired("too old")])
@pytest.mark.parametrize("date", [LATE, "Fri, 02 Jan 2026 02:44:05 GMT"])
def test_a_clock_that_is_twenty_minutes_off_is_corrected(error: ServiceException, date: str) -> None:
    client = calls()
    far_end = FarEnd(skewed(error, date), GOOD)
    assert far_end.play(client.call(ASK)) == ME
    assert far_end.slept == []
    stamps = [each.request.header("x-amz-date") for each in far_end.sent]
    assert stamps == ["20260102T030405Z", "20260102T032405Z" if date == LATE else "20260102T024405Z"]
    assert client.quota.left == Quota.CAPACITY
    far_end.play(client.call(ASK))
    assert far_end.sent[2].request.header("x-amz-date") == stamps[1]


@pytest.mark.parametrize(
    "refused",
    [
        skewed(SignatureDoesNotMatch("wrong secret"), DATE),
        skewed(SignatureDoesNotMatch("wrong secret"), "Fri, 02 Jan 2026 03:08:00 GMT"),
        skewed(SignatureDoesNotMatch("wrong secret"), None),
        skewed(SignatureDoesNotMatch("wrong secret"), "yesterday"),
        skewed(AccessDenied("no")),
    ],
)
def test_a_clock_that_is_not_to_blame_is_left_alone(refused: Response) -> None:
    client = calls()
    far_end = FarEnd(refused, GOOD)
    with pytest.raises(ServiceException):
        far_end.play(client.call(ASK))
    assert (len(far_end.sent), client.skew) == (1, 0.0)


def test_the_clock_is_corrected_once_a_call_and_within_its_attempts() -> None:
    far_end = FarEnd(
        skewed(SignatureDoesNotMatch("a")), skewed(SignatureDoesNotMatch("b"), "Fri, 02 Jan 2026 04:04:05 GMT")
    )
    assert isinstance(outcome(far_end), SignatureDoesNotMatch)
    assert len(far_end.sent) == 2
    far_end = FarEnd(skewed(SignatureDoesNotMatch("a")), GOOD)
    assert isinstance(outcome(far_end, max_attempts=1), SignatureDoesNotMatch)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (DATE, 1_767_323_045),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 02 Jan 2026 03:04:05 CET", None),
        ("Friday, 02-Jan-26 03:04:05 GMT", None),
        ("Fri, 32 Jan 2026 03:04:05 GMT", None),
        ("Fri, 02 Jan 2026 24:04:05 GMT", None),
        ("Fri, 02 Jan 0000 03:04:05 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_servers(text: str | None, seconds: int | None) -> None:
    assert parse_date(text) == seconds


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_date(text) is None or isinstance(parse_date(text), int)


# The call's own time


def test_a_call_that_has_no_time_left_ends_with_what_it_knows() -> None:
    far_end = FarEnd(BUSY)
    with pytest.raises(ServiceUnavailable):
        far_end.play(calls(timeout=1.0, max_attempts=9).call(ASK))
    assert len(far_end.sent) == 2  # pauses of 0.5 s and 1 s
    assert [each.total for each in far_end.sent] == [1.0, 0.5]


def test_a_timeout_of_a_call_stands_in_for_the_clients() -> None:
    far_end = FarEnd(GOOD)
    client = calls(timeout=30.0)
    for timeout in (2.0, None):
        far_end.play(client.call(ASK, {"timeout": timeout}))
    far_end.play(client.call(ASK))
    assert [each.total for each in far_end.sent] == [2.0, None, 30.0]


def test_truncated_answers_end_in_the_declared_error() -> None:
    whole = GOOD.body
    for length in range(0, len(whole) - 1, 7):
        far_end = FarEnd(Response(200, (), whole[:length]))
        assert isinstance(outcome(far_end), UnreadableResponse), length


class Failing:
    """A provider that cannot reach its source."""

    def __init__(self) -> None:
        self.asked = 0

    def resolve(self) -> Flow[Any]:
        yield from Now()
        self.asked += 1
        raise ConnectionFailure("the source of credentials is out of reach")


def test_credentials_that_cannot_be_got_are_not_asked_for_again() -> None:
    provider, far_end = Failing(), FarEnd(GOOD)
    assert isinstance(outcome(far_end, credentials=provider), ConnectionFailure)
    assert (provider.asked, far_end.sent, far_end.slept) == (1, [], [])


@pytest.mark.parametrize("timeout", ["soon", 0, -1, float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout: Any) -> None:
    with pytest.raises(ConfigurationFailure, match="timeout: "):
        FarEnd(GOOD).play(calls().call(ASK, {"timeout": timeout}))
