"""Puts the shop together: database, signing key, and the resources in order.

Its OpenAPI 3.1 description is at /openapi.json.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shop import __version__
from shop.caller import TokenIssuer
from shop.database import open_database
from shop.resources import admin, auth, carts, orders, products, sensors, undocumented, users
from shop.seed import seed_shop
from shop.tokens import Tokens

RESOURCES = (
    auth.router,
    users.router,
    products.router,
    carts.router,
    orders.router,
    sensors.router,
    admin.router,
    undocumented.router,
)


def create_app(database: str = ":memory:", seed: int = 1) -> FastAPI:
    """The shop on a database file (made and filled when new)."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connection = open_database(database)
        seed_shop(connection, seed)
        app.state.database = connection
        app.state.tokens = Tokens(connection)
        yield
        connection.close()

    app = FastAPI(
        title="Shop",
        version=__version__,
        summary="The example API of Hoplon: tea, kettles, and flaws on purpose.",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
    )
    for router in RESOURCES:
        app.include_router(router)
    app.add_api_route("/healthz", read_health, tags=["service"])
    app.add_api_route("/.well-known/jwks.json", read_public_keys, tags=["service"])
    return app


async def read_health() -> dict[str, str]:
    """Answers while the shop lives."""
    return {"status": "ok"}


async def read_public_keys(issuer: TokenIssuer) -> dict[str, object]:
    """The keys that verify access tokens (RFC 7517)."""
    return issuer.public_keys()
