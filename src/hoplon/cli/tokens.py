"""`hoplon tokens`: token configurations, their keys, token rules and authorization on claims."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import Function, json_option
from hoplon.cli.saved_operations import one_zone_option
from hoplon.cli.token_authorization import authorization
from hoplon.cli.token_rules import rules

if TYPE_CHECKING:
    from hoplon.service.token_validation import Changed, ShownConfiguration

REFRESH_SECONDS = 20.0
"""So long `keys refresh` waits for the worker's answer."""


def configuration_options(function: Function) -> Function:
    """What tokens of a configuration must be, as members of a TokenConfiguration; None where nothing was said."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS = (
    click.option("--title", help="What it is called, in 50 characters."),
    click.option("--description", help="What it is for, in 500 characters."),
    click.option("--header", "headers", multiple=True, metavar="NAME", help="Tokens are in this header (several)."),
    click.option("--cookie", "cookies", multiple=True, metavar="NAME", help="Or in this cookie (several)."),
    click.option("--issuer", "issuers", multiple=True, metavar="ISS", help="Only of this issuer (several)."),
    click.option("--audience", "audiences", multiple=True, metavar="AUD", help="Only for this audience (several)."),
    click.option("--type", "types", multiple=True, metavar="TYP", help="Only of this type, as `at+jwt` (several)."),
    click.option("--claim", "required_claims", multiple=True, metavar="NAME", help="Only with this claim (several)."),
    click.option("--max-age", "max_age_seconds", type=int, metavar="SECONDS", help="Only so long after `iat`."),
    click.option("--clock-skew", "clock_skew_seconds", type=int, metavar="SECONDS", help="How far clocks differ. [60]"),
)


@click.group(invoke_without_command=True)
@one_zone_option
@control_options
@json_option
@click.pass_context
def tokens(context: click.Context, zone: str | None, where: Where, as_json: bool) -> None:
    """List the token configurations of a zone: where tokens are looked for, and whose keys verify them."""
    if context.invoked_subcommand is None:
        _list(zone, where, as_json)


@tokens.command("list")
@one_zone_option
@control_options
@json_option
def listed(zone: str | None, where: Where, as_json: bool) -> None:
    """List the token configurations, as without `list`."""
    _list(zone, where, as_json)


@tokens.command("show")
@click.argument("identity", metavar="ID")
@one_zone_option
@control_options
@json_option
def show(identity: str, zone: str | None, where: Where, as_json: bool) -> None:
    """Show one configuration with its keys, and how fetching them goes."""
    with open_control(where) as control:
        _say(control.token_validation.get(zone, identity), as_json)


@tokens.command("add")
@click.option("--id", "identity", metavar="ID", help="What rules call it: a-z, 0-9 and -. [default: a new UUID]")
@click.option("--jwks", type=click.Path(path_type=Path, dir_okay=False), help="A file with a JSON Web Key Set.")
@click.option("--jwks-url", metavar="URL", help="Where the issuer publishes its keys; the worker keeps them fresh.")
@configuration_options
@one_zone_option
@control_options
@json_option
def add(
    identity: str | None,
    jwks: Path | None,
    jwks_url: str | None,
    zone: str | None,
    where: Where,
    as_json: bool,
    **given: Any,
) -> None:
    """Add a configuration. Tokens are looked for in the header `authorization` unless the options say otherwise."""
    if (jwks is None) == (jwks_url is None):
        raise click.UsageError("say where the keys are: --jwks FILE, or --jwks-url URL")
    wanted = {"title": "", **_members(given)}
    wanted.setdefault("token_sources", ('http.request.headers["authorization"][0]',))
    wanted |= {name: each for name, each in (("id", identity), ("jwks_url", jwks_url)) if each is not None}
    with open_control(where) as control:
        changed = control.token_validation.add(zone, wanted, _read_jwks(jwks) if jwks is not None else ())
    _say_changed(changed, as_json)


@tokens.command("edit")
@click.argument("identity", metavar="ID")
@click.option("--jwks-url", metavar="URL", help="Fetch the keys here, in place of those before.")
@configuration_options
@one_zone_option
@control_options
@json_option
def edit(identity: str, jwks_url: str | None, zone: str | None, where: Where, as_json: bool, **given: Any) -> None:
    """Change what the options say; the rest of the configuration stays."""
    changes = _members(given) | ({"jwks_url": jwks_url} if jwks_url is not None else {})
    with open_control(where) as control:
        _say_changed(control.token_validation.edit(zone, identity, changes), as_json)


@tokens.command("rm")
@click.argument("identity", metavar="ID")
@one_zone_option
@control_options
def rm(identity: str, zone: str | None, where: Where) -> None:
    """Remove a configuration that nothing names any more."""
    with open_control(where) as control:
        version = control.token_validation.remove(zone, identity)
    click.echo(f"Token configuration {identity} is removed; the zone is at version {version}.")


@tokens.group("keys")
def keys() -> None:
    """Replace pasted keys, or have those of a URL fetched now."""


@keys.command("set")
@click.argument("identity", metavar="ID")
@click.argument("jwks", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--keep-secrets", is_flag=True, help="A symmetric key without `k` keeps the secret that it has.")
@one_zone_option
@control_options
@json_option
def set_keys(identity: str, jwks: Path, keep_secrets: bool, zone: str | None, where: Where, as_json: bool) -> None:
    """Make the JSON Web Key Set in FILE the keys of a configuration."""
    with open_control(where) as control:
        changed = control.token_validation.set_keys(zone, identity, _read_jwks(jwks), keeps_secrets=keep_secrets)
    _say_changed(changed, as_json)


@keys.command("refresh")
@click.argument("identity", metavar="ID")
@one_zone_option
@control_options
@json_option
def refresh(identity: str, zone: str | None, where: Where, as_json: bool) -> None:
    """Have the worker fetch the keys of a configuration now, and say how that went."""
    with open_control(where) as control:
        before = control.token_validation.refresh(zone, identity).key_set
        deadline = time.monotonic() + REFRESH_SECONDS
        while True:
            shown = control.token_validation.get(zone, identity)
            if shown.key_set is None or before is None or shown.key_set.tried_at != before.tried_at:
                break
            if time.monotonic() > deadline:
                raise click.ClickException("the worker has not asked yet; is it running? `hoplon doctor` says more")
            time.sleep(0.2)
    _say(shown, as_json)


def _list(zone: str | None, where: Where, as_json: bool) -> None:
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.token_validation.list(zone)
    if as_json:
        click.echo(json.dumps([_as_json(shown) for shown in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (each.id, each.title, ", ".join(each.token_sources), _keys_in_words(shown))
        for shown, each in ((shown, shown.configuration) for shown in found)
    ]
    print_table(("id", "title", "sources", "keys"), rows)


def _members(given: dict[str, Any]) -> dict[str, Any]:
    """What the options say, as members of a TokenConfiguration."""
    headers, cookies = given.pop("headers"), given.pop("cookies")
    members = {name: each for name, each in given.items() if each not in (None, ())}
    sources = [f"http.request.headers[{json.dumps(name.lower())}][0]" for name in headers]
    sources += [f"http.request.cookies[{json.dumps(name)}][0]" for name in cookies]
    return members | ({"token_sources": tuple(sources)} if sources else {})


def _read_jwks(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_bytes())
        listed = document["keys"] if isinstance(document, dict) and "keys" in document else [document]
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise click.UsageError(f"{path} is no JSON Web Key Set: it has no list `keys`")
    return listed


def _say_changed(changed: "Changed", as_json: bool) -> None:
    for note in changed.notes:
        click.echo(f"note: {note.message}", err=True)
    _say(changed.shown, as_json)


def _say(shown: "ShownConfiguration", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(shown), indent=2, ensure_ascii=False))
        return
    each = shown.configuration
    click.echo(f"Token configuration {each.id} {each.title}".rstrip())
    click.echo(f"  looked for in: {', '.join(each.token_sources)}")
    for name in ("issuers", "audiences", "types", "required_claims"):
        if values := getattr(each, name):
            click.echo(f"  {name.replace('_', ' ')}: {', '.join(values)}")
    click.echo(f"  keys: {_keys_in_words(shown)}")
    for jwk in shown.jwks:
        click.echo(f"    {jwk['alg']} {jwk['kid']}")


def _keys_in_words(shown: "ShownConfiguration") -> str:
    found, count = shown.key_set, len(shown.jwks)
    if found is None:
        return f"{count} pasted"
    if found.keys is None:
        return f"none yet from {found.url}" + (f": {found.error}" if found.error else "")
    fetched = f"{count} from {found.url}, fetched {found.fetched_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{fetched}; since then {found.failures} times not: {found.error}" if found.error else fetched


def _as_json(shown: "ShownConfiguration") -> dict[str, Any]:
    each, found = shown.configuration, shown.key_set
    moments = ("changed_at", "fetched_at", "tried_at", "due_at")
    state = None
    if found is not None:
        times = {name: moment.isoformat() if (moment := getattr(found, name)) else None for name in moments}
        state = {**times, "failures": found.failures, "error": found.error, "notes": list(found.notes)}
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "token_sources": list(each.token_sources),
        "jwks_url": each.jwks_url,
        "keys": shown.jwks,
        "key_set": state,
        "issuers": list(each.issuers),
        "audiences": list(each.audiences),
        "types": list(each.types),
        "required_claims": list(each.required_claims),
        "max_age_seconds": each.max_age_seconds,
        "clock_skew_seconds": each.clock_skew_seconds,
    }


tokens.add_command(rules)
tokens.add_command(authorization)
