#!/bin/sh
# stoq_link between two network namespaces: pings of IPv4 and IPv6 cross it with its delay, and both
# ends are captured. Exit code 77: cannot be run here, and why.
#
#     namespaces.sh STOQ_LINK
set -u

program=$1
near=stoq-link-a-$$
far=stoq-link-b-$$
captures=$(mktemp -d)

skip() {
    echo "skipped: $1"
    exit 77
}

cleanup() {
    [ -z "${link:-}" ] || kill "$link" 2>/dev/null
    ip netns del "$near" 2>/dev/null
    ip netns del "$far" 2>/dev/null
    rm -rf "$captures"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "error: $1"
    cat "$captures/link.log"
    exit 1
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null || skip "there is no ip (package iproute2)"
command -v ping >/dev/null || skip "there is no ping (package iputils-ping)"
[ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
ip netns add "$near" 2>/dev/null || skip "this machine does not allow network namespaces"
ip netns add "$far" || exit 1

"$program" --client "$near" --server "$far" --captures "$captures" --longest 30s \
    simple-p2p --delay=50ms --bandwidth=10Mbps >"$captures/link.log" 2>&1 &
link=$!
tries=0
until grep -q ready "$captures/link.log"; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || fail "the link does not start"
    kill -0 "$link" 2>/dev/null || fail "the link ended"
    sleep 0.05
done

set_up() {
    ip -n "$1" address add "10.78.0.$2/24" dev link0 &&
        ip -n "$1" link set link0 up || fail "cannot set up $1"
    ip -n "$1" address add "fd00:78::$2/64" dev link0 nodad 2>/dev/null
    ipv6=$?
}
set_up "$near" 1
set_up "$far" 2

check_ping() {
    ip netns exec "$near" ping -n -c 3 -i 0.2 -W 2 "$1" >"$captures/ping" 2>&1 || fail "$1 does not answer"
    # The best of the round trips: there and back, 50 ms each.
    best=$(sed -n 's|.* = \([0-9]*\)\.[0-9]*/.*|\1|p' "$captures/ping")
    echo "$1: $best ms"
    { [ "$best" -ge 100 ] && [ "$best" -lt 200 ]; } || fail "a round trip of $best ms, not of 100"
}
check_ping 10.78.0.2
if [ $ipv6 = 0 ]; then check_ping fd00:78::2; else echo "left out: IPv6, which this machine does not have"; fi

kill "$link"
wait "$link" || fail "the link did not end well"
link=
cat "$captures/link.log"
grep -Eq '^to_server offered=([0-9]+) delivered=\1 ' "$captures/link.log" || fail "packets were lost"
for side in client server; do
    [ "$(stat -c %s "$captures/$side.pcap")" -gt 600 ] || fail "$side.pcap holds no packets"
done
echo "passed"
