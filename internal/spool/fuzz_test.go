package spool

import (
	"bytes"
	"hash/crc32"
	"testing"

	"pgregory.net/rapid"
)

func crcOf(b []byte, seed uint32) uint32 { return crc32.Update(seed, castagnoli, b) }

// FuzzScan scans any bytes around records of a log. Those are found, and of the
// rest no byte is counted twice or left out.
func FuzzScan(f *testing.F) {
	f.Add([]byte{}, []byte{}, []byte("body"))
	f.Add([]byte{0xf5, 'S', 'R'}, []byte{0xf5, 'S', 'R', 0xc1}, bytes.Repeat([]byte{0xf5}, 100))
	f.Add(appendRecord(nil, 1, &Entry{Body: []byte("x")}, 1), make([]byte, 200), []byte{})
	f.Fuzz(func(t *testing.T, before, after, body []byte) {
		id := [16]byte{1, 2, 3}
		seed := seedOf(id)
		data := appendSegmentHeader(nil, id, 1)
		data = append(data, before...)
		data = appendRecord(data, seed, &Entry{Body: body}, 7)
		data = append(data, after...)
		data = appendRecord(data, seed, &Entry{Body: append(body, 1)}, 8)
		sc := scanner{src: bytes.NewReader(data), seed: seed, size: int64(len(data))}
		if whole, err := sc.start(1); !whole || err != nil {
			t.Fatalf("header: %v, %v", whole, err)
		}
		size := int64(segmentHeaderSize)
		var seqs []uint64
		for {
			e, ok, err := sc.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			size += sizeOf(&e)
			seqs = append(seqs, e.Seq)
		}
		if size+sc.damaged != int64(len(data)) {
			t.Errorf("%d whole and %d damaged bytes of %d", size, sc.damaged, len(data))
		}
		if len(seqs) != 2 || seqs[0] != 7 || seqs[1] != 8 {
			t.Errorf("found %v", seqs)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(encodeCheckpoint(1, nil), false)
	f.Add(encodeCheckpoint(1, intervals{{1, 4}, {6, 6}, {9, maxSeq}}), false)
	f.Add(encodeCheckpoint(1, intervals{{1, 4}, {5, 6}}), true)
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if sum && len(b) > 4 { // let the fuzzer come past the sum
			b = appendSum(b[:len(b)-4], 1)
		}
		done, err := parseCheckpoint(b, 1)
		if err != nil {
			return
		}
		if again := encodeCheckpoint(1, done); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
		var set intervals
		for _, v := range done {
			set.add(v.lo, v.hi)
		}
		diff(t, len(done), len(set))
	})
}

func TestIntervals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var set intervals
		model := map[uint64]bool{}
		number := rapid.Uint64Range(1, 40)
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			lo := number.Draw(rt, "lo")
			hi := lo + rapid.Uint64Range(0, 3).Draw(rt, "more")
			set.add(lo, hi)
			for n := lo; n <= hi; n++ {
				model[n] = true
			}
		}
		for i, v := range set {
			if v.lo > v.hi || (i > 0 && v.lo <= set[i-1].hi+1) {
				rt.Fatalf("not in order: %v", set)
			}
		}
		lo, hi := number.Draw(rt, "lo"), number.Draw(rt, "hi")
		in, out := map[uint64]bool{}, map[uint64]bool{}
		note := func(m map[uint64]bool) func(lo, hi uint64) {
			return func(lo, hi uint64) {
				for n := lo; n <= hi; n++ {
					m[n] = true
				}
			}
		}
		set.each(lo, hi, true, note(in))
		set.each(lo, hi, false, note(out))
		var count uint64
		for n := range uint64(50) {
			if set.has(n) != model[n] {
				rt.Fatalf("has %d: %v in %v", n, set.has(n), set)
			}
			inside := n >= lo && n <= hi
			if in[n] != (inside && model[n]) || out[n] != (inside && !model[n]) {
				rt.Fatalf("each %d to %d: %d is in %v, out %v of %v", lo, hi, n, in[n], out[n], set)
			}
			if inside && model[n] {
				count++
			}
			want := n
			for model[want] {
				want++
			}
			if set.absent(n) != want {
				rt.Fatalf("absent from %d: %d in %v", n, set.absent(n), set)
			}
		}
		if set.count(lo, hi) != count {
			rt.Fatalf("count %d to %d: %d in %v", lo, hi, set.count(lo, hi), set)
		}
	})
}
