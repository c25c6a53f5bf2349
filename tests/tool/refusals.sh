#!/usr/bin/env bash
# What must not work, each told apart by message and exit code. Usage: refusals.sh PROGRAM RAW_REQUEST
. "$(dirname "$0")/common.sh"
raw_request=$2

mkdir -p "$work/root/sub" "$work/outside"
echo secret > "$work/outside/secret"
echo inside > "$work/root/sub/inside"
echo half > "$work/root/sub/.other.part"
ln -s "$work/outside/secret" "$work/root/absolute-link"
ln -s ../outside/secret "$work/root/relative-link"
ln -s ../outside "$work/root/directory-link"
ln -s sub/inside "$work/root/good-link"
mkfifo "$work/root/fifo"
"$stoq" keygen --out "$work/id" > "$work/keygen.txt"
"$stoq" keygen --out "$work/other" > "$work/other.txt"
start_server files serve --identity "$work/id" --root "$work/root" --writable
url=stoq://$address

# Names that lead out of the directory, whatever the spelling.
for name in ../outside/secret sub/../../outside/secret %2e%2e/outside/secret /etc/hostname \
    //etc/hostname "$work/outside/secret" ./sub/inside sub//inside absolute-link relative-link \
    directory-link/secret sub/inside%00 fifo sub sub/.other.part; do
    expect 10 'the server' get "$url/$name" --pin "$pin" -o "$work/escaped"
    [[ -e $work/escaped || -e $work/escaped.part ]] && fail "$name was fetched"
    rm -f "$work/escaped" "$work/escaped.part"
done
for name in ../outside/new sub/../../outside/new directory-link/new sub/.other.part sub/.new.part; do
    expect 10 'the server' put "$work/keygen.txt" "$url/$name" --pin "$pin"
done
[[ $(ls -A "$work/outside") == secret ]] || fail "something was written outside of the directory"
[[ $(cat "$work/root/sub/.other.part") == half ]] || fail "somebody's part was replaced"
[[ -e $work/root/sub/.new.part ]] && fail "a file has the name of a part"
expect 0 'sha256=ok' get "$url/good-link" --pin "$pin" -o "$work/good"

expect 9 'no such file' get "$url/nothing" --pin "$pin" -o "$work/x"
expect 9 'no such file' put "$work/keygen.txt" "$url/no-directory/x" --pin "$pin"
expect 10 'replace' put "$work/keygen.txt" "$url/sub/inside" --pin "$pin" --overwrite
expect 3 'No such file' put "$work/nothing" "$url/x" --pin "$pin"
expect 3 'No such file' get "$url/sub/inside" --pin "$pin" -o "$work/no/where"

# refused ANSWER REQUEST: how the server's answer to these bytes and the end of the stream begins.
refused() {
    local answer
    answer=$(timeout 20 "$raw_request" "$address" "$pin" "$2" 2>&1)
    [[ $answer == "$1 "* ]] || fail "the answer to '$2' is '$answer' instead of $1"
}
# Requests that are none, and an upload without its bytes.
refused BAD-REQUEST ''
refused BAD-REQUEST 'GET sub/inside 0'
refused BAD-REQUEST $'POST sub/inside 0\n'
refused $'CONTINUE 0\nBAD-REQUEST' $'PUT without-bytes 10 new\n'
refused $'CONTINUE 0\nBAD-REQUEST' $'PUT without-hash 2 new\nab'
refused $'CONTINUE 0\nBAD-HASH' $'PUT with-a-wrong-hash 2 new\nabSHA256 00\n'
# An upload that ends while its part is somebody else's: that one is not waited for.
exec 9> "$work/root/.held.part"
flock --nonblock 9 || fail "the part cannot be locked"
refused BAD-REQUEST $'PUT held 10 new\n'
exec 9>&-
rm -f "$work/root/.held.part"

# A server whose stderr takes nothing serves on without its log.
if [[ -c /dev/full ]]; then
    log=/dev/full start_server mute serve --identity "$work/id" --root "$work/root"
    for i in 1 2; do
        expect 0 'sha256=ok' get "stoq://$address/sub/inside" --pin "$pin" -o "$work/mute.$i"
        same "$work/root/sub/inside" "$work/mute.$i"
    done
fi

# The wrong server, and nobody to vouch for the right one.
wrong=$(tail -n 1 "$work/other.txt")
expect 7 'pinned' get "$url/sub/inside" --pin "$wrong" -o "$work/x"
expect 7 'certificate' get "$url/sub/inside" -o "$work/x"
expect 0 'WARNING' get "$url/sub/inside" --insecure -o "$work/insecure"
expect 2 'pin|fingerprint|digits' get "$url/sub/inside" --pin 1234 -o "$work/x"

# Nobody there: a closed port, a silent one, a name that does not exist, no way to go.
expect 5 'nobody listens' get stoq://127.0.0.1:9/x --pin "$pin" -o "$work/x"
expect 4 'no address' get stoq://name.invalid:4433/x --pin "$pin" -o "$work/x"
# Without Python that one is left out.
if command -v python3 > /dev/null; then
    python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True); time.sleep(60)' > "$work/silent.txt" &
    servers+=($!)
    for _ in $(seq 100); do [[ -s $work/silent.txt ]] && break; sleep 0.05; done
    expect 6 'did not answer' get "stoq://127.0.0.1:$(cat "$work/silent.txt")/x" --pin "$pin" --timeout 1s -o "$work/x"
fi

# A machine without a network: a namespace of its own, where that is allowed.
if unshare --net true 2> /dev/null; then
    code=0
    unshare --net "$stoq" get stoq://192.0.2.1:4433/x --pin "$pin" -o "$work/x" 2> "$work/last.err" || code=$?
    [[ $code == 8 ]] && grep -q 'no way to 192.0.2.1:4433' "$work/last.err" ||
        fail "without a network: exit code $code: $(cat "$work/last.err")"
fi

# What the command line does not take.
expect 2 'stoq://' get http://127.0.0.1/x
expect 2 'port' get stoq://127.0.0.1:99999/x
expect 2 . get
expect 2 . nonsense
# An empty value is not the same as none, least of all where that would let everybody in.
for option in --client-pin --client-ca --key-file --takeover; do
    expect 2 "^(stoq: )?$option: the value is empty" \
        serve --identity "$work/id" "$option" '' --root "$work/root" --listen 127.0.0.1:0
    expect 2 "^(stoq: )?$option: the value is empty" \
        serve --identity "$work/id" "$option=" --root "$work/root" --listen 127.0.0.1:0
done
for option in --pin --ca; do
    expect 2 "^(stoq: )?$option: the value is empty" get "$url/sub/inside" "$option" '' -o "$work/x"
    expect 2 "^(stoq: )?$option: the value is empty" get "$url/sub/inside" "$option=" -o "$work/x"
done
expect 0 'Exit codes' --help
finish
