package tail

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thing is a span that has a name and a size.
type thing struct {
	name string
	size int64
}

func (thing) Show(*span.Span)    {}
func (s thing) Size() int64      { return s.size }
func nothing() *honeyhive.Update { return nil }

// sink is a destination that notes what becomes of everything.
type sink struct {
	spans bool
	busy  func() bool // there is no room at first

	mu        sync.Mutex
	log       []string // what was delivered, by names
	undecided int
	sampled   int
	drafts    map[string]bool // that are not decided
}

func (d *sink) add(name string) { d.log = append(d.log, name) }

func (d *sink) TakesSpans() bool { return d.spans }

func (d *sink) Local() string { return "" }

func (d *sink) Live() {}

func (d *sink) OnPage(func()) {}

func (d *sink) Open(session honeyhive.UUID, _ span.Source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.spans {
		d.add(fmt.Sprintf("open %x", session[0]))
	}
}

func (d *sink) Gone(session honeyhive.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.spans {
		d.add(fmt.Sprintf("gone %x", session[0]))
	}
}

func (d *sink) Try(_ time.Time, s span.Source, _ int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(s.(thing).name)
	return true
}

func (d *sink) Put(_ time.Time, s span.Source, n int64) { d.Try(time.Time{}, s, n) }

func (d *sink) Update(honeyhive.UUID, func() *honeyhive.Update) error { return nil }

func (d *sink) Hold(h *pipeline.Held, draft bool) pipeline.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.Taken(d) {
		return nil
	}
	d.undecided++
	if s, ok := h.Source.(thing); ok && draft {
		d.drafts[s.name] = true
		return s.name
	}
	return nil
}

func (d *sink) HoldOpen(session honeyhive.UUID, _ span.Source) pipeline.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := fmt.Sprintf("open %x", session[0])
	d.drafts[name] = true
	return name
}

func (d *sink) decide(s *pipeline.Session, keep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, root := range s.Roots {
		if root == nil {
			panic("a root that is none")
		}
		if draft, ok := s.Drafts[i][s.At].(string); ok {
			delete(d.drafts, draft)
		}
		if keep && !d.spans {
			d.add(fmt.Sprintf("open %x", s.ID[0]))
		}
	}
	for _, h := range s.Held {
		if !h.Taken(d) {
			continue
		}
		d.undecided--
		if h.Drafts != nil && h.Drafts[s.At] != nil {
			delete(d.drafts, h.Drafts[s.At].(string))
		}
		switch src, ok := h.Source.(thing); {
		case !keep:
			d.sampled++
		case ok:
			d.add(src.name)
		default:
			d.add("update")
		}
	}
}

func (d *sink) TryRelease(s *pipeline.Session) bool {
	if d.busy != nil && d.busy() {
		return false
	}
	d.decide(s, true)
	return true
}

func (d *sink) Release(_ context.Context, _ time.Time, s *pipeline.Session) { d.decide(s, true) }

func (d *sink) Discard(honeyhive.UUID)                      {}
func (d *sink) Discarded(s *pipeline.Session, others int64) { d.LeaveOut(s, others) }

func (d *sink) LeaveOut(s *pipeline.Session, others int64) {
	d.decide(s, false)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sampled += int(others)
}

func sinks(n int, busy func() bool) (list []*sink, to []pipeline.Destination) {
	for i := range n {
		d := &sink{spans: i%2 == 1, busy: busy, drafts: make(map[string]bool)}
		list, to = append(list, d), append(to, d)
	}
	return list, to
}

// model is what a session comes to, step by step, said as plainly as it can be.
type model struct {
	rooted, bad, decided, kept bool
	roots                      int
	names                      []string // of events, of this run or part
	all                        []string // of what was delivered
	out                        int
}

func (m *model) decide() {
	if m.decided {
		return
	}
	if m.bad {
		m.decided, m.kept = true, true
	} else if m.roots == 0 {
		m.decided = true
	}
	if m.decided {
		m.settle()
	}
}

func (m *model) settle() {
	if m.kept {
		m.all = append(m.all, m.names...)
	} else {
		m.out += len(m.names)
	}
	m.names = nil
}

func (m *model) add(name string) {
	m.names = append(m.names, name)
	if m.decided {
		m.settle()
	}
}

// TestOrders plays sessions in all orders: events that end before and after the root, in
// sessions that start once more, roots that are forgotten, updates at any time. Every
// destination gets of each session what the model says, and counts the rest.
func TestOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		busy := rapid.Bool().Draw(t, "busy")
		list, to := sinks(4, func() bool { return busy })
		s := New(Config{MaxBytes: 1 << 40, To: to, Early: func() {}})
		const sessions = 3
		var models [sessions]model
		n := 0
		steps := rapid.SliceOfN(rapid.IntRange(0, 100*sessions-1), 1, 60).Draw(t, "steps")
		for _, step := range steps {
			i, what := step%sessions, step/sessions%10
			m, id := &models[i], honeyhive.UUID{byte(i + 1)}
			bad := step/sessions/10%4 == 0
			n++
			name := fmt.Sprintf("%d/%d", i, n)
			held := pipeline.Held{Source: thing{name, 10}, Size: 10, Event: honeyhive.UUID{9, byte(n)}}
			switch {
			case what < 2: // starts, perhaps once more
				if m.decided && !m.kept {
					*m = model{all: m.all, out: m.out}
				}
				s.Open(id, id, thing{"root", 0})
				m.rooted = true
				m.roots++
			case what < 6:
				if !m.rooted {
					continue // parts have a test of their own
				}
				s.Put(time.Now(), &Span{Held: held, Group: id, Session: id, Key: tree.Key{Span: [8]byte{byte(n)}}, Bad: bad})
				m.bad = m.bad || bad
				m.add(name)
			case what < 8:
				if m.roots == 0 {
					continue
				}
				s.Put(time.Now(), &Span{Held: held, Group: id, Session: id, Root: true, Bad: bad})
				m.roots--
				m.bad = m.bad || bad
				m.add(name)
			case what == 8 && m.roots > 0:
				s.Gone(id, id)
				if m.bad = true; m.decided {
					continue
				}
			case what == 9 && m.rooted:
				verdict := s.Update(id, id, &pipeline.Held{Build: nothing, Size: 10}, bad)
				want := Taken
				switch {
				case m.decided && m.kept:
					want = Unknown
				case m.decided:
					want = LeftOut
				}
				if verdict != want {
					t.Fatalf("an update is %d, want %d", verdict, want)
				}
				m.bad = m.bad || bad
			}
			m.decide()
		}
		s.Close(context.Background())
		var want []string
		out := 0
		for i := range models {
			if m := &models[i]; !m.decided {
				m.bad = true
				m.decide()
			}
			want, out = append(want, models[i].all...), out+models[i].out
		}
		slices.Sort(want)
		for i, d := range list {
			var got []string
			for _, name := range d.log {
				if name[0] < 'a' {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("destination %d got %q, want %q", i, got, want)
			}
			if d.undecided != 0 || len(d.drafts) > 0 {
				t.Errorf("destination %d: %d are undecided, and %v", i, d.undecided, d.drafts)
			}
			if d.spans && d.sampled != out {
				t.Errorf("destination %d counts %d, want %d", i, d.sampled, out)
			}
		}
		checkEmpty(t, s)
	})
}

// checkEmpty checks that nothing is kept of what was decided.
func checkEmpty(t interface{ Errorf(string, ...any) }, s *Sampler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.units)+len(s.turns)+len(s.events)+len(s.anchors)+s.line.Len() != 0 || s.bytes != 0 || s.leaving != 0 {
		t.Errorf("left over: %d units, %d events, %d anchors, %d in line, %d bytes, %d leaving",
			len(s.units), len(s.events), len(s.anchors), s.line.Len(), s.bytes, s.leaving)
	}
}

// TestParts records parts of sessions that another process holds, in all orders of starts
// and ends.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, to := sinks(2, nil)
		s := New(Config{MaxBytes: 1 << 40, To: to, SlowerThan: time.Second, Early: func() {}})
		id := honeyhive.UUID{1}
		var running []tree.Key
		var part, want []string
		bad, kept, out := false, false, 0
		var first, last time.Time
		at := time.Unix(1000, 0)
		settle := func() {
			switch {
			case kept || bad || len(running) == 0 && last.Sub(first) > time.Second:
				kept = true
				want = append(want, part...)
			case len(running) > 0:
				return
			default:
				out += len(part)
			}
			part, bad, first, last = nil, false, time.Time{}, time.Time{}
		}
		for n, step := range rapid.SliceOfN(rapid.IntRange(0, 19), 1, 50).Draw(t, "steps") {
			key := tree.Key{Span: [8]byte{1, byte(n)}}
			switch {
			case step < 8:
				s.Begin(id, key)
				running = append(running, key)
			case len(running) == 0:
			case step == 8: // forgotten
				s.Forgot(id, running[0])
				running = running[1:]
				if len(running) == 0 {
					settle()
				}
			default:
				i := step % len(running)
				key = running[i]
				running = slices.Delete(running, i, i+1)
				name := fmt.Sprint(n)
				took := time.Duration(step) * 100 * time.Millisecond // beyond a second from 11 on
				isBad := step == 10
				s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{name, 1}, Size: 1}, Group: id, Session: id, Key: key, Bad: isBad, Start: at, End: at.Add(took)})
				part, bad = append(part, name), bad || isBad
				first = at
				if at.Add(took).After(last) {
					last = at.Add(took)
				}
				settle()
			}
		}
		s.Close(context.Background())
		want = append(want, part...)
		for _, d := range list {
			if !slices.Equal(d.log, want) || d.sampled != out || d.undecided != 0 {
				t.Errorf("got %q and %d out, %d undecided, want %q and %d", d.log, d.sampled, d.undecided, want, out)
			}
		}
		checkEmpty(t, s)
	})
}

// TestNamedByAttributes has spans that name a session by their attributes, below a span
// that runs outside of it.
func TestNamedByAttributes(t *testing.T) {
	list, to := sinks(2, nil)
	s := New(Config{MaxBytes: 1 << 40, To: to, Early: func() {}})
	above := tree.Key{Span: [8]byte{7}}
	put := func(session byte, name string, above tree.Key, bad bool) {
		s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{name, 1}, Size: 1}, Group: honeyhive.UUID{session}, Session: honeyhive.UUID{session}, Above: above, Bad: bad})
	}
	put(1, "1/a", above, false)
	put(2, "2/a", above, false)
	put(1, "1/b", above, true)
	put(2, "2/b", above, false)
	put(3, "3/a", tree.Key{}, false) // nothing runs above it
	put(4, "4/a", tree.Key{}, true)
	s.Ended(tree.Key{Span: [8]byte{8}})
	for _, d := range list {
		if want := []string{"1/a", "1/b", "4/a"}; !slices.Equal(d.log, want) || d.undecided != 2 || d.sampled != 1 {
			t.Errorf("got %q, want %q; %d undecided, %d out", d.log, want, d.undecided, d.sampled)
		}
	}
	s.Ended(above)
	put(1, "1/c", above, false) // which was kept
	for _, d := range list {
		if want := []string{"1/a", "1/b", "4/a", "1/c"}; !slices.Equal(d.log, want) || d.undecided != 0 || d.sampled != 3 {
			t.Errorf("got %q, want %q; %d undecided, %d out", d.log, want, d.undecided, d.sampled)
		}
	}
	checkEmpty(t, s)
}

// TestBound fills the memory. It counts the bytes of what is undecided after each step,
// and which sessions are kept for want of room: those that have waited longest.
func TestBound(t *testing.T) {
	list, to := sinks(2, nil)
	const most, sessions, events = 100 << 10, 100, 10
	told := 0
	s := New(Config{MaxBytes: most, To: to, Early: func() { told++ }})
	for i := range sessions {
		s.Open(honeyhive.UUID{byte(i + 1)}, honeyhive.UUID{byte(i + 1)}, thing{"root", 0})
	}
	highest := int64(0)
	for n := range events {
		for i := range sessions {
			id := honeyhive.UUID{byte(i + 1)}
			s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{fmt.Sprint(i), 1000}, Size: 1000, Event: honeyhive.UUID{9, byte(i), byte(n)}}, Group: id, Session: id})
			if s.bytes > most {
				t.Fatalf("%d bytes are held", s.bytes)
			}
			highest = max(highest, s.bytes)
			sum := int64(0)
			for _, u := range s.units {
				for _, h := range u.held {
					sum += h.Size + overhead
				}
			}
			if sum != s.bytes {
				t.Fatalf("%d bytes are counted, of %d", s.bytes, sum)
			}
		}
	}
	early := int(s.KeptEarly())
	if highest < most*9/10 || told == 0 || early == 0 || early == sessions {
		t.Errorf("at most %d bytes were held; %d sessions were kept early, said %d times", highest, early, told)
	}
	for i := range sessions {
		s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{fmt.Sprint(i), 10}, Size: 10}, Group: honeyhive.UUID{byte(i + 1)}, Session: honeyhive.UUID{byte(i + 1)}, Root: true})
	}
	for _, d := range list {
		count := make(map[string]int)
		for _, name := range d.log {
			count[name]++
		}
		for i := range early { // the oldest, and whole
			if n := count[fmt.Sprint(i)]; n != events+1 {
				t.Errorf("of session %d %d records were delivered", i, n)
			}
		}
		maps.DeleteFunc(count, func(name string, _ int) bool { return name[0] == 'o' })
		if len(count) != early || d.sampled != (sessions-early)*(events+1) {
			t.Errorf("%d sessions were delivered, want %d; %d records are out", len(count), early, d.sampled)
		}
	}
	checkEmpty(t, s)
	// One that is alone too large does not stay.
	s.Open(honeyhive.UUID{200}, honeyhive.UUID{200}, thing{"root", 0})
	s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{"large", 1 << 30}, Size: 1 << 30}, Group: honeyhive.UUID{200}, Session: honeyhive.UUID{200}})
	if s.bytes != 0 || list[0].log[len(list[0].log)-1] != "large" {
		t.Errorf("%d bytes are held", s.bytes)
	}
}

// TestMemoryIsBounded decides many sessions. What is remembered of them has a bound, and
// the newest are remembered.
func TestMemoryIsBounded(t *testing.T) {
	_, to := sinks(1, nil)
	s := New(Config{MaxBytes: 1 << 40, To: to, Early: func() {}})
	id := func(i int) honeyhive.UUID { return honeyhive.UUID{byte(i >> 16), byte(i >> 8), byte(i), 1} }
	const sessions = 3*mostRemembered + 5
	for i := range sessions {
		s.Open(id(i), id(i), thing{"root", 0})
		s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{"r", 1}, Event: honeyhive.UUID{byte(i >> 16), byte(i >> 8), byte(i), 2}}, Group: id(i), Session: id(i), Root: true})
	}
	for name, m := range map[string]*memory{"sessions": &s.groups, "events": &s.left} {
		if n := len(m.newer) + len(m.older); n > 2*mostRemembered || n < mostRemembered {
			t.Errorf("%d %s are remembered", n, name)
		}
	}
	for i := range mostRemembered {
		if kept, known := s.decided(id(sessions-1-i), id(sessions-1-i)); kept || !known {
			t.Fatalf("the session before %d others is forgotten", i)
		}
	}
	if _, known := s.decided(id(0), id(0)); known {
		t.Error("the first one is remembered")
	}
	checkEmpty(t, s)
}

// TestAtOnce ends events, roots and sessions from many goroutines, while memory is short:
// all destinations get the same sessions, and nothing twice.
func TestAtOnce(t *testing.T) {
	list, to := sinks(4, nil)
	s := New(Config{MaxBytes: 20 << 10, To: to, Early: func() {}})
	const sessions, lanes, events = 60, 8, 5
	for i := range sessions {
		s.Open(honeyhive.UUID{byte(i + 1)}, honeyhive.UUID{byte(i + 1)}, thing{"root", 0})
	}
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for n := range events {
				for i := range sessions {
					bad := i%3 == 0 && lane == 1 && n == 1
					s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{fmt.Sprintf("%d/%d/%d", i, lane, n), 100}, Size: 100}, Group: honeyhive.UUID{byte(i + 1)}, Session: honeyhive.UUID{byte(i + 1)}, Bad: bad})
					if lane == 0 && n == events-1 {
						s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{fmt.Sprintf("%d/root", i), 100}, Size: 100}, Group: honeyhive.UUID{byte(i + 1)}, Session: honeyhive.UUID{byte(i + 1)}, Root: true})
					}
				}
			}
		})
	}
	wg.Wait()
	s.Close(context.Background())
	var first []string
	for i, d := range list {
		got := slices.DeleteFunc(slices.Clone(d.log), func(name string) bool { return name[0] == 'o' })
		slices.Sort(got)
		if d.undecided != 0 || len(got)+d.sampled != sessions*(lanes*events+1) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("destination %d: %d delivered, %d out, %d undecided", i, len(got), d.sampled, d.undecided)
		}
		if i == 0 {
			first = got
		} else if !slices.Equal(got, first) {
			t.Errorf("destination %d got others than the first: %d and %d", i, len(got), len(first))
		}
		count := make(map[string]int)
		for _, name := range got {
			session, _, _ := strings.Cut(name, "/")
			count[session]++
		}
		for session, n := range count {
			if n != lanes*events+1 {
				t.Errorf("of session %s %d records were delivered", session, n)
			}
		}
	}
	checkEmpty(t, s)
}

// TestShare holds that the share is about what was asked for, grows with the number, and
// knows its ends.
func TestShare(t *testing.T) {
	in := 0
	const n = 20_000
	for range n {
		id := honeyhive.NewUUID()
		if InShare(id, 0) || !InShare(id, 1) {
			t.Fatal("nothing is in the share of 1, or something in that of 0")
		}
		if InShare(id, 0.05) {
			in++
			if !InShare(id, 0.06) {
				t.Fatal("a larger share lacks a session of a smaller one")
			}
		}
	}
	if in < n/25 || in > n*3/50 { // 6 standard deviations
		t.Errorf("%d of %d are in the share of 0.05", in, n)
	}
}

// TestNobodyTakesIt holds nothing that no destination would take: spans that are no events
// where all destinations take sessions, updates where all take spans.
func TestNobodyTakesIt(t *testing.T) {
	for _, spans := range []bool{false, true} {
		d := &sink{spans: spans, drafts: make(map[string]bool)}
		s := New(Config{MaxBytes: 1 << 40, To: []pipeline.Destination{d}, Early: func() {}})
		id := honeyhive.UUID{1}
		s.Open(id, id, thing{"root", 0})
		if spans {
			s.Update(id, id, &pipeline.Held{Build: nothing, Size: 10}, false)
		} else {
			s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{"x", 10}, Size: 10, SpansOnly: true}, Group: id, Session: id})
		}
		if s.bytes != 0 || d.undecided != 0 {
			t.Errorf("spans %v: %d bytes are held", spans, s.bytes)
		}
		s.Put(time.Now(), &Span{Held: pipeline.Held{Source: thing{"root", 10}, Size: 10}, Group: id, Session: id, Root: true})
		if d.sampled != 1 || d.undecided != 0 {
			t.Errorf("spans %v: %d are out, %d undecided", spans, d.sampled, d.undecided)
		}
		checkEmpty(t, s)
	}
}
