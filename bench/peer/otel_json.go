package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// jsonExporter is what one writes who wants spans as HoneyHive events and has no
// library for it: a struct with tags, and encoding/json.
type jsonExporter struct {
	url    string
	client *http.Client
}

type jsonEvent struct {
	EventID   string         `json:"event_id"`
	SessionID string         `json:"session_id"`
	ParentID  string         `json:"parent_id,omitempty"`
	EventName string         `json:"event_name"`
	EventType string         `json:"event_type"`
	Inputs    any            `json:"inputs,omitempty"`
	Outputs   any            `json:"outputs,omitempty"`
	Error     string         `json:"error,omitempty"`
	Config    map[string]any `json:"config,omitempty"`
	Metadata  map[string]any `json:"metadata,omitempty"`
	StartTime float64        `json:"start_time"`
	EndTime   float64        `json:"end_time"`
	Duration  float64        `json:"duration"`
}

// NewJSONExporter returns an exporter of HoneyHive events.
func NewJSONExporter(url string) sdktrace.SpanExporter { return &jsonExporter{url, &http.Client{}} }

func (e *jsonExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	var batch struct {
		Events []jsonEvent `json:"events"`
	}
	for _, s := range spans {
		batch.Events = append(batch.Events, eventOf(s))
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/events/batch", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (e *jsonExporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func eventOf(s sdktrace.ReadOnlySpan) jsonEvent {
	ev := jsonEvent{
		EventID: s.SpanContext().SpanID().String(), SessionID: s.SpanContext().TraceID().String(), EventName: s.Name(), EventType: "chain",
		Config: map[string]any{}, Metadata: map[string]any{},
		StartTime: float64(s.StartTime().UnixMicro()) / 1e3, EndTime: float64(s.EndTime().UnixMicro()) / 1e3,
	}
	ev.Duration, ev.Error = ev.EndTime-ev.StartTime, s.Status().Description
	if p := s.Parent(); p.IsValid() {
		ev.ParentID = p.SpanID().String()
	}
	for _, kv := range s.Attributes() {
		switch key := string(kv.Key); {
		case key == "honeyhive_event_type":
			ev.EventType = kv.Value.AsString()
		case key == "honeyhive_inputs":
			ev.Inputs = json.RawMessage(kv.Value.AsString())
		case key == "honeyhive_outputs":
			ev.Outputs = json.RawMessage(kv.Value.AsString())
		case key == "gen_ai.input.messages":
			ev.Inputs = map[string]json.RawMessage{"chat_history": json.RawMessage(kv.Value.AsString())}
		case key == "gen_ai.output.messages":
			ev.Outputs = map[string]json.RawMessage{"messages": json.RawMessage(kv.Value.AsString())}
		case strings.HasPrefix(key, "gen_ai.usage."):
			ev.Metadata[strings.TrimPrefix(key, "gen_ai.usage.")] = kv.Value.AsInterface()
		default:
			ev.Config[key] = kv.Value.AsInterface()
		}
	}
	return ev
}
