package micro

import (
	"encoding/json"
	"fmt"

	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/workload"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// jsonCases write a session with eight events: by this library, whose buckets are
// JSON since they were set; by encoding/json from the same JSON, which it checks
// and copies; by encoding/json from maps; and as a copy of what comes out.
func jsonCases() []Case {
	of := func(name string, open func(*document) (func(), error)) Case {
		return Case{Name: "json/" + name, Open: func(string) (func(int), func(), error) {
			d, err := newDocument()
			if err != nil {
				return nil, nil, err
			}
			step, err := open(d)
			return func(n int) {
				for range n {
					step()
				}
			}, nil, err
		}}
	}
	return []Case{
		of("sessionspan", func(d *document) (func(), error) {
			buf := d.append(nil)
			if !json.Valid(buf) {
				return nil, fmt.Errorf("%d bytes are no JSON", len(buf))
			}
			return func() { buf = d.append(buf[:0]) }, nil
		}),
		of("memcpy", func(d *document) (func(), error) {
			text := d.append(nil)
			buf := make([]byte, len(text))
			return func() { copy(buf, text) }, nil
		}),
		of("encoding/json, raw", func(d *document) (func(), error) {
			plain := d.plain(func(i int) (any, any, any) {
				c := d.contents[i]
				return c.RawInputs, c.RawOutputs, c.RawParameters
			})
			return func() { _, _ = json.Marshal(plain) }, nil
		}),
		of("encoding/json, maps", func(d *document) (func(), error) {
			plain := d.plain(func(i int) (any, any, any) {
				c := d.contents[i]
				return c.Inputs, c.Outputs, c.Parameters
			})
			return func() { _, _ = json.Marshal(plain) }, nil
		}),
	}
}

const (
	sessionID = "0a1b2c3d-0000-4000-8000-0123456789ab"
	startTime = 1_700_000_000_123.25
	endTime   = 1_700_000_001_456
)

// document is a session with its events.
type document struct {
	session  honeyhive.SessionStartRequest
	events   []honeyhive.Event
	ids      []string
	contents []*workload.Content
}

func newDocument() (*document, error) {
	contents, err := workload.Contents(measure.Children, 2048)
	if err != nil {
		return nil, err
	}
	d := &document{contents: contents}
	usage, err := honeyhive.ObjectOf(usage())
	if err != nil {
		return nil, err
	}
	for i, c := range contents {
		id := fmt.Sprintf("0a1b2c3d-0000-5000-8000-%012d", i)
		d.ids = append(d.ids, id)
		e := honeyhive.Event{
			EventID: honeyhive.Some(id), SessionID: honeyhive.Some(sessionID), ParentID: honeyhive.Some(sessionID),
			EventName: honeyhive.Some("chat gpt-4o"), EventType: honeyhive.Some(honeyhive.TypeModel),
			Project: honeyhive.Some("bench"), Source: honeyhive.Some("production"), Metadata: usage,
			StartTime: honeyhive.Some(startTime), EndTime: honeyhive.Some[float64](endTime), Duration: honeyhive.Some(endTime - startTime),
		}
		for _, f := range []struct {
			into *honeyhive.Object
			from json.RawMessage
		}{{&e.Inputs, c.RawInputs}, {&e.Outputs, c.RawOutputs}, {&e.Config, c.RawParameters}} {
			if *f.into, err = honeyhive.ParseObject(f.from); err != nil {
				return nil, err
			}
		}
		d.events = append(d.events, e)
	}
	d.session = honeyhive.SessionStartRequest{
		Project: honeyhive.Some("bench"), SessionName: honeyhive.Some("conversation"), Source: honeyhive.Some("production"),
		SessionID: honeyhive.Some(sessionID), ChildrenIDs: honeyhive.Some(d.ids), Inputs: d.events[0].Inputs, Outputs: d.events[7].Outputs,
		StartTime: honeyhive.Some(startTime), EndTime: honeyhive.Some[float64](endTime), Duration: honeyhive.Some(endTime - startTime),
	}
	return d, nil
}

func usage() map[string]any {
	return map[string]any{
		"prompt_tokens": workload.InputTokens, "completion_tokens": workload.OutputTokens,
		"total_tokens": workload.InputTokens + workload.OutputTokens,
	}
}

// append writes {"session": …, "events": […]}.
func (d *document) append(dst []byte) []byte {
	dst = d.session.AppendJSON(append(dst, `{"session":`...))
	dst = append(dst, `,"events":[`...)
	for i := range d.events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.events[i].AppendJSON(dst)
	}
	return append(dst, "]}"...)
}

type plainRecord struct {
	EventID   string   `json:"event_id,omitempty"`
	SessionID string   `json:"session_id"`
	ParentID  string   `json:"parent_id,omitempty"`
	EventName string   `json:"event_name,omitempty"`
	EventType string   `json:"event_type,omitempty"`
	Session   string   `json:"session_name,omitempty"`
	Children  []string `json:"children_ids,omitempty"`
	Project   string   `json:"project"`
	Source    string   `json:"source"`
	Config    any      `json:"config,omitempty"`
	Inputs    any      `json:"inputs"`
	Outputs   any      `json:"outputs"`
	Duration  float64  `json:"duration"`
	Start     float64  `json:"start_time"`
	End       float64  `json:"end_time"`
	Metadata  any      `json:"metadata,omitempty"`
}

type plainDocument struct {
	Session plainRecord   `json:"session"`
	Events  []plainRecord `json:"events"`
}

// plain is the same with tags.
func (d *document) plain(buckets func(i int) (inputs, outputs, config any)) plainDocument {
	var p plainDocument
	for i, id := range d.ids {
		inputs, outputs, config := buckets(i)
		p.Events = append(p.Events, plainRecord{
			EventID: id, SessionID: sessionID, ParentID: sessionID, EventName: "chat gpt-4o", EventType: "model", Project: "bench", Source: "production",
			Config: config, Inputs: inputs, Outputs: outputs, Metadata: usage(), Duration: endTime - startTime, Start: startTime, End: endTime,
		})
	}
	p.Session = plainRecord{
		SessionID: sessionID, Session: "conversation", Children: d.ids, Project: "bench", Source: "production",
		Inputs: p.Events[0].Inputs, Outputs: p.Events[7].Outputs, Duration: endTime - startTime, Start: startTime, End: endTime,
	}
	return p
}
