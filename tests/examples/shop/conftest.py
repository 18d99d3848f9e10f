"""A running shop in memory and ready-made callers."""

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("fastapi", reason="the shop needs the dependency group `demo`")
pytest.importorskip("httpx2", reason="the test client needs httpx2")

from fastapi.testclient import TestClient

from shop.app import create_app
from shop.seed import email_of, password_of

Login = Callable[[str], dict[str, str]]


@pytest.fixture
def shop() -> Iterator[TestClient]:
    with TestClient(create_app()) as client:
        yield client


@pytest.fixture
def login(shop: TestClient) -> Login:
    """Headers that speak for a person of the seed, by full name."""

    def log_in(name: str) -> dict[str, str]:
        answer = shop.post("/auth/login", json={"email": email_of(name), "password": password_of(name)})
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    return log_in


@pytest.fixture
def alice(login: Login) -> dict[str, str]:
    return login("Alice Weber")


@pytest.fixture
def mallory(login: Login) -> dict[str, str]:
    return login("Mallory Finch")


@pytest.fixture
def admin(login: Login) -> dict[str, str]:
    return login("Ada Miller")
