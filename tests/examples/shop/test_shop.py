"""What the shop does right: logging in, buying, and keeping apart what it is meant to keep apart."""

import json
import uuid
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from shop.app import create_app
from shop.tokens import AUDIENCE, ISSUER

Headers = dict[str, str]


def place_order(shop: TestClient, headers: Headers, sku: str = "TEA-001", quantity: int = 2) -> int:
    cart = shop.post("/carts", headers=headers).json()["id"]
    shop.post(f"/carts/{cart}/items", headers=headers, json={"sku": sku, "quantity": quantity}).raise_for_status()
    answer = shop.post(f"/carts/{cart}/checkout", headers=headers, json={})
    assert answer.status_code == 201
    return int(answer.json()["order_id"])


def test_a_customer_buys_from_the_search_to_the_invoice(shop: TestClient, alice: Headers) -> None:
    [found] = shop.get("/products", params={"search": "earl"}).json()
    order = place_order(shop, alice, found["sku"], quantity=3)
    card = {"card_number": "4242424242424242", "expiry": "12/29", "cvc": "123"}
    paid = shop.post(f"/orders/{order}/payment", headers=alice, json=card).json()
    assert (paid["status"], paid["card_last_four"]) == ("paid", "4242")
    assert shop.post(f"/orders/{order}/confirm", headers=alice).json()["status"] == "confirmed"
    assert f"3 x {found['name']}" in shop.get(f"/orders/{order}/invoice", headers=alice).text
    assert shop.get("/orders", headers=alice).json()[0]["total_cents"] == 3 * found["price_cents"]


def test_checking_out_takes_the_goods_from_the_stock_and_the_cart_away(shop: TestClient, alice: Headers) -> None:
    before = shop.get("/products/TEA-001").json()["stock"]
    cart = shop.post("/carts", headers=alice).json()["id"]
    shop.post(f"/carts/{cart}/items", headers=alice, json={"sku": "TEA-001", "quantity": 2})
    shop.post(f"/carts/{cart}/checkout", headers=alice, json={})
    assert shop.get("/products/TEA-001").json()["stock"] == before - 2
    assert shop.get(f"/carts/{cart}", headers=alice).status_code == 404


def test_a_cart_changes_item_by_item(shop: TestClient, alice: Headers) -> None:
    cart = shop.post("/carts", headers=alice).json()["id"]
    content = shop.post(f"/carts/{cart}/items", headers=alice, json={"sku": "CUP-001", "quantity": 1}).json()
    item = content["items"][0]
    doubled = shop.patch(f"/carts/{cart}/items/{item['id']}", headers=alice, json={"quantity": 2}).json()
    assert doubled["total_cents"] == 2 * item["unit_price_cents"]
    assert shop.delete(f"/carts/{cart}/items/{item['id']}", headers=alice).json()["items"] == []
    assert shop.delete(f"/carts/{cart}/items/{item['id']}", headers=alice).status_code == 404
    assert shop.post(f"/carts/{cart}/checkout", headers=alice, json={}).status_code == 409


def test_tokens_verify_with_the_published_keys(shop: TestClient, alice: Headers) -> None:
    [published] = shop.get("/.well-known/jwks.json").json()["keys"]
    token = alice["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, jwt.PyJWK(published), algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == "2"
    assert "d" not in published


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x.y.z", "Basic YTpi"])
def test_what_is_no_valid_token_opens_nothing(shop: TestClient, token: str) -> None:
    assert shop.get("/users/me", headers={"authorization": token}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/users/2", 403),
        ("GET", "/users/2/orders", 403),
        ("PATCH", "/users/2", 403),
        ("DELETE", "/users/2", 403),
        ("PUT", "/products/TEA-001", 403),
        ("GET", "/admin/stats", 403),
        ("GET", f"/carts/{uuid.uuid4()}", 404),
    ],
)
def test_what_is_protected_stays_closed_to_another_customer(
    shop: TestClient, mallory: Headers, method: str, path: str, status: int
) -> None:
    content = {"name": "x", "category": "tea", "price_cents": 1, "stock": 1, "description": ""}
    body = content if method in ("PUT", "PATCH") else None
    assert shop.request(method, path, headers=mallory, json=body).status_code == status


def test_another_customers_cart_and_invoice_stay_closed(shop: TestClient, alice: Headers, mallory: Headers) -> None:
    cart = shop.post("/carts", headers=alice).json()["id"]
    assert shop.get(f"/carts/{cart}", headers=mallory).status_code == 404
    order = place_order(shop, alice)
    assert shop.get(f"/orders/{order}/invoice", headers=mallory).status_code == 403
    assert shop.post(f"/orders/{order}/confirm", headers=mallory).status_code == 403


def test_administrators_keep_the_catalogue_and_the_users(shop: TestClient, admin: Headers) -> None:
    content = {"name": "Matcha", "category": "tea", "price_cents": 1999, "stock": 5, "description": "green"}
    assert shop.put("/products/TEA-099", headers=admin, json=content).status_code == 200
    assert shop.get("/products/TEA-099").json()["price_cents"] == 1999
    before = shop.get("/admin/stats", headers=admin).json()["users"]
    assert shop.delete("/users/12", headers=admin).status_code == 204
    assert shop.get("/admin/stats", headers=admin).json()["users"] == before - 1


def test_a_reset_needs_the_code(shop: TestClient) -> None:
    person = {"email": "bob@example.com"}
    shop.post("/auth/password-reset", json=person).raise_for_status()
    [sent] = shop.get("/debug/state").json()["outbox"]
    wrong = f"{(int(sent['code']) + 1) % 10_000:04d}"
    change = person | {"new_password": "something-new"}
    assert shop.post("/auth/password-reset/confirm", json=change | {"code": wrong}).status_code == 400
    assert shop.post("/auth/password-reset/confirm", json=change | {"code": sent["code"]}).status_code == 204
    assert shop.post("/auth/login", json=person | {"password": "something-new"}).status_code == 200
    assert shop.post("/auth/login", json=person | {"password": "bob-pass"}).status_code == 401


def test_registering_twice_is_refused(shop: TestClient) -> None:
    person = {"email": "new@example.com", "password": "long-enough", "name": "New"}
    assert shop.post("/auth/register", json=person).json()["role"] == "customer"
    assert shop.post("/auth/register", json=person).status_code == 409


def test_sensors_report_with_their_own_key_only(shop: TestClient) -> None:
    path = "/sensors/TH-003/temperature"
    assert shop.put(path, json={"celsius": 12.5}).status_code == 401
    assert shop.put(path, json={"celsius": 12.5}, headers={"x-sensor-key": "key-TH-001"}).status_code == 403
    assert shop.put(path, json={"celsius": 12.5}, headers={"x-sensor-key": "key-TH-003"}).status_code == 200
    assert shop.get(path).json()["celsius"] == 12.5
    assert shop.get(f"{path}/history", params={"limit": 3}).json()[0]["celsius"] == 12.5


def test_a_sensor_can_be_followed_as_server_sent_events(shop: TestClient) -> None:
    answer = shop.get("/sensors/TH-003/temperature/events", params={"count": 2})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [set(json.loads(event.removeprefix("data: "))) for event in events] == [{"celsius", "measured_at"}] * 2


def test_reviews_carry_their_authors_name(shop: TestClient, alice: Headers) -> None:
    review = {"rating": 5, "text": "Lovely."}
    assert shop.post("/products/CUP-001/reviews", headers=alice, json=review).status_code == 201
    assert shop.post("/products/CUP-001/reviews", headers=alice, json=review | {"rating": 6}).status_code == 422
    assert shop.get("/products/CUP-001/reviews").json()[0]["author"] == "Alice Weber"


def test_the_same_seed_gives_the_same_shop() -> None:
    def content(seed: int) -> list[Any]:
        with TestClient(create_app(seed=seed)) as client:
            return [client.get("/v1/orders/7").json(), client.get("/products").json()]

    assert content(1) == content(1) != content(2)


def test_the_shop_remembers_across_restarts(tmp_path: Any) -> None:
    file = str(tmp_path / "shop.db")
    with TestClient(create_app(file)) as client:
        keys = client.get("/.well-known/jwks.json").json()
        client.post("/auth/register", json={"email": "new@example.com", "password": "long-enough", "name": "New"})
    with TestClient(create_app(file)) as client:
        assert client.get("/.well-known/jwks.json").json() == keys
        assert (
            client.post("/auth/login", json={"email": "new@example.com", "password": "long-enough"}).status_code == 200
        )


def test_the_description_is_openapi_3_1_and_names_every_documented_operation(shop: TestClient) -> None:
    description = shop.get("/openapi.json").json()
    operations = {(method.upper(), path) for path, item in description["paths"].items() for method in item}
    assert description["openapi"].startswith("3.1.")
    assert {("GET", "/orders/{order_id}"), ("PUT", "/sensors/{sensor_id}/temperature")} <= operations
    assert len(operations) == 38
    assert not {path for _, path in operations if path.startswith(("/v1", "/debug"))}
    identifiers = [operation["operationId"] for item in description["paths"].values() for operation in item.values()]
    assert len(set(identifiers)) == len(identifiers)
