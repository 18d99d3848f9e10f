#!/usr/bin/env bash
# Fuzzes every target for SECONDS, each on one core, one after the other. What it finds goes to fuzz/corpus (kept between runs)
# and, when it breaks something, to fuzz/artifacts; the command that repeats it is printed.
# usage: fuzz/run.sh SECONDS [TARGET…]
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET…]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^path = "targets\/\(.*\)\.rs"/\1/p' Cargo.toml)

# Coverage feedback on stable Rust (docs/decisions/0004): LLVM's counters, for the fuzzed code and not for build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
target_folder="${HOPLON_FUZZ_TARGET:-$PWD/target}"
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
printf '\033[1m==> fuzz: build\033[0m\n'
cargo build --quiet --locked --release --target "$host" --target-dir "$target_folder"

for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" artifacts "$target_folder/logs"
    log="$target_folder/logs/$target.log"
    status=0
    "$target_folder/$host/release/$target" "corpus/$target" "seeds/$target" -max_total_time="$seconds" -timeout=5 \
        -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -verbosity=0 -artifact_prefix="$PWD/artifacts/$target-" \
        >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        grep -a -A 2 -E 'panicked at|ERROR: libFuzzer' "$log" | cut -c 1-2000 || tail -n 20 "$log"
        grep -a -E '^Base64:|Test unit written' "$log" || true
        echo "error: the fuzz target $target was broken"
        echo "hint: repeat it with $target_folder/$host/release/$target FILE, the file named above"
        exit 1
    fi
    figure() { sed -n "s/^stat::$1: *//p" "$log"; }
    echo "    $target: $(figure number_of_executed_units) inputs in ${seconds} s, $(figure new_units_added) new, nothing broken"
done
