package record

import (
	"encoding/json"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// parts is the stored form of what the row of a session is made from.
type parts struct {
	Own      Own
	Measures measures
	Totals   Totals
}

// measures is store.Measures with a JSON form.
type measures struct {
	Start, End, Duration     *float64 `json:",omitempty"`
	TokensIn, TokensOut      *int64   `json:",omitempty"`
	Cost, FirstToken, Rating *float64 `json:",omitempty"`
	Feedback, Backwards      bool     `json:",omitempty"`
}

// EncodeParts writes what a session says of itself and what its events come to,
// for a database.
func EncodeParts(own *Own, t *Totals) ([]byte, error) {
	m := own.Measures
	p := parts{Own: *own, Totals: *t, Measures: measures{
		pointer(m.Start), pointer(m.End), pointer(m.Duration), pointer(m.TokensIn), pointer(m.TokensOut),
		pointer(m.Cost), pointer(m.FirstToken), pointer(m.Rating), m.Feedback, m.Backwards,
	}}
	return json.Marshal(p) //nolint:musttag // nothing else reads it
}

// DecodeParts reads what EncodeParts wrote.
func DecodeParts(b []byte) (Own, Totals, error) {
	var p parts
	if err := json.Unmarshal(b, &p); err != nil { //nolint:musttag // nothing else writes it
		return Own{}, Totals{}, fmt.Errorf("parts of a session: %w", err)
	}
	m := p.Measures
	p.Own.Measures = Bounded(store.Measures{
		Start: optional(m.Start), End: optional(m.End), Duration: optional(m.Duration),
		TokensIn: optional(m.TokensIn), TokensOut: optional(m.TokensOut),
		Cost: optional(m.Cost), FirstToken: optional(m.FirstToken), Rating: optional(m.Rating), Feedback: m.Feedback, Backwards: m.Backwards,
	})
	Forward(&p.Own.Measures)
	return p.Own, p.Totals, nil
}

func pointer[T any](v honeyhive.Optional[T]) *T {
	if n, ok := v.Get(); ok {
		return &n
	}
	return nil
}
