package bodies

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// kept is a store with events of so many bytes.
type kept struct {
	store.Store

	bytes  []int64
	moved  map[int64]bool // numbers that changed after the rows were read
	limits []int
	held   []int64
	err    error
}

func (k *kept) Events(context.Context, honeyhive.UUID, store.EventQuery) iter.Seq2[store.EventRow, error] {
	return func(yield func(store.EventRow, error) bool) {
		for i, n := range k.bytes {
			if !yield(store.EventRow{Seq: int64(i) + 1, Bytes: n}, nil) {
				return
			}
		}
		if k.err != nil {
			yield(store.EventRow{}, k.err)
		}
	}
}

func (k *kept) EventBodies(_ context.Context, _ honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		k.limits = append(k.limits, q.Limit)
		n, held := 0, int64(0)
		for i, bytes := range k.bytes {
			seq := int64(i) + 1
			if seq <= q.After || k.moved[seq] || n == q.Limit {
				continue
			}
			n++
			held += bytes
			if !yield(store.Event{EventRow: store.EventRow{Seq: seq}}, nil) {
				break
			}
		}
		k.held = append(k.held, held)
	}
}

// TestOf reads all events in their order, a megabyte or a hundred at a time.
func TestOf(t *testing.T) {
	k := &kept{moved: map[int64]bool{150: true, 151: true}}
	for range 250 {
		k.bytes = append(k.bytes, 1000)
	}
	for range 10 {
		k.bytes = append(k.bytes, 600_000, 5_000_000)
	}
	var got []int64
	for e, err := range Of(t.Context(), k, honeyhive.UUID{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Seq)
	}
	if len(got) != len(k.bytes)-2 {
		t.Errorf("%d events of %d", len(got), len(k.bytes))
	}
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			t.Errorf("%d comes after %d", got[i], got[i-1])
		}
	}
	for i, limit := range k.limits {
		if limit > most || limit > 1 && k.held[i] > mostBytes {
			t.Errorf("%d events, %d bytes at once", limit, k.held[i])
		}
	}
	if len(k.limits) != 3+19 { // the first of the larger ones goes with the small ones before it
		t.Errorf("it reads %d times", len(k.limits))
	}
}

// TestEnds goes no further than its reader, and says what went wrong.
func TestEnds(t *testing.T) {
	k := &kept{bytes: make([]int64, 300), err: errors.New("no")}
	for _, err := range Of(t.Context(), k, honeyhive.UUID{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if len(k.limits) != 1 {
		t.Errorf("it reads %d times", len(k.limits))
	}
	var last error
	n := 0
	for _, err := range Of(t.Context(), k, honeyhive.UUID{}) {
		n++
		last = err
	}
	if n != 201 || !errors.Is(last, k.err) { // what is not read yet when the error comes is not
		t.Errorf("%d, %v", n, last)
	}
}
