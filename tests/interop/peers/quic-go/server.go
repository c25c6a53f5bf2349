package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	longestRequest = 4096
	unknownFile    = 1
)

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

func serve(connection *quic.Conn, root *os.Root) {
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			tellNegotiated(connection)
			fmt.Println("closed:", err)
			return
		}
		go answer(stream, root)
	}
}

func serverTLS(o options) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	keys, err := keyLog()
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate},
		NextProtos: []string{o.alpn()}, KeyLogWriter: keys}, nil
}

func runServer(o options) error {
	config, err := serverTLS(o)
	if err != nil {
		return err
	}
	address, err := net.ResolveUDPAddr("udp", o.listen)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready:", socket.LocalAddr())
	if o.testcase == "http3" {
		server := http3.Server{TLSConfig: config, QUICConfig: quicConfig(),
			Handler: http.FileServer(http.Dir(o.root))}
		return server.Serve(socket)
	}
	return serveFiles(o, socket, config)
}

func serveFiles(o options, socket *net.UDPConn, config *tls.Config) error {
	root, err := os.OpenRoot(o.root)
	if err != nil {
		return err
	}
	transport := quic.Transport{Conn: socket,
		VerifySourceAddress: func(net.Addr) bool { return o.testcase == "retry" }}
	listener, err := transport.ListenEarly(config, quicConfig())
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go serve(connection, root)
	}
}
