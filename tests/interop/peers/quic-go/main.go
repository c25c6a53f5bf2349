// A hq-interop client and server on quic-go.
//
//	hq server --listen HOST:PORT --cert FILE --key FILE --root DIR
//	hq client --ca FILE --downloads DIR --url URL [--url URL ...]
//
// One client-initiated bidirectional stream per file: `GET /name` and a line end, then the end of
// the stream; the answer is the bytes of the file. SSLKEYLOGFILE and QLOGDIR are honoured. A line says
// which key exchange each connection came to.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
)

const (
	alpn           = "hq-interop"
	longestRequest = 4096
	unknownFile    = 1
)

type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

type options struct {
	listen, cert, key, root, ca, downloads string
	urls                                   list
}

func keyLog() (io.Writer, error) {
	name := os.Getenv("SSLKEYLOGFILE")
	if name == "" {
		return nil, nil
	}
	return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

func quicConfig() *quic.Config {
	return &quic.Config{Tracer: qlog.DefaultConnectionTracer}
}

// find opens the file that a request names; os.Root keeps it inside the directory.
func find(root *os.Root, request []byte) (*os.File, error) {
	name, ok := strings.CutPrefix(strings.TrimRight(string(request), "\r\n"), "GET /")
	if !ok {
		return nil, errors.New("not a request")
	}
	return root.Open(name)
}

func answer(stream *quic.Stream, root *os.Root) {
	request, err := io.ReadAll(io.LimitReader(stream, longestRequest))
	if err != nil {
		return
	}
	file, err := find(root, request)
	if err != nil {
		fmt.Println("refused:", err)
		stream.CancelWrite(unknownFile)
		return
	}
	defer file.Close()
	if _, err := io.Copy(stream, file); err != nil {
		fmt.Println("answer:", err)
		return
	}
	stream.Close()
}

func tellNegotiated(connection *quic.Conn) {
	fmt.Printf("negotiated: group=%v\n", connection.ConnectionState().TLS.CurveID)
}

func serve(connection *quic.Conn, root *os.Root) {
	tellNegotiated(connection)
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			fmt.Println("closed:", err)
			return
		}
		go answer(stream, root)
	}
}

func runServer(o options) error {
	certificate, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return err
	}
	keys, err := keyLog()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(o.root)
	if err != nil {
		return err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{alpn}, KeyLogWriter: keys}
	listener, err := quic.ListenAddr(o.listen, config, quicConfig())
	if err != nil {
		return err
	}
	fmt.Println("ready:", listener.Addr())
	for {
		connection, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go serve(connection, root)
	}
}

func fetch(connection *quic.Conn, name, downloads string) error {
	stream, err := connection.OpenStreamSync(context.Background())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stream, "GET %s\r\n", name); err != nil {
		return err
	}
	stream.Close()
	file, err := os.Create(filepath.Join(downloads, path.Base(name)))
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, stream); err != nil {
		return err
	}
	return file.Close()
}

func clientTLS(o options) (*tls.Config, error) {
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", o.ca)
	}
	keys, err := keyLog()
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, NextProtos: []string{alpn}, KeyLogWriter: keys}, nil
}

func runClient(o options) error {
	if len(o.urls) == 0 {
		return errors.New("no --url")
	}
	config, err := clientTLS(o)
	if err != nil {
		return err
	}
	var names []string
	var host string
	for _, text := range o.urls {
		parsed, err := url.Parse(text)
		if err != nil {
			return err
		}
		names, host = append(names, parsed.Path), parsed.Host
	}
	connection, err := quic.DialAddr(context.Background(), host, config, quicConfig())
	if err != nil {
		return err
	}
	tellNegotiated(connection)
	results := make(chan error, len(names))
	for _, name := range names {
		go func() { results <- fetch(connection, name, o.downloads) }()
	}
	for range names {
		err = errors.Join(err, <-results)
	}
	return errors.Join(err, connection.CloseWithError(0, ""))
}

func run() error {
	if len(os.Args) < 2 {
		return errors.New("usage: hq server|client ...")
	}
	var o options
	flags := flag.NewFlagSet("hq", flag.ExitOnError)
	flags.StringVar(&o.listen, "listen", "", "address and port")
	flags.StringVar(&o.cert, "cert", "", "certificate chain")
	flags.StringVar(&o.key, "key", "", "private key")
	flags.StringVar(&o.root, "root", "", "directory to serve")
	flags.StringVar(&o.ca, "ca", "", "certificate authority")
	flags.StringVar(&o.downloads, "downloads", "", "directory to write to")
	flags.Var(&o.urls, "url", "what to fetch; may be repeated")
	flags.Parse(os.Args[2:])
	if os.Args[1] == "server" {
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
