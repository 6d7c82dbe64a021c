package exporter

import (
	"crypto/sha256"
	"encoding/json"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// An announcement is what is kept of the payload that announced a session: what
// its end is compared with. The values of long inputs are kept as their SHA-256,
// since a session may run, and be remembered, for long.
type announcement struct {
	inputs                     map[string]string
	err, name, source, project honeyhive.Optional[string]
	start                      honeyhive.Optional[float64]
}

func newAnnouncement(s *honeyhive.SessionStartRequest) *announcement {
	a := &announcement{err: s.Error, name: s.SessionName, source: s.Source, project: s.Project, start: s.StartTime}
	for k, v := range s.Inputs.All() {
		if a.inputs == nil {
			a.inputs = make(map[string]string)
		}
		a.inputs[strings.Clone(k)] = digest(v) // not to keep the text that the key is a part of
	}
	return a
}

// digest returns a value as text, or the SHA-256 of a long one.
func digest(value json.RawMessage) string {
	if len(value) <= sha256.Size {
		return string(value)
	}
	sum := sha256.Sum256(value)
	return string(sum[:])
}

// amendment returns the update that makes what was announced what it became.
// The API merges maps by key, and changes no inputs, error, start time or name:
// what came after the announcement of those goes to the metadata.
func amendment(final *honeyhive.SessionStartRequest, announced *announcement) *honeyhive.Update {
	u := &honeyhive.Update{
		EventID: final.SessionID, Config: final.Config, Outputs: final.Outputs, Duration: final.Duration, EndTime: final.EndTime,
		Metadata: final.Metadata, Metrics: final.Metrics, Feedback: final.Feedback, UserProperties: final.UserProperties,
	}
	if ids, _ := final.ChildrenIDs.Get(); len(ids) > 0 {
		u.ChildrenIDs = final.ChildrenIDs
	}
	keep := func(key string, value any) {
		u.Metadata, _ = u.Metadata.With(key, value)
	}
	if later := announced.changed(final.Inputs); !later.IsZero() {
		keep("inputs", later)
	}
	for _, f := range []struct {
		key         string
		now, before honeyhive.Optional[string]
	}{
		{"error", final.Error, announced.err},
		{"session_name", final.SessionName, announced.name},
		{"source", final.Source, announced.source},
		{"project", final.Project, announced.project},
	} {
		if v, ok := f.now.Get(); ok && !f.now.Equal(f.before) {
			keep(f.key, v)
		}
	}
	if v, ok := final.StartTime.Get(); ok && !final.StartTime.Equal(announced.start) {
		keep("start_time", v)
	}
	return u
}

// changed returns the inputs that are new since the announcement.
func (a *announcement) changed(now honeyhive.Object) honeyhive.Object {
	var out honeyhive.Object
	for k, v := range now.All() {
		if old, ok := a.inputs[k]; !ok || old != digest(v) {
			out, _ = out.With(k, v)
		}
	}
	return out
}
