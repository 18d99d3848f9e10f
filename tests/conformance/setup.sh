#!/usr/bin/env bash
# Brings the tests that others wrote into .cache/conformance, pinned by hash; afterwards they run without a network.
# The Python SDK's source distribution carries its tests; the TypeScript SDK is what npm installs (left out without node).
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=.cache/conformance
here=tests/conformance
sdk=cloudflare-5.9.0

test -x $cache/python/bin/python || uv venv --quiet --python '>=3.11' $cache/python
uv pip sync --quiet --python $cache/python --require-hashes requirements/conformance.txt

if [ ! -d $cache/$sdk ]; then
    $cache/python/bin/python -m pip download --quiet --no-deps --no-binary :all: --require-hashes \
        --requirement requirements/conformance-sdk.txt --dest $cache/download
    rm -rf $cache/unpacked && mkdir -p $cache/unpacked
    tar -xzf $cache/download/$sdk.tar.gz -C $cache/unpacked $sdk/tests $sdk/LICENSE
    mv $cache/unpacked/$sdk $cache/$sdk
fi

if command -v npm >/dev/null && ! cmp -s $here/typescript/package-lock.json $cache/typescript/node_modules/.pinned; then
    mkdir -p $cache/typescript
    cp $here/typescript/package.json $here/typescript/package-lock.json $cache/typescript
    (cd $cache/typescript && npm ci --silent --ignore-scripts --no-audit --no-fund && cp package-lock.json node_modules/.pinned)
fi
