// Package exporter delivers sessions. It turns finished spans into the payloads
// of package honeyhive and sends them over HTTP ([NewHTTP]) or writes them as
// JSON lines ([NewLines]), sends the same spans to a collector by OTLP
// ([NewOTLP]), or gives them to any other SpanExporter ([Wrap]).
//
// # Two ways to feed it
//
// Package sessionspan feeds exporters from its own span processor, which sees
// sessions start: [Exporter.OnStart], [Exporter.OnEnd], [Exporter.Update].
//
// An [Exporter] is an OpenTelemetry SpanExporter as well, so it can stand behind
// any span processor. There it learns of a session when its root span ends, and
// until then holds what belongs to it.
//
// # One payload for each session
//
// A session is sent when it ends; its events follow. One that still runs after
// 30 seconds and has finished events is announced with what is known by then,
// as is the oldest one when the events that wait take more than half of the
// byte limit, and every one at ForceFlush. At its end an announced session is
// sent as an update; what an update cannot change goes to its metadata. A
// session that runs when the exporter is shut down is sent with
// "incomplete": true in its metadata.
//
// # Delivery
//
// Each exporter has a queue of its own, bounded in bytes, and retries for as
// long as there is room, so that one that fails is not felt by the others.
// [Exporter.Stats] accounts for every record. All methods are safe for
// concurrent use.
package exporter
