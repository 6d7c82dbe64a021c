// Package otlp writes finished spans as OTLP protobuf without building the
// structs of go.opentelemetry.io/proto/otlp first.
//
// The messages are equal, under proto.Equal, to the ones that the OTLP trace
// exporters of OpenTelemetry Go v1.47.0 send. There is one difference: text
// that is not valid UTF-8 makes those exporters fail, and here each run of
// invalid bytes becomes U+FFFD.
//
// The format is defined in
// https://github.com/open-telemetry/opentelemetry-proto/tree/v1.11.0.
package otlp
