package otlp

import "testing"

func TestFrameCacheIsBounded(t *testing.T) {
	var c frameCache[int]
	for i := range 10 * frameCacheSize {
		c.store(i, frame{head: []byte{byte(i)}})
		if n := len(*c.frames.Load()); n > frameCacheSize {
			t.Fatalf("%d frames after %d", n, i)
		}
		if f, ok := c.load(i); !ok || f.head[0] != byte(i) {
			t.Fatalf("frame %d: %v, %v", i, f, ok)
		}
	}
}
