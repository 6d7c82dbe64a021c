package record

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of the facts of one record: what queries on fields see of it.
const (
	MaxFacts    = 256
	MaxFactKey  = 128 // bytes; longer keys are no facts
	MaxFactText = 128 // bytes of a text that count
	factDepth   = 5   // maps inside of maps
	factList    = 64  // elements of one list
)

// A Fact is a text or a number that a record has under a key: metadata.release, or one
// of the names that package query has for what is read from several places.
type Fact struct {
	Key      string
	Text     string
	Number   float64
	IsNumber bool
}

// FactText returns what of a text counts where facts are compared.
func FactText(s string) string {
	if n := MaxFactText; len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}

type facts []Fact

func (f *facts) text(key, value string) {
	if len(*f) < MaxFacts && len(key) <= MaxFactKey {
		*f = append(*f, Fact{Key: key, Text: FactText(value)})
	}
}

func (f *facts) some(key, value string) {
	if value != "" {
		f.text(key, value)
	}
}

func (f *facts) number(key string, value float64) {
	if len(*f) < MaxFacts && len(key) <= MaxFactKey && !math.IsNaN(value) && !math.IsInf(value, 0) {
		*f = append(*f, Fact{Key: key, Number: value + 0, IsNumber: true})
	}
}

func optionalNumber[T int64 | float64](f *facts, key string, v honeyhive.Optional[T]) {
	if n, ok := v.Get(); ok {
		f.number(key, float64(n))
	}
}

// factMaps are the maps of a payload whose values are facts, in the order in which they
// get what room there is, and what their keys begin with.
var factMaps = []string{"config", "metadata", "user_properties", "metrics", "feedback", "inputs", "outputs"}

// Facts returns the facts of the payload of an event or of a session. An event has all
// that is compared inside of event(…) in a query; of a session its row says the rest.
func Facts(payload string, kind Kind) []Fact {
	var f facts
	maps := make(map[string]honeyhive.Value, len(factMaps))
	var e honeyhive.Event
	for field, value := range honeyhive.Value(payload).Members() { // without a copy of large texts
		if slices.Contains(factMaps, field) {
			maps[field] = value
		}
		switch field {
		case "event_name":
			e.EventName = honeyhive.Some(FactText(head(value)))
		case "event_type":
			e.EventType = honeyhive.Some(value.Text())
		case "error":
			if value.Kind() == honeyhive.KindString {
				e.Error = honeyhive.Some(FactText(head(value)))
			}
		case "start_time":
			e.StartTime = numberOf(value)
		case "end_time":
			e.EndTime = numberOf(value)
		case "duration":
			e.Duration = numberOf(value)
		}
	}
	e.Config, e.Metadata, e.Metrics, e.Feedback = maps["config"].Object(), maps["metadata"].Object(), maps["metrics"].Object(), maps["feedback"].Object()
	if kind == Event {
		f.ofEvent(&e, maps["inputs"], maps["outputs"])
	} else {
		f.some("error", cmp.Or(e.Error.Or(""), text(e.Metadata, "error")))
	}
	for _, name := range [...]string{"inputs", "outputs"} {
		if o := maps[name].Object(); !o.IsEmpty() {
			f.text(name, "")
		}
	}
	for _, name := range factMaps {
		if value := maps[name]; value.Kind() == honeyhive.KindObject {
			f.object(name, value, 0)
		}
	}
	return f
}

func numberOf(value honeyhive.Value) honeyhive.Optional[float64] {
	if value.Kind() != honeyhive.KindNumber {
		return honeyhive.Optional[float64]{}
	}
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return honeyhive.Optional[float64]{}
	}
	return honeyhive.Some(n)
}

func (f *facts) ofEvent(e *honeyhive.Event, inputs, outputs honeyhive.Value) {
	row := EventRow(e)
	f.text("event", row.Name)
	f.text("type", row.Type)
	f.text("kind", KindOf(&row))
	f.some("model", row.Model)
	f.some("error", e.Error.Or(""))
	optionalNumber(f, "duration", row.Duration)
	optionalNumber(f, "ttft", row.FirstToken)
	optionalNumber(f, "tokens.in", row.TokensIn)
	optionalNumber(f, "tokens.out", row.TokensOut)
	if !row.TokensIn.IsZero() || !row.TokensOut.IsZero() {
		f.number("tokens", float64(row.TokensIn.Or(0))+float64(row.TokensOut.Or(0)))
	}
	optionalNumber(f, "cost", row.Cost)
	optionalNumber(f, "rating", row.Rating)
	switch row.Kind {
	case "retriever", "reranker":
		f.some("question", Question(inputs.Object()))
		f.documents(outputs)
	case "evaluator":
		for _, o := range []honeyhive.Value{outputs, honeyhive.Value(e.Metrics.JSONText())} {
			if score, ok := o.Get("score"); ok {
				optionalNumber(f, "score", numberOf(score))
				break
			}
		}
	}
}

// The keys by which documents are found in outputs, and their scores in them.
var (
	documentKeys = []string{"documents", "docs", "results", "matches", "hits", "chunks"}
	scoreKeys    = []string{"score", "relevance_score", "similarity"}
)

// documents counts what was found, and notes the score of what stands first, which is
// the best.
func (f *facts) documents(outputs honeyhive.Value) {
	var list honeyhive.Value
	if outputs.Kind() == honeyhive.KindArray {
		list = outputs
	}
	held := make(map[string]honeyhive.Value)
	for k, v := range outputs.Members() {
		if v.Kind() == honeyhive.KindArray && slices.Contains(documentKeys, k) {
			held[k] = v
		}
	}
	for _, k := range documentKeys {
		if v, ok := held[k]; ok && list == "" {
			list = v
		}
	}
	if list == "" {
		return
	}
	n := 0
	for element := range list.Elements() {
		if n++; n > 1 {
			continue
		}
		for _, k := range scoreKeys {
			if score, ok := element.Get(k); ok {
				optionalNumber(f, "score", numberOf(score))
				break
			}
		}
	}
	f.number("documents", float64(n))
}

// object adds the values of a map under the path of its keys.
func (f *facts) object(path string, o honeyhive.Value, depth int) {
	for key, value := range o.Members() {
		if len(*f) >= MaxFacts {
			return
		}
		if at := path + "." + key; utf8.ValidString(key) && len(at) <= MaxFactKey && len(key) > 0 {
			f.value(at, value, depth)
		}
	}
}

func (f *facts) value(path string, value honeyhive.Value, depth int) {
	switch value.Kind() {
	case honeyhive.KindString:
		f.text(path, head(value))
	case honeyhive.KindTrue, honeyhive.KindFalse:
		f.text(path, string(value))
	case honeyhive.KindNumber:
		optionalNumber(f, path, numberOf(value))
	case honeyhive.KindObject:
		if depth+1 < factDepth {
			f.object(path, value, depth+1)
		}
	case honeyhive.KindArray:
		n := 0
		for element := range value.Elements() {
			if n++; n > factList {
				return
			}
			if k := element.Kind(); k != honeyhive.KindArray && k != honeyhive.KindObject {
				f.value(path, element, depth)
			}
		}
	}
}

// KindOf returns what people name an event: its kind, or else its type.
func KindOf(r *store.EventRow) string { return cmp.Or(r.Kind, r.Type) }

// Labels are what events are divided by beside their model.
type Labels struct {
	Name, Kind string
	// Failure is the kind of the error of one that failed.
	Failure string
	// Prompt is the name and the version of a prompt, with a line break between.
	Prompt string
}

// LabelsOf reads the labels of an event. Texts are cut as those of facts are.
func LabelsOf(e *honeyhive.Event) Labels {
	l := Labels{Name: FactText(e.EventName.Or("")), Kind: FactText(cmp.Or(kind(e), e.EventType.Or(honeyhive.TypeTool)))}
	if e.Error.Or("") != "" {
		l.Failure = FactText(text(e.Metadata, "error_type"))
	}
	if name := FactText(text(e.Config, "prompt_name")); name != "" {
		l.Prompt = name + "\n" + FactText(text(e.Config, "prompt_version"))
	}
	return l
}
