#!/usr/bin/env bash
# Falcon in the program openssl, by our module: keys, certificates, signatures, TLS over TCP.
# Usage: module.sh OPENSSL FOLDER_OF_THE_MODULE
set -u

openssl=$1
modules=$(realpath "$2")
work=$(mktemp -d)
server=""
checks=0
failures=0

clean_up() {
    [ -z "$server" ] || { kill "$server"; wait "$server"; } 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
cd "$work" || exit 1
# The configuration of this machine must not matter.
export OPENSSL_CONF=$work/openssl.cnf
printf '[req]\ndistinguished_name = name\n[name]\n' >"$OPENSSL_CONF"

with_falcon=(-provider-path "$modules" -provider stoq-falcon -provider default)

# run COMMAND...: openssl with the default provider and ours.
run() {
    local command=$1
    shift
    "$openssl" "$command" "${with_falcon[@]}" "$@"
}

# check NAME COMMAND...: the command ends well.
check() {
    local name=$1
    shift
    checks=$((checks + 1))
    "$@" >"$work/log" 2>&1 && return
    failures=$((failures + 1))
    echo "FAILED: $algorithm: $name"
    sed 's/^/    /' "$work/log" | tail -n 20
}

# refuse NAME COMMAND...: the command fails.
refuse() {
    local name=$1
    shift
    checks=$((checks + 1))
    if "$@" >"$work/log" 2>&1; then
        failures=$((failures + 1))
        echo "FAILED: $algorithm: $name was accepted"
    fi
}

# says PATTERN COMMAND...: the command ends well and its output has a line that matches.
says() {
    local pattern=$1
    shift
    "$@" >"$work/said" 2>&1 && grep -qE -- "$pattern" "$work/said" && return
    echo "wanted: $pattern"
    cat "$work/said"
    return 1
}

make_certificates() {
    check "certificate authority" run req -x509 -newkey "$algorithm" -nodes -keyout ca.key -out ca.pem \
        -subj "/CN=STOQ test CA" -days 30 -addext basicConstraints=critical,CA:TRUE
    check "signature algorithm" says "Signature Algorithm: $algorithm\$" run x509 -in ca.pem -noout -text
    check "key algorithm" says "Public Key Algorithm: $algorithm\$" run x509 -in ca.pem -noout -text
    check "key in text" says "Falcon-.*Public-Key:\$" run x509 -in ca.pem -noout -text
    check "self-signed" run verify -CAfile ca.pem ca.pem
    check "request" run req -new -newkey "$algorithm" -nodes -keyout leaf.key -out leaf.csr -subj /CN=localhost
    check "request verifies" run req -in leaf.csr -noout -verify
    check "leaf" run x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -out leaf.pem -days 30
    check "chain" says '^leaf.pem: OK$' run verify -CAfile ca.pem leaf.pem
    run req -x509 -newkey "$algorithm" -nodes -keyout other.key -out other.pem -subj "/CN=STOQ test CA" -days 30 2>/dev/null
    refuse "a chain to another authority" run verify -CAfile other.pem leaf.pem
}

handle_keys() {
    check "generation" run genpkey -algorithm "$algorithm" -out key.pem
    check "text" says '^priv:$' run pkey -in key.pem -noout -text
    check "public key" run pkey -in key.pem -pubout -out public.pem
    check "DER" run pkey -in key.pem -outform DER -out key.der
    check "DER is read" run pkey -in key.der -inform DER -out again.pem
    check "nothing changes" cmp key.pem again.pem
    check "encryption" run pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -passout pass:secret -out sealed.pem
    check "is encrypted" grep -q "BEGIN ENCRYPTED PRIVATE KEY" sealed.pem
    check "decryption" run pkey -in sealed.pem -passin pass:secret -out opened.pem
    check "nothing was lost" cmp key.pem opened.pem
    refuse "a wrong pass phrase" run pkey -in sealed.pem -passin pass:wrong -out opened.pem
    check "consistency" says 'Key is valid' run pkey -in key.pem -check -noout
}

sign_files() {
    seq 1000 >message
    seq 1001 >another
    check "signing" run pkeyutl -sign -rawin -inkey key.pem -in message -out signature
    check "verifying" run pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature
    refuse "another message" run pkeyutl -verify -rawin -pubin -inkey public.pem -in another -sigfile signature
    head -c -1 signature >truncated
    refuse "a truncated signature" run pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile truncated
}

# The server's handshake is signed with the leaf's key; the client prints with what.
talk_tls() {
    local port=""
    : >server.log  # not the port of the one before
    "$openssl" s_server "${with_falcon[@]}" -accept 127.0.0.1:0 -cert leaf.pem -key leaf.key -CAfile ca.pem \
        -tls1_3 -rev >server.log 2>&1 &
    server=$!
    for _ in $(seq 200); do
        port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server.log)
        [ -n "$port" ] && break
        sleep 0.05
    done
    check "server starts" test -n "$port"
    check "TLS" says "Peer signature type: $algorithm\$" connect "$port" ca.pem
    check "verification" grep -q '^Verify return code: 0 (ok)' said
    check "data" grep -q '^olleh$' said
    refuse "a server with another certificate" connect "$port" other.pem
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=""
}

# connect PORT CA: sends a line to a server that answers with the line reversed, and closes.
connect() {
    printf 'hello\nCLOSE\n' | timeout 20 "$openssl" s_client "${with_falcon[@]}" -ign_eof \
        -connect "127.0.0.1:$1" -CAfile "$2" -verify_return_error -servername localhost
}

algorithm=module
"$openssl" version
check "name" says 'STOQ Falcon provider' "$openssl" list -providers -provider-path "$modules" -provider stoq-falcon

for algorithm in falcon512 p256_falcon512 falconpadded512 p256_falconpadded512 \
    falcon1024 p521_falcon1024 falconpadded1024 p521_falconpadded1024; do
    make_certificates
    handle_keys
    sign_files
    talk_tls
done
echo "RESULT checks=$checks failed=$failures"
[ "$failures" = 0 ]
