package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const ticketPatience = 20 * time.Second

// ticketCache says when the first ticket has come.
type ticketCache struct {
	tls.ClientSessionCache
	arrived chan struct{}
}

func (c ticketCache) Put(key string, state *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, state)
	select {
	case c.arrived <- struct{}{}:
	default:
	}
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
	return &tls.Config{RootCAs: pool, NextProtos: []string{o.alpn()}, KeyLogWriter: keys}, nil
}

func write(name, downloads string, content io.Reader) error {
	file, err := os.Create(filepath.Join(downloads, path.Base(name)))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
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
	return write(name, downloads, stream)
}

// fetchUntilReset expects the server to reset the stream.
func fetchUntilReset(connection *quic.Conn, name, downloads string) error {
	err := fetch(connection, name, downloads)
	var reset *quic.StreamError
	if !errors.As(err, &reset) || !reset.Remote || reset.ErrorCode != resetAtCode {
		return fmt.Errorf("the stream was not reset: %v", err)
	}
	return nil
}

// dial connects from a socket that others may share, so that the client has connection IDs: without
// them nobody who reads the capture could follow a change of its port.
func dial(host string, config *tls.Config, early bool) (*quic.Transport, *quic.Conn, error) {
	remote, err := net.ResolveUDPAddr("udp", host)
	if err != nil {
		return nil, nil, err
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, nil, err
	}
	config.ServerName, _, _ = net.SplitHostPort(host)
	transport := &quic.Transport{Conn: socket}
	dial := transport.Dial
	if early {
		dial = transport.DialEarly
	}
	connection, err := dial(context.Background(), remote, config, quicConfig())
	return transport, connection, err
}

// fetchAll fetches all of them at once over one connection, which ends when `done` says so.
func fetchAll(urls []string, o options, config *tls.Config, early bool, done func() error) error {
	fetch := fetch
	if o.resetAt {
		fetch = fetchUntilReset
	}
	first, err := url.Parse(urls[0])
	if err != nil {
		return err
	}
	transport, connection, err := dial(first.Host, config, early)
	if err != nil {
		return err
	}
	defer transport.Close()
	results := make(chan error, len(urls))
	for _, text := range urls {
		parsed, err := url.Parse(text)
		if err != nil {
			return err
		}
		go func() { results <- fetch(connection, parsed.Path, o.downloads) }()
	}
	for range urls {
		err = errors.Join(err, <-results)
	}
	tellNegotiated(connection)
	if early {
		fmt.Println("early data:", connection.ConnectionState().Used0RTT)
	}
	return errors.Join(err, done(), connection.CloseWithError(0, ""))
}

func fetchByHTTP(o options, config *tls.Config) error {
	transport := &http3.Transport{TLSClientConfig: config, QUICConfig: quicConfig()}
	client := http.Client{Transport: transport}
	results := make(chan error, len(o.urls))
	for _, text := range o.urls {
		go func() {
			response, err := client.Get(text)
			if err == nil && response.StatusCode != http.StatusOK {
				err = errors.New(response.Status)
			}
			if err == nil {
				err = write(text, o.downloads, response.Body)
			}
			results <- err
		}()
	}
	var err error
	for range o.urls {
		err = errors.Join(err, <-results)
	}
	return errors.Join(err, transport.Close())
}

func runClient(o options) error {
	if len(o.urls) == 0 {
		return errors.New("no --url")
	}
	config, err := clientTLS(o)
	if err != nil {
		return err
	}
	nothing := func() error { return nil }
	switch o.testcase {
	case "http3":
		return fetchByHTTP(o, config)
	case "multiconnect":
		for _, one := range o.urls {
			if err := fetchAll([]string{one}, o, config, false, nothing); err != nil {
				return err
			}
		}
		return nil
	case "resumption", "zerortt":
		cache := ticketCache{tls.NewLRUClientSessionCache(1), make(chan struct{}, 1)}
		config.ClientSessionCache = cache
		awaitTicket := func() error {
			select {
			case <-cache.arrived:
				return nil
			case <-time.After(ticketPatience):
				return errors.New("no session ticket came")
			}
		}
		if err := fetchAll(o.urls[:1], o, config, false, awaitTicket); err != nil {
			return err
		}
		return fetchAll(o.urls[1:], o, config, o.testcase == "zerortt", nothing)
	}
	return fetchAll(o.urls, o, config, false, nothing)
}
