package page

import (
	"fmt"
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

// eventJSON sends the payload of an event.
func (p *page) eventJSON(w http.ResponseWriter, r *http.Request) error {
	payload, name, err := p.payload(r)
	if err != nil {
		return err
	}
	attach(w, name+".json", "application/json")
	_, err = w.Write(payload) //nolint:gosec // it is sent as a file
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

// curl is a command that posts a session on, and whether it reads the body from
// the file that sessionJSON sends. The key stays a variable.
func curl(s *honeyhive.SessionStartRequest) (command string, fromFile bool) {
	body := visible(startBody(s)) // as JSON writes these characters
	command = `curl -sS "${HH_API_URL:-https://api.honeyhive.ai}/session/start" \` + "\n" +
		`  -H "Authorization: Bearer $HH_API_KEY" -H "Content-Type: application/json" \` + "\n"
	if len(body) > curlMost {
		return command + "  --data-binary @session-" + s.SessionID.Or("") + ".json", true
	}
	return command + "  --data-raw '" + strings.ReplaceAll(body, "'", `'\''`) + "'", false
}
