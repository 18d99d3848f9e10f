"""Orders: read, pay, confirm, cancel, and an invoice.

Flaws: reading and cancelling ask for a token but not whose order it is (BOLA); confirming does not ask whether it was
paid. The list and the invoice are right, for contrast.
"""

import sqlite3
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from shop.caller import Database, User
from shop.database import Row, first, rows
from shop.problems import problems

router = APIRouter(prefix="/orders", tags=["orders"], responses=problems(401, 403, 404, 409))

Status = Literal["placed", "paid", "confirmed", "shipped", "cancelled"]


class Payment(BaseModel):
    card_number: str = Field(pattern=r"^\d{13,19}$")
    expiry: str = Field(pattern=r"^\d{2}/\d{2}$")
    cvc: str = Field(pattern=r"^\d{3,4}$")


class OrderItem(BaseModel):
    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class OrderSummary(BaseModel):
    id: int
    status: Status
    total_cents: int
    created_at: str


class Order(OrderSummary):
    user_id: int
    delivery_address: str
    card_last_four: str | None
    items: list[OrderItem]


@router.get("")
async def list_orders(
    caller: User,
    connection: Database,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[OrderSummary]:
    """The caller's own orders, newest first."""
    found = rows(
        connection,
        "SELECT id, status, total_cents, created_at FROM orders WHERE user_id = ? AND (? IS NULL OR status = ?)"
        " ORDER BY id DESC LIMIT ?",
        *(caller.id, status, status, limit),
    )
    return [OrderSummary.model_validate(order) for order in found]


@router.get("/{order_id}")
async def read_order(order_id: int, caller: User, connection: Database) -> Order:
    """One order with address and items; whoever asks."""
    return _order(connection, order_id)


@router.post("/{order_id}/payment")
async def pay_order(order_id: int, payment: Payment, caller: User, connection: Database) -> Order:
    """Pay with a card."""
    _own_order(connection, order_id, caller.id)
    _move(connection, order_id, "paid", {"placed"})
    connection.execute("UPDATE orders SET card_last_four = ? WHERE id = ?", (payment.card_number[-4:], order_id))
    return _order(connection, order_id)


@router.post("/{order_id}/confirm")
async def confirm_order(order_id: int, caller: User, connection: Database) -> Order:
    """Ask for delivery, the step after the payment; an order that skipped it is delivered too."""
    _own_order(connection, order_id, caller.id)
    _move(connection, order_id, "confirmed", {"placed", "paid"})
    return _order(connection, order_id)


@router.post("/{order_id}/cancel")
async def cancel_order(order_id: int, caller: User, connection: Database) -> Order:
    """Cancel an order that is not on its way yet; whoever's it is."""
    _order(connection, order_id)
    _move(connection, order_id, "cancelled", {"placed", "paid", "confirmed"})
    return _order(connection, order_id)


@router.get("/{order_id}/invoice", response_class=PlainTextResponse)
async def read_invoice(order_id: int, caller: User, connection: Database) -> str:
    """The invoice as text; the caller's own only."""
    _own_order(connection, order_id, caller.id)
    order = _order(connection, order_id)
    lines = [f"{item.quantity:>4} x {item.name:<30} {item.unit_price_cents / 100:>9.2f}" for item in order.items]
    return "\n".join([f"Invoice for order {order.id}", *lines, f"Total {order.total_cents / 100:.2f}", ""])


def _order_row(connection: sqlite3.Connection, order_id: int) -> Row:
    order = first(connection, "SELECT * FROM orders WHERE id = ?", order_id)
    if not order:
        raise HTTPException(404, "no such order")
    return order


def _own_order(connection: sqlite3.Connection, order_id: int, user_id: int) -> None:
    if _order_row(connection, order_id)["user_id"] != user_id:
        raise HTTPException(403, "not your order")


def _order(connection: sqlite3.Connection, order_id: int) -> Order:
    order: dict[str, Any] = dict(_order_row(connection, order_id))
    items = rows(
        connection, "SELECT sku, name, quantity, unit_price_cents FROM order_items WHERE order_id = ?", order_id
    )
    return Order.model_validate(order | {"items": items})


def _move(connection: sqlite3.Connection, order_id: int, status: Status, allowed: set[Status]) -> None:
    """Give the order its next status when it is in one of the `allowed` ones; 409 otherwise."""
    current = _order_row(connection, order_id)["status"]
    if current not in allowed:
        raise HTTPException(409, f"the order is {current}")
    connection.execute("UPDATE orders SET status = ? WHERE id = ?", (status, order_id))
