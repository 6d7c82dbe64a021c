package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// CaseKeys says what of a session becomes a case of an evaluation. An empty key
// stands for all of the inputs or outputs: the value of "input" or "result" where that
// is the only member, which is how a value that is no object is kept, else the object.
type CaseKeys struct {
	Input    string // member of the inputs
	Expected string // member of the outputs
}

// ErrNoCase says that a session has nothing to make a case of.
var ErrNoCase = errors.New("the session has no such input")

// AppendCase adds a session to dst as a line of cases, as evals.Load of the module
// sessionspan reads them:
//
//	{"name":"ask-caf77ace","input":…,"expected":…,"metadata":{"session_id":"caf77ace-…"}}
//
// The id is the datapoint_id of the session, where it has one. Expected is the
// feedback ground_truth where there is one, whatever the keys say, else what the
// session gave; it is left out where the session failed. It returns ErrNoCase where
// the session has no inputs, or none with the key.
func AppendCase(dst []byte, s *honeyhive.SessionStartRequest, keys CaseKeys) ([]byte, error) {
	input, ok := memberOf(s.Inputs, keys.Input, "input")
	if !ok {
		return dst, ErrNoCase
	}
	id := s.SessionID.Or("")
	line := struct {
		Name     string            `json:"name"`
		ID       json.RawMessage   `json:"id,omitempty"`
		Input    json.RawMessage   `json:"input"`
		Expected json.RawMessage   `json:"expected,omitempty"`
		Metadata map[string]string `json:"metadata"`
	}{Name: s.SessionName.Or("session") + "-" + id[:min(8, len(id))], Input: input, Metadata: map[string]string{"session_id": id}}
	var point string
	if raw, ok := s.Metadata.Get("datapoint_id"); ok && json.Unmarshal(raw, &point) == nil && point != "" {
		line.ID = raw
	}
	if truth, ok := s.Feedback.Get("ground_truth"); ok {
		line.Expected = truth
	} else if s.Error.Or("") == "" {
		line.Expected, _ = memberOf(s.Outputs, keys.Expected, "result")
	}
	text, err := json.Marshal(line)
	if err != nil {
		return dst, fmt.Errorf("make a case: %w", err)
	}
	return append(append(dst, text...), '\n'), nil
}

// memberOf returns the member with the key, or all where the key is empty.
func memberOf(o honeyhive.Object, key, wrapped string) (json.RawMessage, bool) {
	if key != "" {
		return o.Get(key)
	}
	if o.IsEmpty() {
		return nil, false
	}
	if v, ok := o.Get(wrapped); ok && o.Len() == 1 {
		return v, true
	}
	return json.RawMessage(o.JSONText()), true
}

// ExportCases writes the sessions that match the filter as cases, the oldest first,
// and returns how many it wrote, and how many have no such input. Sessions whose
// record has not arrived are neither.
func ExportCases(ctx context.Context, s Store, f Filter, keys CaseKeys, w io.Writer) (written, without int64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	written, without, err = exportCases(ctx, s, SessionQuery{Filter: f, Ascending: true}, keys, out)
	if err = errors.Join(err, out.Flush()); err != nil {
		err = fmt.Errorf("export cases: %w", err)
	}
	return written, without, err
}

func exportCases(ctx context.Context, s Store, q SessionQuery, keys CaseKeys, out *bufio.Writer) (written, without int64, err error) {
	var line []byte
	for {
		page, err := s.Sessions(ctx, q)
		if err != nil {
			return written, without, err
		}
		for i := range page.Sessions {
			session, err := s.Session(ctx, page.Sessions[i].ID)
			if errors.Is(err, ErrNotFound) || err == nil && session.Status == StatusOrphan {
				continue
			}
			if err != nil {
				return written, without, err
			}
			line, err = AppendCase(line[:0], &session.Payload, keys)
			if errors.Is(err, ErrNoCase) {
				without++
				continue
			}
			if err == nil {
				_, err = out.Write(line)
			}
			if err != nil {
				return written, without, err
			}
			written++
		}
		if page.Next == "" {
			return written, without, nil
		}
		q.After = page.Next
	}
}
