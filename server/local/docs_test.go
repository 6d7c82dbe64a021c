package local

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/internal/read"
)

// sections are the parts of docs/api.md by their headings.
func sections(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, part := range regexp.MustCompile(`(?m)^#+ `).Split(string(b), -1) {
		head, body, _ := strings.Cut(part, "\n")
		out[strings.Trim(head, "`")] = body
	}
	return out
}

// names are the keys of all objects in a JSON value, but for those below some keys.
func names(v any, but ...string) []string {
	var list []string
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			list = append(list, name)
			if !slices.Contains(but, name) {
				list = append(list, names(inner, but...)...)
			}
		}
	case []any:
		for _, inner := range v {
			list = append(list, names(inner, but...)...)
		}
	}
	return list
}

// TestDocumentedRoutes asks each route of docs/api.md for what it is documented to
// answer: its status, its type, and no field that is not documented; and for what it is
// documented to refuse.
func TestDocumentedRoutes(t *testing.T) {
	s := start(t)
	recorded(t, s)
	docs := sections(t)
	jsonType, wrong := "application/json", "00000000-0000-4000-8000-000000000000"
	filters := "query=status:ok+-rating%3C0&status=ok&project=shop&source=s&model=m&q=There&feedback=none&from=2020-01-31&to=2030-01-31T15:04&min_ms=1&max_ms=99999&min_cost=0.1&max_cost=9&sort=duration&dir=asc"
	for route, c := range map[string]struct {
		paths       []string // each answers with 200
		contentType string
		payload     []string // keys below which anything may stand
		refused     map[string]int
	}{
		"GET /api/sessions":      {[]string{"", "?" + filters, "?limit=1", "?since=720h"}, jsonType, []string{"costs", "costs_derived"}, map[string]int{"?limit=1001": 400, "?limit=x": 400, "?status=bad": 400, "?stauts=ok": 400, "?query=stauts:ok": 400, "?sort=bad": 400, "?after=bad": 400, "?from=yesterday": 400}},
		"GET /api/sessions/{id}": {[]string{"/" + agentID(0), "/" + agentID(2) + "?offset=0&limit=1"}, jsonType, nil, map[string]int{"/" + wrong: 404, "/x": 400, "/" + agentID(0) + "?limit=10001": 400, "/" + agentID(0) + "?offset=-1": 400}},
		"GET /api/events/{id}":   {[]string{"/" + agentID(20)}, jsonType, nil, map[string]int{"/" + wrong: 404, "/x": 400}},
		"GET /v1/sessions/{id}":  {[]string{"/" + agentID(0)}, jsonType, nil, map[string]int{"/" + wrong: 404}},
		"GET /session/{id}":      {[]string{"/" + agentID(0)}, jsonType, nil, map[string]int{"/" + wrong: 404}},
		"GET /events":            {[]string{"?project=shop&limit=1&page=1"}, jsonType, []string{"events"}, map[string]int{"?limit=7501": 400, "?filters=x": 400}},
		"GET /api/info":          {[]string{""}, jsonType, nil, nil},
		"GET /healthz":           {[]string{""}, jsonType, nil, nil},
		"GET /api/export.jsonl":  {[]string{"", "?" + filters, "?status=running"}, "application/x-ndjson", nil, map[string]int{"?status=bad": 400, "?limit=1": 400}},
		"GET /api/export.csv":    {[]string{"", "?" + filters, "?status=running"}, "text/csv; charset=utf-8; header=present", nil, map[string]int{"?status=bad": 400, "?after=x": 400}},
		"GET /api/cases.jsonl":   {[]string{"?input=question&expected=answer"}, "application/x-ndjson", nil, map[string]int{"?status=bad": 400}},
		"GET /api/backup":        {[]string{""}, "application/vnd.sqlite3", nil, nil},
	} {
		text, ok := docs[route]
		if !ok {
			t.Errorf("%s is not documented", route)
			continue
		}
		_, path, _ := strings.Cut(route, " ")
		path, _, _ = strings.Cut(path, "/{id}")
		for _, more := range c.paths {
			res, body := fetch(t, s.URL()+path+more)
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != c.contentType {
				t.Errorf("%s%s: %d %s %.200s", path, more, res.StatusCode, res.Header.Get("Content-Type"), body)
				continue
			}
			if attached := strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment"); attached != (c.contentType != jsonType) {
				t.Errorf("%s: a file: %t", path, attached)
			}
			if c.contentType != jsonType || strings.Contains(text, "in the form of HoneyHive") {
				continue
			}
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			known := text
			if strings.HasPrefix(path, "/api/sessions") {
				known += docs["GET /api/sessions"]
			}
			for _, name := range names(v, c.payload...) {
				if !strings.Contains(known, "`"+name+"`") && !strings.Contains(known, `"`+name+`"`) {
					t.Errorf("%s: the field %s is not documented", path, name)
				}
			}
		}
		for more, want := range c.refused {
			res, body := fetch(t, s.URL()+path+more)
			var said struct {
				Success *bool
				Error   string
			}
			if err := json.Unmarshal(body, &said); err != nil || res.StatusCode != want || said.Success == nil || *said.Success || said.Error == "" || strings.Contains(said.Error, "\n") {
				t.Errorf("%s%s: %d %s, want %d", path, more, res.StatusCode, body, want)
			}
		}
	}
	for _, file := range []string{"session.jsonl", "session.json", "events.json", "case.jsonl", "e/" + agentID(20) + "/json"} {
		if res, body := fetch(t, s.URL()+"/s/"+agentID(0)+"/"+file); res.StatusCode != http.StatusOK || !json.Valid([]byte(strings.SplitN(string(body), "\n", 2)[0])) {
			t.Errorf("%s: %d %.200s", file, res.StatusCode, body)
		}
		if name := strings.Replace(file, agentID(20), "{event}", 1); !strings.Contains(docs["Files of one session"], "/s/{id}/"+name+"`") {
			t.Errorf("%s is not documented", name)
		}
	}
}

// TestDocumentedFields: docs/api.md has each route, field, column and tool that there is,
// and no column besides.
func TestDocumentedFields(t *testing.T) {
	docs := sections(t)
	source, err := os.ReadFile("../internal/api/api.go")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`"(GET /[^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 10 {
		t.Errorf("%d routes are found", len(routes))
	}
	for _, route := range routes {
		if route[1] == "GET /v1/events/{id}" { // the session again, for clients of HoneyHive
			continue
		}
		if !strings.Contains(string(whole), "`"+route[1]+"`") {
			t.Errorf("%s is not documented", route[1])
		}
	}
	var fields func(t reflect.Type) []string
	fields = func(t reflect.Type) (list []string) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous {
				list = append(list, fields(f.Type)...)
			} else {
				list = append(list, name)
			}
		}
		return list
	}
	for section, typed := range map[string]any{"GET /api/sessions": read.Session{}, "GET /api/sessions/{id}": read.Event{}} {
		for _, name := range fields(reflect.TypeOf(typed)) {
			if !strings.Contains(docs[section], "`"+name+"`") {
				t.Errorf("%s: the field %s is not documented", section, name)
			}
		}
	}
	_, columns, _ := strings.Cut(docs["GET /api/export.csv"], "The columns:")
	var listed []string
	for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(columns, -1) {
		listed = append(listed, name[1])
	}
	if !slices.Equal(listed, read.Columns()) {
		t.Errorf("the columns are documented as %q", listed)
	}
	list, err := asking(t, start(t)).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		row := regexp.MustCompile("(?m)^\\| `" + tool.Name + "` \\|.*$").FindString(docs["MCP"])
		var schema struct{ Properties map[string]any }
		b, _ := json.Marshal(tool.InputSchema)
		if err := json.Unmarshal(b, &schema); err != nil || len(schema.Properties) == 0 {
			t.Fatal(fmt.Sprint(err), string(b))
		}
		for name := range schema.Properties {
			if !strings.Contains(row, "`"+name+"`") && !strings.Contains(docs["Filters"], "`"+name+"`") {
				t.Errorf("%s: %s is not documented", tool.Name, name)
			}
		}
	}
}
