package soak

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// The routes that servers take.
const (
	sessionPath = "/session/start"
	batchPath   = "/events/batch"
	eventsPath  = "/events"
	tracesPath  = "/v1/traces"
)

// oracle reads what a server took, and says what is wrong with it by itself: a
// record that is malformed, whose content is not what was recorded, that came
// before its session, or that came again with another content.
type oracle struct {
	mu       sync.Mutex
	seed     maphash.Seed
	sessions map[string]state
	events   map[string]uint64 // event id to the sum of its JSON
	spans    map[string]uint64 // span id to the sum of its message
	updates  map[string]int    // id and marker
	again    int               // records that came more than once
	bare     int               // incomplete sessions without inputs
	wrong    []string          // the first of what is wrong
	wrongs   int
}

// state is what a server knows of a session.
type state uint8

const (
	known      state = 1 << iota // it was started
	finished                     // it came as it was when it ended
	incomplete                   // it came as one that did not end
)

func newOracle() *oracle {
	o := &oracle{seed: maphash.MakeSeed()}
	o.forget()
	return o
}

// forget drops what came, but not what was wrong.
func (o *oracle) forget() {
	o.sessions, o.events = make(map[string]state), make(map[string]uint64)
	o.spans, o.updates = make(map[string]uint64), make(map[string]int)
}

func (o *oracle) complain(format string, args ...any) {
	o.wrongs++
	if len(o.wrong) < 20 {
		o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
	}
}

// take reads a request.
func (o *oracle) take(r request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.method + " " + r.path {
	case "POST " + sessionPath:
		var b struct {
			Session *honeyhive.SessionStartRequest
		}
		if err := json.Unmarshal(r.body, &b); err != nil || b.Session == nil {
			o.complain("session start: %v: %.300q", err, r.body)
			return
		}
		o.session(b.Session)
	case "POST " + batchPath:
		var b struct{ Events []json.RawMessage }
		if err := json.Unmarshal(r.body, &b); err != nil || len(b.Events) == 0 {
			o.complain("events: %v: %.300q", err, r.body)
		}
		for _, text := range b.Events {
			o.event(text)
		}
	case "PUT " + eventsPath:
		var u honeyhive.Update
		if err := json.Unmarshal(r.body, &u); err != nil {
			o.complain("update: %v: %.300q", err, r.body)
			return
		}
		o.update(&u)
	case "POST " + tracesPath:
		o.traces(r.body)
	default:
		o.complain("no such route: %s %s", r.method, r.path)
	}
}

func (o *oracle) session(s *honeyhive.SessionStartRequest) {
	if err := s.Validate(); err != nil {
		o.complain("session: %v", err)
	}
	id := s.SessionID.Or("")
	if o.sessions[id]&known != 0 {
		o.again++
	}
	now := stateOf(s.Metadata, s.Outputs)
	if s.SessionName.Or("") != "s" {
		o.complain("session %s is called %q, announced for events alone: %s", id, s.SessionName.Or(""), s.AppendJSON(nil))
	}
	if now == incomplete && s.Inputs.IsEmpty() {
		o.bare++ // it was written down before its inputs were set
	} else {
		o.checkPayload("session "+id, s.Inputs)
	}
	o.sessions[id] |= known | now
}

// stateOf reads what recordChild sets when a session ends, and the exporter when
// it does not.
func stateOf(metadata, outputs honeyhive.Object) state {
	switch {
	case is(metadata, "incomplete"):
		return incomplete
	case is(outputs, "done"):
		return finished
	}
	return 0
}

func is(o honeyhive.Object, key string) bool {
	v, ok := o.Get(key)
	return ok && string(v) == "true"
}

func (o *oracle) event(text []byte) {
	var e honeyhive.Event
	err := json.Unmarshal(text, &e)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		o.complain("event: %v: %.300q", err, text)
		return
	}
	id, session := e.EventID.Or(""), e.SessionID.Or("")
	if o.sessions[session] == 0 {
		o.complain("event %s came before its session %s", id, session)
	}
	o.checkPayload("event "+id, e.Inputs)
	o.same(o.events, "event", id, text)
}

// same notes a record, and that it is the same as before if it was there before.
func (o *oracle) same(seen map[string]uint64, kind, id string, content []byte) {
	sum := maphash.Bytes(o.seed, content)
	before, ok := seen[id]
	if ok {
		o.again++
		if before != sum {
			o.complain("%s %s came again with another content: %.300q", kind, id, content)
		}
	}
	seen[id] = sum
}

func (o *oracle) update(u *honeyhive.Update) {
	id := u.EventID.Or("")
	_, isEvent := o.events[id]
	if !isEvent && o.sessions[id] == 0 {
		o.complain("update of %s, which is not there", id)
	}
	if o.sessions[id] != 0 {
		o.sessions[id] |= stateOf(u.Metadata, u.Outputs)
	}
	if marker, ok := u.Metrics.Get("marker"); ok {
		key := id + " " + string(marker)
		if o.updates[key]++; o.updates[key] > 1 {
			o.again++
		}
	}
}

func (o *oracle) traces(body []byte) {
	var m coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &m); err != nil {
		o.complain("traces: %v", err)
		return
	}
	n := 0
	for _, resource := range m.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				n++
				text, err := proto.MarshalOptions{Deterministic: true}.Marshal(span)
				if err != nil || len(span.GetTraceId()) != 16 || len(span.GetSpanId()) != 8 || span.GetName() == "" {
					o.complain("span: %v: %v", err, span)
					continue
				}
				o.same(o.spans, "span", hex.EncodeToString(span.GetSpanId()), text)
			}
		}
	}
	if n == 0 {
		o.complain("traces: no span: %.300q", body)
	}
}

// payload makes inputs whose content can be checked.
func payload(size int, salt uint64) map[string]any {
	text := strings.Repeat(fmt.Sprintf("%016x ", salt), size/17+1)[:size]
	return map[string]any{"text": text, "crc": crc32.ChecksumIEEE([]byte(text))}
}

// checkPayload checks inputs that payload made.
func (o *oracle) checkPayload(what string, inputs honeyhive.Object) {
	var p struct {
		Text string
		CRC  uint32
	}
	if err := inputs.Decode(&p); err != nil || p.Text == "" || p.CRC != crc32.ChecksumIEEE([]byte(p.Text)) {
		o.complain("%s has other inputs than were recorded: %v: %.300q", what, err, inputs.JSONText())
	}
}

// verdict returns what is wrong, or an empty text.
func (o *oracle) verdict() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wrongs == 0 {
		return ""
	}
	return fmt.Sprintf("%d times:\n%s", o.wrongs, strings.Join(slices.Clone(o.wrong), "\n"))
}
