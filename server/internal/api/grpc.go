package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/traces"
)

// OTLP over gRPC is one unary call for each signal. On the wire that is a POST of
// HTTP/2 whose body is a byte, a length of four bytes, and the message, answered in
// the same way with the status in the trailer. The protocol is that of
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md; net/http does the
// HTTP/2, so that hosts, tokens, budgets and deadlines are those of all requests.

const grpcType = "application/grpc"

// isGRPC reports whether a request is a call of gRPC.
func isGRPC(r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.Header.Get("Content-Type"), grpcType)
	return ok && r.ProtoMajor == 2 && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// Codes of gRPC that no status of HTTP stands for in its whole meaning.
const (
	grpcOK            = 0
	grpcUnimplemented = 12
)

// grpc takes a call.
func (a *API) grpc(w http.ResponseWriter, r *http.Request) error {
	of := serviceOf(r)
	if of == nil {
		return reject.Errorf(http.StatusNotFound, "there is no method %.200s", r.URL.Path)
	}
	if kind := strings.TrimPrefix(r.Header.Get("Content-Type"), grpcType); kind != "" && kind != "+proto" {
		return unsupported(r, grpcType)
	}
	message, err := unframed(r)
	if err != nil {
		return err
	}
	out, err := a.takeBody(of, message, false)
	if err != nil {
		return err
	}
	if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n > 0 {
		return reject.Errorf(http.StatusBadRequest, "the call has more than one message")
	}
	answerGRPC(w, traces.ProtoResponse(out.rejected, out.message), nil)
	return nil
}

// serviceOf returns the signal of a call, nil where there is no such method.
func serviceOf(r *http.Request) *signal {
	for _, s := range signals {
		if r.Method == http.MethodPost && r.URL.Path == "/"+s.service+"/Export" {
			return s
		}
	}
	return nil
}

// frameBytes is how long the frame of a message is.
const frameBytes = 5

// unframed returns a request whose body is the message of a call.
func unframed(r *http.Request) (*http.Request, error) {
	var frame [frameBytes]byte
	if _, err := io.ReadFull(r.Body, frame[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, reject.Errorf(http.StatusBadRequest, "the call has no message")
		}
		return nil, reject.Errorf(http.StatusRequestTimeout, "the body did not come to its end: %v", err)
	}
	size := int64(binary.BigEndian.Uint32(frame[1:]))
	message := new(http.Request)
	*message = *r
	message.Header = http.Header{}
	switch encoding := r.Header.Get("Grpc-Encoding"); {
	case frame[0] > 1:
		return nil, reject.Errorf(http.StatusBadRequest, "the flags of the message are %d: is it gRPC?", frame[0])
	case frame[0] == 1 && (encoding == "" || encoding == "identity"):
		return nil, reject.Errorf(http.StatusBadRequest, "the message is compressed, and grpc-encoding does not say how")
	case frame[0] == 1:
		message.Header.Set("Content-Encoding", encoding)
	}
	message.Header.Set("User-Agent", r.UserAgent())
	message.ContentLength = size
	message.Body = io.NopCloser(&exactly{r.Body, size})
	return message, nil
}

// exactly reads so many bytes, and fails where there are less.
type exactly struct {
	from io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.from.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// answerGRPC answers a call with a message, or with why it failed.
func answerGRPC(w http.ResponseWriter, message []byte, e *reject.Error) {
	h := w.Header()
	h.Set("Content-Type", grpcType)
	if e != nil { // without a message the headers are the trailer, too
		h.Del("Connection")
		h.Set("Grpc-Status", strconv.Itoa(callCode(e.Status)))
		h.Set("Grpc-Message", percentEncoded(reject.Bounded(e.Reason)))
		if e.Status == http.StatusUnsupportedMediaType {
			h.Set("Grpc-Accept-Encoding", "identity,gzip,zstd")
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Trailer", "Grpc-Status")
	w.WriteHeader(http.StatusOK)
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))) //nolint:gosec // an answer is short
	_, _ = w.Write(append(frame, message...))
	h.Set("Grpc-Status", strconv.Itoa(grpcOK))
}

// callCode is [grpcCode] for a call.
func callCode(status int) int {
	switch status {
	case http.StatusNotFound, http.StatusUnsupportedMediaType:
		return grpcUnimplemented
	case http.StatusMisdirectedRequest:
		return grpcCode(http.StatusForbidden)
	}
	return grpcCode(status)
}

// percentEncoded returns a text as grpc-message has it.
func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
