"""Carts: fill one, use a coupon, turn it into an order. A cart is its owner's alone, and that is checked.

Flaws: a quantity may be negative (the total shrinks), and a coupon counts again each time it is sent.
"""

import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from shop.caller import Caller, Database, User
from shop.database import Row, first, rows, transaction
from shop.problems import problems

router = APIRouter(prefix="/carts", tags=["carts"], responses=problems(401, 404, 409))

COUPONS = {"WELCOME10": 10}
_quantity = Field(json_schema_extra={"minimum": 1, "maximum": 99})


class ItemContent(BaseModel):
    sku: str = Field(pattern=r"^[A-Z]+-\d{3}$")
    quantity: int = _quantity


class QuantityChange(BaseModel):
    quantity: int = _quantity


class Coupon(BaseModel):
    code: str = Field(max_length=20)


class Checkout(BaseModel):
    delivery_address: str | None = Field(default=None, max_length=200)


class CartItem(BaseModel):
    id: int
    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class Cart(BaseModel):
    id: uuid.UUID
    items: list[CartItem]
    coupon_percent: int
    total_cents: int


@router.post("", status_code=201)
async def create_cart(caller: User, connection: Database) -> Cart:
    """Take a new, empty cart."""
    cart_id = str(uuid.uuid4())
    connection.execute("INSERT INTO carts (id, user_id, created_at) VALUES (?, ?, ?)", (cart_id, caller.id, _now()))
    return _cart(connection, cart_id, caller)


@router.get("/{cart_id}")
async def read_cart(cart_id: uuid.UUID, caller: User, connection: Database) -> Cart:
    """The caller's cart with its total."""
    return _cart(connection, str(cart_id), caller)


@router.post("/{cart_id}/items", status_code=201)
async def add_item(cart_id: uuid.UUID, item: ItemContent, caller: User, connection: Database) -> Cart:
    """Put a product into the cart."""
    _cart_row(connection, str(cart_id), caller)
    if not first(connection, "SELECT 1 FROM products WHERE sku = ?", item.sku):
        raise HTTPException(404, "no such product")
    connection.execute(
        "INSERT INTO cart_items (cart_id, sku, quantity) VALUES (?, ?, ?)", (str(cart_id), item.sku, item.quantity)
    )
    return _cart(connection, str(cart_id), caller)


@router.patch("/{cart_id}/items/{item_id}")
async def change_item(
    cart_id: uuid.UUID, item_id: int, change: QuantityChange, caller: User, connection: Database
) -> Cart:
    """Change how many of an item are wanted."""
    _cart_row(connection, str(cart_id), caller)
    _change_one(
        connection, "UPDATE cart_items SET quantity = ? WHERE id = ? AND cart_id = ?",
        change.quantity, item_id, str(cart_id),
    )  # fmt: skip
    return _cart(connection, str(cart_id), caller)


@router.delete("/{cart_id}/items/{item_id}")
async def remove_item(cart_id: uuid.UUID, item_id: int, caller: User, connection: Database) -> Cart:
    """Take an item out of the cart."""
    _cart_row(connection, str(cart_id), caller)
    _change_one(connection, "DELETE FROM cart_items WHERE id = ? AND cart_id = ?", item_id, str(cart_id))
    return _cart(connection, str(cart_id), caller)


@router.post("/{cart_id}/coupon")
async def use_coupon(cart_id: uuid.UUID, coupon: Coupon, caller: User, connection: Database) -> Cart:
    """Take ten percent off, once per cart; or so it was meant."""
    _cart_row(connection, str(cart_id), caller)
    if coupon.code not in COUPONS:
        raise HTTPException(404, "no such coupon")
    connection.execute(
        "UPDATE carts SET coupon_percent = min(coupon_percent + ?, 100) WHERE id = ?",
        (COUPONS[coupon.code], str(cart_id)),
    )
    return _cart(connection, str(cart_id), caller)


@router.post("/{cart_id}/checkout", status_code=201)
async def check_out(cart_id: uuid.UUID, checkout: Checkout, caller: User, connection: Database) -> dict[str, Any]:
    """Turn the cart into an order that waits for its payment; the cart is gone afterwards."""
    cart = _cart(connection, str(cart_id), caller)
    if not cart.items:
        raise HTTPException(409, "the cart is empty")
    home = first(connection, "SELECT address FROM users WHERE id = ?", caller.id)
    address = checkout.delivery_address or (home["address"] if home else None)
    if not address:
        raise HTTPException(422, "where to? send a delivery_address")
    with transaction(connection):
        order_id = _place_order(connection, cart, caller, address)
        connection.execute("DELETE FROM carts WHERE id = ?", (str(cart_id),))
    return {"order_id": order_id, "status": "placed", "total_cents": cart.total_cents}


def _place_order(connection: sqlite3.Connection, cart: Cart, caller: Caller, address: str) -> int | None:
    order_id = connection.execute(
        "INSERT INTO orders (user_id, status, total_cents, delivery_address, created_at) VALUES (?, 'placed', ?, ?, ?)",
        (caller.id, cart.total_cents, address, _now()),
    ).lastrowid
    for item in cart.items:
        connection.execute(
            "INSERT INTO order_items VALUES (?, ?, ?, ?, ?)",
            (order_id, item.sku, item.name, item.quantity, item.unit_price_cents),
        )
        connection.execute("UPDATE products SET stock = stock - ? WHERE sku = ?", (item.quantity, item.sku))
    return order_id


def _cart_row(connection: sqlite3.Connection, cart_id: str, caller: Caller) -> Row:
    cart = first(connection, "SELECT * FROM carts WHERE id = ? AND user_id = ?", cart_id, caller.id)
    if not cart:
        raise HTTPException(404, "no such cart")
    return cart


def _cart(connection: sqlite3.Connection, cart_id: str, caller: Caller) -> Cart:
    cart = _cart_row(connection, cart_id, caller)
    items = rows(
        connection,
        "SELECT cart_items.id, cart_items.sku, name, quantity, price_cents AS unit_price_cents FROM cart_items"
        " JOIN products ON products.sku = cart_items.sku WHERE cart_id = ? ORDER BY cart_items.id",
        cart_id,
    )
    contents = [CartItem.model_validate(item) for item in items]
    full_price = sum(item.quantity * item.unit_price_cents for item in contents)
    percent = cart["coupon_percent"]
    return Cart(
        id=uuid.UUID(cart_id), items=contents, coupon_percent=percent, total_cents=full_price * (100 - percent) // 100
    )


def _change_one(connection: sqlite3.Connection, statement: str, *values: object) -> None:
    if not connection.execute(statement, values).rowcount:
        raise HTTPException(404, "no such item")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
