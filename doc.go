// Package sessionspan traces LLM and RAG pipelines as sessions on
// OpenTelemetry.
//
// A session is a root span whose attributes map onto the fields of a session
// start payload (see [honeyhive.SessionStartRequest]); the spans under it are
// its events. Sessions are delivered over HTTP to HoneyHive or to any server
// that speaks its API, and the same spans by OTLP to any collector.
//
//	tracer, err := sessionspan.New(
//		sessionspan.WithProject("Simple RAG Project"),
//		sessionspan.WithSource("playground"),
//	)
//	sessionspan.SetDefault(tracer)
//	defer tracer.Shutdown(ctx) // with a bounded context
//
//	ctx, session := sessionspan.StartSession(ctx, "Playground Session",
//		sessionspan.WithInputs(map[string]any{"question": q}))
//	defer session.EndErr(&err) // of the function that this is in
//
//	ctx, event := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve")
//	event.SetDocuments(docs...)
//	event.End()
//
// # Conversations
//
// A conversation that goes on from request to request is a session whose turns are
// started by [StartTurn], with the id that your program has for it: by any process, none
// of which needs to know the others, or which turn is the first. [Tracer.StartTurn] says
// what servers make of it. [StartSession] is for a session that begins and ends once; to
// start one id twice in a process is reported.
//
// # Values
//
// What is given as inputs, outputs and the like is encoded to JSON at once, on
// the goroutine of the caller, so that it may change afterwards; strings
// of 256 bytes and more, which cannot, are kept as they are until a worker has
// encoded them, soon after the end. Where such a string is a piece of a longer
// one, that stays in memory as long. Anything that
// encodes to a JSON object is taken: maps, structs, [json.RawMessage],
// [honeyhive.Object]. Other values are wrapped: as "input" in inputs, "result"
// in outputs, "value" elsewhere. A part that has no JSON form (a channel, a
// cycle, a marshaler that panics) is replaced by a string that says so and
// reported; its neighbours stay. Setting the same bucket again merges by
// top-level key, at a cost that follows what is added. A nil value sets nothing.
//
// A payload is nested 64 levels deep at the most, three of them around a bucket.
// What a bucket holds deeper than its 61st level, itself the first, goes on as a
// string with the JSON of that part. What a value holds deeper than 64 levels is
// replaced and reported like a part without JSON form, or, where it is raw JSON
// or comes from a marshaler, becomes a string as a whole and is reported.
//
// # Errors
//
// Recording never returns an error, never panics and never blocks longer than
// the queue's configured wait. An error that a function returns is recorded by
// [Session.EndErr] and [Event.EndErr], or where the function is run by [Run],
// [RunTurn] or [Do]; so is a panic, which goes on. What goes wrong in the background is passed to
// [otel.Handle], each kind at most once a minute. Sessions and events are safe
// for concurrent use; a nil one does nothing.
//
// # Nothing configured
//
// Without a destination the same program runs at close to no cost: nothing is
// encoded, while the identity of sessions still travels to other services.
//
// # What may change
//
// Versions are those of semantic versioning. Until v1 a minor version may change what
// is exported, and the changelog says what and how to follow; a patch changes nothing
// that compiles. What leaves the program has promises of its own:
//
//   - The payloads of the HTTP API follow HoneyHive's, and the attributes of spans the
//     conventions that package convert names. A name that they give up is still read.
//   - Ids are the same for the same trace, span, project and name in every version, so
//     that services of different versions share their sessions.
//   - What is on disk (the spool, the file of the server, recorded calls) is read by the
//     two minor versions after the one that wrote it. An older version does not read
//     what a newer one wrote, says so, and leaves it as it is.
package sessionspan
