package sessionspan

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// documentJSON is a document in JSON: a score that there is not has no member.
type documentJSON struct {
	ID       string         `json:"id,omitempty"`
	Score    any            `json:"score,omitempty"`
	Content  string         `json:"content,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// MarshalJSON writes the document as [Event.SetDocuments] does, so that one which
// stands inside other outputs is the same: its score is there if it has one.
func (d Document) MarshalJSON() ([]byte, error) {
	out := documentJSON{ID: d.ID, Content: d.Content, Metadata: d.Metadata}
	switch {
	case math.IsNaN(d.Score):
		out.Score = "NaN"
	case math.IsInf(d.Score, 1):
		out.Score = "Infinity"
	case math.IsInf(d.Score, -1):
		out.Score = "-Infinity"
	case d.Score != 0 || d.HasScore:
		out.Score = d.Score
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. A score that is there, and not null,
// sets HasScore.
func (d *Document) UnmarshalJSON(data []byte) error {
	var in documentJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	read := Document{ID: in.ID, Content: in.Content, Metadata: in.Metadata}
	switch score := in.Score.(type) {
	case nil:
	case float64:
		read.Score, read.HasScore = score, true
	default:
		text, _ := score.(string)
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("read document: score: %v is no number", score)
		}
		read.Score, read.HasScore = number, true
	}
	*d = read
	return nil
}
