#!/bin/sh
# run_echo.sh SERVER CLIENT: starts the echo server on a free port of the loopback interface and
# checks that the client gets back what it sends: a short text, and one of many datagrams.
set -eu

server=$1
client=$2
directory=$(mktemp -d)
pid=
clean_up() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# The pipe gives its line as soon as the server listens, or ends when the server does. `timeout`
# hands the signal that stops it on to the server.
mkfifo "$directory/listening"
timeout 50 "$server" 127.0.0.1:0 >"$directory/listening" &
pid=$!
read -r address fingerprint <"$directory/listening"

long=$(head -c 60000 /dev/zero | tr '\0' x)
for text in hello "$long"; do
    answer=$(timeout 20 "$client" "$address" "$fingerprint" "$text")
    if [ "$answer" != "$text" ]; then
        echo "sent ${#text} bytes, got ${#answer} others back" >&2
        exit 1
    fi
done
