#!/usr/bin/env bash
# Fuzzes the readers of files: `bash fuzz/run.sh` for all targets, two at a time, `bash fuzz/run.sh npy index` for some.
#
#   MINUTES=10    time for each target
#   --corpus      only replays the committed corpora, with the sanitizer; `cargo test --test corpora` does so without
#
# It takes `cargo install cargo-fuzz`; the nightly features that sanitizers need are unlocked in a stable compiler. What is found
# on the way is kept in fuzz/found, inputs that fail in fuzz/artifacts, and the log of each target in fuzz/target/logs. Once every
# target has run, fuzz/REPORT.md tells of the last run of each.
#
# An allocation of more than 64 MiB, memory of more than 512 MiB and an input that takes more than 10 seconds are failures, too:
# inputs have at most 4 KiB, and a header that is believed without a check asks for more.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTC_BOOTSTRAP=1 CARGO_TERM_COLOR=never
export ASAN_OPTIONS=quarantine_size_mb=16
# The readers read files: those of a memory file system are written most quickly.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

replay=false targets=()
for argument in "$@"; do
  if [ "$argument" = --corpus ]; then replay=true; else targets+=("$argument"); fi
done
mapfile -t all < <(ls fuzz/corpus)
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

host=$(rustc -vV | sed -n 's/^host: //p')
programs=fuzz/target/$host/release logs=fuzz/target/logs
commit=$(git describe --always --dirty) compiler=$(rustc -V | cut -d' ' -f2)
cargo fuzz build --release --debug-assertions
mkdir -p "$logs" fuzz/artifacts

fuzz() {
  local limits=(-malloc_limit_mb=64 -rss_limit_mb=512 -timeout=10 "-artifact_prefix=fuzz/artifacts/$1-")
  mkdir -p "fuzz/found/$1"
  if $replay; then
    "$programs/$1" "${limits[@]}" -runs=0 "fuzz/corpus/$1"
  else
    "$programs/$1" "${limits[@]}" -max_total_time=$((60 * MINUTES)) -max_len=4096 -use_value_profile=1 \
      -print_final_stats=1 "fuzz/found/$1" "fuzz/corpus/$1"
  fi >"$logs/$1.log" 2>&1
}

# Runs a target, and writes down how often it ran, in how many seconds, what it covered and how it ended.
report() {
  local ended=clean log="$logs/$1.log" row="$logs/$1.row"
  ! $replay || row=/dev/null
  fuzz "$1" || ended="**failed**"
  local done_ covered
  done_=$(sed -nE 's/^Done ([0-9]+) runs in ([0-9]+) second.*/\1 | \2/p' "$log" | tail -n 1)
  covered=$(sed -nE 's/.* cov: ([0-9]+) ft: ([0-9]+).*/\1 | \2/p' "$log" | tail -n 1)
  printf '| `%s` | %s | %s | %s | %s | %s |\n' "$1" "${done_:-? | ?}" "${covered:-? | ?}" "$ended" "$commit" "$compiler" | tee "$row"
  [ "$ended" = clean ]
}
export -f fuzz report
export replay programs logs commit compiler MINUTES="${MINUTES:-10}"
outcome=0
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'report {}' || outcome=1

rows=("${all[@]/#/$logs/}")
if ! $replay && cat "${rows[@]/%/.row}" >"$logs/rows" 2>/dev/null; then
  {
    printf '# The last run of each fuzz target\n\nWritten by `bash fuzz/run.sh`.\n\n'
    printf '| target | inputs | seconds | edges covered | features | ended | commit | rustc |\n'
    printf '| --- | ---: | ---: | ---: | ---: | --- | --- | --- |\n'
    cat "$logs/rows"
  } >fuzz/REPORT.md
fi
exit $outcome
