package delivery

import (
	"bytes"
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
