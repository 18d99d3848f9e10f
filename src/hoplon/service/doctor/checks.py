"""The checks of `hoplon doctor`: pure functions from a Setup to what is wrong with it, in one ordered list.

A problem needs somebody; a note is worth knowing. Each says what, why it matters, and what to do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hoplon.errors import HoplonError
from hoplon.service.doctor.delivery import LATE_SECONDS, age_in_words
from hoplon.service.doctor.look import Setup
from hoplon.service.gateway import STALE_SECONDS

LOW_DISK_BYTES = 1024**3
LOW_DISK_SHARE = 0.05
CLOCK_SECONDS = 60.0
WORKER_STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing that `hoplon doctor` says. `code` is stable."""

    code: str
    level: Literal["problem", "note"]
    what: str
    why: str
    todo: str


def diagnose(setup: Setup) -> list[Ailment]:
    """Everything wrong with a set-up, problems first."""
    found = [ailment for check in CHECKS for ailment in check(setup)]
    return sorted(found, key=lambda ailment: ailment.level != "problem")


def check_database(setup: Setup) -> Iterator[Ailment]:
    error = setup.database_error
    if error is not None:
        why = "The gateway goes on with the bundle it has; policy can be neither read nor changed."
        yield Ailment(error.code, "problem", _sentence(error.message), why, _todo(error))
    elif not setup.zones and setup.delivery.following is None:
        yield Ailment(
            "zone.missing",
            "problem",
            "There is no zone.",
            "Without one there is nowhere to send traffic.",
            "Run `hoplon up --upstream URL`, or `hoplon policy apply --create policy.toml`.",
        )


def check_keys(setup: Setup) -> Iterator[Ailment]:
    if setup.key_fault is not None:
        yield Ailment(
            "keys.unusable",
            "problem",
            f"The key {setup.state.records_key} {setup.key_fault}.",
            "Sessions and values are hashed under it; under another key nothing matches the records stored before.",
            "Restore it from a backup. If there is none, delete it: the next start makes a new one.",
        )
    for path in setup.open_to_others:
        yield Ailment(
            "keys.open",
            "problem",
            f"{path} can be read or changed by other users of this machine.",
            "It holds what only Hoplon may know: keys, the first API token, or the store of everything.",
            f"Run: chmod go= {path}",
        )


def check_secrets(setup: Setup) -> Iterator[Ailment]:
    access = setup.access
    if access.key_error is not None:
        why = "Secrets that lie under the installation key can be neither opened nor stored."
        yield Ailment(
            access.key_error.code, "problem", _sentence(access.key_error.message), why, _todo(access.key_error)
        )
    elif access.lost_secrets:
        yield Ailment(
            "secrets.key_missing",
            "problem",
            f"The installation key of {access.lost_secrets} stored secrets is not here.",
            "Without it nobody can open them.",
            f"Restore {setup.state.installation_key} from a backup, or set HOPLON_INSTALLATION_KEY.",
        )


def check_audit(setup: Setup) -> Iterator[Ailment]:
    faults = setup.access.audit_faults
    if faults:
        first = f"entry {faults[0].sequence}: {faults[0].reason}" if faults[0].sequence else faults[0].reason
        yield Ailment(
            "audit.broken",
            "problem",
            f"The audit log is not what was written ({first}).",
            "Somebody or something changed it, past Hoplon; what it says from there on proves nothing.",
            "See `hoplon audit verify`; compare with a backup or an export.",
        )


def check_disk(setup: Setup) -> Iterator[Ailment]:
    if setup.disk_free_bytes < min(LOW_DISK_BYTES, setup.disk_total_bytes * LOW_DISK_SHARE):
        yield Ailment(
            "disk.low",
            "problem",
            f"Only {setup.disk_free_bytes / 1024**2:,.0f} MiB are free where {setup.state.root} lies.",
            "On a full disk traffic goes on, but records are lost and policy cannot be changed.",
            "Make room, or lower `records.retention_bytes`.",
        )


def check_clock(setup: Setup) -> Iterator[Ailment]:
    moments = [version.committed_at for version, _ in setup.zones]
    if setup.gateway is not None:
        moments.append(setup.gateway.written_at)
    ahead_seconds = max(((moment - setup.now).total_seconds() for moment in moments), default=0.0)
    if ahead_seconds > CLOCK_SECONDS:
        yield Ailment(
            "clock.back",
            "problem",
            f"Files here were written {ahead_seconds:,.0f} s in the future: the clock has been set back.",
            "Records, retention and the order of policy versions follow the clock.",
            "Set the clock right (NTP).",
        )


def check_parts(setup: Setup) -> Iterator[Ailment]:
    supervisor, gateway, worker = (setup.holders[part] for part in ("supervisor", "gateway", "worker"))
    if supervisor is not None and setup.holders["api"] is None:
        yield Ailment(
            "api.dead",
            "problem",
            "`hoplon up` runs, but its API does not.",
            "Traffic is not touched; nothing can be changed over HTTP, and gateways elsewhere hear of no change.",
            f"The supervisor starts it again, at most every 30 s. See {setup.state.log('api')}.",
        )
    if gateway is None and supervisor is not None:
        yield Ailment(
            "gateway.dead",
            "problem",
            "`hoplon up` runs, but its gateway does not.",
            "No request is answered until it is back; the supervisor starts it again, at most every 30 s.",
            f"See {setup.state.log('gateway')}.",
        )
    elif gateway is None:
        yield Ailment(
            "gateway.stopped",
            "note",
            "No gateway is running.",
            "Nothing is shielded now.",
            "Start it with `hoplon up`.",
        )
    elif worker is None:
        yield Ailment(
            "worker.dead",
            "problem",
            f"The worker does not run; {setup.unsealed_segments} segments of records wait for it.",
            "No record is lost, but they stay in their bulky first form, and learning stands still.",
            f"`hoplon up` starts it; if it does run, see {setup.state.log('worker')}.",
        )


def check_gateway(setup: Setup) -> Iterator[Ailment]:
    if setup.holders["gateway"] is None:
        return
    status = setup.gateway
    if status is None or status.age_seconds(setup.now) > STALE_SECONDS:
        age = "has said nothing yet" if status is None else f"last spoke {status.age_seconds(setup.now):,.0f} s ago"
        yield Ailment(
            "gateway.silent",
            "problem",
            f"The gateway runs but {age}.",
            "It writes its status each second: it hangs, or it cannot write to the state directory.",
            f"See {setup.state.log('gateway')}; look for free disk space; then restart it.",
        )
    for name, sentence in sorted(setup.alerts.items()):
        why = "The gateway raised this alert; it takes it back when the cause is gone."
        todo = f"See {setup.state.log('gateway')} and the metric `hoplon_alert`."
        yield Ailment(f"gateway.{name}", "problem", _sentence(sentence), why, todo)


def check_worker(setup: Setup) -> Iterator[Ailment]:
    age_seconds = setup.worker_age_seconds
    if setup.holders["worker"] is not None and age_seconds is not None and age_seconds > WORKER_STALE_SECONDS:
        yield Ailment(
            "worker.silent",
            "problem",
            f"The worker runs but last spoke {age_seconds:,.0f} s ago.",
            "Records are not sealed meanwhile.",
            f"See {setup.state.log('worker')}; restarting it loses nothing.",
        )
    report = setup.worker if setup.holders["worker"] is not None and setup.worker is not None else {}
    if failures := int(report.get("failures_in_a_row") or 0):
        yield Ailment(
            "worker.failing",
            "problem",
            f"The worker has failed {failures:,} times in a row{_last_problem(report)}.",
            "It tries again with growing pauses; what it was to do waits, nothing is lost.",
            f"See {setup.state.log('worker')}.",
        )
    if kept := len(report.get("quarantine") or ()):
        yield Ailment(
            "records.quarantine",
            "note",
            f"{kept} files of records could not be read and were put into records/quarantine.",
            "They are kept for a look; queries leave them out.",
            "`hoplon records info` lists them; delete them when nobody needs them.",
        )


def check_bundle(setup: Setup) -> Iterator[Ailment]:
    if setup.committed_bundle is not None and setup.current_bundle != setup.committed_bundle:
        yield Ailment(
            "bundle.current",
            "problem",
            "The bundle in place is not the one of the committed policy.",
            "A change was interrupted, or a file in bundles/ was changed by hand.",
            "Run `hoplon up` again, or `hoplon policy export | hoplon policy apply -`: both put it in place.",
        )
    status = setup.gateway
    if setup.holders["gateway"] is None or status is None:
        return
    if status.bundle is None:
        reasons = "; ".join(str(problem) for problem in status.bundle_errors) or "there is none in place"
        yield Ailment(
            "bundle.none",
            "problem",
            f"The gateway serves no bundle: {reasons}.",
            "It answers every request with 503.",
            "Apply a policy that it accepts.",
        )
    elif setup.current_bundle is not None and status.bundle != setup.current_bundle:
        reasons = "; ".join(str(problem) for problem in status.bundle_errors)
        yield Ailment(
            "bundle.refused" if reasons else "bundle.behind",
            "problem",
            f"The gateway serves bundle {status.bundle[:16]}, not the current {setup.current_bundle[:16]}"
            + (f": {reasons}." if reasons else "."),
            "It keeps the last good one when a new one has an error.",
            "Correct the policy and apply it again." if reasons else "Wait a second and look again; then restart it.",
        )


def check_delivery(setup: Setup) -> Iterator[Ailment]:
    following = setup.delivery.following
    if following is None:
        return
    seconds = following.silent_seconds(setup.now.timestamp())
    if following.error is not None or seconds is None or seconds > LATE_SECONDS:
        heard = "never" if seconds is None else f"{age_in_words(seconds)} ago"
        yield Ailment(
            following.error_code or "delivery.silent",
            "problem",
            f"The control plane {following.server} was last heard {heard}"
            + (f": {following.error}." if following.error else "."),
            "The gateway goes on with the policy and the mode that it has; changes do not reach it.",
            _sentence(following.hint or f"See {setup.state.log('gateway')} or what the gateway writes to its output"),
        )


def check_gateways(setup: Setup) -> Iterator[Ailment]:
    for name, state in setup.delivery.late:
        what = "has not asked for its bundle for a while" if state == "away" else "does not serve the current bundle"
        yield Ailment(
            f"gateways.{state}",
            "note",
            f"The gateway {name} {what}.",
            "It goes on with the policy that it has.",
            "`hoplon doctor` on its machine says why; `hoplon gateways` lists all of them.",
        )


def check_mode(setup: Setup) -> Iterator[Ailment]:
    if isinstance(setup.mode, HoplonError):
        why = "The gateway acts in `enforce` until a mode can be read."
        yield Ailment(setup.mode.code, "problem", _sentence(setup.mode.message), why, _todo(setup.mode))
    elif setup.mode != "enforce":
        yield Ailment(
            "mode.not_enforce",
            "note",
            f"The mode is `{setup.mode}`.",
            "No rule blocks anything now, whatever the policy says.",
            "When that is not wanted: hoplon mode enforce",
        )


def check_zones(setup: Setup) -> Iterator[Ailment]:
    for version, policy in setup.zones:
        if not policy.features["operations"].saved:
            yield Ailment(
                "zone.no_operations",
                "note",
                f"Zone {version.zone_name} has no saved operations.",
                "Nothing can be told apart from what your API offers, so nothing falls through and no rule acts.",
                "See `hoplon operations --seen`; `--as-policy` prints them for the policy.",
            )


def check_upstreams(setup: Setup) -> Iterator[Ailment]:
    for upstream in setup.upstreams:
        if upstream.fault is not None:
            yield Ailment(
                "upstream.unreachable",
                "problem",
                f"Zone {upstream.zone}: {upstream.url} accepts no connection ({upstream.fault}).",
                "Requests that go there are answered with 502.",
                "Start that server, or correct its address in the policy.",
            )
        if upstream.ca_file_fault is not None:
            yield Ailment(
                "upstream.ca_file",
                "problem",
                f"Zone {upstream.zone}: the CA file of {upstream.url} cannot be read ({upstream.ca_file_fault}).",
                "The upstream's certificate cannot be verified, so no connection is made.",
                "Correct `ca_file` in the policy, or the file's permissions.",
            )


def check_records(setup: Setup) -> Iterator[Ailment]:
    status = setup.gateway
    if setup.holders["gateway"] is None or status is None:
        return
    dropped, errors = int(status.records.get("dropped") or 0), int(status.records.get("errors") or 0)
    if dropped:
        yield Ailment(
            "records.dropped",
            "problem",
            f"{dropped:,} records were dropped since the gateway started.",
            "The writer could not keep up, or the disk is full; requests were not held up.",
            "Look at the disk's speed and space; `records.queue` makes the queue longer.",
        )
    if errors:
        yield Ailment(
            "records.errors",
            "problem",
            f"Records could not be written {errors:,} times since the gateway started.",
            "What was to be written then may be lost.",
            f"See {setup.state.log('gateway')}.",
        )


def check_rules(setup: Setup) -> Iterator[Ailment]:
    for failing in setup.failing_rules:
        did = "let through" if failing.mode == "open" else "stopped"
        yield Ailment(
            "rules.failing",
            "problem",
            f"Rule {failing.rule} could not be checked on {failing.requests:,} requests of the last 24 hours"
            f" ({failing.error}); they were {did}.",
            "Its fail mode decided instead: what it is to find goes unseen, or honest requests are stopped.",
            f"`hoplon decisions --rule {failing.rule}` shows them; docs/features/decisions.md explains each reason.",
        )


def check_addresses(setup: Setup) -> Iterator[Ailment]:
    error = setup.listen_error
    if error is not None:
        why = "`hoplon up` could not start with these settings."
        yield Ailment(error.code, "problem", _sentence(error.message), why, _todo(error))


def check_key_sets(setup: Setup) -> Iterator[Ailment]:
    if setup.lost_token_secrets:
        yield Ailment(
            "tokens.secrets",
            "problem",
            f"{setup.lost_token_secrets} secrets of token keys are missing in {setup.state.token_secrets}.",
            "No token that is signed with them is valid here: the rules that demand one act.",
            "Restart `hoplon up`: it writes them anew. Where the installation key is gone, restore it from a backup.",
        )
    for view in setup.key_sets:
        each = view.key_set
        if each.error is None:
            continue
        kept = f"{len(each.keys)} keys of {each.fetched_at:%Y-%m-%d %H:%M} UTC stay" if each.keys else "there are none"
        why = (
            "Tokens are verified with these; what the issuer has rotated since is refused or still accepted."
            if each.keys
            else "No token of this configuration is valid: its rules act on every request."
        )
        yield Ailment(
            "tokens.keys",
            "problem",
            f"The keys of token configuration {each.configuration_id} of zone {view.zone} cannot be fetched; {kept}.",
            why,
            f"{_sentence(each.error)} Then `hoplon tokens keys refresh {each.configuration_id}`.",
        )


def check_token_rules(setup: Setup) -> Iterator[Ailment]:
    """Token rules are about saved operations: what matches none comes under `operations.fallthrough` alone."""
    for version, policy in setup.zones:
        fallthrough = policy.features["operations"].fallthrough
        if fallthrough != "block" and policy.features["tokens"].blocks:
            becomes = "only logged" if fallthrough == "log" else "let through"
            yield Ailment(
                "tokens.fallthrough",
                "note",
                f"Zone {version.zone_name} blocks by token rules; what matches no operation is {becomes}.",
                "They are about saved operations: a path that is not saved is reached without any token.",
                'Save all operations, then set `operations.fallthrough = "block"`; `hoplon replay` shows the effect.',
            )


def check_identity(setup: Setup) -> Iterator[Ailment]:
    for each in setup.proposals:
        yield Ailment(
            "identity.proposed",
            "note",
            f"Zone {each.zone_name} has no session identifier, and {each.share:.1%} of its successful requests carry"
            " Authorization.",
            "What follows sessions (limits, learning) follows that header's value, which changes with every new token.",
            f"`hoplon identity set '{each.identifier.kind}:{each.identifier.name}'` makes it what you mean.",
        )


CHECKS: tuple[Callable[[Setup], Iterator[Ailment]], ...] = (
    check_database,
    check_keys,
    check_secrets,
    check_audit,
    check_disk,
    check_clock,
    check_parts,
    check_gateway,
    check_worker,
    check_bundle,
    check_delivery,
    check_gateways,
    check_mode,
    check_zones,
    check_upstreams,
    check_key_sets,
    check_token_rules,
    check_identity,
    check_records,
    check_rules,
    check_addresses,
)


def _last_problem(report: Mapping[str, Any]) -> str:
    problems = report.get("problems") or ()
    return f": {', '.join(str(value) for value in problems[-1].values())}" if problems else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _todo(error: HoplonError) -> str:
    return _sentence(error.hint or "See the message")
