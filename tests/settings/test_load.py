"""Settings: file, then environment, then flags; whatever is wrong is said with its origin and what was meant."""

from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.settings.load import load_settings


def problems_of(**arguments: object) -> list[tuple[str, str | None]]:
    with pytest.raises(HoplonError) as caught:
        load_settings(**arguments)  # type: ignore[arg-type]
    assert caught.value.code == "settings.invalid"
    return [(str(problem), problem.hint) for problem in caught.value.problems]


def test_later_sources_win_member_by_member(tmp_path: Path) -> None:
    file = tmp_path / "hoplon.toml"
    file.write_text('instance = "file"\nstatus = "127.0.0.1:1"\n[records]\nqueue = 100\nflush_seconds = 2.0\n')
    settings = load_settings(
        file, {"instance": "flag", "listen": None}, {"HOPLON_INSTANCE": "env", "HOPLON_RECORDS_QUEUE": "200"}
    )
    assert (settings.instance, settings.status) == ("flag", "127.0.0.1:1")
    assert (settings.records.queue, settings.records.flush_seconds) == (200, 2.0)


def test_lists_come_comma_separated_from_the_environment() -> None:
    settings = load_settings(environ={"HOPLON_LISTEN": "127.0.0.1:1, [::1]:2"})
    assert settings.listen == ("127.0.0.1:1", "[::1]:2")


def test_an_unknown_key_is_an_error_with_did_you_mean(tmp_path: Path) -> None:
    file = tmp_path / "hoplon.toml"
    file.write_text("lisen = []\n[records]\nqueu = 1\n")
    assert problems_of(config=file, environ={"HOPLON_STATUSS": "x"}) == [
        (f"lisen: unknown setting (in {file})", "did you mean `listen`?"),
        (f"records.queu: unknown setting (in {file})", "did you mean `records.queue`?"),
        ("HOPLON_STATUSS: unknown setting (in environment)", "did you mean `HOPLON_STATUS`?"),
    ]


def test_service_links_of_kubernetes_are_no_settings() -> None:
    load_settings(environ={"HOPLON_SERVICE_HOST": "10.0.0.1", "HOPLON_PORT_8080_TCP": "tcp://10.0.0.1:8080"})


def test_a_wrong_value_names_its_origin() -> None:
    assert problems_of(environ={"HOPLON_THREADS": "many"}, flags={"status": "nowhere"}) == [
        ("status: `nowhere` is not an address: host:port, for example 127.0.0.1:8080 or [::1]:8080 (in flags)", None),
        ("threads: Input should be a valid integer, unable to parse string as an integer (in environment)", None),
    ]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"HOPLON_LISTEN": "https://127.0.0.1:8443"}, "needs `tls.certificate`"),
        ({"HOPLON_TLS_KEY": "k.pem"}, "`certificate` is missing"),
        ({"HOPLON_STATUS": "https://127.0.0.1:1"}, "no TLS"),
        ({"HOPLON_LISTEN": "127.0.0.1:70000"}, "at most 65535"),
        ({"HOPLON_TRUSTED_PROXIES": "10.0.0.0/99"}, "10.0.0.0/99"),
        ({"HOPLON_LISTEN": ""}, "at least 1 item"),
        ({"HOPLON_PROXY_PROTOCOL": "true"}, "refuses everybody but `trusted_proxies`"),
    ],
)
def test_what_cannot_work_is_refused(environ: dict[str, str], message: str) -> None:
    assert message in problems_of(environ=environ)[0][0]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert problems_of(config=tmp_path / "none.toml", environ={}) == []


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    file = tmp_path / "hoplon.toml"
    file.write_text("listen = [\n")
    with pytest.raises(HoplonError, match="is not TOML"):
        load_settings(file, environ={})
