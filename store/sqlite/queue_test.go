package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// holdUpdate makes an update of an event of holdEvent that sets one key.
func holdUpdate(i int, key string) store.Write {
	return store.Write{Update: &honeyhive.Update{
		EventID: honeyhive.Some(honeyhive.SessionID("hold", fmt.Sprint(i)).String()), Metadata: honeyhive.Value(`{"` + key + `":1}`).Object(),
	}}
}

// holdWriter keeps the writer busy until the returned function is called.
func holdWriter(t *testing.T, s *Store) (free func()) {
	t.Helper()
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.submit(t.Context(), &request{bare: true, run: func(*writer) error { close(held); <-release; return nil }})
	}()
	<-held
	return func() {
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// largeUpdate returns what writes updates of a large record, as the writer has it done
// when it has seen how large the record is.
func largeUpdate(ctx context.Context, t *testing.T, s *Store, batch ...store.Write) func() error {
	t.Helper()
	var writes []record.Incoming
	for i := range batch {
		in, err := record.Read(&batch[i], s.now())
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, in)
	}
	return func() error { return s.writeLarge(ctx, writes) }
}

// enqueued starts writes one after the other, each when the one before is in the queue:
// the first is being written then, and the others wait.
func enqueued(t *testing.T, s *Store, writes ...func() error) []chan error {
	t.Helper()
	results := make([]chan error, len(writes))
	for i, write := range writes {
		results[i] = make(chan error, 1)
		go func() { results[i] <- write() }()
		for begun := false; !begun; runtime.Gosched() {
			s.queue.mu.Lock()
			begun = s.queue.running && len(s.queue.waiting) == i
			s.queue.mu.Unlock()
		}
	}
	return results
}

// metadata returns the keys of the metadata of an event of holdEvent.
func metadata(t *testing.T, s *Store, i int) (keys []string) {
	t.Helper()
	e, err := s.Event(t.Context(), honeyhive.SessionID("hold", fmt.Sprint(i)))
	if err != nil {
		t.Fatal(err)
	}
	for key := range e.Payload.Metadata.All() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestUpdatesTogether updates a large record by many callers at a time, one of whom
// leaves and one of whom asks for too much: the others' updates are all written, and the
// record with them twice, not as often as it is updated.
func TestUpdatesTogether(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": strings.Repeat("some words ", 2<<20/11)}))
	free := holdWriter(t, s)
	before := s.w.body.Load()
	const callers = 32
	leaving, leave := context.WithCancel(t.Context())
	var writes []func() error
	var want []string
	for i := range callers {
		ctx, key := t.Context(), fmt.Sprintf("k%02d", i)
		if i == 1 {
			ctx = leaving
		} else {
			want = append(want, key)
		}
		writes = append(writes, largeUpdate(ctx, t, s, holdUpdate(0, key)))
	}
	results := enqueued(t, s, writes...)
	leave()
	if err := <-results[1]; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left got the error %v", err)
	}
	free()
	for i, result := range results {
		if i == 1 {
			continue
		}
		if err := <-result; err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
	if got := metadata(t, s, 0); !slices.Equal(got, want) {
		t.Errorf("the metadata has the keys %v, want %v", got, want)
	}
	const texts = 2 // layers and payload
	if n := s.w.body.Load() - before; n != 2*texts {
		t.Errorf("%d texts were written for %d updates, want %d", n, callers, 2*texts)
	}
}

// TestRefusedTogether updates a record by several callers at a time, of whom one would
// make it too large: that one alone is refused.
func TestRefusedTogether(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	keys := func(prefix string, n int) map[string]any {
		m := make(map[string]any)
		for i := range n {
			m[fmt.Sprint(prefix, i)] = i
		}
		return m
	}
	holdWrite(t, s, holdEvent(t, 0, keys("a", store.MaxRecordKeys-1000)))
	many, err := honeyhive.ObjectOf(keys("b", 2000))
	if err != nil {
		t.Fatal(err)
	}
	tooMany := holdUpdate(0, "")
	tooMany.Update.Metadata = many
	write := func(w ...store.Write) func() error { return largeUpdate(t.Context(), t, s, w...) }
	free := holdWriter(t, s)
	results := enqueued(t, s, write(holdUpdate(0, "k0")), write(holdUpdate(0, "k1"), holdUpdate(0, "k2")), write(holdUpdate(0, "k3"), tooMany), write(holdUpdate(0, "k4")))
	free()
	for i, result := range results {
		err := <-result
		batch, refused := errors.AsType[*store.BatchError](err)
		if refused != (i == 2) || !refused && err != nil {
			t.Errorf("write %d: %v", i, err)
		}
		if _, large := errors.AsType[*store.TooLargeError](err); refused && (!large || len(batch.Writes) != 1 || batch.Writes[0].Index != 1) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got, want := metadata(t, s, 0), []string{"k0", "k1", "k2", "k3", "k4"}; !slices.Equal(got, want) {
		t.Errorf("the metadata has the keys %v, want %v", got, want)
	}
}

// TestBatchTogether writes a batch in which updates of a large record stand between other
// writes: the record is written once.
func TestBatchTogether(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": strings.Repeat("some words ", 2<<20/11)}))
	var batch []store.Write
	var want []string
	for i := range stepWrites { // in more than one transaction
		batch = append(batch, holdEvent(t, 1+i, nil))
		if i%4 == 0 {
			key := fmt.Sprintf("k%02d", i)
			batch, want = append(batch, holdUpdate(0, key)), append(want, key)
		}
	}
	before := s.w.body.Load()
	holdWrite(t, s, batch...)
	const texts = 2
	if n := s.w.body.Load() - before; n != texts {
		t.Errorf("%d texts were written, want %d", n, texts)
	}
	if got := metadata(t, s, 0); !slices.Equal(got, want) {
		t.Errorf("the metadata has the keys %v, want %v", got, want)
	}
	for i := range stepWrites {
		if got := metadata(t, s, 1+i); got != nil {
			t.Errorf("event %d has the keys %v", i, got)
		}
	}

	// What is wrong is named by its place in the batch.
	unknown := holdUpdate(7777, "k")
	unknown.MustExist = true
	err := s.Write(t.Context(), []store.Write{holdUpdate(1, "a"), unknown, holdUpdate(1, "b"), unknown})
	refused, ok := errors.AsType[*store.BatchError](err)
	if !ok || len(refused.Writes) != 2 || refused.Writes[0].Index != 1 || refused.Writes[1].Index != 3 {
		t.Errorf("got the error %v", err)
	}
}

// TestTogether orders batches: each write stands once, those of a record in their order,
// its updates behind its first write, unless they must find it.
func TestTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		writes := make([]record.Incoming, random.IntN(12))
		for i := range writes {
			writes[i] = record.Incoming{
				Kind: record.Kind(random.IntN(5)), ID: honeyhive.SessionID("together", fmt.Sprint(random.IntN(4))), MustExist: random.IntN(4) == 0,
			}
		}
		order := together(writes)
		if order == nil {
			order = slices.Sorted(slices.Values(slices.Collect(func(yield func(int) bool) {
				for i := range writes {
					if !yield(i) {
						return
					}
				}
			})))
		}
		if sorted := slices.Sorted(slices.Values(order)); len(order) != len(writes) || len(slices.Compact(sorted)) != len(writes) {
			t.Fatalf("the order is %v", order)
		}
		for at, i := range order {
			in := &writes[i]
			movable := in.Kind == record.Unknown && !in.MustExist
			earlier := slices.IndexFunc(writes[:i], func(other record.Incoming) bool { return sameRecord(&other, in) })
			if earlier >= 0 && movable && !sameRecord(&writes[order[at-1]], in) {
				t.Fatalf("update %d stands behind another record: %v", i, order)
			}
			for _, later := range order[at:] {
				if other := &writes[later]; other.ID == in.ID && later < i && !movable {
					t.Fatalf("write %d stands before %d: %v", i, later, order)
				}
			}
		}
	}
}

// TestInTwo ends with an error that is not one of a write, whatever was refused before.
func TestInTwo(t *testing.T) {
	broken := errors.New("the disk is full")
	refuse := func(at int) error {
		return &store.BatchError{Writes: []store.WriteError{{Index: at, Err: store.ErrNotFound}}}
	}
	for _, c := range []struct {
		name        string
		first, then error
		want        []int
	}{
		{"none", nil, nil, nil},
		{"the first", refuse(0), nil, []int{0}},
		{"the second", nil, refuse(1), []int{3}},
		{"both", refuse(1), refuse(0), []int{1, 2}},
		{"one that is refused, then another error", refuse(1), broken, nil},
		{"another error", broken, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			results := []error{c.first, c.then}
			err := inTwo(make([]record.Incoming, 5), 2, func([]record.Incoming) error {
				next := results[0]
				results = results[1:]
				return next
			})
			var got []int
			if batch, ok := errors.AsType[*store.BatchError](err); ok {
				for _, w := range batch.Writes {
					got = append(got, w.Index)
				}
			}
			if fails := errors.Is(errors.Join(c.first, c.then), broken); errors.Is(err, broken) != fails || !slices.Equal(got, c.want) {
				t.Errorf("got the error %v", err)
			}
		})
	}
}

// TestMiddle divides writes between records, near the middle.
func TestMiddle(t *testing.T) {
	for ids, want := range map[string]int{"a": 0, "aa": 0, "ab": 1, "abcd": 2, "aaaab": 4, "abbbb": 1, "aabbb": 2, "abbccc": 3} {
		var writes []record.Incoming
		for _, id := range ids {
			writes = append(writes, record.Incoming{ID: honeyhive.SessionID("middle", string(id))})
		}
		if got := middle(writes); got != want {
			t.Errorf("%s is divided at %d, want %d", ids, got, want)
		}
	}
}

// TestSmallUpdateBesideLarge writes a small update of a record that is small while one is
// prepared that makes it large: neither is lost.
func TestSmallUpdateBesideLarge(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": strings.Repeat("x", 1000)}))
	id := holdEvent(t, 0, nil).Event.EventID
	held, free, before := make(chan struct{}), make(chan struct{}), s.w.body.Load()
	all := sync.WaitGroup{}
	all.Go(func() {
		if err := s.submit(t.Context(), &request{bare: true, run: func(*writer) error { close(held); <-free; return nil }}); err != nil {
			t.Error(err)
		}
	})
	<-held
	all.Go(func() {
		outputs := honeyhive.Value(`{"text":"` + strings.Repeat("y", 3*partBytes) + `"}`).Object()
		if err := s.Write(t.Context(), []store.Write{{Update: &honeyhive.Update{EventID: id, Outputs: outputs}}}); err != nil {
			t.Error(err)
		}
	})
	for s.w.body.Load() == before { // until it was read what the record is
		runtime.Gosched()
	}
	all.Go(func() {
		if err := s.Write(t.Context(), []store.Write{{Update: &honeyhive.Update{EventID: id, Metadata: honeyhive.Value(`{"small":1}`).Object()}}}); err != nil {
			t.Error(err)
		}
	})
	close(free)
	all.Wait()
	got, err := s.Event(t.Context(), parse(t, id))
	if err != nil || len(got.Payload.Outputs.JSONText()) < 3*partBytes || got.Payload.Metadata.JSONText() != `{"small":1}` {
		t.Errorf("outputs of %d bytes and the metadata %s, %v", len(got.Payload.Outputs.JSONText()), got.Payload.Metadata.JSONText(), err)
	}
}
