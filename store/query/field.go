package query

import "strings"

// Kind is what values a field has.
type Kind uint8

// The kinds of fields.
const (
	Text     Kind = iota // a text; of a list each of its texts
	Choice               // one of a few texts
	ID                   // a UUID
	Search               // words, of a part of a record
	Duration             // a number of milliseconds
	Number               // another number
	Time                 // a point of time
	Exists               // only whether there is any
	Map                  // texts and numbers by their key
)

// A Field is something that queries compare.
type Field struct {
	Name string // that of a map ends with a dot
	Kind Kind
	// Outside and Inside say whether it may stand outside and inside of event(…).
	Outside, Inside bool
	// OfSession says that outside of event(…) it is one of the session as a whole, and
	// not of any of its records.
	OfSession bool
	// Path is the key of a payload that it reads, where it is that alone: metadata.release.
	Path string
	// Choices are the values of a Choice.
	Choices []string
	About   string
}

var fields = []*Field{
	{Name: "status", Kind: Choice, Outside: true, OfSession: true, Choices: []string{"ok", "error", "running", "incomplete", "orphan"}, About: "how the session went"},
	{Name: "name", Kind: Text, Outside: true, Inside: true, OfSession: true, About: "name of the session; inside of event(…), of the event"},
	{Name: "event", Kind: Text, Outside: true, About: "name of an event"},
	{Name: "kind", Kind: Text, Outside: true, Inside: true, About: "kind of an event: model, tool, chain, retriever, embedding, reranker, agent, guardrail, evaluator, turn"},
	{Name: "type", Kind: Text, Outside: true, Inside: true, About: "type of an event: model, tool or chain"},
	{Name: "model", Kind: Text, Outside: true, Inside: true, About: "model that an event calls"},
	{Name: "provider", Kind: Text, Outside: true, Inside: true, Path: "config.provider", About: "provider of the model"},
	{Name: "error", Kind: Search, Outside: true, Inside: true, About: "words of an error; error:* for any"},
	{Name: "error.kind", Kind: Text, Outside: true, Inside: true, Path: "metadata.error_type", About: "kind of an error"},
	{Name: "project", Kind: Text, Outside: true, OfSession: true, About: "project of the session"},
	{Name: "source", Kind: Text, Outside: true, OfSession: true, About: "source of the session"},
	{Name: "user", Kind: Text, Outside: true, OfSession: true, About: "user of the session"},
	{Name: "tag", Kind: Text, Outside: true, Inside: true, Path: "metadata.tags", About: "one of the tags"},
	{Name: "release", Kind: Text, Outside: true, Inside: true, Path: "metadata.release", About: "release of the program"},
	{Name: "prompt", Kind: Text, Outside: true, Inside: true, Path: "config.prompt_name", About: "name of the prompt"},
	{Name: "prompt.version", Kind: Text, Outside: true, Inside: true, Path: "config.prompt_version", About: "version of the prompt"},
	{Name: "start", Kind: Time, Outside: true, OfSession: true, About: "start of the session: start>-24h, start:2026-11-30"},
	{Name: "duration", Kind: Duration, Outside: true, Inside: true, OfSession: true, About: "how long it took: duration>2s"},
	{Name: "ttft", Kind: Duration, Outside: true, Inside: true, OfSession: true, About: "time to the first token"},
	{Name: "tokens", Kind: Number, Outside: true, Inside: true, OfSession: true, About: "tokens in and out: tokens>10k"},
	{Name: "tokens.in", Kind: Number, Outside: true, Inside: true, OfSession: true, About: "tokens in"},
	{Name: "tokens.out", Kind: Number, Outside: true, Inside: true, OfSession: true, About: "tokens out"},
	{Name: "cost", Kind: Number, Outside: true, Inside: true, OfSession: true, About: "cost, in the currency of the prices; inside of event(…) as the event says it"},
	{Name: "rating", Kind: Number, Outside: true, Inside: true, OfSession: true, About: "rating: above 0 is up, below is down"},
	{Name: "feedback", Kind: Exists, Outside: true, OfSession: true, About: "feedback:* for any"},
	{Name: "events", Kind: Number, Outside: true, OfSession: true, About: "how many events there are"},
	{Name: "errors", Kind: Number, Outside: true, OfSession: true, About: "how many events failed"},
	{Name: "calls", Kind: Number, Outside: true, OfSession: true, About: "how many calls of models there are"},
	{Name: "documents", Kind: Number, Outside: true, Inside: true, About: "how many documents a retriever or reranker found"},
	{Name: "score", Kind: Number, Outside: true, Inside: true, About: "score of the first document that a retriever or reranker found, or of an evaluation"},
	{Name: "question", Kind: Text, Outside: true, Inside: true, About: "what a retriever or reranker was asked, or what of it is shown"},
	{Name: "id", Kind: ID, Outside: true, Inside: true, About: "id of the session or of an event"},
	{Name: "inputs", Kind: Search, Outside: true, Inside: true, About: "words of inputs"},
	{Name: "outputs", Kind: Search, Outside: true, Inside: true, About: "words of outputs"},
	{Name: "metadata.", Kind: Map, Outside: true, Inside: true, Path: "metadata.", About: "value of the metadata: metadata.region:eu"},
	{Name: "config.", Kind: Map, Outside: true, Inside: true, Path: "config.", About: "value of the configuration: config.temperature<0.5"},
	{Name: "metrics.", Kind: Map, Outside: true, Inside: true, Path: "metrics.", About: "value of the metrics: metrics.faithfulness<0.7"},
	{Name: "inputs.", Kind: Map, Outside: true, Inside: true, Path: "inputs.", About: "value of the inputs"},
	{Name: "outputs.", Kind: Map, Outside: true, Inside: true, Path: "outputs.", About: "value of the outputs"},
	{Name: "feedback.", Kind: Map, Outside: true, Inside: true, Path: "feedback.", About: "value of the feedback"},
	{Name: "user.", Kind: Map, Outside: true, Inside: true, Path: "user_properties.", About: "property of the user: user.plan:pro"},
}

// Fields are all fields. They must not be changed.
func Fields() []*Field { return fields }

// find returns the field of a name, and the key of one of a map.
func find(name string) (f *Field, key string) {
	for _, f := range fields {
		if f.Kind == Map && len(name) > len(f.Name) && strings.HasPrefix(name, f.Name) {
			return f, name[len(f.Name):]
		}
		if f.Name == name && f.Kind != Map {
			return f, ""
		}
	}
	return nil, ""
}

// NewTerm returns the term that a query of this field, operator and value is. It fails
// where Parse does.
func NewTerm(name string, op Op, value string) (*Term, error) {
	f, key := find(name)
	if f == nil {
		return nil, &SyntaxError{Message: "no field is called " + quote(name)}
	}
	t := &Term{Field: f, Key: key, Op: op, Value: value}
	if message := t.read(); message != "" {
		return nil, &SyntaxError{Message: message}
	}
	return t, nil
}

// Path is the key that a term reads of payloads: that of its field.
func (t *Term) Path() string {
	if t.Field.Kind == Map {
		return t.Field.Path + t.Key
	}
	return t.Field.Path
}
