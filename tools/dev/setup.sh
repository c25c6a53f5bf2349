#!/usr/bin/env bash
# Installs what STOQ is built from. Usage: tools/dev/setup.sh [--refresh] [group...]
#
#   build    compiler, CMake, OpenSSL >= 3.5, liboqs, intel-ipsec-mb >= 2.0 (the default group)
#   test     build, and GoogleTest and RapidCheck
#   bench    build, and google-benchmark and liburing
#   checks   test, and clang-19's formatter, tidy, sanitizers and libFuzzer; valgrind
#   smoke    build, and Python's venv for peers
#   interop  smoke, and what `make interop` needs: tshark, iperf3, nghttp3, and what the peers are
#            built with that apt has
#   race     bench, and what the peers of the race are built with that apt has
#   ngtcp2   the peer ngtcp2, from the source package of a newer release (see tools/dev/peers)
#   falcon-portable  build, and a second liboqs without code for AVX2 (-DSTOQ_FALCON_PORTABLE=ON)
#   bare     what tools/dev/bare-machine needs
#
# OpenSSL and intel-ipsec-mb come from the system where it has them (Debian 13). Where it has not
# (Debian 12), Debian 13's OpenSSL source package is built, and Debian 13's ipsec-mb packages are
# unpacked, into ${STOQ_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stoq}. apt checks every archive
# against the archive's signed index; it runs with lists and state of its own, so that the machine's
# lists, sources and packages stay as they were. --refresh looks for newer ones than the cache holds.
#
# No distribution packages liboqs. Where pkg-config finds none, the source that a crate carries is
# fetched with cargo, checked against a checksum, and built with Falcon alone into the same cache.
set -euo pipefail

readonly cache="${STOQ_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/stoq}"
donor=trixie # the release whose OpenSSL and ipsec-mb an older one borrows
readonly openssl_least=3.5 ipsec_mb_least=2.0
readonly ngtcp2_version=1.24 ngtcp2_donor=forky
readonly liboqs_least=0.12 liboqs_version=0.13.0 liboqs_crate=oqs-sys liboqs_crate_version=0.11.0+liboqs-0.13.0
readonly liboqs_crate_sha256=ac6d66ee528a895ce5cc08851698d109c5d7ee5d7a0b3b40d61550eda91e414f
readonly liboqs_algorithms="SIG_falcon_512;SIG_falcon_1024;SIG_falcon_padded_512;SIG_falcon_padded_1024"
readonly lock_wait="DPkg::Lock::Timeout=600"

scratch=""
refresh=no

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
cleanup() { [ -z "$scratch" ] || rm -rf "$scratch" 2>/dev/null || as_root rm -rf "$scratch"; }
trap cleanup EXIT

# Runs a command with its output in a log, whose end is shown only when it fails.
logged() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; die "failed: $*"; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

may_become_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    [ -t 0 ] || sudo -n true 2>/dev/null
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

at_least() { dpkg --compare-versions "$1" ge "$2"; }

on_amd64() { [ "$(dpkg --print-architecture)" = amd64 ]; }

# --- packages of the running release -------------------------------------------------------------

packages_of() {
    case $1 in
        build) echo g++ cmake ninja-build make pkg-config git ca-certificates openssl \
            libfmt-dev libcli11-dev nlohmann-json3-dev zlib1g-dev libzstd-dev clang libbpf-dev bpftool ;;
        test) packages_of build; echo libgtest-dev libgmock-dev librapidcheck-dev iproute2 iputils-ping ;;
        bench) packages_of build; echo libbenchmark-dev liburing-dev ;;
        checks) packages_of test; echo libbenchmark-dev clang-19 clang-format-19 clang-tidy-19 \
            libclang-rt-19-dev llvm-19 universal-ctags python3 valgrind ;;
        smoke) packages_of build; echo python3 python3-venv ;;
        interop) packages_of smoke; echo tshark iperf3 iproute2 libnghttp3-dev \
            perl libclang-dev libnuma-dev ;;
        race) packages_of bench; echo python3 perl libclang-dev libnuma-dev ;;
        ngtcp2 | falcon-portable) packages_of build ;;
        bare) echo debootstrap git ca-certificates ;;
        *) die "no such group: $1 (build, test, bench, checks, smoke, interop, race, ngtcp2, falcon-portable, bare)" ;;
    esac
}

# Installs the named packages if any is missing. The lists it reads are fetched into a directory of
# their own, by the machine's own sources, and thrown away.
install_packages() {
    local missing=() package
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    if [ ${#missing[@]} = 0 ]; then
        say "packages: all $# are installed"
        return
    fi
    if ! may_become_root; then
        say "packages are missing, and this is neither root nor a user with sudo. As root, run:"
        printf '    apt-get update\n    apt-get install --no-install-recommends %s\n' "${missing[*]}"
        exit 1
    fi
    say "packages: installing ${missing[*]}"
    host_lists
    logged "$scratch/install.log" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get "${host_apt[@]}" -o "$lock_wait" install -y --no-install-recommends "${missing[@]}"
}

# Lists of the machine's own sources, fetched once into the scratch directory.
host_apt=()
host_lists() {
    [ ${#host_apt[@]} = 0 ] || return 0
    mkdir -p "$scratch/host/lists/partial" "$scratch/host/archives/partial"
    host_apt=(-o "Dir::State::Lists=$scratch/host/lists" -o "Dir::Cache::Archives=$scratch/host/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
    # A third party's source that cannot be reached does not matter unless it has a package we want.
    apt-get "${host_apt[@]}" -qq update >"$scratch/update.log" 2>&1 || {
        say "warning: some of the machine's apt sources could not be read:"
        tail -n 5 "$scratch/update.log"
    } >&2
}

# Version that the running release offers of a package (empty: none).
offered() {
    host_lists
    apt-cache "${host_apt[@]}" policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# --- packages of the donor release ---------------------------------------------------------------

# An apt that knows the donor release only, on the mirrors that the machine itself uses.
donor_apt=()
donor_lists() {
    [ ${#donor_apt[@]} = 0 ] || return 0
    local root=$scratch/donor-$donor mirror security keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # The release after the newest stable one is signed with the latter's keys.
    [ -e /usr/share/keyrings/debian-archive-trixie-stable.gpg ] || {
        say "Debian's keyring is older than $donor; updating the package debian-archive-keyring"
        may_become_root || die "as root, run: apt-get update && apt-get install debian-archive-keyring"
        host_lists
        logged "$scratch/keyring.log" as_root apt-get "${host_apt[@]}" -o "$lock_wait" install -y debian-archive-keyring
    }
    host_lists
    mirror=$(mirror_of Debian)
    security=$(mirror_of Debian-Security)
    [ -n "$mirror" ] || die "no Debian mirror among this machine's apt sources, to take $donor's packages from.
Install OpenSSL >= $openssl_least with its headers yourself (pkg-config must find it) and run this again."
    mkdir -p "$root"/{etc/preferences.d,lists/partial,archives/partial}
    {
        printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$donor"
        printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$donor"
        if [ -n "$security" ] && [ "$donor" != $ngtcp2_donor ]; then
            printf 'deb [signed-by=%s] %s %s-security main\n' "$keyring" "$security" "$donor"
            printf 'deb-src [signed-by=%s] %s %s-security main\n' "$keyring" "$security" "$donor"
        fi
    } >"$root/etc/sources.list"
    : >"$root/status"
    # The machine's apt.conf.d still counts, for proxies and certificates; all state is ours.
    donor_apt=(-o "Dir::Etc::sourcelist=$root/etc/sources.list" -o Dir::Etc::sourceparts=-
        -o Dir::Etc::preferences=- -o "Dir::Etc::preferencesparts=$root/etc/preferences.d"
        -o "Dir::State=$root" -o "Dir::State::Lists=$root/lists" -o "Dir::State::status=$root/status"
        -o "Dir::Cache=$root" -o "Dir::Cache::Archives=$root/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o APT::Update::Post-Invoke=)
    say "reading the lists of Debian $donor into a directory of their own"
    logged "$scratch/donor.log" apt-get "${donor_apt[@]}" update
}

# URI of the machine's first source with this label, by what the signed release files say.
mirror_of() {
    apt-get "${host_apt[@]}" indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' "Label: $1" | sort -u | head -n 1
}

# --- OpenSSL -------------------------------------------------------------------------------------

# Newest complete prefix in the cache, such as openssl-3.5.7.
cached() {
    local name=$1 stamp
    for stamp in "$cache/$name"-*/.complete; do
        if [ -e "$stamp" ]; then dirname "$stamp"; fi
    done | sort -V | tail -n 1
}

system_has() { pkg-config --atleast-version="$2" "$1" 2>/dev/null; }

provide_openssl() {
    local prefix
    if system_has openssl $openssl_least; then
        say "OpenSSL: the system's $(pkg-config --modversion openssl)"
        return
    fi
    prefix=$(cached openssl)
    if [ -n "$prefix" ] && [ $refresh = no ]; then
        say "OpenSSL: $prefix"
        return
    fi
    if [ -z "$prefix" ] && at_least "$(offered libssl-dev)" $openssl_least; then
        install_packages libssl-dev
        say "OpenSSL: the system's $(pkg-config --modversion openssl)"
        return
    fi
    install_packages dpkg-dev perl
    donor_lists
    build_openssl
}

# Versions of the source package that are new enough, newest first.
donor_openssl_versions() {
    local version
    apt-cache "${donor_apt[@]}" showsrc --only-source openssl | awk '$1 == "Version:" { print $2 }' | sort -Vru |
        while read -r version; do if at_least "$version" $openssl_least; then echo "$version"; fi; done
}

build_openssl() (
    local version prefix="" work=$scratch/openssl started=$SECONDS
    mkdir -p "$work"
    cd "$work"
    for version in $(donor_openssl_versions); do
        prefix=$cache/openssl-${version%%-*}
        if [ "$(cat "$prefix/.complete" 2>/dev/null)" = "$version" ]; then
            say "OpenSSL: $prefix is up to date ($version)"
            return
        fi
        say "OpenSSL: fetching Debian $donor's source package $version"
        apt-get "${donor_apt[@]}" source --only-source "openssl=$version" >source.log 2>&1 && break
        # A mirror may list an update before it has the files; the version before it will do then.
        say "warning: could not be fetched: $(grep -m 1 '^E:' source.log)"
        prefix=
    done
    [ -n "$prefix" ] || die "no source package of OpenSSL >= $openssl_least could be fetched"
    cd "$(find . -mindepth 1 -maxdepth 1 -type d -name 'openssl-*')"
    say "OpenSSL: building $version into $prefix (about three minutes on two cores)"
    # openssldir is Debian's, so that the default verify paths are the system's trust store.
    logged "$work/configure.log" ./Configure "$(openssl_platform)" no-shared no-module no-legacy no-tests no-docs \
        zlib enable-zstd --prefix="$prefix" --libdir=lib --openssldir=/usr/lib/ssl
    logged "$work/make.log" make -j"$(nproc)"
    rm -rf "$prefix"
    logged "$work/install.log" make install_sw
    echo "$version" >"$prefix/.complete"
    say "OpenSSL: $prefix, built in $((SECONDS - started)) s"
)

openssl_platform() {
    case $(dpkg --print-architecture) in
        amd64) echo linux-x86_64 ;;
        arm64) echo linux-aarch64 ;;
        riscv64) echo linux64-riscv64 ;;
        *) echo linux-generic64 ;;
    esac
}

# --- intel-ipsec-mb ------------------------------------------------------------------------------

provide_ipsec_mb() {
    local prefix
    on_amd64 || { say "intel-ipsec-mb: not for $(dpkg --print-architecture); packets are sealed by OpenSSL"; return; }
    if installed libipsec-mb-dev && at_least "$(dpkg-query -W -f='${Version}' libipsec-mb-dev)" $ipsec_mb_least; then
        say "intel-ipsec-mb: the system's $(dpkg-query -W -f='${Version}' libipsec-mb-dev)"
        return
    fi
    prefix=$(cached ipsec-mb)
    if [ -n "$prefix" ] && [ $refresh = no ]; then
        say "intel-ipsec-mb: $prefix"
        return
    fi
    if [ -z "$prefix" ] && at_least "$(offered libipsec-mb-dev)" $ipsec_mb_least; then
        install_packages libipsec-mb-dev
        return
    fi
    unpack_ipsec_mb
}

unpack_ipsec_mb() {
    local version prefix work=$scratch/ipsec-mb archive library
    donor_lists
    mkdir -p "$work/root"
    version=$(apt-cache "${donor_apt[@]}" policy libipsec-mb-dev | awk '$1 == "Candidate:" { print $2 }')
    at_least "${version:-0}" $ipsec_mb_least || die "Debian $donor offers no libipsec-mb-dev >= $ipsec_mb_least"
    library=$(apt-cache "${donor_apt[@]}" depends --important libipsec-mb-dev | awk '$2 ~ /^libipsec-mb[0-9]/ { print $2; exit }')
    prefix=$cache/ipsec-mb-${version%%-*}
    say "intel-ipsec-mb: unpacking Debian $donor's $library and libipsec-mb-dev $version into $prefix"
    (cd "$work" && logged "$work/download.log" apt-get "${donor_apt[@]}" download "$library" libipsec-mb-dev)
    for archive in "$work"/*.deb; do dpkg-deb -x "$archive" "$work/root"; done
    rm -rf "$prefix"
    mv "$work/root/usr" "$prefix"
    echo "$version" >"$prefix/.complete"
}

# --- liboqs --------------------------------------------------------------------------------------

provide_liboqs() {
    local prefix=$cache/liboqs-$liboqs_version
    if system_has liboqs $liboqs_least; then
        say "liboqs: the system's $(pkg-config --modversion liboqs)"
    elif [ "$(cat "$prefix/.complete" 2>/dev/null)" = "$liboqs_crate_sha256" ]; then
        say "liboqs: $prefix"
    else
        # DIST_BUILD: the code for AVX2 is chosen at run time, so that the archive runs everywhere.
        build_liboqs "$prefix" -DOQS_DIST_BUILD=ON
    fi
}

# Constant-time integer code alone: see SECURITY.md.
provide_portable_liboqs() {
    local prefix=$cache/portable-liboqs-$liboqs_version
    if [ "$(cat "$prefix/.complete" 2>/dev/null)" = "$liboqs_crate_sha256" ]; then
        say "portable liboqs: $prefix"
    else
        build_liboqs "$prefix" -DOQS_DIST_BUILD=OFF -DOQS_OPT_TARGET=generic
    fi
}

# Debian 12 has an older cargo under that name, which cannot read the registry of today.
provide_cargo() {
    command -v cargo >/dev/null && return
    if [ -n "$(offered cargo-web)" ]; then install_packages cargo-web; else install_packages cargo; fi
}

build_liboqs() (
    local prefix=$1 work started=$SECONDS crate
    work=$scratch/$(basename "$prefix")
    shift
    provide_cargo
    mkdir -p "$work/fetch/src" "$work/source"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = { version = "=%s", default-features = false }\n' \
        "$liboqs_crate" "${liboqs_crate_version%+*}" >"$work/fetch/Cargo.toml"
    : >"$work/fetch/src/lib.rs"
    say "liboqs: fetching the crate $liboqs_crate $liboqs_crate_version"
    # A home of its own, so that the crate is downloaded and its place is known; the user's
    # configuration still counts, for mirrors and proxies.
    mkdir -p "$work/cargo"
    for crate in "${CARGO_HOME:-$HOME/.cargo}"/config{,.toml}; do
        [ ! -e "$crate" ] || cp "$crate" "$work/cargo/"
    done
    cd "$work/fetch"
    logged "$work/fetch.log" env CARGO_HOME="$work/cargo" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" cargo fetch
    crate=$(find "$work/cargo/registry/cache" -name "$liboqs_crate-$liboqs_crate_version.crate")
    [ -n "$crate" ] || die "cargo fetched no $liboqs_crate-$liboqs_crate_version.crate"
    echo "$liboqs_crate_sha256  $crate" | sha256sum --check --quiet - ||
        die "$liboqs_crate-$liboqs_crate_version.crate is not the file whose checksum this script knows"
    tar -xzf "$crate" -C "$work/source" --strip-components=1
    say "liboqs: building $liboqs_version with Falcon alone into $prefix (half a minute on two cores)"
    rm -rf "$prefix"
    logged "$work/configure.log" cmake -S "$work/source/liboqs" -B "$work/build" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF -DOQS_BUILD_ONLY_LIB=ON \
        -DOQS_USE_OPENSSL=OFF -DOQS_MINIMAL_BUILD="$liboqs_algorithms" "$@"
    logged "$work/make.log" cmake --build "$work/build" --target install
    echo "$liboqs_crate_sha256" >"$prefix/.complete"
    say "liboqs: $prefix, built in $((SECONDS - started)) s"
)

# --- ngtcp2, a peer of races and interoperability tests ------------------------------------------

provide_ngtcp2() {
    local prefix
    prefix=$(cached ngtcp2)
    if [ -n "$prefix" ] && [ $refresh = no ]; then
        say "ngtcp2: $prefix"
        return
    fi
    install_packages dpkg-dev xz-utils
    donor=$ngtcp2_donor donor_apt=()
    donor_lists
    build_ngtcp2
}

build_ngtcp2() (
    local version prefix work=$scratch/ngtcp2 openssl
    mkdir -p "$work"
    cd "$work"
    version=$(apt-cache "${donor_apt[@]}" showsrc --only-source ngtcp2 |
        awk -v series="$ngtcp2_version." '$1 == "Version:" && index($2, series) == 1 { print $2 }' | sort -Vru | head -n 1)
    [ -n "$version" ] || die "Debian $donor has no source package of ngtcp2 $ngtcp2_version"
    prefix=$cache/ngtcp2-${version%%-*}
    openssl=$(cached openssl)
    say "ngtcp2: building $version into $prefix"
    logged source.log apt-get "${donor_apt[@]}" source --only-source "ngtcp2=$version"
    cd "$(find . -mindepth 1 -maxdepth 1 -type d -name 'ngtcp2-*')"
    logged "$work/configure.log" env PKG_CONFIG="pkg-config --static" \
        PKG_CONFIG_PATH="${openssl:+$openssl/lib/pkgconfig}" ./configure \
        --enable-lib-only --disable-shared --with-openssl CFLAGS="-O3 -g1" --prefix="$prefix" --libdir="$prefix/lib"
    logged "$work/make.log" make -j"${JOBS:-$(nproc)}"
    rm -rf "$prefix"
    logged "$work/install.log" make install
    echo "$version" >"$prefix/.complete"
)

# -------------------------------------------------------------------------------------------------

# What cmake/Dependencies.cmake reads where the system's packages are too old.
write_prefixes() {
    local file=$cache/prefixes.cmake
    {
        echo "# Written by tools/dev/setup.sh."
        printf 'set(STOQ_OPENSSL_ROOT "%s")\n' "$(cached openssl)"
        printf 'set(STOQ_IPSEC_MB_ROOT "%s")\n' "$(cached ipsec-mb)"
        printf 'set(STOQ_LIBOQS_ROOT "%s")\n' "$(cached liboqs)"
        printf 'set(STOQ_PORTABLE_LIBOQS_ROOT "%s")\n' "$(cached portable-liboqs)"
    } >"$file.new"
    if cmp -s "$file.new" "$file"; then rm "$file.new"; else mv "$file.new" "$file"; fi
}

main() {
    local group groups=() packages
    for group in "$@"; do
        case $group in
            --refresh) refresh=yes ;;
            -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
            *) groups+=("$group") ;;
        esac
    done
    [ ${#groups[@]} != 0 ] || groups=(build)
    command -v apt-get >/dev/null || die "this script needs apt. Elsewhere, install a C++23 compiler, CMake >= 3.25,
OpenSSL >= $openssl_least, liboqs >= $liboqs_least, fmt, CLI11 and nlohmann-json yourself; then: cmake -B build && cmake --build build"

    packages=$(for group in "${groups[@]}"; do packages_of "$group"; done | tr ' ' '\n' | sort -u)
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/stoq-setup.XXXXXX")
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock -n 9 || { say "waiting for another set-up to finish"; flock 9; }
    # shellcheck disable=SC2086 # one word per package
    install_packages $packages
    [ "${groups[*]}" = bare ] && return
    provide_openssl
    provide_ipsec_mb
    provide_liboqs
    case " ${groups[*]} " in *" falcon-portable "*) provide_portable_liboqs ;; esac
    write_prefixes
    case " ${groups[*]} " in *" ngtcp2 "*) provide_ngtcp2 ;; esac
}

main "$@"
