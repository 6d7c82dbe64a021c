package traces

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Field numbers of the response to an export of any signal, and of its partial success.
const (
	responsePartialSuccess = 1
	partialRejected        = 1
	partialErrorMessage    = 2
)

// ProtoResponse returns the answer to a request of which some spans, or log records,
// may have been rejected, as protobuf.
func ProtoResponse(rejected int, message string) []byte {
	if rejected == 0 && message == "" {
		return nil
	}
	var partial []byte
	partial = protowire.AppendVarint(protowire.AppendTag(partial, partialRejected, protowire.VarintType), uint64(rejected))
	partial = protowire.AppendString(protowire.AppendTag(partial, partialErrorMessage, protowire.BytesType), message)
	return protowire.AppendBytes(protowire.AppendTag(nil, responsePartialSuccess, protowire.BytesType), partial)
}

// JSONResponse is [ProtoResponse] as JSON. The field that counts what was rejected is
// rejectedSpans, or has another name for another signal.
func JSONResponse(field string, rejected int, message string) []byte {
	if rejected == 0 && message == "" {
		return []byte("{}")
	}
	out := append([]byte(`{"partialSuccess":{`), honeyhive.StringValue(field)...)
	out = strconv.AppendInt(append(out, `:"`...), int64(rejected), 10)
	out = append(append(out, `","errorMessage":`...), honeyhive.StringValue(message)...)
	return append(out, "}}"...)
}

// Field numbers of google.rpc.Status, in which a failure is answered.
const (
	statusCode    = 1
	statusMessage = 2
)

// ProtoStatus returns a failure as the google.rpc.Status that OTLP/HTTP asks
// for: a code of gRPC and a message.
func ProtoStatus(code int, message string) []byte {
	out := protowire.AppendVarint(protowire.AppendTag(nil, statusCode, protowire.VarintType), uint64(code))
	return protowire.AppendString(protowire.AppendTag(out, statusMessage, protowire.BytesType), message)
}

// JSONStatus is [ProtoStatus] as JSON.
func JSONStatus(code int, message string) []byte {
	out := strconv.AppendInt([]byte(`{"code":`), int64(code), 10)
	return append(append(append(out, `,"message":`...), honeyhive.StringValue(message)...), '}')
}
