"""What no description mentions: the first version, still alive (zombie), and a debug operation (shadow).

Flaws: no token is asked for, the search builds its SQL from the query, and the debug operation shows the outbox
with the codes that were meant for an e-mail.
"""

import sqlite3
from typing import Any

from fastapi import APIRouter, HTTPException

from shop import __version__
from shop.caller import Database
from shop.database import first, rows

router = APIRouter(include_in_schema=False)


@router.get("/v1/products")
async def search_products(connection: Database, q: str = "") -> list[dict[str, Any]]:
    """The search of 2019, with the text put into the statement as it comes."""
    try:
        return rows(connection, f"SELECT sku, name, price_cents FROM products WHERE name LIKE '%{q}%'")
    except sqlite3.Error as error:
        raise HTTPException(500, f"database error: {error}") from None


@router.get("/v1/orders/{order_id}")
async def read_order(order_id: int, connection: Database) -> dict[str, Any]:
    """An order as the old mobile app read it: without a token."""
    order = first(connection, "SELECT * FROM orders WHERE id = ?", order_id)
    if not order:
        raise HTTPException(404, "no such order")
    return dict(order)


@router.get("/debug/state")
async def read_state(connection: Database) -> dict[str, Any]:
    """Left from a night of searching for a fault."""
    return {
        "version": __version__,
        "sqlite": sqlite3.sqlite_version,
        "outbox": rows(connection, "SELECT email, code FROM reset_codes JOIN users ON users.id = user_id"),
    }
