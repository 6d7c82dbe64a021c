package otlp

import (
	"encoding/json"
	"mime"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Rejected reads the number of spans that a server rejected, and its message,
// from the body of an ExportTraceServiceResponse. The content type is that of
// the response: application/json, or protobuf if it is empty,
// application/x-protobuf or application/protobuf. A body of another type, and
// one that cannot be read, rejects nothing. A message without rejected spans is
// a warning.
func Rejected(contentType string, body []byte) (spans int64, message string) {
	mediaType := ""
	if contentType != "" {
		var err error
		if mediaType, _, err = mime.ParseMediaType(contentType); err != nil {
			return 0, ""
		}
	}
	switch mediaType {
	case "application/json":
		spans, message = rejectedJSON(body)
	case "", "application/x-protobuf", "application/protobuf":
		spans, message = rejectedProto(body)
	}
	return max(0, spans), validText(message)
}

func rejectedJSON(body []byte) (int64, string) {
	var response struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"` // a string in OTLP/JSON; servers send numbers too
			ErrorMessage  string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return 0, ""
	}
	partial := response.PartialSuccess
	spans, err := strconv.ParseInt(partial.RejectedSpans.String(), 10, 64)
	if err != nil {
		spans = 0
	}
	return spans, partial.ErrorMessage
}

func rejectedProto(body []byte) (spans int64, message string) {
	ok := eachField(body, func(number protowire.Number, partial []byte, _ uint64) bool {
		return number != responsePartialSuccess || eachField(partial, func(number protowire.Number, text []byte, n uint64) bool {
			switch number {
			case partialRejectedSpans:
				spans = int64(n)
			case partialErrorMessage:
				message = string(text)
			}
			return true
		})
	})
	if !ok {
		return 0, ""
	}
	return spans, message
}

// eachField calls visit with the number and the content or varint of each field
// of a message. eachField reports whether all of the message could be read.
func eachField(b []byte, visit func(protowire.Number, []byte, uint64) bool) bool {
	for len(b) > 0 {
		number, wireType, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, wireType, b); n < 0 {
			return false
		}
		ok := true
		switch wireType {
		case protowire.BytesType:
			content, _ := protowire.ConsumeBytes(b)
			ok = visit(number, content, 0)
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(b)
			ok = visit(number, nil, v)
		default: // the response has no other fields
		}
		if !ok {
			return false
		}
		b = b[n:]
	}
	return true
}
