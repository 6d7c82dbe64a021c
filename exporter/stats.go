package exporter

import (
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
)

// Stats is the account of one destination. A record is a session, an event, an
// update, or, for collectors and foreign exporters, a span. At any moment
//
//	Created + Adopted = Delivered + Waiting + WaitingOnDisk + SetAside + the sum of Dropped
//
// Counts are of the life of the exporter.
type Stats struct {
	// Destination is the name of the destination: see [WithName].
	Destination string
	// Created counts the records of this process that were to be delivered.
	Created int64
	// Adopted counts the records that the spools of ended processes held.
	Adopted int64
	// Delivered counts the records that the destination acknowledged.
	Delivered int64
	// Waiting counts the records in memory: in the queue, held for their session, in
	// flight, to be tried again, or undecided.
	Waiting int64
	// Undecided counts those of the waiting records whose session may still be left
	// out by tail sampling. They take none of Limits.QueueBytes but of the bound that
	// the tracer has for them, and do not count in OldestAge.
	Undecided int64
	// WaitingBytes is what the waiting records take of Limits.QueueBytes.
	WaitingBytes int64
	// WaitingOnDisk counts the records that wait in the spool alone.
	WaitingOnDisk int64
	// SpoolBytes is what the spool takes on disk for this process, with what it
	// took over from others; 0 without a spool.
	SpoolBytes int64
	// Spooled counts the records of this process that were written to the spool.
	Spooled int64
	// SetAside counts the records that the server refused and that the spool keeps in
	// its refused.jsonl. Without a spool those are Dropped.
	SetAside int64
	// Retried counts the times that a record was sent again.
	Retried int64
	// Dropped counts the records that are lost, by reason; nil while none is. The map
	// belongs to the caller.
	Dropped map[Reason]int64
	// OldestAge is how long ago the oldest record was created that waits in memory or
	// on disk; 0 when none waits.
	OldestAge time.Duration
}

// A Reason says why a record was dropped: [QueueFull], [TooLarge], [Refused],
// [Broken], [Closed], [Unreadable], [SampledOut] or [Discarded].
type Reason string

// The reasons for which records are dropped. Their texts are the values of the
// attribute "reason" of the metric of drops.
const (
	// QueueFull records found the destination holding as many bytes as it may.
	QueueFull Reason = "queue_full"
	// TooLarge records are larger, each alone, than the server takes (413).
	TooLarge Reason = "too_large"
	// Refused records are not taken by the server, or fail a foreign exporter.
	Refused Reason = "refused"
	// Broken records could not be encoded: a redactor that ended its goroutine, an
	// update with an id that is none.
	Broken Reason = "broken"
	// Closed records came after Shutdown, or were left when Shutdown had to end.
	Closed Reason = "closed"
	// Unreadable records were in the spool, and could not be read back.
	Unreadable Reason = "unreadable"
	// SampledOut records were left out on purpose, with the whole of their session, by
	// the tail sampling of a tracer. They are no error of a flush.
	SampledOut Reason = "sampled_out"
	// Discarded records were dropped on purpose, since their session was discarded while
	// it ran. They are no error of a flush.
	Discarded Reason = "discarded"
)

// Stats returns the account of the destination. That of a nil Exporter is empty.
func (e *Exporter) Stats() Stats {
	if e.none() {
		return Stats{}
	}
	return statsOf(e.engine.Stats())
}

// statsOf returns the account that an engine keeps.
func statsOf(s delivery.Stats) Stats {
	stats := Stats{
		Destination: s.Destination, Created: s.Created, Adopted: s.Adopted, Delivered: s.Delivered,
		Waiting: s.Waiting, Undecided: s.Undecided, WaitingBytes: s.WaitingBytes, WaitingOnDisk: s.WaitingOnDisk,
		SpoolBytes: s.SpoolBytes, Spooled: s.Spooled, SetAside: s.SetAside, Retried: s.Retried, OldestAge: s.OldestAge,
	}
	if s.Dropped != nil {
		stats.Dropped = make(map[Reason]int64, len(s.Dropped))
		for why, n := range s.Dropped {
			stats.Dropped[Reason(why)] = n
		}
	}
	return stats
}
