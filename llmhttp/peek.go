package llmhttp

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// This file looks at the body of a request before it is sent, where only the body tells
// whether it is a call.

// peek says what call a request is by its body, and returns the request to send: where
// there is no copy of the body it is read here, up to the limit.
func (t *tracing) peek(r *http.Request, found route) (*http.Request, route, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, found, false
	}
	var body []byte
	switch {
	case r.GetBody != nil:
		again, err := r.GetBody()
		if err != nil {
			return r, found, false
		}
		body, _ = io.ReadAll(io.LimitReader(again, int64(t.limit)))
		_ = again.Close()
		// GetBody may have rewound the very reader that is to be sent.
		_ = r.Body.Close()
		if again, err = r.GetBody(); err == nil {
			r = r.WithContext(r.Context())
			r.Body = again
		}
	case found.inHouse && r.ContentLength <= 0: // nobody knows what its writer waits for
		return r, found, false
	default:
		var err error
		body, err = io.ReadAll(io.LimitReader(r.Body, int64(t.limit)))
		rest := io.Reader(r.Body)
		if err != nil {
			rest = failingReader{err}
		}
		r, rest = r.WithContext(r.Context()), io.MultiReader(bytes.NewReader(body), rest)
		r.Body = struct {
			io.Reader
			io.Closer
		}{rest, r.Body}
	}
	switch encoding := r.Header.Get("Content-Encoding"); {
	case encoding == "":
	case strings.EqualFold(encoding, "gzip"):
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return r, found, false
		}
		body, _ = io.ReadAll(io.LimitReader(z, int64(t.limit)))
	default:
		return r, found, false
	}
	return r, found, found.tell(&found, body)
}

// failingReader fails as the body did.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
