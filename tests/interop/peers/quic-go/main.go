// A hq-interop client and server on quic-go.
//
//	hq server --listen HOST:PORT --cert FILE --key FILE --root DIR
//	hq client --ca FILE --downloads DIR --url URL [--url URL ...]
//	hq endpoint
//
// With --reset-at, the server resets each stream behind the first half of its file. The third obeys the contract of the QUIC interoperability runner (see ../../runner/peers.py). One
// client-initiated bidirectional stream per file: `GET /name` and a line end, then the end of the
// stream; the answer is the bytes of the file. SSLKEYLOGFILE and QLOGDIR are honoured. A line says
// which key exchange each connection came to.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
)

const (
	unsupported = 127
	// The runner's links lose a third of all datagrams: patience belongs to the runner.
	patience = 120 * time.Second
	// Of streams that are reset on purpose.
	resetAtCode = 7
)

type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

type options struct {
	role, testcase                         string
	listen, cert, key, root, ca, downloads string
	urls                                   list
	resetAt                                bool
}

func (o options) alpn() string {
	if o.testcase == "http3" {
		return "h3"
	}
	return "hq-interop"
}

// What quic-go cannot do, by TESTCASE and role; empty for what it can.
var cases = map[string]map[string]string{
	"handshake": {}, "transfer": {}, "retry": {}, "resumption": {}, "zerortt": {}, "http3": {},
	"multiconnect": {}, "ecn": {},
	// A client of quic-go updates its keys by itself after a hundred packets.
	"keyupdate": {"server": "the client updates the keys"},
	"chacha20":  {"client": "Go's TLS does not let its users choose TLS 1.3 cipher suites"},
	"v2": {
		"client": "quic-go has no compatible version negotiation",
		"server": "quic-go has no compatible version negotiation"},
	"connectionmigration": {
		"client": "the server has the preferred address",
		"server": "quic-go's servers cannot be given a preferred address"},
}

func fromFlags(role string, arguments []string) options {
	o := options{role: role, testcase: "transfer"}
	flags := flag.NewFlagSet("hq", flag.ExitOnError)
	flags.StringVar(&o.listen, "listen", "", "address and port")
	flags.StringVar(&o.cert, "cert", "", "certificate chain")
	flags.StringVar(&o.key, "key", "", "private key")
	flags.StringVar(&o.root, "root", "", "directory to serve")
	flags.StringVar(&o.ca, "ca", "", "certificate authority")
	flags.StringVar(&o.downloads, "downloads", "", "directory to write to")
	flags.Var(&o.urls, "url", "what to fetch; may be repeated")
	flags.BoolVar(&o.resetAt, "reset-at", false, "streams are reset behind half of the file")
	flags.Parse(arguments)
	return o
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// As the runner calls it; what its containers mount is at WWW, DOWNLOADS and CERTS.
func fromEnvironment() options {
	certificates := environment("CERTS", "/certs")
	o := options{
		role: os.Getenv("ROLE"), testcase: os.Getenv("TESTCASE"),
		listen: environment("LISTEN", "[::]:443"),
		cert:   filepath.Join(certificates, "cert.pem"), key: filepath.Join(certificates, "priv.key"),
		ca: filepath.Join(certificates, "ca.pem"), root: environment("WWW", "/www"),
		downloads: environment("DOWNLOADS", "/downloads"), urls: strings.Fields(os.Getenv("REQUESTS"))}
	roles, known := cases[o.testcase]
	reason := roles[o.role]
	if !known {
		reason = fmt.Sprintf("no case '%s' as %s", o.testcase, o.role)
	}
	if reason != "" {
		fmt.Fprintln(os.Stderr, "unsupported:", reason)
		os.Exit(unsupported)
	}
	return o
}

func keyLog() (io.Writer, error) {
	name := os.Getenv("SSLKEYLOGFILE")
	if name == "" {
		return nil, nil
	}
	return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

func quicConfig() *quic.Config {
	return &quic.Config{Tracer: qlog.DefaultConnectionTracer, Allow0RTT: true,
		HandshakeIdleTimeout: patience, MaxIdleTimeout: patience,
		EnableStreamResetPartialDelivery: true}
}

func tellNegotiated(connection *quic.Conn) {
	fmt.Printf("negotiated: group=%v\n", connection.ConnectionState().TLS.CurveID)
}

func run() error {
	if len(os.Args) < 2 {
		return errors.New("usage: hq server|client|endpoint ...")
	}
	var o options
	if os.Args[1] == "endpoint" {
		o = fromEnvironment()
	} else {
		o = fromFlags(os.Args[1], os.Args[2:])
	}
	if o.role == "server" {
		return runServer(o)
	}
	return runClient(o)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hq:", err)
		os.Exit(1)
	}
}
