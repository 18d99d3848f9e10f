"""The managed labels: Cloudflare's names for what an operation is for, or which risk was seen on it.

People attach the labels of a use. Labels of a risk follow from traffic: Hoplon gives and takes them, nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

MANAGED_PREFIX = "cf-"
"""Names that begin like this are managed, so that a name alone says whose label it is."""

CATALOGUE_SINCE = datetime(2026, 11, 21, tzinfo=UTC)
"""When the catalogue was last changed: the API gives every label a time."""


@dataclass(frozen=True, slots=True)
class ManagedLabel:
    """One label of the catalogue: what it says about an operation, and whether that is a use or a risk."""

    name: str
    kind: Literal["use", "risk"]
    description: str

    @property
    def is_attachable(self) -> bool:
        """Whether a person may attach and detach it."""
        return self.kind == "use"


_USES = {
    "cf-log-in": "Takes credentials: a password, a second factor, or one step of several.",
    "cf-sign-up": "The last step of creating an account.",
    "cf-content": "Serves what only this site has: product details, prices, reviews, articles.",
    "cf-purchase": "The last step of buying something.",
    "cf-password-reset": "Takes part in resetting a password, from asking for it to setting a new one.",
    "cf-add-cart": "Puts something into a shopping cart, or says whether it is available.",
    "cf-add-payment": "Takes a card, an account or another means of payment.",
    "cf-check-value": "Tells the worth of something that spends like money: points, gift cards, vouchers.",
    "cf-add-post": "Publishes what users write: comments, reviews, messages.",
    "cf-account-update": "Changes an account: name, address, e-mail, password, preferences.",
    "cf-llm": "Hands its input to a language model.",
    "cf-mcp": "Speaks the Model Context Protocol.",
    "cf-rss-feed": "Serves a feed that readers poll.",
    "cf-web-page": "Serves a page for people rather than data for programs.",
    "cf-contains-ads": "Its answers carry advertising.",
}

_RISKS = {
    "cf-risk-missing-auth": "No successful request carried a session identifier, though the zone has one.",
    "cf-risk-mixed-auth": "Some successful requests carried a session identifier, others did not.",
    "cf-risk-sensitive": "Sensitive data was seen in its answers.",
    "cf-risk-missing-schema": "A schema was learned, but none is in force.",
    "cf-risk-error-anomaly": "Errors rose unusually during the last day.",
    "cf-risk-latency-anomaly": "Its answers became unusually slow during the last day.",
    "cf-risk-size-anomaly": "Its answers became unusually large during the last day.",
    "cf-risk-bola-enumeration": "Few sessions fetched far more different objects than all others.",
    "cf-risk-bola-pollution": "A parameter succeeded at a place where it does not belong, or at several at once.",
    "cf-risk-zombie": "Saved, but without traffic for 32 days.",
}

MANAGED: Mapping[str, ManagedLabel] = {
    label.name: label
    for label in (
        *(ManagedLabel(name, "use", text) for name, text in _USES.items()),
        *(ManagedLabel(name, "risk", text) for name, text in _RISKS.items()),
    )
}
"""Every managed label by its name, uses first."""
