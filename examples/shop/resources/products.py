"""Products and their reviews: public to read, for administrators to change.

Flaw: `limit` is described with a maximum that nothing enforces.
"""

import sqlite3
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from shop.caller import Admin, Database, User
from shop.database import Row, first, rows
from shop.problems import problems

router = APIRouter(prefix="/products", tags=["products"], responses=problems(404))

Sku = Annotated[str, Path(pattern=r"^[A-Z]+-\d{3}$", examples=["TEA-001"])]
ORDERS = {"name": "name", "price": "price_cents", "-price": "price_cents DESC"}


class Product(BaseModel):
    sku: str
    name: str
    category: str
    price_cents: int
    stock: int
    description: str


class ProductContent(BaseModel):
    """What an administrator writes."""

    name: str = Field(min_length=1, max_length=80)
    category: Literal["tea", "coffee", "kettle", "cup", "mill"]
    price_cents: int = Field(ge=1)
    stock: int = Field(ge=0)
    description: str = Field(max_length=2000)


class ReviewContent(BaseModel):
    rating: int = Field(ge=1, le=5)
    text: str = Field(max_length=2000)


@router.get("")
async def list_products(
    connection: Database,
    search: Annotated[str, Query(max_length=80)] = "",
    category: Literal["tea", "coffee", "kettle", "cup", "mill"] | None = None,
    sort: Literal["name", "price", "-price"] = "name",
    limit: Annotated[int, Query(json_schema_extra={"minimum": 1, "maximum": 100})] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[Product]:
    """Search, filter and sort the catalogue."""
    found = rows(
        connection,
        "SELECT * FROM products WHERE instr(lower(name), lower(?)) AND (? IS NULL OR category = ?)"
        f" ORDER BY {ORDERS[sort]} LIMIT ? OFFSET ?",
        *(search, category, category, limit, offset),
    )
    return [Product.model_validate(product) for product in found]


@router.get("/{sku}")
async def read_product(sku: Sku, connection: Database) -> Product:
    """One product."""
    return Product.model_validate(dict(_product(connection, sku)))


@router.put("/{sku}", responses=problems(401, 403))
async def write_product(sku: Sku, content: ProductContent, caller: Admin, connection: Database) -> Product:
    """Create or replace a product; for administrators."""
    connection.execute(
        "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sku) DO UPDATE SET name = excluded.name,"
        " category = excluded.category, price_cents = excluded.price_cents, stock = excluded.stock,"
        " description = excluded.description",
        (sku, content.name, content.category, content.price_cents, content.stock, content.description),
    )
    return Product(sku=sku, **content.model_dump())


@router.get("/{sku}/reviews")
async def list_reviews(sku: Sku, connection: Database) -> list[dict[str, Any]]:
    """What buyers say, newest first."""
    _product(connection, sku)
    return rows(
        connection,
        "SELECT reviews.id, users.name AS author, rating, text, reviews.created_at FROM reviews"
        " JOIN users ON users.id = user_id WHERE sku = ? ORDER BY reviews.id DESC LIMIT 20",
        sku,
    )


@router.post("/{sku}/reviews", status_code=201, responses=problems(401))
async def write_review(sku: Sku, review: ReviewContent, caller: User, connection: Database) -> dict[str, int | None]:
    """Review a product."""
    _product(connection, sku)
    review_id = connection.execute(
        "INSERT INTO reviews (sku, user_id, rating, text, created_at) VALUES (?, ?, ?, ?, ?)",
        (sku, caller.id, review.rating, review.text, datetime.now(UTC).isoformat(timespec="seconds")),
    ).lastrowid
    return {"id": review_id}


def _product(connection: sqlite3.Connection, sku: str) -> Row:
    product = first(connection, "SELECT * FROM products WHERE sku = ?", sku)
    if not product:
        raise HTTPException(404, "no such product")
    return product
