package local

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	eventID  = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
	secondID = "7f22137a-6911-4ed3-bc36-110f1dde6b67"
)

// line is what a server holds, each payload in one line.
func line(t *testing.T, s *Server) map[string]string {
	t.Helper()
	all := content(t, s)
	for id, text := range all {
		var out strings.Builder
		for l := range strings.Lines(text) {
			out.WriteString(strings.TrimSpace(l))
		}
		all[id] = out.String()
	}
	return all
}

// TestForms takes payloads in every form that clients send, and stores what
// they say.
func TestForms(t *testing.T) {
	session := `{"project": "p","session_name": "n","source": "s","session_id": "` + sessionID + `","inputs": {"b": 9007199254740993,"a": null}}`
	event := `{"event_id": "` + eventID + `","session_id": "` + sessionID + `","parent_id": "` + sessionID + `","event_name": "e","event_type": "tool","inputs": {}}`
	for name, c := range map[string]struct{ path, body, id, want string }{
		"wrapped":             {"/session/start", `{"session":` + session + `}`, sessionID, session},
		"bare":                {"/v1/sessions", session, sessionID, session},
		"packed":              {"/session/start", `{"session":` + quote(session) + `}`, sessionID, session},
		"camel case":          {"/session/start", `{"session":{"project":"p","sessionName":"n","source":"s","sessionId":"` + strings.ToUpper(sessionID) + `","inputs":{"b":9007199254740993,"a":null}}}`, sessionID, session},
		"event":               {"/events", `{"event":` + event + `}`, eventID, event},
		"bare event":          {"/v1/events", event, eventID, event},
		"packed event":        {"/events", `{"event":` + quote(event) + `}`, eventID, event},
		"batch":               {"/events/batch", `{"events":[` + event + `]}`, eventID, event},
		"newer batch":         {"/v1/events/batch", `{"events":[` + event + `]}`, eventID, event},
		"batch of a session":  {"/v1/sessions/" + sessionID + "/events/batch", `{"events":[{"event_id":"` + eventID + `","event_name":"e","event_type":"tool","inputs":{}}]}`, eventID, event},
		"no parent":           {"/events", `{"event":{"event_id":"` + eventID + `","session_id":"` + sessionID + `","parent_id":null,"event_name":"e","event_type":"tool","inputs":{}}}`, eventID, event},
		"session as an event": {"/events", `{"event":{"event_type":"session","event_name":"n","project":"p","source":"s","session_id":"` + sessionID + `","inputs":{"b":9007199254740993,"a":null}}}`, sessionID, session},
	} {
		s := start(t)
		post(t, s.URL()+c.path, c.body)
		post(t, s.URL()+c.path, c.body) // twice is once
		if got := line(t, s)[c.id]; strings.ReplaceAll(got, `": `, `":`) != strings.ReplaceAll(c.want, `": `, `":`) {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}

// TestEvaluations keeps the scores of evaluators of a session and of an event, the
// latest of each, and gives them back.
func TestEvaluations(t *testing.T) {
	s := start(t)
	post(t, s.URL()+"/v1/sessions", `{"session_name":"n","source":"s","session_id":"`+sessionID+`","evaluations":{"helpful":0.5,"safe":{"score":true}}}`)
	post(t, s.URL()+"/events", `{"event":{"event_type":"session","event_name":"n","session_id":"`+sessionID+`","inputs":{},"evaluations":{"helpful":0.75}}}`)
	post(t, s.URL()+"/v1/events/batch", `{"events":[{"event_id":"`+eventID+`","session_id":"`+sessionID+`","event_name":"e","event_type":"tool","inputs":{},"evaluations":{"exact":1}}]}`)
	_, tree := send(t, http.MethodGet, s.URL()+"/v1/sessions/"+sessionID, "", nil)
	var got struct {
		Evaluations map[string]any
		Children    []struct{ Evaluations map[string]any }
	}
	if err := json.Unmarshal([]byte(tree), &got); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(got.Evaluations, got.Children); text != "map[helpful:0.75 safe:map[score:true]] [{map[exact:1]}]" {
		t.Errorf("%s of %s", text, tree)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// TestMadeIDs makes the ids that a client leaves out.
func TestMadeIDs(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ path, body string }{
		{"/session/start", `{"session":{"session_id":""}}`},
		{"/events", `{"event":{"event_type":"chain","inputs":{}}}`},
	} {
		var answer struct {
			Success   bool
			SessionID string `json:"session_id"`
			EventID   string `json:"event_id"`
		}
		if err := json.Unmarshal([]byte(post(t, s.URL()+c.path, c.body)), &answer); err != nil || !answer.Success {
			t.Fatalf("%+v %v", answer, err)
		}
		stored := line(t, s)
		if got := stored[answer.EventID]; !strings.Contains(got, answer.SessionID) || !strings.Contains(got, `"unknown"`) {
			t.Errorf("%s: %s", c.path, got)
		}
	}
}

// TestModelEvent reads the older payload of a model event.
func TestModelEvent(t *testing.T) {
	s := start(t)
	post(t, s.URL()+"/events/model/batch", `{"model_events":[{"event_id":"`+eventID+`","session_id":"`+sessionID+`","project":"p","event_name":"answer","model":"m","provider":"openai",
		"messages":[{"role":"user","content":"Why?"}],"template_inputs":{"x":1},"response":{"content":"Because."},"usage":{"prompt_tokens":3},"cost":0.01,"duration":5,"hyperparameters":{"temperature":0.5}}]}`)
	var got map[string]any
	if err := json.Unmarshal([]byte(line(t, s)[eventID]), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"event_id": eventID, "session_id": sessionID, "parent_id": sessionID, "project": "p", "event_name": "answer", "event_type": "model", "duration": 5.0,
		"config":  map[string]any{"model": "m", "provider": "openai", "hyperparameters": map[string]any{"temperature": 0.5}},
		"inputs":  map[string]any{"chat_history": []any{map[string]any{"role": "user", "content": "Why?"}}, "x": 1.0},
		"outputs": map[string]any{"content": "Because."}, "metadata": map[string]any{"prompt_tokens": 3.0, "cost": 0.01},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPartOfABatch takes what is right, and names what is not.
func TestPartOfABatch(t *testing.T) {
	s := start(t)
	status, answer := send(t, http.MethodPost, s.URL()+"/events/batch", "application/json", []byte(`{"events":[
		{"event_id":"`+eventID+`","session_id":"`+sessionID+`","event_type":"tool","inputs":{}},
		{"event_id":"x","event_type":"tool","inputs":{}},
		{"event_id":"`+sessionID+`","session_id":"`+sessionID+`","event_type":"tool","inputs":{}}]}`))
	var got struct {
		Success  bool
		EventIDs []string `json:"event_ids"`
		Errors   []string
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusInternalServerError || !slices.Equal(got.EventIDs, []string{eventID}) || len(got.Errors) != 2 || !strings.Contains(got.Errors[0], "event_id: ") {
		t.Errorf("%d %s", status, answer)
	}
	if stored := line(t, s); stored[eventID] == "" || len(stored) != 2 { // the event, and its session as an orphan
		t.Errorf("%v", stored)
	}
}

// TestUpdates merge, in whatever route they come, and change no inputs.
func TestUpdates(t *testing.T) {
	s := start(t)
	post(t, s.URL()+"/session/start", `{"session":{"session_id":"`+sessionID+`","session_name":"n","metadata":{"a":1,"b":2},"inputs":{"q":1}}}`)
	for _, c := range []struct{ path, body string }{
		{"/events", `{"event_id":"` + sessionID + `","metadata":{"b":3,"c":4},"feedback":{"rating":5}}`},
		{"/v1/events/" + sessionID, `{"outputs":{"x":1},"end_time":1712025499832,"children_ids":[]}`},
		{"/v1/events/" + strings.ToUpper(sessionID), `{"event_id":"` + sessionID + `","duration":12.5}`},
	} {
		if status, answer := send(t, http.MethodPut, s.URL()+c.path, "application/json", []byte(c.body)); status != http.StatusOK {
			t.Errorf("%s: %d %s", c.path, status, answer)
		}
	}
	var got map[string]any
	_, text := send(t, http.MethodGet, s.URL()+"/session/"+sessionID, "", nil)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"metadata": map[string]any{"a": 1.0, "b": 3.0, "c": 4.0}, "feedback": map[string]any{"rating": 5.0}, "outputs": map[string]any{"x": 1.0},
		"inputs": map[string]any{"q": 1.0}, "duration": 12.5, "end_time": 1712025499832.0, "event_name": "n", "event_type": "session",
	} {
		if diff := cmp.Diff(want, got[field]); diff != "" {
			t.Errorf("%s: %s", field, diff)
		}
	}
}

// TestTree puts events under each other, and those whose parent is not there, or
// that hang on each other in a circle, under the session.
func TestTree(t *testing.T) {
	s := start(t)
	id := func(n string) string { return "7f22137a-6911-4ed3-bc36-110f1dde6b0" + n }
	add := func(n, parent string) {
		post(t, s.URL()+"/events", `{"event":{"event_id":"`+id(n)+`","session_id":"`+sessionID+`","parent_id":"`+id(parent)+`","event_name":"`+n+`","event_type":"tool","inputs":{},"metrics":null,"children":7}}`)
	}
	add("1", "9")
	add("2", "1")
	add("3", "4")
	add("4", "3")
	add("5", "2")
	type node struct {
		Name     string `json:"event_name"`
		Metadata map[string]any
		Children []node
	}
	var show func(n node) string
	show = func(n node) string {
		var parts []string
		for _, c := range n.Children {
			parts = append(parts, show(c))
		}
		return n.Name + "(" + strings.Join(parts, " ") + ")"
	}
	for _, route := range []string{"/v1/sessions/", "/v1/events/"} {
		status, text := send(t, http.MethodGet, s.URL()+route+sessionID, "", nil)
		var root node
		if err := json.Unmarshal([]byte(text), &root); err != nil || status != http.StatusOK {
			t.Fatalf("%v: %s", err, text)
		}
		if got := show(root); got != "(1(2(5())) 3(4()))" && got != "(1(2(5())) 4(3()))" {
			t.Errorf("%s: %s", route, got)
		}
		if root.Metadata["num_events"] != 5.0 || strings.Contains(text, "null") {
			t.Errorf("%s", text)
		}
	}
	if status, _ := send(t, http.MethodGet, s.URL()+"/v1/sessions/"+eventID, "", nil); status != http.StatusNotFound {
		t.Errorf("what is no session: %d", status)
	}
}

// TestExport finds events by their fields.
func TestExport(t *testing.T) {
	s := start(t)
	post(t, s.URL()+"/session/start", `{"session":{"session_id":"`+sessionID+`","session_name":"n","project":"p","start_time":1712025501605}}`)
	post(t, s.URL()+"/events/batch", `{"events":[
		{"event_id":"`+eventID+`","session_id":"`+sessionID+`","event_name":"one","event_type":"tool","inputs":{"list":[{"role":"user"}]},"metadata":{"cost":0.5}},
		{"event_id":"`+secondID+`","session_id":"`+sessionID+`","event_name":"two","event_type":"model","inputs":{},"metadata":{"cost":2}}]}`)
	for name, c := range map[string]struct {
		query string
		want  string
	}{
		"all":         {`"filters":[]`, "n one two"},
		"project":     {`"project":"p","filters":[]`, "n one two"},
		"other":       {`"project":"q","filters":[]`, ""},
		"session":     {`"filters":[{"field":"session_id","operator":"is","value":"` + sessionID + `"},{"field":"event_type","operator":"is not","value":"session"}]`, "one two"},
		"no session":  {`"filters":[{"field":"session_id","operator":"is","value":"` + eventID + `"}]`, ""},
		"path":        {`"filters":[{"field":"inputs.list.0.role","operator":"is","value":"user"}]`, "one"},
		"beyond":      {`"filters":[{"field":"inputs.list.1.role","operator":"is","value":"user"}]`, ""},
		"more":        {`"filters":[{"field":"metadata.cost","operator":"greater than","value":"1"}]`, "two"},
		"less":        {`"filters":[{"field":"metadata.cost","operator":"less than","value":1}]`, "one"},
		"contains":    {`"filters":[{"field":"event_name","operator":"contains","value":"w"}]`, "two"},
		"contains no": {`"filters":[{"field":"event_name","operator":"not contains","value":"o"}]`, "n"},
		"since":       {`"filters":[],"dateRange":{"$gte":"2024-04-02T00:00:00.000Z"}`, "n one two"},
		"until":       {`"filters":[],"dateRange":{"$lte":"2024-04-01T00:00:00.000Z"}`, ""},
		"page":        {`"filters":[],"limit":2,"page":2`, "two"},
	} {
		var got struct {
			Events []struct {
				Name string `json:"event_name"`
			}
		}
		if err := json.Unmarshal([]byte(post(t, s.URL()+"/events/export", "{"+c.query+"}")), &got); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range got.Events {
			names = append(names, e.Name)
		}
		if have := strings.Join(names, " "); have != c.want {
			t.Errorf("%s: %q", name, have)
		}
	}
	query := url.Values{"filters": {`[{"field":"event_type","operator":"is","value":"model"}]`}, "limit": {"10"}, "projections": {`["event_name"]`}, "project": {"p"}}
	if _, got := send(t, http.MethodGet, s.URL()+"/events?"+query.Encode(), "", nil); got != `{"events":[{"event_name":"two"}],"totalEvents":1}` {
		t.Error(got)
	}
	if status, got := send(t, http.MethodGet, s.URL()+"/v1/events?filters=x", "", nil); status != http.StatusBadRequest || !strings.Contains(got, "filters: ") {
		t.Error(status, got)
	}
	if got := post(t, s.URL()+"/v1/events/export", `{"filters":[{"field":"event_name","operator":"is","value":"one"}],"projections":["event_id","none"]}`); got != `{"events":[{"event_id":"`+eventID+`"}],"totalEvents":1}` {
		t.Error(got)
	}
}
