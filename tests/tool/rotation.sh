#!/usr/bin/env bash
# A server reads its identity anew on SIGHUP, and keeps the old one when the new one is of no use.
# Usage: rotation.sh PROGRAM
. "$(dirname "$0")/common.sh"

mkdir "$work/root"
echo inside > "$work/root/file"
"$stoq" keygen --out "$work/id" > /dev/null
"$stoq" keygen --out "$work/next" --type ed25519 > "$work/next.txt"
start_server rotating serve --identity "$work/id" --root "$work/root"
url=stoq://$address
first=$pin
next=$(tail -n 1 "$work/next.txt")

# reload FILE LINES: sends SIGHUP and waits until FILE has that many lines that tell of it.
reload() {
    kill -HUP "${servers[0]}"
    for _ in $(seq 200); do
        (($(grep -cE '^fingerprint|not reloaded' "$1") >= $2)) && return
        sleep 0.05
    done
    fail "nothing is told of the reload"
}

expect 0 'sha256=ok' get "$url/file" --pin "$first" -o "$work/a"
cp "$work/next/"*.pem "$work/id/"
reload "$work/rotating.out" 2
expect 0 'sha256=ok' get "$url/file" --pin "$next" -o "$work/b"
expect 7 'pinned' get "$url/file" --pin "$first" -o "$work/c"

: > "$work/id/key.pem"
reload "$work/rotating.err" 1
expect 0 'sha256=ok' get "$url/file" --pin "$next" -o "$work/d"
finish
