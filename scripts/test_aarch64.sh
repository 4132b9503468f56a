#!/usr/bin/env bash
# Runs the kernel tests as aarch64 code under emulation, on a Debian x86-64 machine, and fails if the NEON kernels did not run.
#
#     bash scripts/test_aarch64.sh                # cargo test --lib kernel
#     bash scripts/test_aarch64.sh --release      # further arguments go to cargo
#     RUST=debian bash scripts/test_aarch64.sh    # Debian's compiler, as if rustup had no standard library for aarch64
#
# Linker, C library and emulator come from Debian's packages, and so does the compiler where rustup has no standard library
# for aarch64 to offer. Packages are not installed: they are unpacked below the target directory, and used from there again.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=aarch64-unknown-linux-gnu
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
readonly TOOLS=$CARGO_TARGET_DIR/aarch64-tools

# apt for both architectures, with its files in our folder and without the machine's hooks, so that nothing else changes.
apt_private() {
    local command=$1
    shift
    "$command" -qq -c "$TOOLS/apt.conf" "$@"
}

update_lists() {
    [[ -e $TOOLS/lists/updated ]] && return
    mkdir -p "$TOOLS/lists/partial"
    cat >"$TOOLS/apt.conf" <<END
Dir::State::Lists "$TOOLS/lists";
Dir::Cache "$TOOLS";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Debug::NoLocking "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
    apt_private apt-get update
    touch "$TOOLS/lists/updated"
}

dependencies() {
    apt_private apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@"
}

# unpack FOLDER PATTERN PACKAGE...: those of the packages, and of all that they depend on, whose names match.
unpack() {
    local folder=$TOOLS/$1 pattern=$2 packages
    shift 2
    [[ -e $folder/complete ]] && return
    update_lists
    mkdir -p "$folder/packages"
    packages=$(dependencies --recurse "$@" | grep -E '^[a-z]' | grep -E "$pattern" | sort -u)
    # shellcheck disable=SC2086 # One word for each package.
    (cd "$folder/packages" && apt_private apt-get download $packages)
    for package in "$folder"/packages/*.deb; do
        dpkg -x "$package" "$folder"
    done
    rm -r "$folder/packages"
    touch "$folder/complete"
}

unpack linker 'aarch64|arm64-cross' gcc-aarch64-linux-gnu libc6-dev-arm64-cross
unpack emulator 'qemu' qemu-user-static
readonly LINKER=$TOOLS/linker EMULATOR=$TOOLS/emulator
# The linker's own libraries.
export LD_LIBRARY_PATH=$LINKER/usr/lib/x86_64-linux-gnu

if [[ ${RUST:-} == debian ]] || ! rustup target add "$TARGET"; then
    update_lists
    std=$(dependencies libstd-rust-web-dev | grep -oE 'libstd-rust-web-[0-9.]+$')
    llvm=$(dependencies "$std" | grep -oE 'libllvm[0-9]+$')
    # The compiler that runs here, the standard libraries that it links: for here (build scripts) and for aarch64.
    unpack compiler "^(rustc-web|$std|$llvm|libstd-rust-web-dev(:arm64)?)\$" rustc-web libstd-rust-web-dev:arm64
    export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$TOOLS/compiler/usr/lib/x86_64-linux-gnu
    export RUSTC=$TOOLS/compiler/usr/bin/rustc
fi
"${RUSTC:-rustc}" --version

CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$LINKER/usr/bin/aarch64-linux-gnu-gcc \
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=--sysroot=$LINKER" \
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$EMULATOR/usr/bin/qemu-aarch64-static -L $LINKER/usr/aarch64-linux-gnu" \
FACTORIZED_EMBEDDING_EXPECTED_ISA=neon \
    cargo test --lib --target "$TARGET" --no-default-features "$@" kernel
