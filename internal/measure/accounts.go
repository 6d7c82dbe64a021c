package measure

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sessionspan/sessionspan/exporter"
)

// instruments are the metrics of accounts.
type instruments struct {
	created, adopted, delivered, retried, setAside, dropped metric.Int64ObservableCounter
	waiting, queue, spool                                   metric.Int64ObservableUpDownCounter
	oldest                                                  metric.Float64ObservableGauge
}

// Accounts makes the metrics of the accounts of destinations, which stats returns
// whenever they are read. The function that Accounts returns takes the metrics back.
func Accounts(m metric.Meter, stats func() []exporter.Stats) (stop func() error, err error) {
	var i instruments
	var all []metric.Observable
	counter := func(to *metric.Int64ObservableCounter, name, description string) {
		c, e := m.Int64ObservableCounter("sessionspan.records."+name, metric.WithUnit("{record}"), metric.WithDescription(description))
		*to, all = c, append(all, c)
		if e != nil {
			err = e
		}
	}
	level := func(to *metric.Int64ObservableUpDownCounter, name, unit, description string) {
		c, e := m.Int64ObservableUpDownCounter("sessionspan."+name, metric.WithUnit(unit), metric.WithDescription(description))
		*to, all = c, append(all, c)
		if e != nil {
			err = e
		}
	}
	counter(&i.created, "created", "Records of this process that were to be delivered.")
	counter(&i.adopted, "adopted", "Records that the spools of ended processes held.")
	counter(&i.delivered, "delivered", "Records that the destination acknowledged.")
	counter(&i.retried, "retried", "Sends of records after the first.")
	counter(&i.setAside, "set_aside", "Records that the server refused, kept in the spool.")
	counter(&i.dropped, "dropped", "Records that are lost.")
	level(&i.waiting, "records.waiting", "{record}", "Records that are not delivered yet.")
	level(&i.queue, "queue.size", "By", "What the records that wait in memory take of the limit.")
	level(&i.spool, "spool.size", "By", "What the spool takes on disk.")
	oldest, e := m.Float64ObservableGauge("sessionspan.records.oldest_age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest record that waits."))
	if i.oldest, all = oldest, append(all, oldest); e != nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	registration, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, s := range stats() {
			i.observe(o, &s)
		}
		return nil
	}, all...)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

func (i *instruments) observe(o metric.Observer, s *exporter.Stats) {
	destination := attribute.String("destination", s.Destination)
	here := metric.WithAttributes(destination)
	o.ObserveInt64(i.created, s.Created, here)
	o.ObserveInt64(i.adopted, s.Adopted, here)
	o.ObserveInt64(i.delivered, s.Delivered, here)
	o.ObserveInt64(i.retried, s.Retried, here)
	o.ObserveInt64(i.setAside, s.SetAside, here)
	for reason, n := range s.Dropped {
		o.ObserveInt64(i.dropped, n, metric.WithAttributes(destination, attribute.String("reason", string(reason))))
	}
	o.ObserveInt64(i.waiting, s.Waiting, metric.WithAttributes(destination, attribute.String("place", "memory")))
	o.ObserveInt64(i.waiting, s.WaitingOnDisk, metric.WithAttributes(destination, attribute.String("place", "disk")))
	o.ObserveInt64(i.queue, s.WaitingBytes, here)
	o.ObserveInt64(i.spool, s.SpoolBytes, here)
	o.ObserveFloat64(i.oldest, s.OldestAge.Seconds(), here)
}
