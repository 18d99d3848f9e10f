#!/usr/bin/env bash
# Brings what a package registry for Python or Rust cannot: checks what is there, installs what is missing, says what it does.
# usage: tools/setup.sh build|bench
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9

say() { printf '\033[1m==> %s\033[0m\n' "$1"; }
fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Debian packages by the command each brings; nothing is asked of apt when every command is there.
install_packages() {
    local missing=()
    local pair
    for pair in "$@"; do
        has "${pair%%=*}" || missing+=("${pair##*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    has apt-get || fail "missing: ${missing[*]}" "install these with your system's package manager"
    [ "$(id -u)" -eq 0 ] || fail "missing: ${missing[*]}" "as root: apt-get install ${missing[*]}"
    say "system packages: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

require_rust() {
    has cargo || fail "Rust is missing" "install it with rustup (the Rust project's installer), then open a new shell"
    local minimum found
    minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$minimum" "$found" | sort -V | head -n1)" = "$minimum" ] ||
        fail "Rust $found is too old; $minimum or newer is needed" "rustup update stable"
    has rustfmt && has cargo-clippy || fail "rustfmt or clippy is missing" "rustup component add rustfmt clippy"
}

python_command() {
    local name
    for name in python3.11 python3.12 python3.13 python3.14 python3; do
        has "$name" && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo "$name" && return
    done
    return 1
}

# uv, into a small environment of its own when the machine has none.
require_uv() {
    has uv && return
    local python
    python=$(python_command) || fail "Python 3.11 or newer is missing" "apt-get install python3 python3-venv"
    "$python" -c 'import ensurepip' 2>/dev/null || install_packages "no-such-command=python3-venv"
    say "uv $UV_VERSION: .cache/tools"
    "$python" -m venv .cache/tools
    .cache/tools/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
}

case "${1:-}" in
build)
    require_rust
    install_packages cc=build-essential c++=build-essential
    require_uv
    ;;
bench)
    install_packages nginx=nginx haproxy=haproxy wrk=wrk h2load=nghttp2-client taskset=util-linux
    ;;
*) fail "usage: tools/setup.sh build|bench" "the Makefile calls it; try \`make setup\`" ;;
esac
