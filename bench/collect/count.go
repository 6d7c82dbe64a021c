package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// kind says what the body of a request holds.
type kind int

const (
	other          kind = iota
	otlpTraces          // ExportTraceServiceRequest
	honeyhiveOne        // a session, an event or an update
	honeyhiveBatch      // {"events": […]}
	langfuseBatch       // {"batch": […]}
	datadogSpans        // [{"spans": […]}, …]
)

func kindOf(r *http.Request) kind {
	switch r.URL.Path {
	case "/v1/traces":
		return otlpTraces
	case "/session/start", "/v1/sessions", "/events", "/v1/events":
		return honeyhiveOne
	case "/events/batch", "/v1/events/batch":
		return honeyhiveBatch
	case "/api/public/ingestion":
		return langfuseBatch
	case "/evp_proxy/v2/api/v2/llmobs":
		return datadogSpans
	}
	return other
}

// count returns the number of records in a body.
func count(b body) (int, error) {
	data, err := plain(b)
	if err != nil {
		return 0, err
	}
	switch b.kind {
	case otlpTraces:
		return countSpans(data)
	case honeyhiveOne:
		if !json.Valid(data) {
			return 0, fmt.Errorf("count: a body of %d bytes is no JSON", len(data))
		}
		return 1, nil
	case honeyhiveBatch:
		var batch struct {
			Events []json.RawMessage `json:"events"`
		}
		err = json.Unmarshal(data, &batch)
		return len(batch.Events), err
	case langfuseBatch:
		var batch struct {
			Batch []json.RawMessage `json:"batch"`
		}
		err = json.Unmarshal(data, &batch)
		return len(batch.Batch), err
	case datadogSpans:
		var batch []struct {
			Spans []json.RawMessage `json:"spans"`
		}
		err = json.Unmarshal(data, &batch)
		n := 0
		for _, r := range batch {
			n += len(r.Spans)
		}
		return n, err
	}
	return 0, nil
}

// plain undoes the compression of a body.
func plain(b body) ([]byte, error) {
	switch strings.ToLower(b.encoding) {
	case "", "identity":
		return b.data, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(b.data))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		return io.ReadAll(r)
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(b.data))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("decompress: encoding %q is not known", b.encoding)
}

// countSpans counts the spans of an ExportTraceServiceRequest: field 2 of field 2
// (scope spans) of field 1 (resource spans).
func countSpans(data []byte) (int, error) {
	n := 0
	err := fields(data, 1, func(resource []byte) error {
		return fields(resource, 2, func(scope []byte) error {
			return fields(scope, 2, func([]byte) error { n++; return nil })
		})
	})
	return n, err
}

// fields calls visit with each value of a field that is a message.
func fields(data []byte, number protowire.Number, visit func([]byte) error) error {
	for len(data) > 0 {
		got, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("read OTLP: %w", protowire.ParseError(n))
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(got, typ, data)
		if size < 0 {
			return fmt.Errorf("read OTLP: %w", protowire.ParseError(size))
		}
		if got == number && typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data)
			if err := visit(value); err != nil {
				return err
			}
		}
		data = data[size:]
	}
	return nil
}
