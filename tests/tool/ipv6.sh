#!/usr/bin/env bash
# URLs with an IPv6 address, from one end to the other. Usage: ipv6.sh PROGRAM
. "$(dirname "$0")/common.sh"

if ! grep -q '^0\{31\}1 ' /proc/net/if_inet6 2> /dev/null; then
    echo "skipped: this machine has no address ::1"
    exit 77
fi
mkdir "$work/root"
bytes 300000 > "$work/root/file"
expect 0 . keygen --out "$work/id" --name ::1
listen='[::1]:0'
start_server six serve --identity "$work/id" --root "$work/root" --writable
[[ $address =~ ^\[::1\]:[0-9]+$ ]] || fail "listening on $address"
expect 0 '^RESULT bytes=300000 .*sha256=ok' get "stoq://$address/file" --pin "$pin" -o "$work/got"
same "$work/root/file" "$work/got"
expect 0 'sha256=ok' put "$work/got" "stoq://$address/put" --pin "$pin"
same "$work/root/file" "$work/root/put"
# The address is the name in the certificate, and another is not.
expect 0 'sha256=ok' get "stoq://$address/file" --ca "$work/id/cert.pem" -o "$work/by-ca"
expect 0 . keygen --out "$work/id-other" --name ::2
start_server other serve --identity "$work/id-other" --root "$work/root"
expect 7 'another name' get "stoq://$address/file" --ca "$work/id-other/cert.pem" -o "$work/x"
finish
