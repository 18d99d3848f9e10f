"""Fill an empty shop with people, products, sensors and last month's orders: the same content for the same seed."""

import random
import sqlite3
from datetime import UTC, datetime, timedelta

from shop import passwords
from shop.database import first, transaction

OPENED = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

# The first five are who the demo and the tests log in as; every password is `<first name>-pass`.
PEOPLE = (
    ("Ada Miller", "admin"),
    ("Alice Weber", "customer"),
    ("Bob Costa", "customer"),
    ("Carol Okafor", "customer"),
    ("Mallory Finch", "customer"),
    ("Dan Silva", "customer"),
    ("Erin Novak", "customer"),
    ("Farid Rossi", "customer"),
    ("Grace Lindqvist", "customer"),
    ("Heidi Tanaka", "customer"),
    ("Ivan Petrov", "customer"),
    ("Judy Moreau", "customer"),
    ("Olga Brandt", "admin"),
)
CATEGORIES = {
    "tea": ("Assam", "Darjeeling", "Earl Grey", "Genmaicha", "Gunpowder", "Lapsang", "Oolong", "Rooibos", "Sencha"),
    "coffee": ("Bourbon", "Catuai", "Geisha", "Harar", "Java", "Maragogype", "Mocha", "Pacamara", "Sidamo"),
    "kettle": ("Copper", "Enamel", "Glass", "Gooseneck", "Steel", "Travel"),
    "cup": ("Bone china", "Double wall", "Enamel", "Espresso", "Stoneware", "Thermos"),
    "mill": ("Burr", "Conical", "Hand", "Travel"),
}
SENSORS = (("TH-001", "Warehouse, north wall"), ("TH-002", "Warehouse, gate"), ("TH-003", "Tea cellar"))
STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Garden Row", "Church Hill")


def seed_shop(connection: sqlite3.Connection, seed: int = 1) -> None:
    """Fill the database when it holds no user yet; a filled one is left as it is."""
    if first(connection, "SELECT 1 FROM users LIMIT 1"):
        return
    chance = random.Random(seed)
    with transaction(connection):
        _seed_people(connection, chance)
        _seed_products(connection, chance)
        _seed_orders(connection, chance)
        _seed_sensors(connection, chance)


def email_of(name: str) -> str:
    return name.split(maxsplit=1)[0].lower() + "@example.com"


def password_of(name: str) -> str:
    return name.split(maxsplit=1)[0].lower() + "-pass"


def _moment(chance: random.Random, days: int = 60) -> str:
    return (OPENED + timedelta(seconds=chance.randrange(days * 86_400))).isoformat()


def _seed_people(connection: sqlite3.Connection, chance: random.Random) -> None:
    for name, role in PEOPLE:
        phone = f"+1 202 555 01{chance.randrange(100):02d}"
        address = f"{chance.randrange(1, 200)} {chance.choice(STREETS)}, Springfield"
        password_hash = passwords.hash_password(password_of(name))
        connection.execute(
            "INSERT INTO users (email, name, phone, address, role, credit_cents, password_hash, created_at)"
            " VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            (email_of(name), name, phone, address, role, password_hash, _moment(chance, 1)),
        )


def _seed_products(connection: sqlite3.Connection, chance: random.Random) -> None:
    for category, names in CATEGORIES.items():
        for number, name in enumerate(names, start=1):
            connection.execute(
                "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?)",
                (
                    f"{category.upper()}-{number:03d}",
                    f"{name} {category}",
                    category,
                    chance.randrange(400, 9_000, 10),
                    chance.randrange(5_000, 20_000),
                    f"{name} {category}, sold since {chance.randrange(1990, 2026)}.",
                ),
            )


def _seed_orders(connection: sqlite3.Connection, chance: random.Random) -> None:
    products = connection.execute("SELECT sku, name, price_cents FROM products").fetchall()
    people = connection.execute("SELECT id, address FROM users WHERE role = 'customer'").fetchall()
    for _ in range(48):
        person = chance.choice(people)
        chosen = [(product, chance.randrange(1, 4)) for product in chance.sample(products, chance.randrange(1, 4))]
        total = sum(product["price_cents"] * quantity for product, quantity in chosen)
        order_id = connection.execute(
            "INSERT INTO orders (user_id, status, total_cents, delivery_address, card_last_four, created_at)"
            " VALUES (?, 'shipped', ?, ?, ?, ?)",
            (person["id"], total, person["address"], f"{chance.randrange(10_000):04d}", _moment(chance)),
        ).lastrowid
        connection.executemany(
            "INSERT INTO order_items VALUES (?, ?, ?, ?, ?)",
            [(order_id, p["sku"], p["name"], quantity, p["price_cents"]) for p, quantity in chosen],
        )


def _seed_sensors(connection: sqlite3.Connection, chance: random.Random) -> None:
    for sensor_id, location in SENSORS:
        connection.execute("INSERT INTO sensors VALUES (?, ?, ?)", (sensor_id, location, f"key-{sensor_id}"))
        celsius = chance.uniform(8, 20)
        for hour in range(48):
            celsius += chance.uniform(-0.6, 0.6)
            connection.execute(
                "INSERT INTO temperatures (sensor_id, celsius, measured_at) VALUES (?, ?, ?)",
                (sensor_id, round(celsius, 1), (OPENED + timedelta(hours=hour)).isoformat()),
            )
