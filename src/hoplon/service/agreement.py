"""What no feature can check alone: whether the tables of one policy fit each other."""

from hoplon.errors import Problem
from hoplon.model.policy import Policy


def disagreements(policy: Policy) -> list[Problem]:
    """Where one table of a policy names what another does not have."""
    saved = {operation.id for operation in policy.features["operations"].saved}
    return [
        Problem(
            f"labels.attached[{index}]",
            f"{each} is no saved operation",
            "save it in `operations.saved`, or leave this out",
        )
        for index, each in enumerate(policy.features["labels"].attached)
        if each.operation_id not in saved
    ]
