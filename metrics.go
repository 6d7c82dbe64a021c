package sessionspan

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/sessionspan/sessionspan/internal/measure"
	"github.com/sessionspan/sessionspan/internal/version"
)

// WithMeterProvider makes metrics by the given provider: of events, those of the
// GenAI conventions for clients, which there are with this option alone, and the
// accounts of the destinations, for which the default is the global provider. A nil
// provider is ignored.
//
// Of events, also those of package llmhttp, there are:
//
//	gen_ai.client.operation.duration            s        histogram, of every event with an operation, that is of all but chains
//	gen_ai.client.operation.time_to_first_chunk s        histogram, of streams; see [Event.MarkFirstToken]
//	gen_ai.client.token.usage                   {token}  histogram, with gen_ai.token.type: input or output
//
// with the attributes gen_ai.operation.name, gen_ai.provider.name,
// gen_ai.request.model, gen_ai.response.model, server.address and server.port as far
// as an event says them, and error.type of a duration whose event failed. The names
// and the boundaries are those of version 1.41 of the conventions. The numbers are
// those of the records of the events, whatever becomes of these: they do not depend
// on sampling, on destinations, of which there may be none, or on what is done about
// content. What is set past the event, on its span, does not count.
//
// Tokens are counted once: of an event that says what its run took, such as an agent,
// is recorded by how much that is more than the events below it count, in the same
// process. Each attempt of a client that tries again is an operation of its own. An
// event that does not end is none.
//
// [WithRedaction] and [WithRedactor] see the texts of these attributes too.
//
// Models, errors and addresses may come from outside. The SDK keeps 2,000 sets of
// attributes for each metric unless it is told otherwise, and adds up what is beyond
// them under otel.metric.overflow; values of more than 256 bytes are "_OTHER".
//
// The accounts have the attribute "destination":
//
//	sessionspan.records.created    {record}  counter, of this process
//	sessionspan.records.adopted    {record}  counter, from spools of ended processes
//	sessionspan.records.delivered  {record}  counter
//	sessionspan.records.retried    {record}  counter, at each further try
//	sessionspan.records.set_aside  {record}  counter, refused by the server
//	sessionspan.records.dropped    {record}  counter, with the attribute "reason"
//	sessionspan.records.waiting    {record}  up-down counter, with the attribute "place": memory or disk
//	sessionspan.queue.size         By        up-down counter, of what waits in memory
//	sessionspan.spool.size         By        up-down counter, on disk
//	sessionspan.records.oldest_age s         gauge, of the oldest record that waits
//
// They are the numbers of [Tracer.Stats].
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if p != nil {
			c.meters = p
		}
	})
}

// measureEvents makes the instruments for events, where a provider was given.
func (t *Tracer) measureEvents(c *config) {
	if c.meters == nil {
		return
	}
	var err error
	if t.meter, err = measure.New(t.meterOf(c.meters)); err != nil {
		c.problems = append(c.problems, fmt.Errorf("metrics: %w", err))
	}
	if len(c.policies) > 0 {
		t.meter.Redact = (&labels{policies: c.policies}).text
	}
}

func (*Tracer) meterOf(p metric.MeterProvider) metric.Meter {
	return p.Meter(scopeName, metric.WithInstrumentationVersion(version.Version()))
}

// measure makes the metrics of the accounts. The function that it returns takes them
// back.
func (t *Tracer) measure(p metric.MeterProvider) (stop func() error, err error) {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	if stop, err = measure.Accounts(t.meterOf(p), t.Stats); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return stop, nil
}
