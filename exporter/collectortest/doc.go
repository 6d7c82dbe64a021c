// Package collectortest sends sessions to a real OpenTelemetry Collector, as
// package exporter does it and as OpenTelemetry's own exporter does, and compares
// what arrives. It has a module of its own, since the Collector is large.
package collectortest
