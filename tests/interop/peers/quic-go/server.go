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
	// How much follows the half that is delivered before a stream is reset on purpose.
	behindReset = 100_000
)

// find opens the file that a request names; os.Root keeps it inside the directory.
func find(root *os.Root, request []byte) (*os.File, error) {
	name, ok := strings.CutPrefix(strings.TrimRight(string(request), "\r\n"), "GET /")
	if !ok {
		return nil, errors.New("not a request")
	}
	return root.Open(name)
}

// resetBehindHalf sends half of the file for certain, and a part of the rest perhaps.
func resetBehindHalf(stream *quic.Stream, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := io.CopyN(stream, file, info.Size()/2); err != nil {
		return err
	}
	stream.SetReliableBoundary()
	if _, err := io.CopyN(stream, file, behindReset); err != nil {
		return err
	}
	stream.CancelWrite(resetAtCode)
	return nil
}

func answer(stream *quic.Stream, root *os.Root, resetAt bool) {
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
	if resetAt {
		if err := resetBehindHalf(stream, file); err != nil {
			fmt.Println("answer:", err)
		}
		return
	}
	if _, err := io.Copy(stream, file); err != nil {
		fmt.Println("answer:", err)
		return
	}
	stream.Close()
}

func serve(connection *quic.Conn, root *os.Root, resetAt bool) {
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			tellNegotiated(connection)
			fmt.Println("closed:", err)
			return
		}
		go answer(stream, root, resetAt)
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
		go serve(connection, root, o.resetAt)
	}
}
