package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	betweenRounds    = 500 * time.Millisecond
	datagramsAreLost = 100 * time.Millisecond
)

type client struct {
	options   options
	transport *quic.Transport
	remote    net.Addr
	tls       *tls.Config
}

func newClient(o options) (*client, error) {
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + o.ca)
	}
	config := &tls.Config{
		RootCAs:          pool,
		NextProtos:       []string{"race"},
		ServerName:       "localhost",
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	if o.resumed != 0 {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	}
	transport, err := open("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	remote, err := net.ResolveUDPAddr("udp", o.connect)
	return &client{o, transport, remote, config}, err
}

func (c *client) dial() (*quic.Conn, error) {
	return c.transport.Dial(context.Background(), c.remote, c.tls, quicConfig(c.options))
}

// sideBySide runs `work` n times at once and adds what it measures.
func sideBySide(n int, work func() report) report {
	var whole report
	var lock sync.Mutex
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			one := work()
			lock.Lock()
			defer lock.Unlock()
			whole.add(one)
		})
	}
	group.Wait()
	return whole
}

// download receives one endless stream and counts what comes after the warm-up.
func download(connection *quic.Conn, s span) report {
	stream, err := connection.OpenStreamSync(context.Background())
	if err != nil {
		return report{failed: true}
	}
	stream.Write(header(kindPour, endless))
	stream.Close()
	stream.SetReadDeadline(s.end)
	var received checker
	var before uint64
	buffer := make([]byte, 65536)
	for {
		length, err := stream.Read(buffer)
		received.check(buffer[:length])
		if time.Now().Before(s.begin) {
			before = received.offset
		}
		if err != nil {
			break
		}
	}
	return report{down: received.offset - before, seconds: s.seconds(), failed: received.wrong}
}

// upload sends until the span is over; the server says what it has compared, and in what time.
func (c *client) upload(connection *quic.Conn, s span) report {
	stream, err := connection.OpenStreamSync(context.Background())
	if err != nil {
		return report{failed: true}
	}
	stream.Write(header(kindCount, 0))
	started := time.Now()
	var sent uint64
	for !s.over() {
		if c.options.rate > 0 && float64(sent) > time.Since(started).Seconds()*float64(c.options.rate)/8 {
			time.Sleep(time.Millisecond)
			continue
		}
		written, err := stream.Write(patternFrom(sent, uint64(c.options.write)))
		if err != nil {
			return report{failed: true}
		}
		sent += uint64(written)
	}
	stream.Close()
	answer, err := io.ReadAll(stream)
	if err != nil || len(answer) != 16 {
		return report{failed: true}
	}
	counted := binary.BigEndian.Uint64(answer)
	return report{
		up: counted, seconds: float64(binary.BigEndian.Uint64(answer[8:])) / 1e9, failed: counted != sent}
}

func (c *client) bulk(connection *quic.Conn) report {
	s := c.options.span()
	var down, up report
	var group sync.WaitGroup
	if c.options.mode != "up" {
		group.Go(func() {
			down = sideBySide(c.options.streams, func() report { return download(connection, s) })
		})
	}
	if c.options.mode != "down" {
		group.Go(func() {
			up = sideBySide(c.options.streams, func() report { return c.upload(connection, s) })
		})
	}
	group.Wait()
	down.add(up)
	down.failed = down.failed || down.down+down.up == 0
	return down
}

// ask makes one request on a stream of its own. It returns when the stream was there, and whether the
// answer is what was asked for.
func (c *client) ask(connection *quic.Conn, question, buffer []byte) (time.Time, bool) {
	stream, err := connection.OpenStreamSync(context.Background())
	begin := time.Now()
	if err != nil {
		return begin, false
	}
	if _, err := stream.Write(question); err != nil {
		return begin, false
	}
	stream.Close()
	var received checker
	for {
		length, err := stream.Read(buffer)
		received.check(buffer[:length])
		if err != nil {
			return begin, errors.Is(err, io.EOF) && !received.wrong && received.offset == c.options.response
		}
	}
}

func (c *client) question() []byte {
	return request(header(kindAnswer, c.options.response), c.options.request)
}

func (c *client) requests(connection *quic.Conn) report {
	s := c.options.span()
	var beside report
	var group sync.WaitGroup
	if c.options.bulk != 0 {
		group.Go(func() { beside = download(connection, s) })
	}
	whole := sideBySide(c.options.inFlight, func() report {
		one := report{seconds: s.seconds()}
		question, buffer := c.question(), make([]byte, 16384)
		for now := time.Now(); now.Before(s.end) && !one.failed; {
			begin, ok := c.ask(connection, question, buffer)
			now = time.Now()
			one.failed = !ok
			if s.covers(begin, now) {
				one.latencies = append(one.latencies, now.Sub(begin))
			}
		}
		return one
	})
	group.Wait()
	whole.count = uint64(len(whole.latencies))
	whole.add(beside)
	return whole
}

func (c *client) handshakes() report {
	if c.options.resumed != 0 {
		first, err := c.dial()
		if err != nil {
			return report{failed: true}
		}
		if _, ok := c.ask(first, c.question(), make([]byte, 16384)); !ok {
			return report{failed: true}
		}
		time.Sleep(100 * time.Millisecond) // the ticket comes after the handshake
		first.CloseWithError(0, "")
	}
	s := c.options.span()
	whole := sideBySide(c.options.inFlight, func() report {
		one := report{seconds: s.seconds()}
		question, buffer := c.question(), make([]byte, 16384)
		for now := time.Now(); now.Before(s.end) && !one.failed; {
			begin := now
			connection, err := c.dial()
			if err != nil {
				one.failed = true
				break
			}
			_, ok := c.ask(connection, question, buffer)
			now = time.Now()
			one.failed = !ok || connection.ConnectionState().TLS.DidResume != (c.options.resumed != 0)
			connection.CloseWithError(0, "")
			if s.covers(begin, now) {
				one.latencies = append(one.latencies, now.Sub(begin))
			}
		}
		return one
	})
	whole.count = uint64(len(whole.latencies))
	return whole
}

// echo keeps as many datagrams in flight as it was told to.
func (c *client) echo(connection *quic.Conn) report {
	s := c.options.span()
	one := report{seconds: s.seconds()}
	datagram := request(make([]byte, headerSize), c.options.request)
	send := func(count int) {
		for range count {
			connection.SendDatagram(datagram)
		}
	}
	untilEnd, stop := context.WithDeadline(context.Background(), s.end)
	defer stop()
	var lastEcho atomic.Int64 // nanoseconds of the span's clock
	go func() {
		// After a silence all that was in flight is lost. One ticker, not one timer for each datagram.
		ticks := time.NewTicker(datagramsAreLost / 10)
		defer ticks.Stop()
		send(c.options.inFlight)
		for {
			select {
			case <-untilEnd.Done():
				return
			case now := <-ticks.C:
				if now.Sub(s.begin)-time.Duration(lastEcho.Load()) > datagramsAreLost {
					lastEcho.Store(int64(now.Sub(s.begin)))
					send(c.options.inFlight)
				}
			}
		}
	}()
	for {
		received, err := connection.ReceiveDatagram(untilEnd)
		now := time.Since(s.begin)
		if err != nil || now >= s.end.Sub(s.begin) {
			one.failed = one.failed || untilEnd.Err() == nil && err != nil
			return one
		}
		lastEcho.Store(int64(now))
		one.failed = one.failed || !bytes.Equal(received, datagram)
		if now >= 0 {
			one.count++
		}
		send(1)
	}
}

// askAll makes a request on each of the connections at once, again and again.
func (c *client) askAll(connections []*quic.Conn) {
	question := c.question()
	for round := time.NewTicker(betweenRounds); ; <-round.C {
		var group sync.WaitGroup
		for _, connection := range connections {
			group.Go(func() {
				buffer := buffers.Get().(*[65536]byte)
				defer buffers.Put(buffer)
				c.ask(connection, question, buffer[:])
			})
		}
		group.Wait()
	}
}

// keepOpen opens the connections and keeps them until standard input ends.
func (c *client) keepOpen() report {
	var connections []*quic.Conn
	var one report
	question, buffer := c.question(), make([]byte, 16384)
	for range c.options.connections {
		connection, err := c.dial()
		if err != nil {
			fmt.Fprintln(os.Stderr, "connection", len(connections), "does not open:", err)
			return report{failed: true}
		}
		if _, ok := c.ask(connection, question, buffer); !ok {
			fmt.Fprintln(os.Stderr, "connection", len(connections), "is not answered")
			return report{failed: true}
		}
		connections = append(connections, connection)
	}
	one.count = uint64(len(connections))
	os.Stdout.WriteString("open\n")
	if c.options.mode == "active" {
		go c.askAll(connections)
	}
	io.ReadAll(os.Stdin)
	return one
}

func runClient(o options) error {
	c, err := newClient(o)
	if err != nil {
		return err
	}
	var measured report
	switch o.mode {
	case "handshakes":
		measured = c.handshakes()
	case "idle", "active":
		measured = c.keepOpen()
	default:
		connection, err := c.dial()
		if err != nil {
			return err
		}
		switch o.mode {
		case "requests":
			measured = c.requests(connection)
		case "datagrams":
			measured = c.echo(connection)
		default:
			measured = c.bulk(connection)
		}
		connection.CloseWithError(0, "")
	}
	measured.print()
	return nil
}
