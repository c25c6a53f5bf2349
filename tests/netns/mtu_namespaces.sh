#!/usr/bin/env bash
# Datagram size discovery on interfaces that carry more than Ethernet's 1500 bytes: the loopback
# interface of a network namespace, and a pair of virtual interfaces with jumbo frames. Exit code 77:
# cannot be run here, with the reason.
#
#     mtu_namespaces.sh PROGRAM      (stoq)
set -u

program=$1
near=stoq-a-$$
far=stoq-b-$$
server=""
work=$(mktemp -d)
failures=0

skip() {
    echo "skipped: $1"
    exit 77
}

cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    ip netns del "$near" 2>/dev/null
    ip netns del "$far" 2>/dev/null
    rm -rf "$work"
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null || skip "there is no ip (package iproute2)"
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
ip netns add "$near" 2>/dev/null || skip "this machine does not allow network namespaces"
ip netns add "$far" || exit 1
ip -n "$near" link set lo up || exit 1
ip link add veth0 netns "$near" mtu 9000 type veth peer name veth0 netns "$far" mtu 9000 ||
    skip "this kernel has no veth interfaces"
for side in "$near 1" "$far 2"; do
    ip -n "${side% *}" address add "10.77.0.${side#* }/24" dev veth0 &&
        ip -n "${side% *}" link set veth0 up || exit 1
done
"$program" keygen --classical --out "$work/id" --name localhost >/dev/null || exit 1

# check NAMESPACE ADDRESS LEAST MOST: between a server there and a client in the near namespace, with
# 65527 bytes allowed, both sides find a size in these bounds.
check() {
    local namespace=$1 address=$2 least=$3 most=$4 pin size packets
    ip netns exec "$namespace" "$program" perf server --identity "$work/id" --listen "$address:0" \
        --max-datagram 65527 >"$work/server" &
    server=$!
    for _ in $(seq 200); do
        grep -q '^listening' "$work/server" && break
        sleep 0.05
    done
    pin=$(sed -n 's/^fingerprint //p' "$work/server")
    timeout 60 ip netns exec "$near" "$program" perf client --pin "$pin" --max-datagram 65527 \
        --down 400M --up 100M --json "$(sed -n 's/^listening on //p' "$work/server")" \
        >"$work/client" || failures=$((failures + 1))
    size=$(sed -n 's/.*"datagram_bytes": \([0-9]*\).*/\1/p' "$work/client")
    packets=$(sed -n 's/.*"packets_received": \([0-9]*\).*/\1/p' "$work/client")
    echo "$address: datagrams of $size bytes, $packets packets received for 400 MiB"
    if [ "${size:-0}" -lt "$least" ] || [ "$size" -gt "$most" ]; then
        echo "FAILED: not from $least to $most bytes"
        failures=$((failures + 1))
    fi
    # The server's: with all datagrams of the least size, and as many again for its ACKs and the search.
    if [ "${packets:-0}" -gt $((2 * 400 * 1024 * 1024 / least)) ]; then
        echo "FAILED: the server's datagrams were smaller"
        failures=$((failures + 1))
    fi
    kill "$server" && wait "$server" 2>/dev/null
    server=""
}

check "$near" 127.0.0.1 65000 65507
check "$far" 10.77.0.2 8950 8972
[ $failures = 0 ]
