"""The runner's /certs: cert.pem (leaf first, then intermediates), priv.key, ca.pem; P-256."""

import pathlib
import subprocess

NAMES = ["server", "server4", "server6", "server46"]


def make(openssl, directory, length):
    """A chain of `length` certificates; a long one has a leaf that is large as well."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)

    def call(*arguments):
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True, cwd=directory)

    names = NAMES + ([f"{i:02}{'a' * 61}." + ".".join(["b" * 61] * 3) for i in range(20)]
                     if length > 1 else [])
    config = directory / "openssl.cnf"
    config.write_text(
        "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=interoperability\n"
        "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
        "subjectKeyIdentifier=hash\n"
        "[leaf]\nbasicConstraints=critical,CA:FALSE\n"
        f"subjectAltName={','.join('DNS:' + name for name in names)}\n")
    call("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
         "-keyout", "ca.key", "-config", config, "-extensions", "ca", "-days", 10, "-out", "ca.pem")
    issuer, chain = "ca", []
    for position in range(length - 1, -1, -1):
        name = "leaf" if position == 0 else f"intermediate{position}"
        call("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout",
             f"{name}.key", "-config", config, "-subj", f"/CN={name}", "-out", f"{name}.csr")
        call("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
             "-set_serial", position + 2, "-days", 10, "-extfile", config, "-extensions",
             "leaf" if position == 0 else "ca", "-out", f"{name}.pem")
        chain.insert(0, (directory / f"{name}.pem").read_text())
        issuer = name
    (directory / "cert.pem").write_text("".join(chain))
    (directory / "leaf.key").rename(directory / "priv.key")
