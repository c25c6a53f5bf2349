// The race's driver on quic-go. See bench/race/README.md.
//
// quic-go has NewReno only, always prefers AES-128-GCM where AES is fast, and sends at most 1452
// bytes of UDP payload.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	socketBuffer    = 8 << 20
	largestDatagram = 1452
	// Of its usual four bytes two are soon alike among the several that each of ten thousand
	// connections has, and then one of these is never answered.
	connectionIDLength = 8
	// Less garbage collection for more memory, as anyone would set who wants speed.
	garbageCollection = 400
)

func open(address string) (*quic.Transport, error) {
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp4", local)
	if err != nil {
		return nil, err
	}
	socket.SetReadBuffer(socketBuffer)
	socket.SetWriteBuffer(socketBuffer)
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	// The plain kinds are cut to the machine's limit, the forced ones need a privilege.
	err = raw.Control(func(descriptor uintptr) {
		for _, name := range []int{syscall.SO_RCVBUFFORCE, syscall.SO_SNDBUFFORCE} {
			syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, name, socketBuffer)
		}
	})
	return &quic.Transport{Conn: socket, ConnectionIDLength: connectionIDLength}, err
}

func quicConfig(o options) *quic.Config {
	return &quic.Config{
		InitialPacketSize:              uint16(o.datagram),
		DisablePathMTUDiscovery:        true,
		InitialStreamReceiveWindow:     uint64(o.window),
		MaxStreamReceiveWindow:         uint64(o.window),
		InitialConnectionReceiveWindow: uint64(o.window),
		MaxConnectionReceiveWindow:     uint64(o.window),
		MaxIncomingStreams:             1000,
		HandshakeIdleTimeout:           20 * time.Second,
		MaxIdleTimeout:                 10 * time.Minute, // it takes minutes to open ten thousand
		EnableDatagrams:                true,
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: server|client --flag value ...")
		os.Exit(2)
	}
	o := parse(os.Args[2:])
	if o.datagram > largestDatagram {
		unsupported("quic-go sends at most 1452 bytes of payload")
	}
	debug.SetGCPercent(garbageCollection)
	run := runClient
	if os.Args[1] == "server" {
		run = runServer
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}
