# Shared by the tests of the program: a scratch directory, a server, and checks. Sourced; $1 is the
# program. Processes are stopped by their ids when a test ends.
set -u

stoq=$1
work=$(mktemp -d)
servers=()
failures=0

clean_up() {
    local server
    for server in "${servers[@]}"; do kill "$server" 2> /dev/null; done
    for server in "${servers[@]}"; do wait "$server" 2> /dev/null; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# finish: the test's exit code.
finish() {
    if ((failures > 0)); then
        echo "$failures checks failed" >&2
        exit 1
    fi
    exit 0
}

# bytes N: deterministic bytes.
bytes() {
    { seq 1000000000 9999999999 2> /dev/null || true; } | head --bytes="$1"
}

# start_server NAME COMMAND...: runs a server in the background, on `listen` or on a port of
# 127.0.0.1, with its stderr in `log` or in a file; sets `address` and `pin`.
start_server() {
    local name=$1
    shift
    : > "$work/$name.out"
    "$stoq" "$@" --listen "${listen:-127.0.0.1:0}" > "$work/$name.out" 2> "${log:-$work/$name.err}" &
    servers+=($!)
    address=''
    for _ in $(seq 200); do
        address=$(sed -n 's/^listening on //p' "$work/$name.out")
        [[ -n $address ]] && break
        sleep 0.05
    done
    pin=$(sed -n 's/^fingerprint //p' "$work/$name.out")
    if [[ -z $address ]]; then
        cat "$work/$name.err" >&2
        echo "the server does not start" >&2
        exit 1
    fi
}

# expect CODE TEXT COMMAND...: stoq ends with that code, and says something that matches TEXT.
expect() {
    local wanted=$1 text=$2 code=0
    shift 2
    timeout "${STOQ_TEST_LIMIT:-60}" "$stoq" "$@" > "$work/last.out" 2> "$work/last.err" || code=$?
    if ((code != wanted)); then
        fail "stoq $*: exit code $code instead of $wanted: $(cat "$work/last.err")"
    elif ! cat "$work/last.out" "$work/last.err" | grep -q -E -e "$text"; then
        fail "stoq $*: nothing like '$text' in: $(cat "$work/last.out" "$work/last.err")"
    fi
}

# same FILE FILE: both exist and are equal.
same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}
