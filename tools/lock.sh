#!/usr/bin/env bash
# Locks the Python dependencies: exact versions with hashes, for every platform, without the address of any package index.
# usage: tools/lock.sh
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
    uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-emit-index-url --no-annotate --no-header \
        --generate-hashes "$@"
}

lock pyproject.toml --output-file requirements/runtime.txt
lock pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
lock --group pyproject.toml:bench --output-file requirements/bench.txt
lock --group pyproject.toml:conformance --output-file requirements/conformance.txt
