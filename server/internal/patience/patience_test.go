package patience

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that time is that of the
// test.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "test", Net: "unix"} }

// serve runs a server in a bubble, and returns a connection to it.
func serve(t *testing.T, stopping context.Context, h http.HandlerFunc) net.Conn { //nolint:revive // as Wrap has it
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: Wrap(h, stopping), ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	ours, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() {
		_ = ours.Close()
		_ = server.Close()
		<-ended
	})
	return ours
}

func ask(t *testing.T, conn net.Conn, request string) {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

// TestNobodyReads ends an answer half a minute after its last piece was read.
func TestNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		wrote := make(chan error, 1)
		conn := serve(t, t.Context(), func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 10<<20))
			wrote <- err
		})
		ask(t, conn, get)
		if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took != stall {
			t.Errorf("after %v", took)
		}
	})
}

// TestSlowReader gets all of an answer, however long that takes.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, t.Context(), func(w http.ResponseWriter, _ *http.Request) {
			if n, err := w.Write(make([]byte, 4<<20)); n != 4<<20 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
		ask(t, conn, get)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		all := 0
		for buf := make([]byte, piece/2); err == nil; {
			var n int
			n, err = res.Body.Read(buf)
			all += n
			time.Sleep(400 * time.Millisecond)
		}
		if all != 4<<20 || !errors.Is(err, io.EOF) || time.Since(begin) < stall {
			t.Errorf("%d bytes in %v: %v", all, time.Since(begin), err)
		}
	})
}

// TestTheServerEnds leaves seconds to what runs: answers that nobody reads, and
// bodies that do not come.
func TestTheServerEnds(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		left    time.Duration
	}{
		"a read":            {get, lastReads},
		"a write":           {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", lastAnswers},
		"a body, half sent": {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf", lastAnswers},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopping, stop := context.WithCancel(t.Context())
				defer stop()
				ended := make(chan error, 1)
				conn := serve(t, stopping, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					for err == nil { // more than the time of a piece
						_, err = w.Write(make([]byte, 1<<20))
					}
					ended <- err
				})
				ask(t, conn, c.request)
				time.Sleep(10 * time.Second)
				stop()
				begin := time.Now()
				if err := <-ended; err == nil {
					t.Error("it ended by itself")
				}
				if took := time.Since(begin); took != c.left {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestFlush sends what is written, and gives it time.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, t.Context(), func(w http.ResponseWriter, _ *http.Request) {
			for n := range 3 {
				_, _ = fmt.Fprintf(w, "%d\n", n)
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Errorf("%d: %v", n, err)
				}
				time.Sleep(time.Minute)
			}
		})
		ask(t, conn, get)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || strings.Join(strings.Fields(string(text)), "") != "012" {
			t.Errorf("%q, %v", text, err)
		}
	})
}
