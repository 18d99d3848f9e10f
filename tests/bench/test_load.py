"""What the load generators print is read as they mean it: failures count, units are not lost."""

import pytest

from bench.load import parse_h2load_log, parse_wrk

WRK = """Running 6s test @ http://127.0.0.1:9000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms    1.10ms  23.45ms   95.51%
    Req/Sec    66.10k     4.32k   71.19k    80.00%
  Latency Distribution
     50%  830.00us
     75%    1.14ms
     90%    1.48ms
     99%    6.34ms
  394564 requests in 6.00s, 445.32MB read
{extra}Requests/sec:  65760.12
Transfer/sec:     74.22MB
"""


def test_wrk_is_read_with_its_units() -> None:
    burst = parse_wrk(WRK.format(extra=""))
    assert burst == pytest.approx((394564, 65760.12, 0.83, 6.34, 0))


def test_wrk_failures_of_both_kinds_count() -> None:
    extra = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"
    assert parse_wrk(WRK.format(extra=extra)).failed == 15


def test_output_that_is_not_wrks_is_an_error() -> None:
    with pytest.raises(ValueError, match="requests in"):
        parse_wrk("unable to connect to 127.0.0.1:9000 Connection refused\n")


def test_h2load_log_gives_quantiles_and_failures() -> None:
    log = "".join(f"{i}\t200\t{1000 + i}\n" for i in range(99)) + "99\t-1\t50000\n100\t503\t10\n"
    burst = parse_h2load_log(log, 2.0)
    assert (burst.requests, burst.requests_per_second, burst.failed) == (101, 50.5, 2)
    assert burst.p50_ms == pytest.approx(1.049, abs=0.001)
    assert burst.p99_ms == pytest.approx(1.098, abs=0.002)
