package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Role says what a span is to a session.
type Role uint8

// The roles of spans.
const (
	// Plumbing is never an event: what carries requests and queries, by its kind,
	// its attributes or the package that made it.
	Plumbing Role = iota
	// Step is a step of the program itself: a span of an internal kind that is no
	// plumbing. It is an event, of the type chain, where its trace has one that
	// speaks, where it names a session itself (see [NamesSession]), or in a session
	// of this library.
	Step
	// Speaking is an event: the span is about a pipeline, in any dialect.
	Speaking
)

// RoleOf returns the role of a span, by its kind, its scope, its attributes and its
// events. It may be asked of a span that runs, which may say more later. It may be
// called from many goroutines at once.
func RoleOf(s *Span) Role {
	if isNoEvent(s.Attributes) {
		return Plumbing
	}
	if speaks(s) {
		return Speaking
	}
	return roleOf(s)
}

// speaks reports whether attributes or events of a span tell of a pipeline.
func speaks(s *Span) bool {
	if Speaks(s.Attributes) {
		return true
	}
	for i := range s.Events {
		if eventReaders[s.Events[i].Name] != nil {
			return true
		}
	}
	return false
}

// spokenBy reports whether a span speaks, and whether it does so in a dialect whose
// spans are steps where they do not say what they are.
func spokenBy(s *Span) (spoken, ofSteps bool) {
	spoken = speaks(s)
	for i := range s.Attributes {
		kv := &s.Attributes[i]
		for _, d := range dialectsOf(kv) {
			ofSteps = ofSteps || d.ofSteps && d.tells(kv)
		}
	}
	return spoken, ofSteps
}

// dialectsOf returns the dialects that an attribute may be of.
func dialectsOf(kv *attribute.KeyValue) []*dialect {
	if kv.Key == "" || kv.Value.Type() == attribute.EMPTY {
		return nil
	}
	return speakers[kv.Key[0]]
}

// tells reports whether an attribute tells a span of the dialect.
func (d *dialect) tells(kv *attribute.KeyValue) bool {
	key := string(kv.Key)
	return hasPrefix(key, d.prefixes) && !hasPrefix(key, d.identity) && (d.speaks == nil || d.speaks(kv))
}

// roleOf is RoleOf of a span that does not speak.
func roleOf(s *Span) Role {
	if s.Kind > Internal || isInstrumentation(s.Scope) {
		return Plumbing
	}
	for i := range s.Attributes {
		if key := string(s.Attributes[i].Key); hasPrefix(key, plumbingPrefixes) {
			return Plumbing
		}
	}
	return Step
}

// Speaks reports whether a span with these attributes is about an LLM pipeline
// in any dialect, rather than a plain HTTP or database span. Attributes that
// only say which session the span belongs to do not count: a processor may
// write them on every span. Neither do attributes without a value.
func Speaks(attributes []attribute.KeyValue) bool {
	for i := range attributes {
		kv := &attributes[i]
		for _, d := range dialectsOf(kv) {
			if d.tells(kv) {
				return true
			}
		}
	}
	return false
}

// NamesSession reports whether attributes name a session in the terms of a dialect.
// The one name that does not count is OpenTelemetry's own, which is for any session,
// such as one of a browser.
func NamesSession(attributes []attribute.KeyValue) bool {
	for i := range attributes {
		kv := &attributes[i]
		if rl := exactRules[string(kv.Key)]; rl != nil && kv.Key != sessionIDOfOTel && strings.HasPrefix(rl.field, "session_id") && str(kv.Value) != "" && kv.Value.Type() != attribute.EMPTY {
			return true
		}
	}
	return false
}

const sessionIDOfOTel = "session.id"

// speaksHoneyHive reports whether any attribute is of HoneyHive's own dialect.
func speaksHoneyHive(attributes []attribute.KeyValue) bool {
	for i := range attributes {
		if hasPrefix(string(attributes[i].Key), honeyHive.prefixes) {
			return true
		}
	}
	return false
}

// isNoEvent reports whether attributes say that a span is no event: a filter of the
// program has left it out, or Logfire sends it in place of a span that runs, or of a line
// of a log.
func isNoEvent(attributes []attribute.KeyValue) bool {
	for i := range attributes {
		switch kv := &attributes[i]; kv.Key {
		case honeyhive.AttrLeftOut:
			return str(kv.Value) == "true"
		case "logfire.span_type":
			text := str(kv.Value)
			return text == "pending_span" || text == "log"
		}
	}
	return false
}

// plumbingPrefixes start the names of attributes that tell of requests and queries,
// by the semantic conventions of OpenTelemetry, and of what web frameworks do.
var plumbingPrefixes = []string{
	"http.", "url.", "rpc.", "messaging.", "db.", "net.", "network.", "faas.", "graphql.", "aws.", "dns.", "tls.",
	"asgi.", "wsgi.", "next.", "express.", "fastify.", "koa.", "hapi.", "nestjs.", "hono.", "aspnetcore.", "signalr.", "peer.",
}

// isInstrumentation reports whether a scope is that of a package which makes spans
// of requests and queries: OpenTelemetry's instrumentations in any language, and
// those that web frameworks, clients and databases bring along.
func isInstrumentation(scope string) bool {
	if scope == "" {
		return false
	}
	for _, prefix := range instrumentations[scope[0]] {
		// A prefix ends where a word does: a program called express-shop is none of the
		// framework.
		if rest, ok := strings.CutPrefix(scope, prefix); ok && (rest == "" || !isAlphanumeric(prefix[len(prefix)-1]) || !isAlphanumeric(rest[0]) && rest[0] != '-' && rest[0] != '_') {
			// Java's annotations are on methods of the program itself.
			return !strings.Contains(scope, "annotations")
		}
	}
	return false
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// instrumentations are the beginnings of scopes, by their first byte.
var instrumentations [256][]string

func init() {
	for _, prefix := range []string{
		// JavaScript
		"@opentelemetry/instrumentation-", "@opentelemetry/plugin-", "@vercel/otel", "next.js", "@fastify/otel", "@hono/otel", "@prisma/instrumentation", "prisma",
		"@nestjs/", "nestjs-otel", "@sentry/", "@cloudflare/", "@microlabs/otel-cf-workers", "@kubiks/otel-", "@azure/", "@pinojs/", "fastify", "express", "nitro", "remix", "sveltekit", "elysia",
		// Python
		"opentelemetry.instrumentation", "opentelemetry.exporter", "azure.core.tracing", "starlette", "fastapi", "django", "flask", "logfire.fastapi",
		// Go
		"go.opentelemetry.io/contrib/", "go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/auto", "github.com/XSAM/otelsql", "go.nhat.io/otelsql", "github.com/exaring/otelpgx",
		"github.com/uptrace/", "github.com/redis/go-redis", "github.com/go-redis/", "gorm.io/", "github.com/riandyrn/otelchi", "connectrpc.com/", "google.golang.org/grpc", "cloud.google.com/go",
		"github.com/gofiber/", "github.com/labstack/", "github.com/gin-gonic/", "github.com/nats-io/", "github.com/twmb/franz-go", "github.com/aws/",
		// Java and Kotlin
		"io.opentelemetry.", "io.quarkus.", "io.micrometer.", "org.springframework.", "io.vertx", "io.ktor",
		// .NET
		"OpenTelemetry.", "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore", "Microsoft.Azure.", "System.Net.", "Azure.", "Npgsql", "MySqlConnector", "StackExchange.", "MassTransit", "Grpc.Net.", "HotChocolate.", "Experimental.System.",
		// Ruby, PHP, Erlang and Elixir, Rust
		"OpenTelemetry::Instrumentation", "io.opentelemetry.contrib.php", "opentelemetry_phoenix", "opentelemetry_ecto", "opentelemetry_cowboy", "opentelemetry_bandit", "opentelemetry_oban", "opentelemetry_req", "opentelemetry_finch", "tower-http", "actix", "axum", "reqwest", "sqlx", "tonic",
	} {
		instrumentations[prefix[0]] = append(instrumentations[prefix[0]], prefix)
	}
}
