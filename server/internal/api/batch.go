package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of a batch: its events, how many of them are made and written at once,
// and of how many it is said what is wrong with them.
const (
	maxBatch   = 10_000
	pieceCount = 500
	pieceBytes = 1 << 20
	maxErrors  = 100
)

// batch is a request with several events, which are taken a few at a time.
type batch struct {
	api     *API
	request *http.Request
	read    reader
	at      time.Time
	session string // that all belong to, if they belong to one

	writes []store.Write
	bytes  int
	taken  []string // ids
	errors []string // the first
	failed int      // events that were not taken
}

// takeEvents takes what is right of a batch. The answer is 200 where that is
// all, 400 where it is nothing, and otherwise 500 with the ids of those that
// were taken, as the contract has it.
func (a *API) takeEvents(w http.ResponseWriter, r *http.Request, body, name string, read reader) error {
	text, err := document(body)
	if err != nil {
		return err
	}
	b := batch{api: a, request: r, read: read, at: a.Spans.Now()}
	if err := b.take(text, name); err != nil {
		return err
	}
	status := http.StatusOK
	if b.failed > 0 {
		status = http.StatusInternalServerError
		reason := reject.Errorf(status, "%d of %d events were not taken: %s", b.failed, b.failed+len(b.taken), strings.Join(b.errors[:min(3, len(b.errors))], "; "))
		if len(b.taken) == 0 {
			reason.Status = http.StatusBadRequest
			return reason
		}
		a.Rejected.Add(r, reason)
	}
	write(w, status, jsonType, b.answer())
	return nil
}

// take reads and writes the events, which stand in a list of the name.
func (b *batch) take(text honeyhive.Value, name string) error {
	list, ok := text.Get(name)
	if !ok || list.Kind() != honeyhive.KindArray {
		return reject.Errorf(http.StatusBadRequest, "%s: is missing or no array", name)
	}
	count := 0
	for range list.Elements() {
		if count++; count > maxBatch {
			return reject.Errorf(http.StatusRequestEntityTooLarge, "%s: there are more than %d: send fewer events at once", name, maxBatch)
		}
	}
	if err := b.common(text); err != nil {
		return err
	}
	n := 0
	for element := range list.Elements() {
		packed, err := object(element, "event")
		if err == nil {
			err = b.add(packed)
		}
		if err != nil {
			b.fail(name + " " + strconv.Itoa(n) + ": " + err.Error())
		}
		n++
		if len(b.writes) < pieceCount && b.bytes < pieceBytes && n < count {
			continue
		}
		if err := b.flush(); err != nil && len(b.taken) == 0 {
			return err
		} else if err != nil { // those that were taken are stored, and their client is told so
			b.failed += count - n - 1 // the last one is told of
			b.fail(reject.As(err).Reason)
			return nil
		}
	}
	return b.flush()
}

// common reads what holds for all events of a batch: the session that the route
// names, or that is_single_session asks for, with its properties.
func (b *batch) common(text honeyhive.Value) error {
	b.session = strings.ToLower(b.request.PathValue("id"))
	properties, _ := text.Get("session_properties")
	single, _ := text.Get("is_single_session")
	if properties.Kind() == honeyhive.KindObject {
		s, err := session(properties)
		if err != nil {
			return err
		}
		if b.session == "" {
			b.session = s.SessionID.Or("")
		}
		s.SessionID = honeyhive.Some(b.session)
		b.writes = append(b.writes, store.Write{Session: s, At: b.at})
	}
	if b.session == "" && single == "true" {
		b.session = honeyhive.NewUUID().String()
	}
	if b.session != "" {
		if _, err := honeyhive.ParseUUID(b.session); err != nil {
			return reject.Errorf(http.StatusBadRequest, "session_id: %v", err)
		}
	}
	return nil
}

func (b *batch) add(text honeyhive.Value) error {
	e, err := b.read(text)
	if err != nil {
		return err
	}
	if b.session != "" {
		if e.ParentID.Or("") == e.SessionID.Or("") {
			e.ParentID = honeyhive.Some(b.session)
		}
		e.SessionID = honeyhive.Some(b.session)
	}
	b.writes = append(b.writes, store.Write{Event: e, At: b.at})
	b.bytes += len(text)
	return nil
}

// fail notes that an event was not taken.
func (b *batch) fail(reason string) {
	if b.failed++; len(b.errors) < maxErrors {
		b.errors = append(b.errors, reject.Bounded(reason))
	}
}

// flush writes the events that were read.
func (b *batch) flush() error {
	ctx := b.request.Context()
	refused, err := ingest.Write(ctx, b.api.Store, b.writes)
	if err != nil {
		for _, record := range b.writes {
			if record.Event != nil {
				b.failed++
			}
		}
		return unavailable(ctx, err)
	}
	for i, record := range b.writes {
		if err := refused[i]; err != nil {
			b.fail(err.Error())
		} else if record.Event != nil {
			b.taken = append(b.taken, record.Event.EventID.Or(""))
		}
	}
	clear(b.writes)
	b.writes, b.bytes = b.writes[:0], 0
	return nil
}

func (b *batch) answer() []byte {
	out := appendStrings([]byte(`{"success":true,"event_ids":`), b.taken)
	if b.session != "" {
		out = append(append(out, `,"session_id":`...), honeyhive.StringValue(b.session)...)
	}
	if more := b.failed - len(b.errors); more > 0 {
		b.errors = append(b.errors, fmt.Sprintf("and %d more events were not taken", more))
	}
	if len(b.errors) > 0 {
		out = appendStrings(append(out, `,"errors":`...), b.errors)
	}
	return append(out, '}')
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, honeyhive.StringValue(s)...)
	}
	return append(dst, ']')
}
