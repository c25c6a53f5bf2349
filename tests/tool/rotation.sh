#!/usr/bin/env bash
# A server reads its identity anew on SIGHUP, and keeps the old one when the new one is of no use.
# Connections and tickets go on. Usage: rotation.sh PROGRAM [OPENSSL]
. "$(dirname "$0")/common.sh"

mkdir "$work/root"
echo inside > "$work/root/file"
bytes 100000000 > "$work/root/large"
# Neither needs our module in the program openssl.
"$stoq" keygen --out "$work/id" --type mldsa65 > /dev/null
"$stoq" keygen --out "$work/next" --type ed25519 > "$work/next.txt"
openssl=${2:-}
if ! "$openssl" s_client -help 2>&1 | grep -q -e '-quic'; then
    echo "left out: tickets, because there is no program openssl with QUIC"
    openssl=''
fi
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

# resume OPTIONS...: OpenSSL's QUIC client, which keeps tickets; sets `session` to New or Reused.
resume() {
    sleep 2 | timeout 20 "$openssl" s_client -quic -alpn stoq-file/1 -connect "$address" \
        -CAfile "$work/first.pem" "$@" > "$work/resume.out" 2>&1
    session=$(sed -n 's/^\(New\|Reused\), TLSv1.3.*/\1/p' "$work/resume.out")
}
cp "$work/id/cert.pem" "$work/first.pem"

expect 0 'sha256=ok' get "$url/file" --pin "$first" -o "$work/a"
if [[ -n $openssl ]]; then
    resume -sess_out "$work/ticket"
    [[ $session == New ]] || fail "the first connection of openssl: $(cat "$work/resume.out")"
fi
# One that is in the middle of a file, more of which does not fit anywhere.
mkfifo "$work/pipe"
exec 8<> "$work/pipe"
"$stoq" get "$url/large" --pin "$first" -o "$work/pipe" > "$work/slow.out" 2>&1 8>&- &
slow=$!
head --bytes=1000000 <&8 > "$work/arrived"
cp "$work/next/"*.pem "$work/id/"
reload "$work/rotating.out" 2
expect 0 'sha256=ok' get "$url/file" --pin "$next" -o "$work/b"
expect 7 'pinned' get "$url/file" --pin "$first" -o "$work/c"
head --bytes=99000000 <&8 >> "$work/arrived"
wait $slow || fail "the connection that was there: $(cat "$work/slow.out")"
grep -q '^RESULT bytes=100000000 .*signature=mldsa65' "$work/slow.out" || fail "$(cat "$work/slow.out")"
same "$work/root/large" "$work/arrived"
if [[ -n $openssl ]]; then
    resume -sess_in "$work/ticket"
    [[ $session == Reused ]] || fail "the ticket is forgotten: $(cat "$work/resume.out")"
    resume
    [[ $session == Reused ]] && fail "resumed without a ticket"
fi

: > "$work/id/key.pem"
reload "$work/rotating.err" 1
expect 0 'sha256=ok' get "$url/file" --pin "$next" -o "$work/d"
finish
