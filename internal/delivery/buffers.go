package delivery

import "math/bits"

// buffers are bodies of records that are done, for those that come. Fresh memory
// costs more than what is written to it: it is in no cache, and the collector has
// to run for it. Only the worker uses them.
//
// A buffer is at most an eighth longer than it must be, since records count what
// they take: sizes have four significant bits.
type buffers struct {
	free  [bufferClasses][][]byte
	taken [bufferClasses]int // bytes that one takes of the heap, once there was one
	bytes int                // of those that are free
	most  int
}

// newBuffers returns buffers for an engine.
func newBuffers(cfg *Config) *buffers {
	return &buffers{most: int(min(4*cfg.MaxBatchBytes, cfg.MaxBytes/8))}
}

const (
	bufferLeast   = 256      // shorter ones are this long
	bufferMost    = 64 << 10 // longer ones are left to the collector
	bufferSteps   = 8        // from one power of two to the next
	bufferClasses = 8*bufferSteps + 1
)

// bufferClass returns the class of buffers that hold n bytes, and how long they
// are.
func bufferClass(n int) (class, size int) {
	n = max(n, bufferLeast)
	shift := bits.Len(uint(n-1)) - 4 // of the step to the next class
	size = (n + 1<<shift - 1) >> shift << shift
	power := bits.Len(uint(size)) - bits.Len(uint(bufferLeast))
	step := size >> (bits.Len(uint(size)) - 4) & (bufferSteps - 1)
	return power*bufferSteps + step, size
}

// clone returns a copy of a body, in a buffer if one is free.
func (b *buffers) clone(body []byte) []byte { return append(b.take(len(body)), body...) }

// fits reports whether a body stands in a buffer that is no longer than it must
// be.
func (b *buffers) fits(body []byte) bool {
	_, size := bufferClass(len(body))
	return len(body) > 0 && size == cap(body) && size <= bufferMost
}

// take returns an empty buffer for n bytes.
func (b *buffers) take(n int) []byte {
	class, size := bufferClass(n)
	list := b.free[class]
	if len(list) == 0 {
		buffer := append([]byte(nil), make([]byte, size)...)
		b.taken[class] = cap(buffer) // memory comes in classes of its own
		return buffer[:0:size]
	}
	last := len(list) - 1
	buffer := list[last]
	list[last] = nil
	b.free[class] = list[:last]
	b.bytes -= size
	return buffer
}

// takes returns how many bytes a body that clone made takes of the heap.
func (b *buffers) takes(body []byte) int {
	class, _ := bufferClass(cap(body))
	return b.taken[class]
}

// put takes back a body that clone made and nobody reads any more.
func (b *buffers) put(body []byte) {
	class, size := bufferClass(cap(body))
	if size != cap(body) || size > bufferMost || b.bytes+size > b.most {
		return
	}
	b.free[class] = append(b.free[class], body[:0])
	b.bytes += size
}

// drop gives all back to the collector.
func (b *buffers) drop() {
	if b.bytes > 0 {
		*b = buffers{most: b.most, taken: b.taken}
	}
}
