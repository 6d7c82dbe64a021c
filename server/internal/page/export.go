package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/bodies"
	"github.com/sessionspan/sessionspan/store"
)

// asked returns the session that a path names.
func (p *page) asked(r *http.Request) (store.Session, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return store.Session{}, err
	}
	return p.Store.Session(r.Context(), id)
}

// sessionJSON sends the session as the body that starts one.
func (p *page) sessionJSON(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asked(r)
	if err != nil {
		return err
	}
	attach(w, "session-"+s.ID.String()+".json", "application/json")
	_, err = w.Write([]byte(startBody(&s.Payload)))
	return err
}

// manyDownloads is how many downloads there are at once: each holds records, or
// some of them, until they are read.
const manyDownloads = 8

// download lets a handler run only while there are few that hold records.
func (p *page) download(serve func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		select {
		case p.downloads <- struct{}{}:
			defer func() { <-p.downloads }()
			return serve(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			return &problem{http.StatusServiceUnavailable, "Too many downloads", fmt.Sprintf("%d downloads are running already. Try again when one of them has ended.", manyDownloads)}
		}
	}
}

// sessionLines sends the session and its events, each in a line of its own.
func (p *page) sessionLines(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asked(r)
	if err != nil {
		return err
	}
	attach(w, "session-"+s.ID.String()+".jsonl", "application/x-ndjson")
	if s.Status != store.StatusOrphan {
		_, err = w.Write([]byte(startBody(&s.Payload) + "\n"))
	}
	for e, eventErr := range bodies.Of(r.Context(), p.Store, s.ID) {
		if err == nil {
			err = eventErr
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must not take a part for the whole
		}
		_, err = w.Write(append(e.Payload.AppendJSON([]byte(`{"event":`)), "}\n"...))
	}
	return nil
}

// sessionCase sends the session as a case for evaluations.
func (p *page) sessionCase(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asked(r)
	if err != nil {
		return err
	}
	line, err := store.AppendCase(nil, &s.Payload, store.CaseKeys{})
	if errors.Is(err, store.ErrNoCase) {
		return &problem{http.StatusNotFound, "No case", "The session has no inputs, so that no case can be made of it."}
	}
	if err != nil {
		return err
	}
	attach(w, "case-"+s.ID.String()+".jsonl", "application/x-ndjson")
	_, err = w.Write(line)
	return err
}

// eventJSON sends the payload of an event.
func (p *page) eventJSON(w http.ResponseWriter, r *http.Request) error {
	payload, name, err := p.payload(r)
	if err != nil {
		return err
	}
	attach(w, name+".json", "application/json")
	_, err = w.Write(payload)
	return err
}

// startBody is the body of POST /session/start. The API takes no null.
func startBody(s *honeyhive.SessionStartRequest) string {
	body := *s
	for _, o := range []*honeyhive.Object{&body.Config, &body.Inputs, &body.Outputs, &body.UserProperties, &body.Metrics, &body.Feedback, &body.Metadata} {
		if o.IsNull() {
			*o = honeyhive.Object{}
		}
	}
	if body.Error.IsNull() {
		body.Error = honeyhive.Optional[string]{}
	}
	if body.ChildrenIDs.IsNull() {
		body.ChildrenIDs = honeyhive.Optional[[]string]{}
	}
	return string(append(body.AppendJSON([]byte(`{"session":`)), '}'))
}

// curlMost is the largest body that stands in the command itself: shells bound
// the length of a command.
const curlMost = 32_000

// curl is the commands that post a session on, and after it its events, if there
// are any, as a batch. Where they are too long, they read the bodies from the
// files that sessionJSON and eventsJSON send. The key stays a variable.
func (p *page) curl(ctx context.Context, s *store.Session) (command string, fromFile bool, err error) {
	type call struct{ path, file, body string }
	calls := []call{{"/session/start", "session-" + s.ID.String() + ".json", startBody(&s.Payload)}}
	fromFile = s.Bytes > curlMost
	if s.Events > 0 {
		events := call{path: "/events/batch", file: "events-" + s.ID.String() + ".json"}
		if !fromFile {
			var b strings.Builder
			if err := p.writeEvents(ctx, &b, s.ID); err != nil {
				return "", false, err
			}
			events.body = b.String()
		}
		calls = append(calls, events)
	}
	total := 0
	for i := range calls {
		calls[i].body = visible(calls[i].body) // as JSON writes these characters
		total += len(calls[i].body)
	}
	fromFile = fromFile || total > curlMost
	var lines []string
	for _, c := range calls {
		line := `curl -sS "${HH_API_URL:-https://api.honeyhive.ai}` + c.path + `" \` + "\n" +
			`  -H "Authorization: Bearer $HH_API_KEY" -H "Content-Type: application/json" \` + "\n"
		if fromFile {
			line += "  --data-binary @" + c.file
		} else {
			line += "  --data-raw '" + strings.ReplaceAll(c.body, "'", `'\''`) + "'"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " &&\n"), fromFile, nil
}

// writeEvents writes the events of a session as the body of a batch.
func (p *page) writeEvents(ctx context.Context, w io.Writer, session honeyhive.UUID) error {
	before := `{"events":[`
	for e, err := range bodies.Of(ctx, p.Store, session) {
		if err != nil {
			return err
		}
		if _, err := w.Write(e.Payload.AppendJSON([]byte(before))); err != nil {
			return err
		}
		before = ","
	}
	end := "]}"
	if before != "," {
		end = before + end
	}
	_, err := io.WriteString(w, end)
	return err
}

// eventsJSON sends the events as the body of a batch.
func (p *page) eventsJSON(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asked(r)
	if err != nil {
		return err
	}
	attach(w, "events-"+s.ID.String()+".json", "application/json")
	if err := p.writeEvents(r.Context(), w, s.ID); err != nil {
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	return nil
}
