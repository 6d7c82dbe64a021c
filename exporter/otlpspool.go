package exporter

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/otlp"
	"github.com/sessionspan/sessionspan/internal/version"
)

// spooledCollector is the destination of spans that go to a collector by way of a
// spool: it holds each span as the bytes that are sent.
type spooledCollector struct {
	client     *delivery.Client
	privacy    privacy
	cut        cutter
	bucketKeys bool
	spansOnly
}

func newSpooledOTLP(c config, limits delivery.Config, endpoint *url.URL, headers map[string]string, transport http.RoundTripper, bucketKeys bool) (*Exporter, error) {
	client, err := delivery.NewClient(delivery.ClientConfig{
		URL: endpoint.String(), Insecure: true, ContentType: "application/x-protobuf", Headers: headers,
		Gzip:      strings.EqualFold(otlpEnv("COMPRESSION"), "gzip"),
		UserAgent: "sessionspan-go/" + version.Version, Transport: transport,
	})
	if err != nil {
		return nil, err
	}
	d := &spooledCollector{client: client, privacy: c.privacy, cut: c.cutter(), bucketKeys: bucketKeys}
	e := &Exporter{
		engine: delivery.New(limits, d), privacy: c.privacy,
		close: func(context.Context) error { client.CloseIdle(); return nil },
	}
	return e, c.keep(e.engine, endpoint.String(), "otlp")
}

var _ delivery.Durable = (*spooledCollector)(nil)

// Encode writes the copy of the span that the endpoint gets.
func (o *spooledCollector) Encode(r *delivery.Record) error {
	s := collectorSpan(o.cut.span(o.privacy.span(r.Value.(sdktrace.ReadOnlySpan))), o.bucketKeys)
	r.Body, r.Value = otlp.AppendTraces(nil, s), nil
	return nil
}

// Send posts a batch.
func (o *spooledCollector) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	bodies := make([][]byte, len(batch))
	for i, r := range batch {
		bodies[i] = r.Body
	}
	body, err := otlp.Join(nil, bodies...)
	if err != nil {
		return delivery.Result{Outcome: delivery.Bad, Err: err}
	}
	answer := o.client.Do(ctx, http.MethodPost, "", body)
	result := answer.Result()
	if result.Outcome == delivery.Delivered {
		if n, message := otlp.Rejected(answer.Header.Get("Content-Type"), answer.Body); n > 0 {
			result.Refused = int(min(n, int64(len(batch))))
			result.Err = fmt.Errorf("the collector rejected %d spans: %.512q", n, answer.Hide.Hide(message))
		}
	}
	if result.Err != nil {
		result.Err = wrap("send spans", result.Err)
	}
	return result
}

// Store keeps the bytes.
func (o *spooledCollector) Store(*delivery.Record) []byte { return nil }

// Restore has nothing to do: the bytes are all there is.
func (o *spooledCollector) Restore(*delivery.Record) error { return nil }

// StoreAnnounced is never called: spans belong to no group.
func (o *spooledCollector) StoreAnnounced(any) []byte { return nil }

// RestoreAnnounced is never called.
func (o *spooledCollector) RestoreAnnounced([]byte) (any, error) { return nil, nil }

// Incomplete is never called.
func (o *spooledCollector) Incomplete([]byte, any) (*delivery.Record, error) { return nil, nil }

// Show returns the span as OTLP/JSON.
func (o *spooledCollector) Show(r *delivery.Record) []byte {
	text, err := otlp.JSON(r.Body)
	if err != nil {
		return nil
	}
	return text
}
