#!/usr/bin/env bash
# Keys and certificates of the program openssl (with our module) in ours, and the reverse; and its
# own implementation of QUIC as a client of our server, with Falcon on both sides.
# Usage: openssl.sh PROGRAM OPENSSL FOLDER_OF_THE_MODULE
. "$(dirname "$0")/common.sh"

openssl=$2
modules=$(realpath "$3")
export OPENSSL_CONF=$work/openssl.cnf
printf '[req]\ndistinguished_name = name\n[name]\n' > "$OPENSSL_CONF"

readonly with_falcon=(-provider-path "$modules" -provider stoq-falcon -provider default)

# openssl_with_falcon COMMAND...: it ends well.
openssl_with_falcon() {
    local command=$1
    shift
    "$openssl" "$command" "${with_falcon[@]}" "$@" \
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

# get_by_openssl OPTIONS...: asks for the file, and leaves what openssl says in $work/quic.out.
get_by_openssl() {
    { echo 'GET file 0'; sleep 2; } | timeout 20 "$openssl" s_client -quic "${with_falcon[@]}" \
        -alpn stoq-file/1 -connect "$address" -CAfile "$work/authority-falcon1024/cert.pem" \
        -verify_return_error "$@" > "$work/quic.out" 2>&1
}
if "$openssl" s_client -help 2>&1 | grep -q -e '-quic'; then
    expect 0 . keygen --out "$work/client" --hybrid
    start_server quic serve --identity "$work/ours-falcon1024" --root "$work/root" --quiet \
        --pass-phrase-file "$work/phrase" --client-ca "$work/client/cert.pem"
    get_by_openssl -cert "$work/client/cert.pem" -key "$work/client/key.pem"
    for line in 'Peer signature type: falcon1024' 'Protocol: QUICv1' 'Verification: OK' 'OK 10000' \
        "SHA256 $(sha256sum "$work/root/file" | cut -d ' ' -f 1)"; do
        grep -q "$line" "$work/quic.out" || fail "openssl over QUIC does not say '$line': $(cat "$work/quic.out")"
    done
    # Without the client's identity nothing is served.
    get_by_openssl
    grep -q '^OK 10000' "$work/quic.out" && fail "a client that did not show who it is was served"
else
    echo "left out: QUIC, because this openssl does not have it"
fi
finish
