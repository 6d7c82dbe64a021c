// Package interop tests the server with clients of others, as they are published:
// those that programs trace their calls of models with, the package honeyhive, and
// OpenTelemetry's SDKs for JavaScript and Go, by each way in. It is a module of its own
// since these have many dependencies. It needs Node; npm ci in this folder installs what
// package-lock.json pins.
//
// TestClients writes the table of the README that says what becomes of what each client
// sends.
//
// Not run are clients for Python, whose registry is another one than npm's and Go's, and
// honeyhive 1.0.44, of which npm has no code.
package interop
