"""docs/features/labels.md tells of every managed label what the catalogue says, and the limits as they are."""

from pathlib import Path

from hoplon.labels.managed import MANAGED
from hoplon.labels.names import MAX_DESCRIPTION, MAX_LABELS, MAX_METADATA_BYTES, MAX_METADATA_DEPTH, MAX_PER_OPERATION

PAGE = (Path(__file__).parents[2] / "docs" / "features" / "labels.md").read_text()


def test_every_managed_label_is_documented() -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith("| `cf-")]
    assert shown == [f"| `{label.name}` | {label.description} |" for label in MANAGED.values()]


def test_limits_are_documented() -> None:
    for text in (
        f"at most {MAX_LABELS:,} labels of its own",
        f"at most {MAX_PER_OPERATION} labels",
        f"at most {MAX_DESCRIPTION:,} characters",
        f"at most {MAX_METADATA_BYTES:,} bytes",
        f"{MAX_METADATA_DEPTH} levels",
    ):
        assert text in PAGE, text
