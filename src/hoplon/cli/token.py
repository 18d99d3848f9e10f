"""`hoplon token`: API tokens. Thin: what happens is in `hoplon.service.tokens`."""

import json
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option

if TYPE_CHECKING:
    from hoplon.model.api_token import ApiToken


@click.group()
def token() -> None:
    """Make, list and revoke API tokens and the credentials of gateways."""


@token.command("create")
@click.option("--name", required=True, metavar="NAME", help="What it is for.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    metavar="GROUP",
    help="What it may do, for example `API Gateway Read`; several times. [default: everything]",
)
@click.option("--zone", "zones", multiple=True, metavar="NAME", help="Only on this zone; several times.")
@click.option("--expires", metavar="WHEN", help="Not from then on: 90d, 12h, or 2027-01-31T12:00:00Z.")
@click.option("--not-before", metavar="WHEN", help="Not before then: 1h (from now), or 2027-01-01T00:00:00Z.")
@click.option("--from", "allowed", multiple=True, metavar="CIDR", help="Only from these addresses; several times.")
@click.option("--not-from", "denied", multiple=True, metavar="CIDR", help="Not from these addresses; several times.")
@click.option("--gateway", "is_gateway", is_flag=True, help="A gateway's credential: it gets bundles, nothing else.")
@control_options
@json_option
def create(
    name: str,
    permissions: tuple[str, ...],
    zones: tuple[str, ...],
    expires: str | None,
    not_before: str | None,
    allowed: tuple[str, ...],
    denied: tuple[str, ...],
    is_gateway: bool,
    where: Where,
    as_json: bool,
) -> None:
    """Make a token and print it, once: only its hash is stored.

    Without --permission it may do everything (on the zones of --zone, if given). Write implies Read.
    """
    from hoplon.service.token_wishes import TokenWish

    wish = TokenWish(name, permissions, zones, expires, not_before, allowed, denied, is_gateway)
    with open_control(where) as control:
        made, secret = control.tokens.create(wish)
    if as_json:
        click.echo(json.dumps({"token": secret, **_as_json(made)}, indent=2))
        return
    click.echo(secret)
    click.echo(f"It may {_permissions(made)}. It is not shown again.", err=True)


@token.command("list")
@control_options
@json_option
def list_(where: Where, as_json: bool) -> None:
    """List the tokens: what they may do, until when, and when each was used last. Never a secret."""
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.tokens.list()
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    print_table(
        ("id", "name", "kind", "status", "may", "expires", "last used"),
        [
            (
                each.id,
                each.name,
                each.kind,
                _status(each),
                _permissions(each),
                _day(each.expires_on),
                _day(each.last_used_on),
            )
            for each in found
        ],
    )


@token.command("revoke")
@click.argument("name_or_id")
@control_options
def revoke(name_or_id: str, where: Where) -> None:
    """Revoke a token, by its id or its name: from now on it is unknown, in every process."""
    with open_control(where) as control:
        revoked = control.tokens.revoke(name_or_id)
    click.echo(f"Revoked {revoked.name} ({revoked.id}).")


@token.command("roll")
@click.argument("name_or_id")
@control_options
@json_option
def roll(name_or_id: str, where: Where, as_json: bool) -> None:
    """Give a token another secret and print it, once. The old one stops working at once."""
    with open_control(where) as control:
        found, secret = control.tokens.roll(name_or_id)
    click.echo(json.dumps({"token": secret, **_as_json(found)}, indent=2) if as_json else secret)


def _as_json(token: "ApiToken") -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.kind,
        "status": _status(token),
        "permissions": sorted({group.name for policy in token.policies for group in policy.groups}),
        "zones": sorted({each.zone for policy in token.policies for each in policy.resources if each.zone}),
        "from": [str(network) for network in token.condition.allowed],
        "not_from": [str(network) for network in token.condition.denied],
        **{
            name: None if moment is None else moment.isoformat()
            for name, moment in (
                ("not_before", token.not_before),
                ("expires_on", token.expires_on),
                ("issued_on", token.issued_on),
                ("last_used_on", token.last_used_on),
            )
        },
    }


def _status(token: "ApiToken") -> str:
    from datetime import UTC, datetime

    return token.status_at(datetime.now(UTC))


def _permissions(token: "ApiToken") -> str:
    from hoplon.model.permissions import GROUPS

    names = {group.name for policy in token.policies for group in policy.groups}
    zones = {each.zone for policy in token.policies for each in policy.resources if each.zone}
    what = "do everything" if len(names) == len(GROUPS) else f"use {', '.join(sorted(names))}"
    return f"{what} on {len(zones)} {'zone' if len(zones) == 1 else 'zones'}" if zones else what


def _day(moment: object) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
