"""The command line: the ordered list of commands, each in a file of its own that is imported only when it runs."""

from typing import NamedTuple


class Command(NamedTuple):
    """One command of `hoplon`: its name, where its function is (`module:attribute`), and the line in `--help`."""

    name: str
    target: str
    help: str


COMMANDS: tuple[Command, ...] = (
    Command("demo", "hoplon.cli.demo:demo", "The whole story on a bundled API, in about a minute."),
    Command("up", "hoplon.cli.up:up", "Put Hoplon in front of an API: gateway, API and worker, supervised."),
    Command("gateway", "hoplon.cli.gateway:gateway", "Run the gateway alone."),
    Command("api", "hoplon.cli.api:api", "Run the API alone."),
    Command("worker", "hoplon.cli.worker:worker", "Run the worker alone: it seals and keeps traffic records."),
    Command(
        "restart", "hoplon.cli.restart:restart", "Restart a running `up`, or upgrade it, without a dropped request."
    ),
    Command("mode", "hoplon.cli.mode:mode", "Show or set the one switch over everything: off, log or enforce."),
    Command("zones", "hoplon.cli.zones:zones", "List the zones and where their traffic goes; add and remove them."),
    Command("gateways", "hoplon.cli.gateways:gateways", "List the gateways that follow this control plane."),
    Command("policy", "hoplon.cli.policy:policy", "Export, compare and apply a zone's policy; its history."),
    Command(
        "operations",
        "hoplon.cli.operations:operations",
        "List the operations seen and saved; save and remove them.",
    ),
    Command("import", "hoplon.cli.importing:importing", "Save the operations that OpenAPI descriptions list."),
    Command("labels", "hoplon.cli.labels:labels", "List labels, make them, and say which operations carry them."),
    Command("rules", "hoplon.cli.rules:rules", "List and change custom rules, and check expressions."),
    Command("limits", "hoplon.cli.limits:limits", "List and change rate limits, and limits on requests in flight."),
    Command("identity", "hoplon.cli.identity:identity", "Say what identifies a session; see what traffic suggests."),
    Command("tokens", "hoplon.cli.tokens:tokens", "Which tokens (JWT) are accepted, and what is demanded of them."),
    Command("records", "hoplon.cli.records:records", "Follow, query, export and show traffic records."),
    Command(
        "decisions", "hoplon.cli.decisions:decisions", "What was logged, blocked or refused, by which rule, and why."
    ),
    Command("replay", "hoplon.cli.replay:replay", "What another policy would have done with the stored requests."),
    Command("token", "hoplon.cli.token:token", "Make, list and revoke API tokens and the credentials of gateways."),
    Command("audit", "hoplon.cli.audit:audit", "Show, export and verify the audit log."),
    Command("secrets", "hoplon.cli.secrets:secrets", "List what is sealed, and seal it under another key."),
    Command("backup", "hoplon.cli.backup:backup", "Write zones, policy, history, tokens and keys to one file."),
    Command("restore", "hoplon.cli.backup:restore", "Make a backup the contents of a state directory."),
    Command("doctor", "hoplon.cli.doctor:doctor", "Say what is wrong with this set-up, and what to do."),
    Command("version", "hoplon.cli.version:version", "Show the versions of Hoplon's halves."),
)


def main() -> None:
    """The entry point of the `hoplon` command."""
    from hoplon.cli.group import run

    run(COMMANDS)
