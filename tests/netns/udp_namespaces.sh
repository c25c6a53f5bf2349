#!/bin/sh
# Trains between two network namespaces over a pair of virtual interfaces, IPv4 and IPv6, with the
# senders' segmentation offload on and off. Exit code 77: cannot be run here, with the reason.
#
#     udp_namespaces.sh PROGRAM      (the program built from udp_exchange.cpp)
set -u

program=$1
near=stoq-a-$$
far=stoq-b-$$
mtu=1500

skip() {
    echo "skipped: $1"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null || skip "there is no ip (package iproute2)"

cleanup() {
    [ -z "${far_process:-}" ] || kill "$far_process" 2>/dev/null
    ip netns del "$near" 2>/dev/null
    ip netns del "$far" 2>/dev/null
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

ip netns add "$near" 2>/dev/null || skip "this machine does not allow network namespaces"
ip netns add "$far" || exit 1
ip link add veth0 netns "$near" mtu $mtu type veth peer name veth0 netns "$far" mtu $mtu ||
    skip "this kernel has no veth interfaces"

# nodad: without waiting for duplicate address detection.
set_up() {
    ip -n "$1" address add "10.77.0.$2/24" dev veth0 &&
        ip -n "$1" address add "fd00:77::$2/64" dev veth0 nodad 2>/dev/null
    ipv6=$?
    ip -n "$1" link set veth0 up || exit 1
}
set_up "$near" 1
set_up "$far" 2

exchange() {
    echo "$1, offload $2"
    timeout 40 ip netns exec "$far" "$program" echo "$4" &
    far_process=$!
    timeout 40 ip netns exec "$near" "$program" send "$3" "$4" $mtu || exit 1
    wait "$far_process" || exit 1
    far_process=
}

exchange_all() {
    exchange IPv4 "$1" 10.77.0.1:0 10.77.0.2:7700
    exchange "IPv4 on dual-stack wildcards" "$1" "[::]:0" 10.77.0.2:7700
    if [ "$ipv6" = 0 ]; then
        exchange IPv6 "$1" "[fd00:77::1]:0" "[fd00:77::2]:7700"
    else
        echo "left out: IPv6, which this machine does not have"
    fi
}

offload() {
    for namespace in "$near" "$far"; do
        ip netns exec "$namespace" ethtool -K veth0 tx-udp-segmentation "$1" \
            tx-checksumming "$1" generic-segmentation-offload "$1" >/dev/null || exit 1
    done
}

exchange_all on
if command -v ethtool >/dev/null; then
    offload off
    exchange_all off
else
    echo "left out: transmission without offload, for want of ethtool"
fi
echo "passed"
