package tail_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/tail"
)

// TestHaveFeedback gives attributes to the conversion one by one: what becomes feedback is
// told, and an attribute that no table has with feedback is not.
func TestHaveFeedback(t *testing.T) {
	had := 0
	for _, m := range convert.Tables() {
		key, value := m.Attribute, attribute.StringValue(`{"rating":-1}`)
		switch {
		case strings.HasSuffix(key, ":"):
			key += "x" // a family of which no feedback comes
		case strings.HasSuffix(key, "."):
			key += "0.annotation.score"
		}
		list := []attribute.KeyValue{{Key: "first", Value: value}, {Key: attribute.Key(key), Value: value}}
		record := convert.Convert(&convert.Span{Attributes: list})
		told := tail.HaveFeedback(list)
		if !record.Buckets[convert.Feedback].IsEmpty() {
			had++
			if !told {
				t.Errorf("%s becomes feedback, and is not told", key)
			}
		}
		if told != strings.Contains(m.Field, "feedback") {
			t.Errorf("%s, which becomes %s: %v", key, m.Field, told)
		}
	}
	if had < 2 {
		t.Errorf("%d attributes became feedback", had)
	}
	if tail.HaveFeedback(nil) || tail.HaveFeedback([]attribute.KeyValue{attribute.String("honeyhive_feedbacks", "x")}) {
		t.Error("nothing is told to be feedback")
	}
}
