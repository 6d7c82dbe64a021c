package traces

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// TracesData and ExportTraceServiceRequest are the same on the wire; the first
// needs no gRPC.

// Proto reads the protobuf encoding.
func Proto(body []byte) (*Request, error) {
	data := new(tracepb.TracesData)
	if err := (proto.UnmarshalOptions{RecursionLimit: MaxDepth}).Unmarshal(body, data); err != nil {
		return nil, fmt.Errorf("read OTLP protobuf: %w", plain(err))
	}
	return spans(data, protoID), nil
}

// JSON reads the JSON encoding, in which ids are hexadecimal, enumerations are
// numbers, and 64-bit integers are strings or numbers. Unknown fields are
// ignored, as the specification asks.
func JSON(body []byte) (*Request, error) {
	data := new(tracepb.TracesData)
	options := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: MaxDepth}
	if err := options.Unmarshal(body, data); err != nil {
		return nil, fmt.Errorf("read OTLP JSON: %w", plain(err))
	}
	return spans(data, jsonID), nil
}

// protoID copies an id.
func protoID(dst, field []byte) error {
	if len(field) != len(dst) {
		return fmt.Errorf("is %d bytes long, not %d", len(field), len(dst))
	}
	copy(dst, field)
	return nil
}

// jsonID reads a hexadecimal id that protojson took for base64. Every
// hexadecimal digit is one of base64 too, and an id has a multiple of four of
// them, so that encoding gives the text again.
func jsonID(dst, field []byte) error {
	text := base64.StdEncoding.EncodeToString(field)
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("has not %d hexadecimal digits", hex.EncodedLen(len(dst)))
	}
	if _, err := hex.Decode(dst, []byte(text)); err != nil {
		return errors.New("has a character that is no hexadecimal digit")
	}
	return nil
}

// plain returns the error without the marks that the protobuf module adds, and
// with ordinary spaces: it varies them on purpose.
func plain(err error) error {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return errors.New(strings.TrimPrefix(text, "proto: "))
}
