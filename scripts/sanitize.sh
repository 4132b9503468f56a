#!/usr/bin/env bash
# Runs the kernel tests where a read or write outside of its allocation, or a decision on uninitialised memory, is an error.
#
#     bash scripts/sanitize.sh address     # AddressSanitizer: needs the nightly toolchain
#     bash scripts/sanitize.sh valgrind    # Memcheck: needs valgrind
#     bash scripts/sanitize.sh             # both
#
# `address` covers every instruction set of the machine; it sees the code of this crate and of its dependencies, not of the
# standard library. `valgrind` (3.19) covers AVX2 and portable: it has no AVX-512, tells programs that the machine has none,
# and so those kernels do not run. To have a run fail where an instruction set is missing, name it: the variable
# FACTORIZED_EMBEDDING_EXPECTED_ISA works here as in any run of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=x86_64-unknown-linux-gnu
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/sanitize
export CARGO_TARGET_DIR

address() {
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test --lib --target "$TARGET" --no-default-features kernel
}

valgrind() {
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='valgrind --quiet --error-exitcode=1' \
        cargo test --lib --target "$TARGET" --no-default-features kernel
}

case ${1:-both} in
    address | valgrind) "$1" ;;
    both)
        address
        valgrind
        ;;
    *)
        echo "usage: $0 [address | valgrind]" >&2
        exit 2
        ;;
esac
