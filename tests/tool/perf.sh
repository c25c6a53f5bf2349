#!/usr/bin/env bash
# The QUIC performance protocol: what is asked for is what is counted. Usage: perf.sh PROGRAM
. "$(dirname "$0")/common.sh"

"$stoq" keygen --out "$work/id" > /dev/null
start_server perf perf server --identity "$work/id"

expect 0 '^RESULT .*down_bytes=5242880 up_bytes=0 .*requests=1 ' perf client "$address" --pin "$pin" --down 5M
expect 0 '^RESULT .*down_bytes=0 up_bytes=5242880 .*requests=1 ' perf client "$address" --pin "$pin" --up 5M
expect 0 '^RESULT .*down_bytes=4194304 up_bytes=2097152 .*requests=4 ' \
    perf client "$address" --pin "$pin" --down 1M --up 512k --streams 4
expect 0 '^RESULT .*down_bytes=30000 up_bytes=3000 .*requests=300 .*p50_us=[1-9]' \
    perf client "$address" --pin "$pin" --requests 300 --down 100 --up 10 --streams 3
expect 0 '^RESULT .*requests=5 ' perf client "$address" --pin "$pin" --requests 5
# In the middle of a request that would not end.
expect 0 '^RESULT seconds=[01]\..* down_bytes=[1-9]' perf client "$address" --pin "$pin" --duration 500ms
expect 0 '"down_bytes": 1000' perf client "$address" --pin "$pin" --down 1000 --json
expect 12 'does not speak' get "stoq://$address/x" --pin "$pin" -o "$work/x"
# Every row negotiates what it says, or the program fails.
expect 0 '^falcon1024 +X25519MLKEM768 +[1-9]' perf handshake --duration 30ms --rounds 1
expect 0 '^RESULT p256_per_second=[1-9][0-9]*$' perf handshake --duration 30ms --rounds 1 --only P-256
expect 0 '^RESULT resumed_per_second=[1-9]' perf handshake --duration 30ms --rounds 1 --only resumed
expect 0 '^RESULT .*bulk_share=[0-9.]+ handshakes_per_second=[1-9]' perf handshake --duration 1s --rounds 1 --beside-bulk
expect 2 . perf handshake --rounds 0
expect 2 . perf client "$address" --down 5X --pin "$pin"
expect 0 'send trains' doctor
finish
