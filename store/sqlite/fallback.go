package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// What the row of a session takes from its topmost events is a few words of each, which
// are made out when a large event is staged and stand beside its text: so the writer,
// which makes the rows of sessions, does not read the whole of it. Texts of earlier
// versions have no such part.

// fallback returns what an event says of its session, if it is one of its topmost.
func fallback(ctx context.Context, q querier, id honeyhive.UUID) (f record.Fallback, err error) {
	column, err := eventColumn(ctx, q, id)
	if err != nil || column == nil {
		return f, err
	}
	if b, ok := bodyOf(column); ok {
		c, err := b.contents(ctx, q)
		if err != nil {
			return f, err
		}
		encoded, err := readPart(ctx, q, c.fallback)
		if err == nil && len(encoded) > 0 {
			if err = json.Unmarshal(encoded, &f); err != nil {
				err = fmt.Errorf("text %d: %w: %w", b.id, err, store.ErrCorrupt)
			}
			return f, err
		}
		if err != nil {
			return f, err
		}
	}
	payload, err := text(ctx, q, column)
	if err != nil {
		return f, err
	}
	e := topmost(honeyhive.Value(payload))
	return record.FallbackOf(e, e), nil
}

// encodeFallback returns the part of an event's text that says what fallback returns, or
// nil where that is large itself.
func encodeFallback(payload honeyhive.Value) []byte {
	const mostName = 64 << 10
	for field, value := range payload.Members() {
		if field == "event_name" && len(value) > mostName {
			return nil
		}
	}
	e := topmost(payload)
	encoded, err := json.Marshal(record.FallbackOf(e, e))
	if err != nil || len(encoded) > partBytes {
		return nil
	}
	return encoded
}

// eventPayload reads what a session has of its topmost event, or returns nil where
// there is none.
func eventPayload(ctx context.Context, q querier, id honeyhive.UUID) (*honeyhive.Event, error) {
	column, err := eventColumn(ctx, q, id)
	if err != nil || column == nil {
		return nil, err
	}
	payload, err := text(ctx, q, column)
	if err != nil {
		return nil, err
	}
	return topmost(honeyhive.Value(payload)), nil
}

// eventColumn returns the payload of an event, a text or the place of one, or nil where
// there is none.
func eventColumn(ctx context.Context, q querier, id honeyhive.UUID) (column []byte, err error) {
	if id.IsZero() {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT payload FROM record WHERE id = ? AND kind = 2`, id[:])
	if err != nil {
		return nil, err
	}
	err = each(rows, func(row scanner) error { return row.Scan(&column) })
	return column, err
}

// topmost reads of an event what a session has of its topmost one.
func topmost(payload honeyhive.Value) *honeyhive.Event {
	e := new(honeyhive.Event)
	for field, value := range payload.Members() { // few of which are asked for
		switch field {
		case "inputs":
			e.Inputs = value.Object()
		case "outputs":
			e.Outputs = value.Object()
		case "user_properties":
			e.UserProperties = value.Object()
		case "event_name":
			e.EventName = honeyhive.Some(value.Text())
		}
	}
	return e
}
