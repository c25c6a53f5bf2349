#!/usr/bin/env bash
# A server that is killed and started again, one that is replaced while it serves, and one with
# several workers. Usage: restart.sh PROGRAM
. "$(dirname "$0")/common.sh"

mkdir "$work/root"
bytes 60000000 > "$work/root/large"
echo small > "$work/root/small"
"$stoq" keygen --out "$work/id" --type ed25519 > /dev/null

# begin_download NAME: a client that has got the beginning of a file and waits in the middle of it,
# with its pipe as descriptor 8. Sets `client`.
begin_download() {
    mkfifo "$work/$1.pipe"
    exec 8<> "$work/$1.pipe"
    "$stoq" get "stoq://$address/large" --pin "$pin" -o "$work/$1.pipe" > "$work/$1.out" 2>&1 8>&- &
    client=$!
    head --bytes=1000000 <&8 > "$work/$1.arrived"
}

# milliseconds: of the clock.
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Killed, and started again with the same key: the client is reset by the first answer to what it
# sends, and does not have to wait for its idle timeout, which has an exit code of its own. How long
# it takes depends on when it sends: what it sent in vain before, it repeats ever more rarely.
start_server first serve --identity "$work/id" --root "$work/root" --key-file "$work/key"
[[ $(stat -c %a "$work/key") == 600 ]] || fail "the key file is open to others"
begin_download killed
kill -KILL "${servers[0]}"
wait "${servers[0]}" 2> /dev/null
listen=$address
start_server second serve --identity "$work/id" --root "$work/root" --key-file "$work/key"
begun=$(milliseconds)
head --bytes=59000000 <&8 > /dev/null &
reader=$!
code=0
wait $client || code=$?
took=$(($(milliseconds) - begun))
kill $reader
((code == 12)) || fail "exit code $code of a client whose server was restarted: $(cat "$work/killed.out")"
grep -q -i reset "$work/killed.out" || fail "no word of the reset: $(cat "$work/killed.out")"
echo "a client of the killed server knew after $took ms"
expect 0 'sha256=ok' get "stoq://$address/small" --pin "$pin" -o "$work/a"
chmod 644 "$work/key"
expect 3 'chmod 600' serve --identity "$work/id" --root "$work/root" --key-file "$work/key" --listen 127.0.0.1:0
chmod 600 "$work/key"
kill "${servers[1]}"
wait "${servers[1]}"

# Replaced: what is in the middle of a file finishes with the old process, which then ends.
start_server old serve --identity "$work/id" --root "$work/root" --takeover "$work/socket" --workers 2
begin_download finishing
start_server new serve --identity "$work/id" --root "$work/root" --takeover "$work/socket" --workers 2
if grep -q 'does not choose workers' "$work/new.err"; then
    # It is reset at once instead.
    head --bytes=59000000 <&8 > /dev/null &
    reader=$!
    code=0
    wait $client || code=$?
    kill $reader
    ((code == 12)) || fail "exit code $code of a client whose server was replaced"
else
    expect 0 'sha256=ok' get "stoq://$address/small" --pin "$pin" -o "$work/b"
    grep -q 'GET small' "$work/new.err" || fail "the new server has not served: $(cat "$work/new.err")"
    head --bytes=59000000 <&8 >> "$work/finishing.arrived"
    wait $client || fail "the connection that was there: $(cat "$work/finishing.out")"
    same "$work/root/large" "$work/finishing.arrived"
fi
for _ in $(seq 200); do
    kill -0 "${servers[2]}" 2> /dev/null || break
    sleep 0.05
done
kill -0 "${servers[2]}" 2> /dev/null && fail "the old server does not end"
for i in 1 2 3 4 5 6; do
    expect 0 'sha256=ok' get "stoq://$address/small" --pin "$pin" -o "$work/c$i"
done
finish
