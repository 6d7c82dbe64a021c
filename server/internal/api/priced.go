package api

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// priced returns the payload of an event with what prices say of it.
func priced(e *store.Event) *honeyhive.Event {
	metadata := e.Payload.Metadata
	if v, ok := e.Derived.Get(); ok {
		metadata, _ = metadata.With("cost_derived", v) // a number and texts always have a form
		metadata, _ = metadata.With("cost_derived_currency", e.DerivedCurrency)
	}
	if e.Unpriced {
		metadata, _ = metadata.With("cost_unknown", true)
	}
	out := e.Payload
	out.Metadata = metadata
	return &out
}
