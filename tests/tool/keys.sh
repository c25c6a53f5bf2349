#!/usr/bin/env bash
# Identities of each kind: made, served with, pinned, signed by an authority, encrypted; both sides
# known to each other; the post-quantum policy. Usage: keys.sh PROGRAM
. "$(dirname "$0")/common.sh"

mkdir "$work/root" "$work/qlog"
bytes 100000 > "$work/root/file"

# keygen NAME OPTIONS...: an identity in $work/NAME; sets `made` to its fingerprint.
keygen() {
    local name=$1
    shift
    expect 0 '^[0-9a-f]{64}$' keygen --out "$work/$name" "$@"
    made=$(tail -n 1 "$work/last.out")
}

# fetch PATTERN OPTIONS...: the file arrives, and the last line matches.
fetch() {
    local pattern=$1
    shift
    rm -f "$work/got" "$work/got.part"
    expect 0 "^RESULT .*sha256=ok .*$pattern" get "$url/file" -o "$work/got" "$@"
    same "$work/root/file" "$work/got"
}

# refuse CODE PATTERN OPTIONS...: nothing arrives.
refuse() {
    local code=$1 pattern=$2
    shift 2
    rm -f "$work/got" "$work/got.part"
    expect "$code" "$pattern" get "$url/file" -o "$work/got" "$@"
    [[ -e $work/got ]] && fail "a file arrived: stoq get $*"
}

# serve NAME IDENTITY OPTIONS...
serve() {
    local name=$1 identity=$2
    shift 2
    start_server "$name" serve --identity "$work/$identity" --root "$work/root" --quiet "$@"
    url=stoq://$address
}

# Every kind, pinned and as its own authority; the first without being asked for.
for kind in falcon1024 p521_falcon1024 falcon512 p256_falcon512 falconpadded512 p256_falconpadded512 \
    falconpadded1024 p521_falconpadded1024 mldsa65 mldsa87 p256 ed25519; do
    case $kind in
        falcon1024) options=() ;;
        p521_falcon1024) options=(--hybrid) ;;
        p256) options=(--classical) ;;
        *) options=(--type $kind) ;;
    esac
    keygen $kind --name 127.0.0.1 "${options[@]}"
    [[ $(stat -c %a "$work/$kind/key.pem") == 600 ]] || fail "$kind: the key is open to others"
    case $kind in
        p256) chain=EC signature=ecdsa_secp256r1_sha256 ;;
        ed25519) chain=ED25519 signature=ed25519 ;;
        mldsa*) chain=ML-DSA-${kind#mldsa} signature=$kind ;;
        *) chain=$kind signature=$kind ;;
    esac
    serve $kind $kind
    [[ $pin == "$made" ]] || fail "$kind: keygen and serve tell different fingerprints"
    fetch "group=X25519MLKEM768 signature=$signature .*chain=$chain client_signature=none" --pin "$pin"
    fetch "signature=$signature " --ca "$work/$kind/cert.pem"
    refuse 7 'pinned' --pin "${pin//[0-9]/a}"
    # What CNSA 2.0 asks for.
    if [[ $kind == mldsa87 ]]; then
        for group in SecP384r1MLKEM1024 MLKEM1024; do
            fetch "group=$group signature=mldsa87 " --ca "$work/mldsa87/cert.pem" --groups $group \
                --pq-authentication require
        done
    fi
done

# Nothing is overwritten, not even a half of it.
cp -r "$work/p256" "$work/before"
expect 3 'exists already' keygen --out "$work/p256"
rm "$work/p256/cert.pem"
expect 3 'exists already' keygen --out "$work/p256"
same "$work/before/key.pem" "$work/p256/key.pem"
cp "$work/before/cert.pem" "$work/p256/"

# An authority, an intermediate one, and leaves of both.
keygen authority --ca --name 'An authority'
keygen leaf --sign-with "$work/authority" --name localhost --name 127.0.0.1
keygen middle --ca --hybrid --sign-with "$work/authority"
keygen below --type mldsa65 --sign-with "$work/middle" --name 127.0.0.1
keygen stranger --ca
serve leaf leaf
fetch 'signature=falcon1024 .*chain=falcon1024,falcon1024 ' --qlog "$work/qlog" --ca "$work/authority/cert.pem"
refuse 7 'nobody we trust' --ca "$work/stranger/cert.pem"
for word in '"key_exchange_group":"X25519MLKEM768"' '"signature":"falcon1024"' '"peer_chain":"falcon1024, falcon1024"'; do
    grep -qrF "$word" "$work/qlog" || fail "qlog does not tell $word"
done
serve below below
fetch 'signature=mldsa65 .*chain=ML-DSA-65,p521_falcon1024,falcon1024 ' --ca "$work/authority/cert.pem"
expect 3 'not a certificate authority' keygen --out "$work/none" --sign-with "$work/leaf"

# A key without a certificate.
keygen raw --raw
[[ -e $work/raw/cert.pem ]] && fail "a raw key has a certificate"
serve raw raw
fetch 'signature=falcon1024 .*chain=falcon1024 ' --pin "$made"
refuse 12 . --ca "$work/authority/cert.pem"
expect 2 'excludes' keygen --out "$work/none" --raw --ca
[[ -e $work/none ]] && fail "something was made although it was refused"

# Both sides show who they are.
keygen client --name client.example
client=$made
serve both leaf --client-pin "$client"
fetch 'signature=falcon1024 .*client_signature=falcon1024' --pin "$pin" --identity "$work/client"
refuse 12 'asks who we are' --pin "$pin"
refuse 12 'does not accept who we are' --pin "$pin" --identity "$work/falcon1024"
keygen client-leaf --sign-with "$work/authority" --name client.example
serve both-by-authority leaf --client-ca "$work/authority/cert.pem"
fetch 'client_signature=falcon1024' --ca "$work/authority/cert.pem" --identity "$work/client-leaf"
refuse 12 'does not accept who we are' --ca "$work/authority/cert.pem" --identity "$work/client"
keygen raw-client --raw
serve both-raw raw --client-pin "$made"
fetch 'client_signature=falcon1024' --pin "$pin" --identity "$work/raw-client"

# Pass phrases: from a file, from the environment, from a terminal; wrong and missing ones.
echo 'open sesame' > "$work/phrase"
echo 'open barley' > "$work/wrong"
keygen sealed --encrypt --pass-phrase-file "$work/phrase"
grep -q 'BEGIN ENCRYPTED PRIVATE KEY' "$work/sealed/key.pem" || fail "the key is not encrypted"
serve sealed sealed --pass-phrase-file "$work/phrase"
fetch 'signature=falcon1024' --pin "$made"
STOQ_PASS_PHRASE='open sesame' serve sealed-by-variable sealed
fetch 'signature=falcon1024' --pin "$made"
grep -q sesame < <(tr '\0' '\n' < "/proc/${servers[-1]}/environ") && fail "the environment still tells the pass phrase"
server=("$stoq" serve --identity "$work/sealed" --root "$work/root" --listen 127.0.0.1:0)
expect 3 'cannot be decrypted' "${server[@]:1}" --pass-phrase-file "$work/wrong"
STOQ_PASS_PHRASE='open barley' expect 3 'cannot be decrypted' "${server[@]:1}"
: > "$work/empty"
expect 3 'is empty' "${server[@]:1}" --pass-phrase-file "$work/empty"
expect 3 'is empty' keygen --out "$work/none" --encrypt --pass-phrase-file "$work/empty"
expect 3 'No such file' keygen --out "$work/none" --encrypt --pass-phrase-file "$work/nothing"
[[ -e $work/none ]] && fail "a key was written without the pass phrase that was asked for"
if setsid --wait true 2> /dev/null; then
    setsid --wait "${server[@]}" > /dev/null 2> "$work/last.err" < /dev/null && fail "a key opens without a pass phrase"
    grep -q 'no terminal to ask at' "$work/last.err" || fail "no terminal: $(cat "$work/last.err")"
fi
# The client's key, and an authority's.
serve sealed-client leaf --writable --client-pin "$made"
fetch 'client_signature=falcon1024' --pin "$pin" --identity "$work/sealed" --pass-phrase-file "$work/phrase"
refuse 3 'cannot be decrypted' --pin "$pin" --identity "$work/sealed" --pass-phrase-file "$work/wrong"
expect 0 'sha256=ok' put "$work/empty" "$url/sent" --pin "$pin" --identity "$work/sealed" \
    --pass-phrase-file "$work/phrase"
keygen sealed-authority --ca --encrypt --pass-phrase-file "$work/wrong"
STOQ_CA_PASS_PHRASE='open barley' keygen sealed-leaf --sign-with "$work/sealed-authority" --name 127.0.0.1 \
    --encrypt --pass-phrase-file "$work/phrase"
serve sealed-leaf sealed-leaf --pass-phrase-file "$work/phrase"
fetch 'chain=falcon1024,falcon1024' --ca "$work/sealed-authority/cert.pem"
if command -v python3 > /dev/null; then
    "$(dirname "$0")/type-at" 'Pass phrase for .*:' 'open sesame' 'Verifying.*:' 'open sesame' -- \
        "$stoq" keygen --out "$work/typed" --encrypt > "$work/typed.txt" || fail "typing: $(cat "$work/typed.txt")"
    grep -q sesame "$work/typed.txt" && fail "the pass phrase is shown"
    serve typed typed --pass-phrase-file "$work/phrase"
    fetch 'signature=falcon1024' --pin "$pin"
    "$(dirname "$0")/type-at" 'Pass phrase for .*:' 'open barley' -- "${server[@]}" > "$work/typed.txt" &&
        fail "a wrong pass phrase is taken"
    grep -q 'cannot be decrypted' "$work/typed.txt" || fail "typing: $(cat "$work/typed.txt")"
fi

# One port for clients of both kinds, and what each policy refuses.
serve two falcon1024 --identity "$work/p256" --pq-key-exchange prefer
read -r falcon classical <<< "$(tr '\n' ' ' <<< "$pin")"
fetch 'group=X25519MLKEM768 signature=falcon1024 ' --pin "$falcon"
fetch 'group=X25519MLKEM768 signature=falcon1024 ' --pin "$falcon" --pq-authentication require
fetch 'group=x25519 signature=ecdsa_secp256r1_sha256 ' --pin "$classical" --pq-authentication off --pq-key-exchange off
fetch 'group=X25519MLKEM768 signature=ecdsa_secp256r1_sha256 ' --pin "$classical" --pq-authentication off
for group in SecP384r1MLKEM1024 MLKEM1024; do
    fetch "group=$group signature=falcon1024 " --pin "$falcon" --groups $group
done
refuse 2 'contradict' --pin "$falcon" --groups X25519
serve strict falcon1024
refuse 12 'requires stronger .post-quantum. security.*look at --pq-key-exchange$' --pin "$falcon" --pq-key-exchange off
refuse 12 'look at --pq-authentication$' --pin "$falcon" --pq-authentication off
serve classical p256
refuse 12 'post-quantum security is required' --pin "$pin" --pq-authentication require
expect 2 'contradict' serve --identity "$work/p256" --root "$work/root" --pq-authentication require
expect 2 'same kind' serve --identity "$work/p256" --identity "$work/before" --root "$work/root"
finish
