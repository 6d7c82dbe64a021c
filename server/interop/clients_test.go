package interop

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/local"
)

// A client has a conversation in which its model calls a tool and answers, and one in
// which the call of the model fails.
type client struct {
	name string
	pkg  string // whose version counts
	// script is run by Node with the address of the server and that of the model;
	// where it is empty, run is.
	script string
	run    func(t *testing.T, s *local.Server, model string)
	// tree is the conversation as it is to be: type and name of each event, below what
	// it hangs on.
	tree string
	// missing are aspects that the client does not send, and why.
	missing map[string]string
}

const (
	noSession    = "it has no attribute for it"
	noFirstToken = "it does not say when the first token came"
	neverEnds    = "its span of a call that fails never ends"
)

var clients = []*client{
	{
		name: "Vercel AI SDK 6", pkg: "ai-v6", script: "ai6.mjs", tree: `
chain ai.streamText
  model ai.streamText.doStream
  tool ai.toolCall
  model ai.streamText.doStream`,
	},
	{
		name: "Vercel AI SDK 7, @ai-sdk/otel", pkg: "ai", script: "ai7.mjs", tree: `
chain invoke_agent m-1
  chain step 1
    model chat m-1
    tool execute_tool weather
  chain step 2
    model chat m-1`,
	},
	{
		name: "Langfuse", pkg: "@langfuse/otel", script: "langfuse.mjs", tree: `
chain answer
  model OpenAI-completion
  tool weather
  model OpenAI-completion`,
	},
	{
		name: "LangSmith", pkg: "langsmith", script: "langsmith.mjs", tree: `
chain answer
  model ChatOpenAI
  tool weather
  model ChatOpenAI`,
		missing: map[string]string{"first token": noFirstToken},
	},
	{
		name: "Mastra", pkg: "@mastra/core", script: "mastra.mjs", tree: `
chain invoke_agent answer
  chain model_generation m-1
    chain agent_step answer
      model chat m-1
        chain model_chunk answer
        chain model_chunk answer
      tool execute_tool weather
    chain agent_step answer
      model chat m-1
        chain model_chunk answer`,
	},
	{
		name: "Traceloop", pkg: "@traceloop/node-server-sdk", script: "traceloop.mjs", tree: `
chain answer.workflow
  model chat m-1
  tool weather.tool
  model chat m-1`,
		missing: map[string]string{"cached, reasoning": "it does not count them", "first token": noFirstToken, "error": neverEnds},
	},
	{
		name: "OpenInference, openai", pkg: "@arizeai/openinference-instrumentation-openai", script: "openinference.mjs", tree: `
chain answer
  model OpenAI Chat Completions
  tool weather
  model OpenAI Chat Completions`,
		missing: map[string]string{"first token": noFirstToken, "error": neverEnds},
	},
	{
		name: "OpenTelemetry instrumentation-openai, logs", pkg: "@opentelemetry/instrumentation-openai", script: "openai-logs.mjs", tree: `
chain answer
  model chat m-1
  model chat m-1`,
		missing: map[string]string{"session": noSession, "user": noSession, "tool": "it sees calls of models alone", "cached, reasoning": "it counts both with the others", "first token": noFirstToken},
	},
	{
		name: "honeyhive", pkg: "honeyhive", script: "honeyhive-session.mjs", tree: `
chain answer
  model chat
  tool weather
  model chat`,
		missing: map[string]string{"first token": noFirstToken},
	},
	{
		name: "Genkit Go, gRPC", pkg: "github.com/firebase/genkit/go", run: runGenkit, tree: `
chain answer
  chain generate
    model fake/m-1
    tool weather
    chain generate
      model fake/m-1`,
		missing: map[string]string{"session": noSession, "user": noSession, "first token": noFirstToken},
	},
}

// outcome is what became of what a client sent.
type outcome struct {
	answered, failed []tree // sessions of either conversation
	thread           string // the text of the page's thread of the first
	tree             string
}

func (o *outcome) first() *tree {
	if len(o.answered) == 0 {
		return new(tree)
	}
	return &o.answered[0]
}

// calls are the calls of the model that ended well, tools those of the tool.
func (o *outcome) calls() []*tree { return o.first().all(honeyhive.TypeModel) }

func (o *outcome) call(n int) *tree {
	if calls := o.calls(); n < len(calls) {
		return calls[n]
	}
	return new(tree)
}

// all returns the events of a type below an event, in their order.
func (n *tree) all(kind string) (list []*tree) {
	for i := range n.Children {
		if n.Children[i].Type == kind {
			list = append(list, &n.Children[i])
		}
		list = append(list, n.Children[i].all(kind)...)
	}
	return list
}

// of returns what a call of the model says, or else the event above it, where some
// clients put what it was asked and answered.
func (o *outcome) of(n int, says func(*tree) any) any {
	call := o.call(n)
	if said := says(call); said != nil {
		return said
	}
	if above := o.first().above(call); above != nil {
		return says(above)
	}
	return nil
}

// above returns the event that another one hangs on.
func (n *tree) above(event *tree) *tree {
	for i := range n.Children {
		if &n.Children[i] == event {
			return n
		}
		if found := n.Children[i].above(event); found != nil {
			return found
		}
	}
	return nil
}

// failsBelow reports whether an event below has an error of a text.
func (n *tree) failsBelow(text string) bool {
	return slices.ContainsFunc(n.Children, func(c tree) bool { return strings.Contains(c.Error, text) || c.failsBelow(text) })
}

// lines writes the events below an event.
func (n *tree) lines(indent string, isTyped bool) string {
	var s strings.Builder
	for i := range n.Children {
		c := &n.Children[i]
		s.WriteString("\n" + indent)
		if isTyped {
			s.WriteString(c.Type + " ")
		}
		s.WriteString(c.Name + c.lines(indent+"  ", isTyped))
	}
	return s.String()
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[p]
		case int:
			list, _ := v.([]any)
			if p < 0 {
				p += len(list)
			}
			if p < 0 || p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// An aspect is a column of the table: whether it is as it should be.
type aspect struct {
	name string
	is   func(c *client, o *outcome) bool
}

var aspects = []aspect{
	{"arrives", func(_ *client, o *outcome) bool { return len(o.calls()) == 2 }},
	{"session", func(_ *client, o *outcome) bool {
		const name = "conversation-1"
		n := o.first()
		return len(o.answered) == 1 && (n.Name == name || n.Metadata["session_name"] == name || n.Metadata["original_session_id"] == name || n.ID == honeyhive.SessionID(n.Project, name).String())
	}},
	{"user", func(_ *client, o *outcome) bool { return strings.Contains(text(o.first().User), `"ann"`) }},
	{"kinds", func(c *client, o *outcome) bool { return slices.Equal(kinds(c.tree), kinds(o.tree)) }},
	{"tree", func(c *client, o *outcome) bool { return c.tree == o.tree }},
	{"input", func(_ *client, o *outcome) bool {
		history := o.of(0, func(n *tree) any { return n.Inputs["chat_history"] })
		last := at(history, -1)
		result := at(o.of(1, func(n *tree) any { return n.Inputs["chat_history"] }), -1)
		return at(last, "role") == "user" && at(last, "content") == question && at(history, 0, "role") == "system" && at(result, "role") == "tool"
	}},
	{"output", func(_ *client, o *outcome) bool {
		call := at(o.of(0, func(n *tree) any { return n.Outputs["tool_calls"] }), 0)
		return at(call, "function", "name") == toolName && strings.Contains(text(at(call, "function", "arguments")), "Oslo") && o.call(1).Outputs["content"] == answer
	}},
	{"tool", func(_ *client, o *outcome) bool {
		tools := o.first().all(honeyhive.TypeTool)
		return len(tools) == 1 && strings.Contains(text(tools[0].Inputs), `"city":"Oslo"`) && strings.Contains(text(tools[0].Outputs), `"degrees":21`)
	}},
	{"model, parameters", func(_ *client, o *outcome) bool {
		config := o.call(0).Config
		return strings.Contains(text(config["model"]), "m-1") && strings.Trim(text(config["temperature"]), `"`) == "0.5"
	}},
	{"tokens of the session", func(_ *client, o *outcome) bool {
		sums := o.first().Metadata
		return sums["prompt_tokens"] == float64(conversationIn) && sums["completion_tokens"] == float64(conversationOut)
	}},
	{"cached, reasoning", func(_ *client, o *outcome) bool {
		counts := o.call(1).Metadata
		return counts["cache_read_input_tokens"] == float64(cached) && counts["reasoning_tokens"] == float64(reasoning)
	}},
	{"first token", func(_ *client, o *outcome) bool {
		return slices.ContainsFunc(o.calls(), func(n *tree) bool { return n.Metadata["time_to_first_chunk_ms"] != nil })
	}},
	{"error", func(_ *client, o *outcome) bool {
		return slices.ContainsFunc(o.failed, func(n tree) bool { return n.failsBelow(modelError) })
	}},
	{"thread", func(_ *client, o *outcome) bool {
		asked, said := strings.Index(o.thread, question), strings.LastIndex(o.thread, answer)
		used := strings.Index(o.thread, toolName+" ")
		return asked >= 0 && asked < used && used < said
	}},
}

func kinds(tree string) []string {
	lines := strings.Split(strings.TrimSpace(tree), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	slices.Sort(lines)
	return lines
}

// TestClients runs the clients, and compares what became of what they sent with the
// table that says so.
func TestClients(t *testing.T) {
	b := newTable()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			s, model := start(t), startModel(t)
			if c.run != nil {
				c.run(t, s, model)
			} else {
				runScript(t, c.script, s.URL(), model)
			}
			o := result(t, s)
			for _, a := range aspects {
				is, why := a.is(c, o), c.missing[a.name]
				switch {
				case why != "" && is:
					t.Errorf("%s is there, which the client is said not to send: %s", a.name, why)
				case why == "" && !is:
					t.Logf("%s is not as it should be", a.name)
				}
				b.add(c, a.name, is, why)
			}
			if t.Failed() || b.isBad(c) {
				t.Logf("%s", text(o.answered))
				t.Logf("%s", text(o.failed))
				t.Logf("want%s\ngot%s\nthread: %s", c.tree, o.tree, o.thread)
			}
		})
	}
	b.compare(t)
}

// runScript runs a client.
func runScript(t *testing.T, script, server, model string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "clients/"+script, server, model)
	cmd.Env = append(cmd.Environ(), quiet...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("node %s (npm ci installs what it needs): %v\n%s", script, err, out)
	}
}

// quiet are variables under which clients do not look for the network.
var quiet = []string{"HONEYHIVE_TELEMETRY=false", "TRACELOOP_TELEMETRY=false", "MASTRA_TELEMETRY_DISABLED=1", "DO_NOT_TRACK=1"}

// result reads what a server holds: twice, until nothing changes, since sums may come
// after what they are of.
func result(t *testing.T, s *local.Server) *outcome {
	t.Helper()
	o := new(outcome)
	for before := "-"; ; {
		o.answered, o.failed = nil, nil
		for _, e := range export(t.Context(), t, s) {
			if e.Type != honeyhive.TypeSession {
				continue
			}
			n := session(t, s, e.ID)
			if strings.Contains(text(n), failingModel) || strings.Contains(text(n), "conversation-2") {
				o.failed = append(o.failed, n)
			} else {
				o.answered = append(o.answered, n)
			}
		}
		now := text([]any{o.answered, o.failed})
		if now == before {
			break
		}
		before = now
		time.Sleep(200 * time.Millisecond)
	}
	slices.SortStableFunc(o.answered, func(a, b tree) int { return -cmp.Compare(len(a.names()), len(b.names())) })
	if len(o.answered) > 0 {
		o.tree = o.first().lines("", true)
		o.thread = thread(t, s, o.first().ID)
	}
	return o
}

var (
	divs   = regexp.MustCompile(`<div\b|</div>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// thread returns the text of the page of a session that people read: the question on top,
// and the thread.
func thread(t *testing.T, s *local.Server, id string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.SessionURL(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", res.Status, err)
	}
	top, shown, ok := strings.Cut(string(page), `<div class="thread" id="thread">`)
	if !ok {
		return ""
	}
	for open, end := 1, 0; open > 0; { // to the end of that element
		at := divs.FindStringIndex(shown[end:])
		if at == nil {
			t.Fatal("the page has no end of its thread")
		}
		if end += at[1]; strings.HasPrefix(shown[end-(at[1]-at[0]):], "</") {
			open--
		} else {
			open++
		}
		if open == 0 {
			shown = shown[:end]
		}
	}
	_, top, _ = strings.Cut(top, ` id="said">`)
	top, _, _ = strings.Cut(top, `<dl class="figures"`)
	return spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(top+shown, " ")), " ")
}
