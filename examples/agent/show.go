package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// show prints the session of the lines that a tracer wrote as a tree.
func show(w io.Writer, lines []byte) error {
	var session *honeyhive.SessionStartRequest
	children := make(map[string][]*honeyhive.Event)
	for line := range bytes.Lines(lines) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
			Event   *honeyhive.Event               `json:"event"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("read the session: %w", err)
		}
		switch {
		case l.Session != nil:
			session = l.Session
		case l.Event != nil:
			children[l.Event.ParentID.Or("")] = append(children[l.Event.ParentID.Or("")], l.Event)
		}
	}
	if session == nil {
		_, err := fmt.Fprintln(w, "\nThe session is not sampled (see OTEL_TRACES_SAMPLER).")
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nsession %q %.1f ms%s\n", session.SessionName.Or(""), session.Duration.Or(0), tokens(session.Metadata))
	id := session.SessionID.Or("")
	writeTree(&b, children, id, 1)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTree writes the events below a parent, in the order in which they ended.
func writeTree(b *strings.Builder, children map[string][]*honeyhive.Event, parent string, depth int) {
	for _, e := range children[parent] {
		indent := strings.Repeat("  ", depth)
		fmt.Fprintf(b, "%s%s %q %.1f ms%s\n", indent, e.EventType.Or(""), e.EventName.Or(""), e.Duration.Or(0), tokens(e.Metadata))
		switch text := e.Error.Or(""); {
		case text != "":
			fmt.Fprintf(b, "%s  %s: error: %s\n", indent, e.Inputs, text)
		case e.EventType.Or("") == honeyhive.TypeTool:
			fmt.Fprintf(b, "%s  %s: %s\n", indent, e.Inputs, e.Outputs)
		}
		writeTree(b, children, e.EventID.Or(""), depth+1)
	}
}

// tokens returns what a call of a model took.
func tokens(metadata honeyhive.Object) string {
	var m struct {
		In    int     `json:"prompt_tokens"`
		Out   int     `json:"completion_tokens"`
		First float64 `json:"time_to_first_chunk_ms"`
	}
	if err := metadata.Decode(&m); err != nil || m.In+m.Out == 0 {
		return ""
	}
	s := fmt.Sprintf(", %d tokens in, %d out", m.In, m.Out)
	if m.First > 0 {
		s += fmt.Sprintf(", the first after %.1f ms", m.First)
	}
	return s
}
