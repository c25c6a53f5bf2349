package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// What the first byte of a stream asks the server to do.
const (
	kindAnswer = 0
	kindPour   = 1
	kindCount  = 2

	headerSize = 8
	endless    = 1<<56 - 1
)

const (
	// Prime, so that bytes of the wrong place do not match.
	period = 65521
	block  = 4 * period
)

// One period more than is written at once.
var pattern = makePattern()

func makePattern() []byte {
	state := uint64(0x9e3779b97f4a7c15)
	made := make([]byte, block+period)
	for i := range made {
		if i < period {
			state = state*6364136223846793005 + 1442695040888963407
			made[i] = byte(state >> 56)
		} else {
			made[i] = made[i-period]
		}
	}
	return made
}

// patternFrom returns up to `most` bytes of the pattern from an offset on.
func patternFrom(offset, most uint64) []byte {
	begin := offset % period
	return pattern[begin : begin+min(most, block)]
}

// checker compares a stream with the pattern.
type checker struct {
	offset uint64
	wrong  bool
}

func (c *checker) check(received []byte) {
	for len(received) > 0 {
		expected := patternFrom(c.offset, uint64(len(received)))
		if !bytes.Equal(received[:len(expected)], expected) {
			c.wrong = true
		}
		c.offset += uint64(len(expected))
		received = received[len(expected):]
	}
}

func header(kind, size uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, kind<<56|size)
}

// request is the header and the pattern, `size` bytes in all.
func request(head []byte, size int) []byte {
	return append(head, patternFrom(0, uint64(max(0, size-headerSize)))...)
}

type options struct {
	listen, connect, cert, key, ca, mode                 string
	seconds                                              float64
	streams, request, inFlight, connections, write, rate int
	response                                             uint64
	bulk, resumed, datagram, window                      int
}

func parse(arguments []string) options {
	var o options
	flags := flag.NewFlagSet("driver", flag.ExitOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&o.connect, "connect", "", "")
	flags.StringVar(&o.cert, "cert", "", "")
	flags.StringVar(&o.key, "key", "", "")
	flags.StringVar(&o.ca, "ca", "", "")
	flags.StringVar(&o.mode, "mode", "down", "")
	flags.Float64Var(&o.seconds, "seconds", 2, "")
	flags.IntVar(&o.streams, "streams", 1, "")
	flags.IntVar(&o.request, "request", 64, "")
	flags.Uint64Var(&o.response, "response", 64, "")
	flags.IntVar(&o.inFlight, "in-flight", 1, "")
	flags.IntVar(&o.connections, "connections", 1, "")
	flags.IntVar(&o.write, "write", block, "")
	flags.IntVar(&o.rate, "rate", 0, "")
	flags.IntVar(&o.bulk, "bulk", 0, "")
	flags.IntVar(&o.resumed, "resumed", 0, "")
	flags.IntVar(&o.datagram, "datagram", 1452, "")
	flags.IntVar(&o.window, "window", 1<<20, "")
	flags.Parse(arguments)
	return o
}

// span is the measured part of a run; the first tenth lets congestion control and caches settle.
type span struct{ begin, end time.Time }

func (o options) span() span {
	now := time.Now()
	whole := time.Duration(o.seconds * float64(time.Second))
	return span{now.Add(whole / 10), now.Add(whole)}
}

func (s span) seconds() float64 { return s.end.Sub(s.begin).Seconds() }
func (s span) over() bool       { return !time.Now().Before(s.end) }

// covers says whether what began and ended then counts.
func (s span) covers(begin, end time.Time) bool {
	return !begin.Before(s.begin) && end.Before(s.end)
}

// report is what a client measured.
type report struct {
	down, up, count uint64
	seconds         float64
	failed          bool
	latencies       []time.Duration
}

func (r *report) add(other report) {
	r.down += other.down
	r.up += other.up
	r.count += other.count
	r.seconds = max(r.seconds, other.seconds)
	r.failed = r.failed || other.failed
	r.latencies = append(r.latencies, other.latencies...)
}

func (r *report) quantile(share float64) float64 {
	if len(r.latencies) == 0 {
		return 0
	}
	rank := max(1, int(math.Ceil(share*float64(len(r.latencies)))))
	return float64(r.latencies[rank-1].Nanoseconds()) / 1e3
}

func (r *report) print() {
	slices.Sort(r.latencies)
	fmt.Printf("{\"bytes_down\": %d, \"bytes_up\": %d, \"count\": %d, \"seconds\": %.6f, \"verified\": %t, "+
		"\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
		r.down, r.up, r.count, r.seconds, !r.failed, r.quantile(0.5), r.quantile(0.99), r.quantile(0.999))
}

// unsupported says why this library has no such figure, and leaves.
func unsupported(reason string) {
	fmt.Printf("{\"unsupported\": %q}\n", reason)
	os.Exit(0)
}
