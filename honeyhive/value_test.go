package honeyhive_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestValue(t *testing.T) {
	v, err := honeyhive.ParseValue(` {"role": "user", "content": [ {"text":"a\u00e9\n"}, 12345678901234567890, true, null ], "role": "tool", "bad": "` + "\xff" + `" } `)
	if err != nil {
		t.Fatal(err)
	}
	if want := honeyhive.Value(`{"role":"user","content":[{"text":"a\u00e9\n"},12345678901234567890,true,null],"role":"tool","bad":"�"}`); v != want {
		t.Errorf("%s", v)
	}
	if role, ok := v.Get("role"); !ok || role.Text() != "tool" || role.Kind() != honeyhive.KindString {
		t.Errorf("role %s", role)
	}
	if _, ok := v.Get("none"); ok {
		t.Error("there is no such member")
	}
	content, _ := v.Get("content")
	parts := slices.Collect(content.Elements())
	var kinds []string
	for _, p := range parts {
		kinds = append(kinds, p.Kind().String())
	}
	if diff := cmp.Diff([]string{"object", "number", "boolean", "null"}, kinds); diff != "" {
		t.Error(diff)
	}
	if text, _ := parts[0].Get("text"); text.Text() != "aé\n" || parts[1].Text() != "12345678901234567890" {
		t.Errorf("%q %s", text.Text(), parts[1])
	}
	if members := maps.Collect(v.Members()); len(members) != 3 || members["role"].Text() != "tool" {
		t.Errorf("%v", members)
	}
	if o := v.Object(); o.JSONText() != string(v) || !parts[3].Object().IsNull() || !content.Object().IsZero() {
		t.Error("as objects")
	}
	if v := honeyhive.StringValue("a\xff\"\n"); v.Text() != "a\ufffd\"\n" || v.Kind() != honeyhive.KindString {
		t.Errorf("%s", v)
	}
	for _, bad := range []string{"", "{", "1 2", "{'a':1}", strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
		if v, err := honeyhive.ParseValue(bad); err == nil || v != "" {
			t.Errorf("%q: %s, %v", bad, v, err)
		}
	}
	for v := range honeyhive.Value("[1,2,3]").Elements() {
		if v != "1" {
			t.Error("the walk goes on")
		}
		break
	}
}
