"""Every flaw of the table in examples/shop/README.md can be exploited as it says: one test per row, of its name."""

import re
from pathlib import Path

from fastapi.testclient import TestClient

Headers = dict[str, str]
README = Path(__file__).parents[3] / "examples/shop/README.md"
SENSOR = {"x-sensor-key": "key-TH-003"}


def test_bola_read(shop: TestClient, alice: Headers, mallory: Headers) -> None:
    orders = [shop.get(f"/orders/{number}", headers=mallory) for number in range(1, 49)]
    assert {answer.status_code for answer in orders} == {200}
    assert len({answer.json()["user_id"] for answer in orders}) > 5
    assert "delivery_address" in orders[0].json()


def test_bola_write(shop: TestClient, alice: Headers, mallory: Headers) -> None:
    cart = shop.post("/carts", headers=alice).json()["id"]
    shop.post(f"/carts/{cart}/items", headers=alice, json={"sku": "TEA-001", "quantity": 1})
    order = shop.post(f"/carts/{cart}/checkout", headers=alice, json={}).json()["order_id"]
    assert shop.post(f"/orders/{order}/cancel", headers=mallory).json()["status"] == "cancelled"


def test_mass_assignment(shop: TestClient, mallory: Headers) -> None:
    changed = shop.patch("/users/5", headers=mallory, json={"name": "M", "role": "admin", "credit_cents": 1_000_000})
    assert (changed.json()["role"], changed.json()["credit_cents"]) == ("admin", 1_000_000)
    assert shop.get("/admin/stats", headers=mallory).status_code == 200
    described = shop.get("/openapi.json").json()["components"]["schemas"]["ProfileChange"]
    assert described["additionalProperties"] is False
    assert set(described["properties"]) == {"name", "phone", "address"}


def test_missing_authentication(shop: TestClient) -> None:
    export = shop.get("/admin/export/orders")
    assert export.status_code == 200
    assert "@example.com" in export.text
    assert shop.get("/openapi.json").json()["paths"]["/admin/export/orders"]["get"]["security"]


def test_function_level_authorization(shop: TestClient, mallory: Headers) -> None:
    assert shop.get("/users", headers=mallory, params={"limit": 100}).json()[0]["role"] == "admin"


def test_excessive_data_exposure(shop: TestClient, mallory: Headers) -> None:
    person = shop.get("/users", headers=mallory).json()[1]
    assert person["password_hash"].startswith("scrypt$")
    assert person["email"] == "alice@example.com"


def test_unlimited_logins(shop: TestClient) -> None:
    wrong = {"email": "alice@example.com", "password": "wrong"}
    assert {shop.post("/auth/login", json=wrong).status_code for _ in range(30)} == {401}
    assert shop.post("/auth/login", json=wrong | {"password": "alice-pass"}).status_code == 200


def test_email_enumeration(shop: TestClient) -> None:
    for path, known in (("/auth/login", 401), ("/auth/password-reset", 202)):
        body = {"password": "wrong"}
        assert shop.post(path, json=body | {"email": "alice@example.com"}).status_code == known
        assert shop.post(path, json=body | {"email": "nobody@example.com"}).status_code == 404


def test_guessable_reset_code(shop: TestClient) -> None:
    person = {"email": "alice@example.com"}
    shop.post("/auth/password-reset", json=person)
    sent = int(shop.get("/debug/state").json()["outbox"][0]["code"])
    for number in range(max(0, sent - 200), 10_000):
        attempt = person | {"code": f"{number:04d}", "new_password": "taken-over"}
        if shop.post("/auth/password-reset/confirm", json=attempt).status_code == 204:
            break
    assert shop.post("/auth/login", json=person | {"password": "taken-over"}).status_code == 200


def test_logout_without_effect(shop: TestClient, alice: Headers) -> None:
    assert shop.post("/auth/logout", headers=alice).status_code == 204
    assert shop.get("/users/me", headers=alice).status_code == 200


def test_skipped_payment(shop: TestClient, mallory: Headers) -> None:
    cart = shop.post("/carts", headers=mallory).json()["id"]
    shop.post(f"/carts/{cart}/items", headers=mallory, json={"sku": "TEA-001", "quantity": 1})
    order = shop.post(f"/carts/{cart}/checkout", headers=mallory, json={}).json()["order_id"]
    assert shop.post(f"/orders/{order}/confirm", headers=mallory).json()["status"] == "confirmed"


def test_negative_quantity(shop: TestClient, mallory: Headers) -> None:
    cart = shop.post("/carts", headers=mallory).json()["id"]
    answer = shop.post(f"/carts/{cart}/items", headers=mallory, json={"sku": "TEA-001", "quantity": -3})
    assert answer.json()["total_cents"] < 0


def test_repeated_coupon(shop: TestClient, mallory: Headers) -> None:
    cart = shop.post("/carts", headers=mallory).json()["id"]
    shop.post(f"/carts/{cart}/items", headers=mallory, json={"sku": "TEA-001", "quantity": 1})
    for _ in range(10):
        answer = shop.post(f"/carts/{cart}/coupon", headers=mallory, json={"code": "WELCOME10"})
    assert answer.json()["total_cents"] == 0


def test_out_of_range_temperature(shop: TestClient) -> None:
    path = "/sensors/TH-003/temperature"
    assert shop.put(path, headers=SENSOR, json={"celsius": 4000}).json()["celsius"] == 4000
    described = shop.get("/openapi.json").json()["components"]["schemas"]["Reading"]["properties"]["celsius"]
    assert (described["minimum"], described["maximum"]) == (-40, 85)


def test_unbounded_page(shop: TestClient) -> None:
    assert len(shop.get("/products", params={"limit": 1_000_000}).json()) == 34


def test_shadow_operation(shop: TestClient) -> None:
    shop.post("/auth/password-reset", json={"email": "alice@example.com"})
    assert shop.get("/debug/state").json()["outbox"][0]["email"] == "alice@example.com"


def test_zombie_operation(shop: TestClient) -> None:
    assert shop.get("/v1/orders/1").json()["delivery_address"]


def test_sql_injection(shop: TestClient) -> None:
    stolen = shop.get("/v1/products", params={"q": "' UNION SELECT email, password_hash, 0 FROM users --"})
    assert "scrypt$" in stolen.text


def test_each_row_of_the_table_has_its_test() -> None:
    rows = re.findall(r"^\| `([a-z-]+)`", README.read_text(), flags=re.MULTILINE)
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {row.replace("-", "_") for row in rows} == tests - {"each_row_of_the_table_has_its_test"}
