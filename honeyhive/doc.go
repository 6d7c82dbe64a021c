// Package honeyhive holds the wire contract of the HoneyHive HTTP API: the
// payload that starts a session, the events under it, updates of both, their
// ids, and JSON both ways. It needs the standard library alone and knows
// nothing of spans.
//
// # Names of fields
//
// On the wire a field is written in snake case (session_name). Its camel case
// form (sessionName) is read as well, and written by MarshalCamelJSON. Keys
// inside maps belong to the user: they are never renamed, and their order, the
// digits of their numbers and nested nulls stay as they are.
//
// # Null, absent and empty
//
// The three are different things, and stay so on a round trip: an [Optional]
// or an [Object] is absent as its zero value, is null after [Null] or
// [NullObject], and may hold an empty value. Fields that the contract does not
// name are kept, in their order, in the Unknown field of each payload.
//
// The sources of the format are the public OpenAPI documents of the API
// (versions 1.0.21 and 1.1.0), the SessionStartRequest of its TypeScript client,
// and what the release notes of its clients say of version 1.17.0.
package honeyhive
