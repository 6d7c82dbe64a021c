package fields

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// TestDisjoint tells parts that can be joined at a glance from those that have to be
// merged key by key.
func TestDisjoint(t *testing.T) {
	of := func(v any) *Part {
		p, err := Encode(convert.Config, v)
		if err != nil {
			t.Fatal(err)
		}
		return &p
	}
	model := func(provider, name string) *Part {
		p := Model(provider+name, len(provider))
		return &p
	}
	object, err := honeyhive.ParseObject([]byte(`{"t":1}`))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		before, p *Part
		want      bool
	}{
		"a map":                   {model("p", "m"), of(map[string]any{"t": 1, "u": long}), true},
		"a map before":            {of(map[string]any{"t": long}), model("p", "m"), true},
		"usage":                   {of(map[string]string{"t": "u"}), &Part{usage: &tokens.Usage{}, form: formUsage}, true},
		"an empty map":            {model("p", "m"), of(map[string]any{}), true},
		"behind an empty map":     {of(map[string]any{}), model("p", "m"), false},
		"a same key":              {model("p", "m"), of(map[string]any{"model": 1}), false},
		"a same key before":       {of(map[string]any{"model": 1}), model("p", "m"), false},
		"a same key, deeper":      {of(map[string]any{"t": map[string]any{"model": 1}}), model("p", "m"), false},
		"another model":           {model("p", "m"), model("", "n"), false},
		"an escape":               {model("p", "m"), of(map[string]any{"\xff": 1, "\xfe": 1}), false},
		"two maps":                {of(map[string]any{"t": 1}), of(map[string]any{"u": 1}), false},
		"an object":               {model("p", "m"), of(object), false},
		"null":                    {model("p", "m"), of(honeyhive.NullObject()), false},
		"raw JSON":                {model("p", "m"), &Part{text: `{"t":1}`, form: formRaw}, false},
		"what writes JSON itself": {model("p", "m"), of(json.RawMessage(`{"t":1,"t":2}`)), false},
	} {
		var written []byte
		if c.before.form != formRaw {
			written = c.before.write(nil)
		}
		got := c.p.disjoint(c.before, string(written))
		if got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if got {
			merged, err := c.p.object()
			if err != nil {
				t.Fatal(err)
			}
			want := canonical.Object(string(written)).Merge(merged).JSONText()
			if text := string(c.p.extend(nil, string(written))); text != want {
				t.Errorf("%s: %s, want %s", name, text, want)
			}
		}
	}
}
