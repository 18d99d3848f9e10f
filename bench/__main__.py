"""`make bench`: runs the rows, prints a line of each as it is there, keeps everything as JSON in bench/results/."""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import description
from bench.proxies import CANDIDATES, upstream
from bench.report import publish, summary
from bench.rows import ROWS, Arena, Figures

RESULTS = Path(__file__).parent / "results"
DOCUMENTS = [Path(__file__).parents[1] / name for name in ("README.md", "docs/performance.md")]


def main() -> int:
    """Measures what was asked for and gives the exit code."""
    arguments = _arguments()
    if arguments.report:
        publish(json.loads(arguments.report.read_text()), DOCUMENTS)
        return 0
    results = _measure(arguments)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{results['time'].replace(':', '')}.json"
    file.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{summary(results)}\n\nall figures: {file}\nto publish them: python -m bench --report {file}")
    return 1 if results["errors"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Hoplon beside nginx, HAProxy and Envoy")
    parser.add_argument("--seconds", type=float, default=6, help="how long each burst of load lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each candidate has its turn")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    names = [candidate.name for candidate in CANDIDATES]
    parser.add_argument("--candidates", nargs="+", choices=names, default=names, help="which proxies")
    parser.add_argument(
        "--report", type=Path, help="only write the tables of README.md and docs/performance.md from this file"
    )
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> Figures:
    results: Figures = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": description(),
        "seconds": arguments.seconds,
        "rounds": arguments.rounds,
        "rows": {},
        "errors": {},
    }
    with tempfile.TemporaryDirectory(prefix="hoplon-bench-") as name, upstream(Path(name)) as port:
        arena = Arena(Path(name), port, arguments.seconds, arguments.rounds).named(*arguments.candidates)
        for row in arguments.rows:
            print(f"==> {row}", file=sys.stderr, flush=True)
            _measure_row(row, arena, results)
    return results


def _measure_row(row: str, arena: Arena, results: Figures) -> None:
    """A row that cannot be measured is named with its reason and does not stop the others."""
    try:
        results["rows"][row] = ROWS[row](arena)
    except Exception as error:  # noqa: BLE001 - whatever it was, the other rows are still worth having
        results["errors"][row] = f"{type(error).__name__}: {error}"
        print(f"    not measured: {results['errors'][row]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
