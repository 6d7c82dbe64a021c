// Package fields keeps what was set on a session or event, until a worker reads it.
//
// Each call of a setter adds a [Part]. Parts are encoded when they are set, and
// merged by key when they are read, which for most events is on the worker of a
// destination: a merge copies, and most buckets are set once.
package fields

import (
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// Fields are what is set on a session or event. Its methods are safe for concurrent
// use. Setters report false after Freeze, and do nothing then.
type Fields struct {
	mu     sync.Mutex
	frozen bool
	set    Set
	// usage is what SetUsage was given by now, together.
	usage *tokens.Usage
	// tags are those that AddTags was given by now.
	tags []string
	// lateInputs are inputs that came after Freeze.
	lateInputs honeyhive.Object
}

// Set is what was set by a time. A Set does not change, so many goroutines may read one
// at once. The zero Set is empty.
type Set struct {
	parts   []Part           // what was set and not merged into the buckets yet
	buckets *convert.Buckets // nil while they are empty
	merging *merging         // what belongs to the buckets, where there were many parts
	// inGenAI is how many of the parts are among genAI already.
	inGenAI    int
	genAI      []attribute.KeyValue // says fields again, in the terms of the GenAI conventions
	attributes []attribute.KeyValue // set besides
	rare       *rare                // nil while nothing of it was set
}

// rare is what few sessions and events have. Once Peek may have given a rare away, it is
// replaced rather than changed.
type rare struct {
	err, name, project, source string
	duration                   honeyhive.Optional[float64]
	end                        time.Time
	usage                      *tokens.Usage  // of the events of a session together
	costs                      []money.Amount // the same
}

// NewFrozen makes f as after Freeze: for a session of another process, which can
// only be updated.
func (f *Fields) NewFrozen() { f.frozen = true }

// Add adds a part. The error says what is wrong with raw JSON that was checked
// meanwhile, which is then kept as text.
func (f *Fields) Add(p Part) (ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(p)
}

func (f *Fields) add(p Part) (ok bool, err error) {
	if f.frozen {
		return false, nil
	}
	s := &f.set
	switch len(s.parts) {
	case 0:
		if s.parts == nil {
			s.parts = make([]Part, 0, usualParts)
		}
	case mostParts:
		err = s.fold()
	}
	s.parts = append(s.parts, p)
	return true, err
}

// UpdateUsage adds a part for a usage together with the earlier ones, whose counts
// stay where u does not know better, and returns the part. Where ok is false it is for
// an update.
func (f *Fields) UpdateUsage(u tokens.Usage) (p Part, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := new(tokens.Usage)
	if f.usage != nil {
		*all = *f.usage
	}
	all.Update(&u)
	all.SumUp()
	s := &f.set
	if i := slices.IndexFunc(s.parts, func(p Part) bool { return p.usage != nil && p.usage == f.usage }); i >= 0 {
		s.addPartsToGenAI()
		s.parts = slices.Delete(s.parts, i, i+1)
		s.inGenAI--
	}
	f.usage, p = all, Part{usage: all, bucket: convert.Metadata, form: formUsage}
	ok, err = f.add(p)
	return p, ok, err
}

// OutputTokens returns how many tokens UpdateUsage was told were written, if it was.
func (f *Fields) OutputTokens() (n int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.usage == nil || !f.usage.Knows(tokens.Output) {
		return 0, false
	}
	return f.usage.N[1], true
}

// AddTags adds a part with the tags that were added by now, each once and the first
// ones up to most, and returns it, and how many of the given ones are left out. Where
// ok is false it is for an update.
func (f *Fields) AddTags(tags []string, most int) (p Part, ok bool, left int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.tags)
	for _, tag := range tags {
		switch {
		case slices.Contains(f.tags, tag):
		case len(f.tags) == most:
			left++
		default:
			f.tags = append(f.tags, tag)
		}
	}
	if len(f.tags) == before {
		return Part{}, true, left, nil
	}
	text := []byte(`{"tags":[`)
	for i, tag := range f.tags {
		if i > 0 {
			text = append(text, ',')
		}
		text = rawjson.AppendString(text, tag)
	}
	p = Object(convert.Metadata, string(append(text, "]}"...)))
	ok, err = f.add(p)
	return p, ok, left, err
}

const (
	usualParts = 2
	usualGenAI = 4 // attributes of the GenAI conventions
	// mostParts is how many parts wait at most. What comes after them is merged, so
	// that values which replace each other take no more memory than the last.
	mostParts = 16
)

// SetAttributes sets attributes besides the fields. Of two with one key the later
// counts, also where a field says one of them again.
func (f *Fields) SetAttributes(kvs ...attribute.KeyValue) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen {
		return false
	}
	s := &f.set
	s.addPartsToGenAI()
	s.attributes = slices.Grow(s.attributes, len(kvs))
	for _, kv := range kvs {
		if kv.Valid() { // the SDK takes no others
			s.genAI = without(s.genAI, kv.Key)
			s.attributes = upsert(s.attributes, kv)
		}
	}
	return true
}

// SetOnce sets an attribute besides the fields, unless it is set, and reports whether
// it did.
func (f *Fields) SetOnce(kv attribute.KeyValue) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen || span.HasKey(f.set.attributes, kv.Key) {
		return false
	}
	f.set.attributes = append(f.set.attributes, kv)
	return true
}

// AddGenAI sets attributes of the GenAI conventions that say what a part says.
func (f *Fields) AddGenAI(kvs ...attribute.KeyValue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.frozen {
		f.set.addPartsToGenAI()
		f.set.addGenAI(kvs)
	}
}

func (s *Set) addGenAI(kvs []attribute.KeyValue) {
	if s.genAI == nil && len(kvs) > 0 {
		s.genAI = make([]attribute.KeyValue, 0, max(usualGenAI, len(kvs)))
	}
	for _, kv := range kvs {
		s.attributes = without(s.attributes, kv.Key)
		s.genAI = upsert(s.genAI, kv)
	}
}

// addPartsToGenAI says the parts again, so far as that was not done.
func (s *Set) addPartsToGenAI() {
	var list [mostGenAI]attribute.KeyValue
	for i := range s.parts[s.inGenAI:] {
		s.addGenAI(s.parts[s.inGenAI+i].appendGenAI(list[:0]))
	}
	s.inGenAI = len(s.parts)
}

func upsert(list []attribute.KeyValue, kv attribute.KeyValue) []attribute.KeyValue {
	for i := range list {
		if list[i].Key == kv.Key {
			list[i] = kv
			return list
		}
	}
	return append(list, kv)
}

func without(list []attribute.KeyValue, key attribute.Key) []attribute.KeyValue {
	return slices.DeleteFunc(list, func(kv attribute.KeyValue) bool { return kv.Key == key })
}

// Frozen reports whether Freeze was called.
func (f *Fields) Frozen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frozen
}

// change changes what is rare.
func (f *Fields) change(to func(*rare)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen {
		return false
	}
	r := new(rare)
	if f.set.rare != nil {
		*r = *f.set.rare // which Peek may have given away
	}
	to(r)
	f.set.rare = r
	return true
}

// SetError sets the error.
func (f *Fields) SetError(text string) bool { return f.change(func(r *rare) { r.err = text }) }

// SetName sets the name of a session.
func (f *Fields) SetName(name string) bool { return f.change(func(r *rare) { r.name = name }) }

// SetProject sets the project of a session.
func (f *Fields) SetProject(name string) bool { return f.change(func(r *rare) { r.project = name }) }

// SetSource sets the source of a session.
func (f *Fields) SetSource(name string) bool { return f.change(func(r *rare) { r.source = name }) }

// SetDuration sets the duration, in milliseconds.
func (f *Fields) SetDuration(ms float64) bool {
	return f.change(func(r *rare) { r.duration = honeyhive.Some(ms) })
}

// SetEnd sets the time of the end.
func (f *Fields) SetEnd(t time.Time) bool { return f.change(func(r *rare) { r.end = t }) }

// MergeLateInputs merges inputs that came after Freeze, and returns all of them.
func (f *Fields) MergeLateInputs(o honeyhive.Object) honeyhive.Object {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lateInputs = f.lateInputs.Merge(o)
	return f.lateInputs
}

// Freeze returns what was set, which f lets go. Freeze reports whether this call was
// the first.
func (f *Fields) Freeze() (s Set, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen {
		return Set{}, false
	}
	f.frozen = true
	s, f.set = f.set, Set{}
	return s, true
}

// Peek returns what is set by now.
func (f *Fields) Peek() Set {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.set
	s.parts, s.genAI, s.attributes = slices.Clone(s.parts), slices.Clone(s.genAI), slices.Clone(s.attributes)
	if s.buckets != nil {
		buckets := *s.buckets
		s.buckets = &buckets
	}
	s.merging = s.merging.clone()
	return s
}

// AddUp makes the usage of the events of a session together part of the metadata,
// unless that has counts: counts of two origins do not add up.
func (s *Set) AddUp(u *tokens.Usage) {
	r := new(rare)
	if s.rare != nil {
		*r = *s.rare
	}
	r.usage = u
	s.rare = r
}

// AddCosts makes what the events of a session cost together part of the metadata,
// unless that has a cost.
func (s *Set) AddCosts(costs []money.Amount) {
	if len(costs) == 0 {
		return
	}
	r := new(rare)
	if s.rare != nil {
		*r = *s.rare
	}
	r.costs = costs
	s.rare = r
}

// Len returns how many attributes a joined set is at least.
func (s *Set) Len() int {
	n := len(s.genAI) + len(s.attributes)
	if s.buckets != nil {
		for b := range s.buckets {
			if !s.buckets[b].IsZero() {
				n++
			}
		}
	}
	return n
}

// Failure returns the error, or "".
func (s *Set) Failure() string {
	if s.rare == nil {
		return ""
	}
	return s.rare.err
}

// Duration returns the duration that was set, in milliseconds.
func (s *Set) Duration() honeyhive.Optional[float64] {
	if s.rare == nil {
		return honeyhive.Optional[float64]{}
	}
	return s.rare.duration
}

// Attributes returns the attributes that were set besides the fields, which are shared.
func (s *Set) Attributes() []attribute.KeyValue { return s.attributes }

// Has reports whether something was set in a bucket.
func (s *Set) Has(b convert.Bucket) bool {
	return s.buckets != nil && !s.buckets[b].IsZero() || s.merging != nil && len(s.merging[b]) > 0 ||
		slices.ContainsFunc(s.parts, func(p Part) bool { return p.bucket == b })
}

// End returns the time of the end that was set, or the zero time.
func (s *Set) End() time.Time {
	if s.rare == nil {
		return time.Time{}
	}
	return s.rare.end
}

// Join merges all parts into the buckets, for a reader that shares their texts. The
// set must not be shared yet.
func (s *Set) Join() error {
	if len(s.parts) == 0 && s.merging == nil {
		return nil
	}
	s.addPartsToGenAI()
	err := s.fold()
	s.merging.join(s.buckets)
	s.parts, s.merging = nil, nil
	return err
}

// fold merges the parts into the buckets, so far as that costs little by now.
func (s *Set) fold() (err error) {
	if s.buckets == nil {
		s.buckets = new(convert.Buckets)
	}
	if s.merging == nil {
		s.merging = new(merging)
	}
	s.addPartsToGenAI()
	for i := range s.parts {
		p := &s.parts[i]
		o, problem := p.object()
		err = errors.Join(err, problem)
		if !o.IsZero() {
			s.merging.add(s.buckets, p.bucket, o)
		}
	}
	clear(s.parts)
	s.parts, s.inGenAI = s.parts[:0], 0
	return err
}

// Size returns about how many bytes keep the set.
func (s *Set) Size() int64 {
	n := span.AttributesSize(s.genAI) + span.AttributesSize(s.attributes)
	text := func(text string) {
		if text != "" {
			n += span.TextSize(len(text))
		}
	}
	for i := range s.parts {
		n += s.parts[i].size()
	}
	if s.buckets != nil {
		n += 128
		for _, o := range s.buckets {
			text(o.JSONText())
		}
	}
	if s.merging != nil {
		for _, stack := range s.merging {
			for _, o := range stack {
				text(o.JSONText())
			}
		}
	}
	if r := s.rare; r != nil {
		n += 192
		text(r.err)
	}
	return n
}
