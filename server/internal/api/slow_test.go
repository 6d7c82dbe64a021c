package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// TestSlowBody is not waited for.
func TestSlowBody(t *testing.T) {
	record := new(reject.Record)
	a := &API{Spans: ingest.New(nil), Bodies: body.NewReader(1<<20, 1<<20), Rejected: record, ReadTime: 50 * time.Millisecond}
	mux := http.NewServeMux()
	a.Register(mux)
	mux.Handle("POST /v1/traces", a.OTLP())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, path := range []string{"/session/start", "/v1/traces"} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", path)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		_ = res.Body.Close()
		_ = conn.Close()
		if last, _ := record.Last(); res.StatusCode != http.StatusRequestTimeout || last.Path != path || last.Status != res.StatusCode {
			t.Errorf("%s: %s, kept %+v", path, res.Status, last)
		}
	}
}

// TestSlowCall is not waited for, either.
func TestSlowCall(t *testing.T) {
	record := new(reject.Record)
	a := &API{Spans: ingest.New(nil), Bodies: body.NewReader(1<<20, 1<<20), Rejected: record, ReadTime: 50 * time.Millisecond}
	srv := httptest.NewUnstartedServer(a.OTLP())
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	defer srv.Close()
	transport := &http.Transport{Protocols: srv.Config.Protocols}
	defer transport.CloseIdleConnections()
	for name, sent := range map[string]string{"no frame": "\x00", "no message": "\x00\x00\x00\x00\x64x"} {
		reader, writer := io.Pipe()
		go func() { _, _ = io.WriteString(writer, sent) }()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/"+signals[0].service+"/Export", reader)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", grpcType)
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		_ = writer.Close()
		if last, _ := record.Last(); res.Header.Get("Grpc-Status") != "4" || last.Status != http.StatusRequestTimeout {
			t.Errorf("%s: %q, kept %+v", name, res.Header, last)
		}
	}
}
