package ingest

import (
	"math"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// maxTime is the time in milliseconds, from the epoch or as a duration, on either
// side of zero, past which a number is no time that a program meant: some 30,000
// years.
const maxTime = 1e15

// bound takes times that are none out of a record. What was said of one stays in
// the metadata, under a name such as original_duration.
func bound(w *store.Write) {
	switch {
	case w.Session != nil:
		boundTimes(&w.Session.Metadata, &w.Session.StartTime, &w.Session.EndTime, &w.Session.Duration)
	case w.Event != nil:
		boundTimes(&w.Event.Metadata, &w.Event.StartTime, &w.Event.EndTime, &w.Event.Duration)
	case w.Update != nil:
		boundTimes(&w.Update.Metadata, nil, &w.Update.EndTime, &w.Update.Duration)
	}
}

func boundTimes(metadata *honeyhive.Object, start, end, duration *honeyhive.Optional[float64]) {
	for _, f := range [...]struct {
		name  string
		field *honeyhive.Optional[float64]
	}{{"original_start_time", start}, {"original_end_time", end}, {"original_duration", duration}} {
		if f.field == nil {
			continue
		}
		if v, ok := f.field.Get(); ok && !(math.Abs(v) <= maxTime) {
			*metadata, _ = metadata.With(f.name, v) // what is no number is a text there
			*f.field = honeyhive.Optional[float64]{}
		}
	}
}
