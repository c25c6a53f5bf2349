#!/usr/bin/env bash
# A file of a gibibyte crosses a STOQ connection over loopback, signed with Falcon-1024 and keyed with
# X25519MLKEM768: the server's key is pinned, the program verifies the hash, and sha256sum verifies it
# once more. Anything else negotiated is a failure. Usage: demo.sh [build directory]
# STOQ_DEMO_BYTES: the size of the file (default 1073741824).
set -euo pipefail

build="${1:-build/release}"
stoq="$build/bin/stoq"
bytes="${STOQ_DEMO_BYTES:-1073741824}"

[[ $bytes =~ ^[0-9]+$ ]] || { echo "demo: STOQ_DEMO_BYTES is no number: $bytes" >&2; exit 2; }
[[ -x $stoq ]] || { echo "demo: $stoq is not there; \`make demo\` builds it" >&2; exit 1; }

server=''
work="$(mktemp -d)"
clean_up() {
    if [[ -n $server ]]; then
        kill "$server" 2> /dev/null || true
        wait "$server" 2> /dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

free="$(df --output=avail --block-size=1 "$work" | tail -n 1)"
if ((free < 2 * bytes + (64 << 20))); then
    echo "demo: $work has $free bytes left, and twice $bytes are needed:" >&2
    echo "demo: set TMPDIR to a larger place, or STOQ_DEMO_BYTES to a smaller size" >&2
    exit 1
fi

echo "== a file of $bytes bytes"
mkdir "$work/files"
# Numbers, line by line: the same bytes on every machine, and no two pieces alike. head ends the row.
{ seq 1000000000 9999999999 2> /dev/null || true; } | head --bytes="$bytes" > "$work/files/file.bin"
wanted="$(sha256sum < "$work/files/file.bin")"
wanted="${wanted%% *}"
echo "sha256 $wanted"

echo "== an identity for the server"
"$stoq" keygen --out "$work/id" | tee "$work/keygen.txt"
pin="$(tail -n 1 "$work/keygen.txt")"

echo "== the server, on a port that the system chooses"
"$stoq" serve --identity "$work/id" --root "$work/files" --listen 127.0.0.1:0 --quiet \
    > "$work/serve.txt" 2> "$work/serve.err" &
server=$!
address=''
for _ in $(seq 100); do
    address="$(sed -n 's/^listening on //p' "$work/serve.txt")"
    [[ -n $address ]] && break
    kill -0 "$server" 2> /dev/null || break
    sleep 0.1
done
if [[ -z $address ]]; then
    cat "$work/serve.err" >&2
    exit 1
fi
cat "$work/serve.txt"

echo "== stoq get stoq://$address/file.bin --pin $pin"
"$stoq" get "stoq://$address/file.bin" --pin "$pin" -o "$work/fetched.bin" | tee "$work/get.txt"

echo "== sha256sum of what arrived"
arrived="$(sha256sum < "$work/fetched.bin")"
arrived="${arrived%% *}"
if [[ $arrived != "$wanted" ]]; then
    echo "demo: what arrived has another hash: $arrived" >&2
    exit 1
fi
echo "the same: $arrived"

# What the client's connection says was negotiated.
result="$(tail -n 1 "$work/get.txt")"
for wanted in group=X25519MLKEM768 signature=falcon1024; do
    if [[ " $result " != *" $wanted "* ]]; then
        echo "demo: this was not negotiated: $wanted: $result" >&2
        exit 1
    fi
done
echo "$result"
