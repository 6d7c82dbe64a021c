// Package peer has the clients that are measured, each used as its own
// documentation has it, with the same content.
package peer

import (
	"context"

	"github.com/sessionspan/sessionspan/bench/workload"
	"github.com/sessionspan/sessionspan/exporter"
)

// Env is where a client sends to, and what it is given.
type Env struct {
	URL string // of the server
	Dir string // an empty directory, for a spool
	Raw bool   // content comes as encoded JSON rather than as maps
}

// Client is a client that runs. Its methods may be called from one goroutine, and
// those of its roots from many.
type Client interface {
	// Root starts a session, or what is nearest to one.
	Root() Root
	// Flush sends what ended, where the client can be told to.
	Flush(context.Context) error
	// Close sends what is left and stops.
	Close(context.Context) error
}

// Root is a session that runs.
type Root interface {
	Call(*workload.Content) // one call of a model
	Empty()                 // a step without anything in it
	End()
}

// Peer is a client that can be measured.
type Peer struct {
	Name   string
	Module string // whose version is told
	// Open holds where a root may stay open while its children are sent; it is
	// unset where they wait for it.
	Open bool
	// Raw is set where content can be given as encoded JSON.
	Raw   bool
	Start func(Env) (Client, error)
}

const (
	sdkModule  = "go.opentelemetry.io/otel/sdk"
	ourModule  = "github.com/sessionspan/sessionspan"
	tracerName = "bench"
	callName   = "chat gpt-4o"
	rootName   = "conversation"
	stepName   = "step"
	gzipName   = "gzip"
)

// All returns the peers, those that are compared with first.
func All() []Peer {
	return []Peer{
		{"otel", sdkModule, true, true, startOTel("", recordContent)},
		{"otel-same", sdkModule, true, true, startOTel("", recordAll)},
		{"otel-gzip", sdkModule, true, true, startOTel(gzipName, recordContent)},
		{"otel-json", sdkModule, true, false, startOTelJSON},
		{"sessionspan-otlp", ourModule, true, true, startOurs(ours{otlp: true})},
		{"sessionspan-otlp-gzip", ourModule, true, true, startOurs(ours{otlp: true, compression: exporter.Gzip})},
		{"sessionspan-otlp-zstd", ourModule, true, true, startOurs(ours{otlp: true, compression: exporter.Zstd})},
		{"sessionspan-sdk-gzip", ourModule, true, true, startOursBySDK},
		{"sessionspan-otlp-spool", ourModule, true, true, startOurs(ours{otlp: true, spool: true})},
		{"sessionspan-otlp-spool-gzip", ourModule, true, true, startOurs(ours{otlp: true, spool: true, compression: exporter.Gzip})},
		{"sessionspan-http", ourModule, false, true, startOurs(ours{})},
		{"sessionspan-http-gzip", ourModule, false, true, startOurs(ours{compression: exporter.Gzip})},
		{"sessionspan-http-zstd", ourModule, false, true, startOurs(ours{compression: exporter.Zstd})},
		{"sessionspan-http-spool", ourModule, false, true, startOurs(ours{spool: true})},
		{"langfuse-henomis", "github.com/henomis/langfuse-go", false, false, startLangfuse},
		{"dd-llmobs", "github.com/DataDog/dd-trace-go/v2", false, false, startLLMObs},
	}
}

// Missing lists the peers that cannot be run, and why.
func Missing() map[string]string {
	const refused = "the public Go module proxy does not serve it: 403, this module version is not available"
	return map[string]string{
		"`github.com/git-hulk/langfuse-go`":       refused,
		"`github.com/langwatch/langwatch/sdk-go`": refused,
		"`github.com/coze-dev/cozeloop-go`":       refused,
	}
}

// Find returns the peer of that name.
func Find(name string) (Peer, bool) {
	for _, p := range All() {
		if p.Name == name {
			return p, true
		}
	}
	return Peer{}, false
}
