package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// A fresh buffer would be zeroed for each stream.
var buffers = sync.Pool{New: func() any { return new([65536]byte) }}

// answer serves one stream.
func answer(stream *quic.Stream) {
	defer stream.Close()
	var head [headerSize]byte
	if _, err := io.ReadFull(stream, head[:]); err != nil {
		return
	}
	value := binary.BigEndian.Uint64(head[:])
	size := value & endless
	if value>>56 == kindPour {
		pour(stream, size)
		return
	}
	var received checker
	first := readAll(stream, &received)
	switch {
	case value>>56 == kindCount:
		counted := received.offset
		if received.wrong {
			counted = 1<<64 - 1
		}
		reply := binary.BigEndian.AppendUint64(nil, counted)
		stream.Write(binary.BigEndian.AppendUint64(reply, uint64(time.Since(first).Nanoseconds())))
	case value>>56 == kindAnswer && !received.wrong:
		pour(stream, size)
	}
}

func pour(stream *quic.Stream, size uint64) {
	for sent := uint64(0); sent < size; {
		written, err := stream.Write(patternFrom(sent, size-sent))
		if err != nil {
			return
		}
		sent += uint64(written)
	}
}

// readAll compares everything up to the end, and returns when the first bytes came.
func readAll(stream io.Reader, received *checker) time.Time {
	first := time.Now()
	pooled := buffers.Get().(*[65536]byte)
	defer buffers.Put(pooled)
	buffer := pooled[:]
	for {
		length, err := stream.Read(buffer)
		if received.offset == 0 {
			first = time.Now()
		}
		received.check(buffer[:length])
		if err != nil {
			return first
		}
	}
}

func echoDatagrams(connection *quic.Conn) {
	for {
		received, err := connection.ReceiveDatagram(context.Background())
		if err != nil || connection.SendDatagram(received) != nil {
			return
		}
	}
}

func serve(connection *quic.Conn) {
	go echoDatagrams(connection)
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go answer(stream)
	}
}

func runServer(o options) error {
	certificate, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return err
	}
	config := &tls.Config{
		Certificates:     []tls.Certificate{certificate},
		NextProtos:       []string{"race"},
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	transport, err := open(o.listen)
	if err != nil {
		return err
	}
	listener, err := transport.Listen(config, quicConfig(o))
	if err != nil {
		return err
	}
	fmt.Println("ready:", listener.Addr())
	for {
		connection, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go serve(connection)
	}
}
