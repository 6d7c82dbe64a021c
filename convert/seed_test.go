package convert_test

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// flat writes JSON as attributes with dotted names, down to its scalars.
func flat(t *testing.T, name string, text json.RawMessage) []attribute.KeyValue {
	t.Helper()
	var kvs []attribute.KeyValue
	switch text[0] {
	case '{':
		o, err := honeyhive.ParseObject(text)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range o.All() {
			kvs = append(kvs, flat(t, name+"."+k, v)...)
		}
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		for i, v := range list {
			kvs = append(kvs, flat(t, name+"."+strconv.Itoa(i), v)...)
		}
	default:
		var scalar any
		if err := json.Unmarshal(text, &scalar); err != nil {
			t.Fatal(err)
		}
		kvs = attributes(name, scalar)
	}
	return kvs
}

// TestSeed writes the example of the contract as the attributes of a plain
// span, in each of the ways that the contract has, and gets the example back.
func TestSeed(t *testing.T) {
	data, err := os.ReadFile("../honeyhive/testdata/seed.json")
	if err != nil {
		t.Fatal(err)
	}
	var want honeyhive.SessionStartRequest
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	want.Error = honeyhive.Optional[string]{} // null in the example, left out on sending

	whole := func(name string, o honeyhive.Object) []attribute.KeyValue { return attributes(name, o.JSONText()) }
	for _, tt := range []struct {
		name  string
		write func(name string, o honeyhive.Object) []attribute.KeyValue
	}{
		{"one attribute for a bucket", whole},
		{"one attribute for a key", func(name string, o honeyhive.Object) []attribute.KeyValue {
			var kvs []attribute.KeyValue
			for k, v := range o.All() {
				var scalar any
				if err := json.Unmarshal(v, &scalar); err != nil {
					t.Fatal(err)
				}
				if v[0] == '[' || v[0] == '{' {
					scalar = string(v)
				}
				kvs = append(kvs, attributes(name+"."+k, scalar)...)
			}
			return kvs
		}},
		{"one attribute for a scalar", func(name string, o honeyhive.Object) []attribute.KeyValue {
			return flat(t, name, json.RawMessage(o.JSONText()))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpan(
				honeyhive.AttrEventType, "session",
				honeyhive.AttrSessionID, want.SessionID.Or(""),
				honeyhive.AttrSessionName, want.SessionName.Or(""),
				honeyhive.AttrProject, want.Project.Or(""),
				honeyhive.AttrSource, want.Source.Or(""),
				honeyhive.AttrChildrenIDs, want.ChildrenIDs.Or(nil),
				honeyhive.AttrDuration, want.Duration.Or(0),
			)
			s.Start = time.UnixMilli(int64(want.StartTime.Or(0)))
			s.End = time.UnixMilli(int64(want.EndTime.Or(0)))
			for i, o := range []honeyhive.Object{want.Config, want.Inputs, want.Outputs, want.Metadata, want.Metrics, want.Feedback, want.UserProperties} {
				name := convert.Bucket(i).Attribute()
				switch {
				case o.IsZero():
				case o.IsEmpty(): // there is no key that could have an attribute
					s.Attributes = append(s.Attributes, whole(name, o)...)
				default:
					s.Attributes = append(s.Attributes, tt.write(name, o)...)
				}
			}
			rec := convert.Convert(s)
			if !rec.IsSession {
				t.Error("no session")
			}
			got := rec.Session()
			if d := cmp.Diff(string(want.AppendJSON(nil)), string(got.AppendJSON(nil))); d != "" {
				t.Error(d)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			valid(t, &rec)
		})
	}
}
