package delivery

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
)

func TestBufferClasses(t *testing.T) {
	last, longest := 0, 0
	for n := range bufferMost + 1 {
		class, size := bufferClass(n)
		if size < n || n >= bufferLeast && size-n > n/8 || class < last || size < longest || class >= bufferClasses {
			t.Fatalf("%d bytes: class %d of %d after %d, %d bytes after %d", n, class, bufferClasses, last, size, longest)
		}
		if (class == last) != (size == longest) && n > 0 {
			t.Fatalf("%d bytes: class %d after %d, %d bytes after %d", n, class, last, size, longest)
		}
		if again, same := bufferClass(size); again != class || same != size {
			t.Fatalf("a buffer of %d bytes is of class %d, not %d", size, again, class)
		}
		last, longest = class, size
	}
}

func TestBuffers(t *testing.T) {
	b := buffers{most: 3000}
	one := b.clone(bytes.Repeat([]byte("x"), 1000))
	b.put(one)
	if two := b.clone([]byte("short")); &two[0] == &one[0] {
		t.Error("a short body got a long buffer")
	}
	three := b.clone(bytes.Repeat([]byte("y"), 1001))
	if &three[0] != &one[0] || string(three) != string(bytes.Repeat([]byte("y"), 1001)) {
		t.Error("the buffer was not used again")
	}
	if b.bytes != 0 {
		t.Errorf("%d bytes are free", b.bytes)
	}
	for range 10 {
		b.put(make([]byte, 0, 1024))
	}
	if b.bytes > b.most || b.bytes < b.most-1024 {
		t.Errorf("%d bytes are kept of at most %d", b.bytes, b.most)
	}
	b.put(make([]byte, 0, 300)) // not one of ours
	b.drop()
	if b.bytes != 0 || slices.ContainsFunc(b.free[:], func(list [][]byte) bool { return len(list) > 0 }) {
		t.Error("buffers are left")
	}
}

// texts delivers strings, and says of their bodies what it is told to.
type texts struct {
	released bool
	block    chan struct{} // until which the first is on its way
	sent     chan []byte   // the bodies themselves
}

func (d *texts) Encode(r *Record) error {
	r.Body, r.Value = append(r.Body, r.Value.(string)...), nil
	return nil
}

func (d *texts) Send(_ context.Context, batch []*Record) Result {
	for _, r := range batch {
		if string(r.Body) == "first" {
			<-d.block
			continue
		}
		d.sent <- r.Body
	}
	return Result{Outcome: Delivered, Released: d.released}
}

func (d *texts) Announce([16]byte, any, []*Record) (*Record, any) { return nil, nil }
func (d *texts) Amend(*Record, any) bool                          { return true }
func (d *texts) Abandon([16]byte, any, any) *Record               { return nil }

// TestBodiesAreUsedAgain: only where nobody reads them any more.
func TestBodiesAreUsedAgain(t *testing.T) {
	for _, released := range []bool{true, false} {
		d := &texts{released: released, block: make(chan struct{}), sent: make(chan []byte)}
		e := New(Config{MaxBatch: 1}, d)
		e.Put("first", 10) // while it is on its way the worker keeps its buffers
		var bodies [][]byte
		again := false
		for i := range 200 {
			text := fmt.Sprint("text ", i)
			e.Put(text, 10)
			body := <-d.sent
			if string(body) != text {
				t.Fatalf("%q was sent, not %q", body, text)
			}
			again = again || slices.ContainsFunc(bodies, func(b []byte) bool { return &b[0] == &body[0] })
			bodies = append(bodies, body)
		}
		close(d.block)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again != released {
			t.Errorf("released %t: used again %t", released, again)
		}
		if !released {
			for i, body := range bodies {
				if want := fmt.Sprint("text ", i); string(body) != want {
					t.Errorf("%q became %q", want, body)
				}
			}
		}
	}
}

// guesses is a destination of texts that asks for far too little room.
type guesses struct{ texts }

func (d *guesses) Encode(r *Record) error {
	r.Body, r.Value = append(r.Room(len(r.Value.(string))/2), r.Value.(string)...), nil
	return nil
}

// TestBodiesBeyondTheirRoom come whole, of whatever size.
func TestBodiesBeyondTheirRoom(t *testing.T) {
	d := &guesses{texts{released: true, sent: make(chan []byte)}}
	e := New(Config{MaxBatch: 1}, d)
	for n := 1; n < 3*bufferMost; n += n/50 + 1 {
		text := string(bytes.Repeat([]byte{byte(n)}, n))
		e.Put(text, 10)
		if body := <-d.sent; string(body) != text {
			t.Fatalf("%d bytes came as %d", n, len(body))
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
