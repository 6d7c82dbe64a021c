package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/unused"
	"github.com/sessionspan/sessionspan/store"
)

// nowhere is a store that forgets what it takes.
type nowhere struct{ store.Store }

func (nowhere) Write(context.Context, []store.Write) error { return nil }

func (nowhere) Speaks(context.Context, honeyhive.UUID) (bool, error) { return false, nil }

func (nowhere) Steps(context.Context) iter.Seq2[store.Edge, error] {
	return func(func(store.Edge, error) bool) {}
}

// FuzzGRPC answers any body of a call with a status, and an answer where it is good.
func FuzzGRPC(f *testing.F) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte("\x0a\x00"))
	_ = w.Close()
	framed := func(flags byte, message []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
	}
	for _, method := range signals {
		for _, encoding := range []string{"", "gzip", "zstd", "br"} {
			f.Add("/"+method.service+"/Export", encoding, framed(0, []byte("\x0a\x00")))
			f.Add("/"+method.service+"/Export", encoding, framed(1, z.Bytes()))
		}
	}
	f.Add("/x", "", slices.Concat(framed(0, nil), framed(0, nil)))
	a := &API{Spans: ingest.New(nowhere{}), Bodies: body.NewReader(1<<20, 1<<20), Rejected: new(reject.Record), Unused: new(unused.Record), ReadTime: time.Minute}
	serve := a.OTLP()
	f.Fuzz(func(t *testing.T, path, encoding string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.URL, r.ProtoMajor, r.ContentLength = &url.URL{Path: path}, 2, -1
		r.Header = http.Header{"Content-Type": {grpcType}, "Grpc-Encoding": {encoding}}
		w := httptest.NewRecorder()
		serve.ServeHTTP(w, r)
		res := w.Result()
		code, answer := res.Trailer.Get("Grpc-Status"), w.Body.Bytes()
		if code == "" {
			code = res.Header.Get("Grpc-Status")
		}
		isFramed := len(answer) >= frameBytes && int(binary.BigEndian.Uint32(answer[1:])) == len(answer)-frameBytes
		if res.StatusCode != http.StatusOK || code == "" || (code == "0") != isFramed || code != "0" && len(answer) > 0 {
			t.Errorf("%s: status %q, %d bytes", res.Status, code, len(answer))
		}
		if code == "13" || code == "14" {
			t.Errorf("%s %s", code, res.Header.Get("Grpc-Message"))
		}
	})
}
