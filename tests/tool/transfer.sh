#!/usr/bin/env bash
# keygen, serve, get and put of several sizes; resumption; hashes. Usage: transfer.sh PROGRAM
. "$(dirname "$0")/common.sh"

mkdir "$work/root" "$work/root/sub"
expect 0 'fingerprint|pin' keygen --out "$work/id"
expect 3 'exist' keygen --out "$work/id"
expect 0 . keygen --out "$work/id-ed" --type ed25519 --name 127.0.0.1
start_server files serve --identity "$work/id" --root "$work/root" --writable --allow-overwrite
[[ $("$stoq" keygen --out "$work/id-other" | tail -n 1) =~ ^[0-9a-f]{64}$ ]] || fail "keygen prints no pin"

for size in 0 1 300 10000000; do
    bytes "$size" > "$work/in.$size"
    cp "$work/in.$size" "$work/root/sub/file.$size"
    expect 0 "^RESULT bytes=$size .*sha256=ok group=[^ ]+ signature=[^ ]+ cipher=" \
        get "stoq://$address/sub/file.$size" --pin "$pin" -o "$work/out.$size"
    same "$work/in.$size" "$work/out.$size"
    [[ -e $work/out.$size.part ]] && fail "a part is left of size $size"
    expect 0 "^RESULT bytes=$size .*sha256=ok" put "$work/in.$size" "stoq://$address/up.$size" --pin "$pin"
    same "$work/in.$size" "$work/root/up.$size"
    [[ -e $work/root/.up.$size.part ]] && fail "a part is left on the server of size $size"
done

# A name with a space and one of UTF-8; a put into a directory keeps the name.
cp "$work/in.300" "$work/root/a b ä"
expect 0 'sha256=ok' get "stoq://$address/a%20b%20%C3%A4" --pin "$pin" -o "$work/spaced"
same "$work/in.300" "$work/spaced"
expect 0 'sha256=ok' put "$work/in.300" "stoq://$address/sub/" --pin "$pin"
same "$work/in.300" "$work/root/sub/in.300"

# Nothing is overwritten unasked, at either end.
expect 3 'overwrite' get "stoq://$address/sub/file.300" --pin "$pin" -o "$work/out.1"
expect 10 'exists' put "$work/in.300" "stoq://$address/up.1" --pin "$pin"
same "$work/in.1" "$work/root/up.1"
expect 0 'sha256=ok' put "$work/in.300" "stoq://$address/up.1" --pin "$pin" --overwrite
same "$work/in.300" "$work/root/up.1"

# A part of an earlier try is used, and only the rest is sent.
head --bytes=4000000 "$work/in.10000000" > "$work/resumed.part"
expect 0 '^RESULT bytes=6000000 ' get "stoq://$address/sub/file.10000000" --pin "$pin" -o "$work/resumed"
same "$work/in.10000000" "$work/resumed"
cp "$work/in.10000000" "$work/whole.part"
expect 0 '^RESULT bytes=0 ' get "stoq://$address/sub/file.10000000" --pin "$pin" -o "$work/whole"
same "$work/in.10000000" "$work/whole"
head --bytes=4000000 "$work/in.10000000" > "$work/root/.again.part"
expect 0 '^RESULT bytes=6000000 ' put "$work/in.10000000" "stoq://$address/again" --pin "$pin"
same "$work/in.10000000" "$work/root/again"

# A part of something else is found out by the hash and removed.
head --bytes=4000000 /dev/zero > "$work/mixed.part"
expect 11 'hash' get "stoq://$address/sub/file.10000000" --pin "$pin" -o "$work/mixed"
[[ -e $work/mixed || -e $work/mixed.part ]] && fail "a wrong file is left behind"
head --bytes=4000000 /dev/zero > "$work/root/.wrong.part"
expect 11 'hash' put "$work/in.10000000" "stoq://$address/wrong" --pin "$pin"
[[ -e $work/root/wrong || -e $work/root/.wrong.part ]] && fail "a wrong file is left on the server"
head --bytes=500 /dev/zero > "$work/longer.part"
expect 10 'fewer' get "stoq://$address/sub/file.300" --pin "$pin" -o "$work/longer"

# A client that is stopped in the middle leaves a part, and the next try completes it. The part on
# the server stays likewise; the connection is closed in order, so that its lock is gone soon.
bytes 400000000 > "$work/root/large"
"$stoq" get "stoq://$address/large" --pin "$pin" -o "$work/large" > /dev/null 2>&1 &
client=$!
for _ in $(seq 2000); do
    [[ -s $work/large.part ]] && break
    sleep 0.005
done
kill -INT "$client"
wait "$client" && fail "an interrupted get ends with 0"
[[ -s $work/large.part ]] || fail "no part is left of an interrupted get"
expect 0 '^RESULT bytes=[1-9]' get "stoq://$address/large" --pin "$pin" -o "$work/large"
same "$work/root/large" "$work/large"

# A file that comes during the transfer is not replaced unasked; what was fetched is kept as a part.
"$stoq" get "stoq://$address/large" --pin "$pin" -o "$work/meanwhile" > /dev/null 2> "$work/meanwhile.err" &
client=$!
for _ in $(seq 2000); do
    [[ -s $work/meanwhile.part ]] && break
    sleep 0.005
done
echo mine > "$work/meanwhile"
code=0
wait "$client" || code=$?
((code == 3)) && grep -q overwrite "$work/meanwhile.err" ||
    fail "a file came meanwhile: exit code $code: $(cat "$work/meanwhile.err")"
[[ $(cat "$work/meanwhile") == mine ]] || fail "a file that came meanwhile was replaced"
same "$work/root/large" "$work/meanwhile.part"
rm -f "$work/meanwhile.part"

"$stoq" put "$work/large" "stoq://$address/sent" --pin "$pin" > /dev/null 2>&1 &
client=$!
for _ in $(seq 2000); do
    [[ -s $work/root/.sent.part ]] && break
    sleep 0.005
done
kill -INT "$client"
wait "$client" && fail "an interrupted put ends with 0"
expect 0 '^RESULT bytes=[1-9]' put "$work/large" "stoq://$address/sent" --pin "$pin"
same "$work/large" "$work/root/sent"
# A part whose writer is about to end is waited for.
flock "$work/root/.late.part" sleep 0.3 &
until [[ -e $work/root/.late.part ]] && ! flock --nonblock "$work/root/.late.part" true; do :; done
expect 0 '^RESULT bytes=[1-9]' put "$work/in.300" "stoq://$address/late" --pin "$pin"
same "$work/in.300" "$work/root/late"
# A part that somebody else is writing is left alone.
exec 9> "$work/root/.held.part"
flock --nonblock 9 || fail "the part cannot be locked"
expect 10 'somebody' put "$work/in.300" "stoq://$address/held" --pin "$pin"
exec 9>&-
rm -f "$work/large" "$work/root/large" "$work/root/sent"

# The certificate as its own authority, with the right name and with a wrong one; an Ed25519 server.
start_server ed serve --identity "$work/id-ed" --root "$work/root"
expect 0 'signature=' get "stoq://$address/up.0" --ca "$work/id-ed/cert.pem" -o "$work/by-ca"
expect 7 'another name' get "stoq://localhost:${address##*:}/up.0" --ca "$work/id-ed/cert.pem" -o "$work/x"
expect 10 'takes no files' put "$work/in.1" "stoq://$address/no" --pin "$pin"

# Retry, and the log of keys.
start_server retry serve --identity "$work/id" --root "$work/root" --retry
SSLKEYLOGFILE=$work/keys expect 0 'sha256=ok' get "stoq://$address/up.300" --pin "$pin" -o "$work/retried"
grep -q '^CLIENT_TRAFFIC_SECRET_0 ' "$work/keys" || fail "no keys are logged"
finish
