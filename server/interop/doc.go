// Package interop tests the server with clients of others, as they are
// published: the package honeyhive and OpenTelemetry's SDK for JavaScript, and
// telemetrygen. It is a module of its own since these have many dependencies.
// It needs Node; npm ci in this folder installs what package-lock.json pins.
package interop
