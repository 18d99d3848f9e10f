"""Who visits the shop, and what each of them does: customers, administrators, sensors, and one who is too curious.

Each script takes a `Visitor` and a source of chance, and runs one visit from its first request to its last.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from hoplon.demo.visitor import Answer, Visitor

OK, CREATED = 200, 201

Script = Callable[[Visitor, random.Random], None]

CUSTOMER = "customer"
ADMINISTRATOR = "administrator"
SENSOR = "sensor"
CURIOUS = "curious one"

SKUS = tuple(
    f"{category}-{number:03d}"
    for category, count in (("TEA", 9), ("COFFEE", 9), ("KETTLE", 6), ("CUP", 6), ("MILL", 4))
    for number in range(1, count + 1)
)
CARD = {"card_number": "4242424242424242", "expiry": "12/29", "cvc": "123"}
REVIEWS = ("Lovely.", "Fine, but late.", "As described.", "Would buy again.")


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor to be: what kind, the first name (or the sensor's), and the script that is repeated until the end."""

    kind: str
    who: str
    script: Script


def log_in(visitor: Visitor) -> None:
    """Every seeded person's password is the first name and `-pass`."""
    credentials = {"email": f"{visitor.who}@example.com", "password": f"{visitor.who}-pass"}
    answer = visitor.post("/auth/login", credentials)
    if answer.status == OK:
        visitor.headers["authorization"] = f"Bearer {answer.json['access_token']}"


def customer_visit(visitor: Visitor, chance: random.Random) -> None:
    """Look around, log in, buy, think twice about a second order, and make a mistake now and then.

    Every visit calls every operation that customers use, so that one visit is enough to know them all.
    """
    _browse(visitor, chance)
    log_in(visitor)
    _look_after_profile(visitor, chance)
    _pay(visitor, _place_order(visitor, chance))
    _cancel(visitor, _place_order(visitor, chance))
    _review_orders(visitor, chance)
    if chance.random() < 0.4:
        _make_a_mistake(visitor, chance)
    visitor.post("/auth/logout")
    visitor.headers.pop("authorization", None)


def administrator_visit(visitor: Visitor, chance: random.Random) -> None:
    """Look at the figures, look up a customer, change a product."""
    log_in(visitor)
    visitor.get("/admin/stats")
    visitor.get("/users?limit=50")
    visitor.get(f"/users/{chance.randrange(2, 13)}")
    sku = chance.choice(SKUS)
    product = visitor.get(f"/products/{sku}")
    if product.status == OK:
        content = {name: value for name, value in product.json.items() if name != "sku"}
        visitor.send("PUT", f"/products/{sku}", content | {"stock": content["stock"] + 10})


def sensor_visit(visitor: Visitor, chance: random.Random) -> None:
    """Report some readings, as a sensor does, and look at the curve, as the display beside it does."""
    visitor.headers["x-sensor-key"] = f"key-{visitor.who}"
    path = f"/sensors/{visitor.who}/temperature"
    for _ in range(5):
        visitor.send("PUT", path, {"celsius": round(chance.uniform(6, 22), 1)})
    visitor.get("/sensors")
    visitor.get(path)
    visitor.get(f"{path}/history?limit=12")
    visitor.get(f"{path}/events?count=2")


def curious_visit(visitor: Visitor, chance: random.Random) -> None:
    """Mallory: a customer who counts order numbers up and tries what no description mentions, all with one token."""
    if "authorization" not in visitor.headers:
        log_in(visitor)
    start = chance.randrange(1, 40)
    for number in range(start, start + 8):
        visitor.get(f"/orders/{number}")
    for path in PROBES:
        visitor.get(path)
    visitor.get(f"/v1/orders/{chance.randrange(1, 49)}")


PROBES = (
    "/debug/state",
    "/admin/export/orders",
    "/v1/products?q=%27%20UNION%20SELECT%20email,password_hash,0%20FROM%20users%20--",
    "/.env",
    "/actuator/env",
)

GUESTS = (
    *(
        Guest(CUSTOMER, name, customer_visit)
        for name in ("alice", "bob", "carol", "dan", "erin", "farid", "grace", "heidi", "ivan", "judy")
    ),
    *(Guest(ADMINISTRATOR, name, administrator_visit) for name in ("ada", "olga")),
    *(Guest(SENSOR, name, sensor_visit) for name in ("TH-001", "TH-002", "TH-003")),
    Guest(CURIOUS, "mallory", curious_visit),
)


def _browse(visitor: Visitor, chance: random.Random) -> None:
    visitor.get(f"/products?category={chance.choice(('tea', 'coffee', 'cup'))}&sort=price&limit=20")
    visitor.get(f"/products?search={chance.choice(('tra', 'hand', 'gen', 'earl', 'steel'))}")
    for sku in chance.sample(SKUS, 3):
        visitor.get(f"/products/{sku}")
        visitor.get(f"/products/{sku}/reviews")


def _look_after_profile(visitor: Visitor, chance: random.Random) -> None:
    profile = visitor.get("/users/me")
    if profile.status == OK:
        user = profile.json["id"]
        visitor.get(f"/users/{user}")
        visitor.send("PATCH", f"/users/{user}", {"phone": f"+1 202 555 01{chance.randrange(100):02d}"})
        visitor.get(f"/users/{user}/orders")


def _place_order(visitor: Visitor, chance: random.Random) -> Answer:
    created = visitor.post("/carts")
    if created.status != CREATED:
        return created
    cart = f"/carts/{created.json['id']}"
    content = created
    for sku in chance.sample(SKUS, 2):
        content = visitor.post(f"{cart}/items", {"sku": sku, "quantity": chance.randrange(1, 4)})
    if content.status == CREATED:
        items = content.json["items"]
        visitor.send("PATCH", f"{cart}/items/{items[0]['id']}", {"quantity": 2})
        visitor.send("DELETE", f"{cart}/items/{items[-1]['id']}")
    visitor.post(f"{cart}/coupon", {"code": "WELCOME10"})
    visitor.get(cart)
    return visitor.post(f"{cart}/checkout", {})


def _pay(visitor: Visitor, placed: Answer) -> None:
    if placed.status == CREATED:
        order = f"/orders/{placed.json['order_id']}"
        visitor.post(f"{order}/payment", CARD)
        visitor.post(f"{order}/confirm")
        visitor.get(f"{order}/invoice")


def _cancel(visitor: Visitor, placed: Answer) -> None:
    if placed.status == CREATED:
        visitor.post(f"/orders/{placed.json['order_id']}/cancel")


def _review_orders(visitor: Visitor, chance: random.Random) -> None:
    orders = visitor.get("/orders?limit=10")
    if orders.status == OK and orders.json:
        visitor.get(f"/orders/{orders.json[0]['id']}")
    review = {"rating": chance.randrange(3, 6), "text": chance.choice(REVIEWS)}
    visitor.post(f"/products/{chance.choice(SKUS)}/reviews", review)


def _make_a_mistake(visitor: Visitor, chance: random.Random) -> None:
    """What honest people do wrong; each is answered with a 4xx by the shop itself."""
    chance.choice(MISTAKES)(visitor)


MISTAKES: tuple[Callable[[Visitor], object], ...] = (
    lambda visitor: visitor.post("/auth/login", {"email": f"{visitor.who}@example.com", "password": "forgotten"}),
    lambda visitor: visitor.get("/products/TEA-999"),
    lambda visitor: visitor.get("/orders/999999"),
    lambda visitor: visitor.post("/products/TEA-001/reviews", {"rating": 11, "text": "!"}),
    lambda visitor: visitor.post("/auth/login", {"email": f"{visitor.who}@example.con", "password": "forgotten"}),
    lambda visitor: visitor.get("/orders?status=lost"),
)
