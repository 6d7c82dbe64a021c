package main

// The Go code of the pages needs these packages.
import (
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/propagation"
	_ "go.opentelemetry.io/otel/sdk/trace"

	_ "github.com/sessionspan/sessionspan"
	_ "github.com/sessionspan/sessionspan/evals"
	_ "github.com/sessionspan/sessionspan/llmhttp"
	_ "github.com/sessionspan/sessionspan/redact"
	_ "github.com/sessionspan/sessionspan/sessiontest"
)
