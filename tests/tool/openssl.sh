#!/usr/bin/env bash
# Keys and certificates of the program openssl (with our module) in ours, and the reverse.
# Usage: openssl.sh PROGRAM OPENSSL FOLDER_OF_THE_MODULE
. "$(dirname "$0")/common.sh"

openssl=$2
modules=$(realpath "$3")
export OPENSSL_CONF=$work/openssl.cnf
printf '[req]\ndistinguished_name = name\n[name]\n' > "$OPENSSL_CONF"

# openssl_with_falcon COMMAND...: it ends well.
openssl_with_falcon() {
    local command=$1
    shift
    "$openssl" "$command" -provider-path "$modules" -provider stoq-falcon -provider default "$@" \
        > "$work/openssl.log" 2>&1 || fail "openssl $command $*: $(cat "$work/openssl.log")"
}

mkdir "$work/root" "$work/theirs"
bytes 10000 > "$work/root/file"
echo 'open sesame' > "$work/phrase"
for kind in falcon1024 p521_falcon1024 falconpadded512; do
    # A chain of openssl's, with a key that it encrypted.
    openssl_with_falcon req -x509 -newkey $kind -nodes -keyout "$work/ca.key" -out "$work/ca.pem" \
        -subj '/CN=An authority' -days 2 -addext basicConstraints=critical,CA:TRUE
    openssl_with_falcon req -x509 -newkey $kind -keyout "$work/theirs/key.pem" -out "$work/theirs/cert.pem" \
        -passout "file:$work/phrase" -subj /CN=localhost -days 2 -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1
    chmod 600 "$work/theirs/key.pem"
    start_server theirs-$kind serve --identity "$work/theirs" --root "$work/root" --quiet \
        --pass-phrase-file "$work/phrase"
    expect 0 "signature=$kind .*chain=$kind,$kind " get "stoq://$address/file" --ca "$work/ca.pem" -o "$work/got-$kind"
    same "$work/root/file" "$work/got-$kind"

    # A chain of ours.
    expect 0 . keygen --out "$work/authority-$kind" --type $kind --ca
    expect 0 . keygen --out "$work/ours-$kind" --type $kind --sign-with "$work/authority-$kind" \
        --encrypt --pass-phrase-file "$work/phrase"
    openssl_with_falcon verify -purpose sslserver -verify_hostname localhost \
        -CAfile "$work/authority-$kind/cert.pem" "$work/ours-$kind/cert.pem"
    openssl_with_falcon pkey -in "$work/ours-$kind/key.pem" -passin "file:$work/phrase" -pubout -out "$work/public"
    openssl_with_falcon x509 -in "$work/ours-$kind/cert.pem" -noout -pubkey -out "$work/certified"
    same "$work/public" "$work/certified"
    # The fingerprint is what openssl makes of the same key.
    openssl_with_falcon pkey -pubin -in "$work/public" -pubout -outform DER -out "$work/public.der"
    read -r digest _ < <(sha256sum "$work/public.der")
    start_server ours-$kind serve --identity "$work/ours-$kind" --root "$work/root" --quiet --pass-phrase-file "$work/phrase"
    [[ $pin == "$digest" ]] || fail "$kind: the fingerprint is $pin, and sha256sum says $digest"
done
finish
