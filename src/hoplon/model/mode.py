"""The one switch over everything."""

from enum import StrEnum


class Mode(StrEnum):
    """What the gateway does with the verdicts of rules. Protocol refusals act in every mode."""

    OFF = "off"
    LOG = "log"
    ENFORCE = "enforce"

    @property
    def meaning(self) -> str:
        """The mode in one sentence."""
        return {
            Mode.OFF: "traffic is forwarded and counted; no rule is evaluated",
            Mode.LOG: "rules are evaluated; every block becomes a log",
            Mode.ENFORCE: "rules act as the policy says",
        }[self]
