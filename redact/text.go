package redact

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

const (
	// mostNested is how many texts may be in each other as JSON or base64.
	mostNested = 8
	// mostEscaped is how often escapes are decoded.
	mostEscaped = 8
)

// A walker goes through one value.
type walker struct {
	*Policy
	path
	memo  memo
	looks int // at letters around those that are scanned, for tests
	depth int // of texts in texts
	named bool
	hits  []hit
}

var walkers = sync.Pool{New: func() any { return new(walker) }}

// walk calls use with a walker that is used again.
func (p *Policy) walk(use func(w *walker)) {
	const most = 1 << 10
	w := walkers.Get().(*walker)
	w.Policy = p
	use(w)
	clear(w.hits[:cap(w.hits)])
	*w = walker{path: path{w.text[:0], w.folded[:0], w.starts[:0]}, hits: w.hits[:0]}
	if cap(w.text)+cap(w.hits) < most { // where use panics it is left to the collector too
		walkers.Put(w)
	}
}

// Text returns a text as it may leave the program. path says where it stands: a field
// or an attribute, with a dotted path inside of JSON (inputs.user.email).
//
// Text is an exporter.Redactor, and safe for concurrent use. Of what it cannot
// handle, because a function panicked or it is nested too deep, it returns
// [redacted:failed].
func (p *Policy) Text(path, text string) (out string) {
	if p.off() || text == "" {
		return text
	}
	defer func() {
		if recover() != nil {
			out = mark(failed)
		}
	}()
	p.walk(func(w *walker) {
		w.push(path)
		out = w.leaf(text)
	})
	return out
}

// Name returns the name of an attribute, or of a member of JSON, as it may leave the
// program. path is where the value stands, and ends with the name.
func (p *Policy) Name(path, name string) (out string) {
	if p.off() || name == "" {
		return name
	}
	defer func() {
		if recover() != nil {
			out = mark(failed)
		}
	}()
	p.walk(func(w *walker) {
		w.push(path)
		out = w.key(name)
	})
	return out
}

// Removes reports whether what stands at a path is to be left out with its name, by a
// rule for its key.
func (p *Policy) Removes(path string) (removes bool) {
	if p == nil || len(p.keys.list) == 0 {
		return false
	}
	p.walk(func(w *walker) {
		w.push(path)
		r, ok := w.keys.under(&w.path)
		removes = ok && r.action == Remove
	})
	return removes
}

// leaf redacts a text by the rules for its path, and else by what it holds.
func (w *walker) leaf(text string) string {
	if r, ok := w.keys.under(&w.path); ok {
		return w.ruled(r, text)
	}
	if w.Policy.named && len(w.starts) > 0 {
		// Names of attributes have segments; the last one tells, and the whole.
		name := string(w.text)
		if c := max(nameOf(name), nameOf(name[strings.LastIndexByte(name, '.')+1:])); c == strongName || c == weakName && secretive(text) {
			return w.credential(text)
		}
	}
	return w.content(text)
}

// ruled does with a text what a rule says.
func (w *walker) ruled(r rule, text string) string {
	if text == "" || r.action == Keep || marked(text, r.label) {
		return text
	}
	return w.replace(r.action, r.label, text)
}

// credential redacts a text that the name says is a credential.
func (w *walker) credential(text string) string {
	return w.ruled(rule{string(Credential), w.actions[Credential]}, text)
}

// content redacts a text by what it holds.
func (w *walker) content(text string) string {
	inner, isJSON := container(text)
	if isJSON && w.depth == 0 && len(w.functions) > 0 {
		if _, err := rawjson.Parse(inner); err != nil && !tooDeep(inner) {
			isJSON = false // so that the functions are asked for what only looks like it
		}
	}
	if w.depth > 0 || !isJSON {
		asked, ok := w.ask(Text, w.text, text)
		switch {
		case !ok:
			return mark(failed)
		case asked == "":
			return ""
		case asked != text:
			text = asked
			inner, isJSON = container(text)
		}
	}
	if isJSON {
		return w.inside(text, inner)
	}
	return w.detect(text)
}

// container returns the JSON that a text holds, and whether it looks like some.
func container(text string) (trimmed string, ok bool) {
	trimmed = strings.TrimLeft(text, " \t\r\n\ufeff")
	return trimmed, trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[' || trimmed[0] == '"')
}

// inside redacts JSON in a text. What is no JSON after all is an ordinary text.
func (w *walker) inside(text, trimmed string) string {
	canonical, err := rawjson.Parse(trimmed)
	if err != nil {
		if tooDeep(trimmed) {
			return mark(failed)
		}
		return w.detect(text)
	}
	if w.depth >= mostNested {
		return mark(failed)
	}
	w.depth++
	defer func(named bool) { w.depth, w.named = w.depth-1, named }(w.named)
	w.named = false
	out := string(w.json(make([]byte, 0, len(canonical)), canonical))
	if out == canonical {
		return text
	}
	return out
}

// tooDeep reports whether a text opens more arrays and objects than JSON may have here.
func tooDeep(text string) bool {
	open, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if open++; open > rawjson.MaxDepth {
				return true
			}
		case c == '}', c == ']':
			open--
		}
	}
	return false
}

// key redacts the name of a member or an attribute.
func (w *walker) key(name string) string {
	asked, ok := w.ask(Key, w.text, name)
	if !ok {
		return mark(failed)
	}
	return w.detect(asked)
}

// A hit is a part of a text, and what takes its place.
type hit struct {
	from, to int
	with     string
}

// detect redacts what the detectors find in a text.
func (w *walker) detect(text string) string {
	if !w.detects && len(w.keys.list) == 0 && !w.Policy.named {
		return text
	}
	from := len(w.hits)
	w.find(text, mostEscaped)
	hits := w.hits[from:]
	w.hits = w.hits[:from]
	if len(hits) == 0 {
		return text
	}
	return join(text, hits)
}

// join puts what takes the place of hits into a text. Of hits that overlap the longest
// counts, for all of what they cover.
func join(text string, hits []hit) string {
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	b := make([]byte, 0, len(text))
	last := 0
	for i := 0; i < len(hits); {
		h := hits[i]
		longest, to := h, h.to
		for i++; i < len(hits) && hits[i].from < to; i++ {
			if hits[i].to-hits[i].from > longest.to-longest.from {
				longest = hits[i]
			}
			to = max(to, hits[i].to)
		}
		b = append(append(b, text[last:h.from]...), longest.with...)
		last = to
	}
	return string(append(b, text[last:]...))
}

// add notes what a detector has found: plain is what it is, without what does not
// belong to it.
func (w *walker) add(from, to int, d Detector, plain string) {
	if a := w.actions[d]; a != Keep {
		w.hits = append(w.hits, hit{from, to, w.replace(a, string(d), plain)})
	}
}

// find notes what the detectors find in a text, in what is left of it when escapes are
// decoded, so many times, and in its base64.
func (w *walker) find(text string, escapes int) {
	before := len(w.hits)
	escaped, query := w.scan(text)
	if len(w.hits) > before && !escaped { // what was found may be escapes in part
		escaped = opens(text)
	}
	if query {
		w.scan(spaced(text))
	}
	if !escaped {
		return
	}
	from := len(w.hits)
	v, ok := decode(text)
	if !ok {
		return
	}
	if escapes == 0 { // nobody escapes a text so often but to hide it
		for _, e := range v.escaped {
			w.hits = append(w.hits, hit{e.at, e.at + e.size, mark(failed)})
		}
		return
	}
	w.find(v.text, escapes-1)
	for i := from; i < len(w.hits); i++ {
		h := &w.hits[i]
		h.from, h.to = v.span(h.from, h.to)
	}
}
