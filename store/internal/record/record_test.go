package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

func object(t testing.TB, text string) honeyhive.Object {
	t.Helper()
	o, err := honeyhive.ParseObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestPreview(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                               "",
		`null`:                             "",
		`{"question":" how \n\t much "}`:   "how much",
		`{"x":1,"query":"q","prompt":"p"}`: "q",
		`{"x":"any text"}`:                 "any text",
		`{"x":1,"y":[2]}`:                  `{"x":1,"y":[2]}`,
		`{"chat_history":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"tool","content":"d"}]}`: "c",
		`{"messages":[{"role":"human","content":[{"type":"text","text":"one"},{"type":"text","text":"two"},{"type":"image"}]}]}`:                          "one two",
		`{"chat_history":[],"query":"q"}`:                    "q",
		`{"message":{"role":"user","content":"inside"}}`:     "inside",
		`{"query":"` + strings.Repeat("é", 300) + `"}`:       strings.Repeat("é", previewRunes) + "…",
		`{"query":"` + strings.Repeat(`\u00e9`, 5000) + `"}`: strings.Repeat("é", previewRunes) + "…",
		`{"query":"` + strings.Repeat(`\\`, 5000) + `"}`:     strings.Repeat(`\`, previewRunes) + "…",
		`{"query":"` + strings.Repeat("漢", 5000) + `"}`:      strings.Repeat("漢", previewRunes) + "…",
		`{"query":"` + strings.Repeat(`x\n`, 5000) + `"}`:    strings.TrimSpace(strings.Repeat("x ", previewRunes/2)) + " …",
	} {
		if got := Question(object(t, text)); got != want {
			t.Errorf("%.80s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{"role":"assistant","content":"hello"}`:                          "hello",
		`{"role":"assistant","content":null,"tool_calls":[{"name":"f"}]}`: `{"role":"assistant","content":null,"tool_calls":[{"name":"f"}]}`,
		`{"result":"r","choices":[]}`:                                     "r",
	} {
		if got := Answer(object(t, text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	payload := `{"event_id":"id","event_name":"name","inputs":{"key":"é\n","list":[1.50,{"deep":"漢字かな"}],"no":null,"yes":true},"start_time":5}`
	want := []string{"name", "é", "1.50", "漢", "字", "か", "な"}
	if got := strings.Fields(string(appendText(payload))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var numbers strings.Builder
	for i := range 2 * MaxWords {
		fmt.Fprintf(&numbers, "%d,", i)
	}
	got := appendText(`{"event_name":"name","inputs":{"list":[` + numbers.String() + `0],"last":"x"}}`)
	if words := strings.Fields(string(got)); len(words) != MaxWords || words[MaxWords-1] != strconv.Itoa(MaxWords-2) {
		t.Errorf("of many different words %d are left, the last is %s", len(words), words[len(words)-1])
	}
	same := `{"inputs":{"a":"` + strings.Repeat("the same words. ", 10_000) + `end"}}`
	if got := appendText(same); !strings.HasSuffix(string(got), "end\n") {
		t.Errorf("of the same words there are %d bytes", len(got))
	}
	long := `{"inputs":{"a":"` + strings.Repeat("é", MaxText) + `","b":"x"}}`
	if got := appendText(long); len(got) > MaxText+8 || !utf8.Valid(got) {
		t.Errorf("a long text gives %d bytes", len(got))
	}
	number := `{"inputs":{"a":` + strings.Repeat("7", 2*MaxText) + `,"b":"x"}}`
	if got := appendText(number); len(got) > MaxText+8 {
		t.Errorf("%d bytes of a number", len(got))
	}
}

func appendText(payload string) []byte {
	b, _ := words(payload)
	return b
}

func FuzzDecodeLayers(f *testing.F) {
	a, b := NewLayer(Announced, 5, `{"a":1}`), NewLayer(Updated, -1, `{"outputs":{"b":2}}`)
	f.Add(EncodeLayers([]Layer{a, b}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		layers, whole := DecodeLayers(data)
		if !whole {
			return
		}
		again, whole := DecodeLayers(EncodeLayers(append([]Layer{a, b}, layers...)))
		if !whole || !reflect.DeepEqual(again[2:], append([]Layer{}, layers...)) {
			t.Errorf("got %v, want %v", again, layers)
		}
	})
}

// TestReadTooLarge holds that a record that is too large is not looked through: what
// a search of its fields takes, for a text of escapes, is seconds.
func TestReadTooLarge(t *testing.T) {
	metadata, err := honeyhive.ObjectOf(map[string]any{"text": strings.Repeat(`"`, store.MaxRecordBytes/2)})
	if err != nil {
		t.Fatal(err)
	}
	id, session := honeyhive.NewUUID().String(), honeyhive.NewUUID().String()
	for name, w := range map[string]store.Write{
		"session": {Session: &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(session), SessionName: honeyhive.Some("name"), Metadata: metadata}},
		"event":   {Event: &honeyhive.Event{EventID: honeyhive.Some(id), SessionID: honeyhive.Some(session), EventName: honeyhive.Some("name"), Metadata: metadata}},
	} {
		in, err := Read(&w, time.Now())
		if _, ok := errors.AsType[*store.TooLargeError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if in.Row.Name != "" || in.Own.Name != "" {
			t.Errorf("%s: it was looked through: %q, %q", name, in.Row.Name, in.Own.Name)
		}
	}
}

// TestWordsOfAnyPayload compares the words of payloads of any form with those that
// encoding/json finds.
func TestWordsOfAnyPayload(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var value func(depth int) any
		value = func(depth int) any {
			kinds := 6
			if depth == 0 {
				kinds = 4
			}
			switch rapid.IntRange(0, kinds-1).Draw(rt, "kind") {
			case 0:
				return rapid.SampledFrom([]string{"", "a", `"`, `\`, `\"`, "\x01 é", "a: {b}, [c]", "😀 word", "\u2028"}).Draw(rt, "text")
			case 1:
				return rapid.Float64Range(-1e9, 1e9).Draw(rt, "number")
			case 2:
				return rapid.Bool().Draw(rt, "bool")
			case 3:
				return nil
			case 4:
				list := make([]any, rapid.IntRange(0, 3).Draw(rt, "elements"))
				for i := range list {
					list[i] = value(depth - 1)
				}
				return list
			}
			m := make(map[string]any)
			for range rapid.IntRange(0, 3).Draw(rt, "members") {
				m[rapid.SampledFrom([]string{"", "k", `"k`, `\k`, "k,", "k:{"}).Draw(rt, "key")] = value(depth - 1)
			}
			return m
		}
		text, err := json.Marshal(map[string]any{"inputs": value(4)})
		if err != nil {
			rt.Fatal(err)
		}
		var want []byte
		var words func(raw json.RawMessage)
		words = func(raw json.RawMessage) {
			d := json.NewDecoder(bytes.NewReader(raw))
			switch raw[0] {
			case '{':
				_, _ = d.Token()
				for d.More() {
					var v json.RawMessage
					_, _ = d.Token()
					_ = d.Decode(&v)
					words(v)
				}
			case '[':
				_, _ = d.Token()
				for d.More() {
					var v json.RawMessage
					_ = d.Decode(&v)
					words(v)
				}
			case '"':
				var s string
				_ = json.Unmarshal(raw, &s)
				want = append(Spread(want, s), '\n')
			case 't', 'f', 'n':
			default:
				want = append(append(want, raw...), '\n')
			}
		}
		words(text)
		if got := appendText(string(text)); string(got) != string(want) {
			rt.Fatalf("%s: %q, want %q", text, got, want)
		}
	})
}

// TestWordsOfLongTexts cuts texts of any character at the bound, and reads no more of them.
func TestWordsOfLongTexts(t *testing.T) {
	for _, part := range []string{"a", `\"`, `\\`, `\u0001`, `\u00e9`, `\ud83d\ude00`, "é", "漢", "😀"} {
		for skew := range 7 {
			long := `{"inputs":{"a":"` + strings.Repeat("x", skew) + strings.Repeat(part, 2*MaxText) + `","b":"never"}}`
			got := appendText(long)
			if text := strings.TrimSpace(string(got)); len(text) < MaxText/4 || len(got) > 4*MaxText || !utf8.Valid(got) || strings.Contains(text, "never") {
				t.Errorf("%s: %d bytes", part, len(got))
			}
		}
	}
}
