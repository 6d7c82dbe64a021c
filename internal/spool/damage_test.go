package spool

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// place is where a record stands.
type place struct {
	file     string
	from, to int
}

// base is a log that was left behind, and what is in it.
type base struct {
	dir    string
	files  map[string][]byte
	bodies map[uint64][32]byte
	places map[uint64][]place
	done   map[uint64]bool
}

func makeBase(t *testing.T, copies bool) base {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SegmentBytes: 2000})
	check(t, err)
	b := base{
		dir: l.Dir(), bodies: map[uint64][32]byte{}, places: map[uint64][]place{},
		files: map[string][]byte{}, done: map[uint64]bool{},
	}
	for n := 0; n < 60; n += 4 {
		batch := entries(n, 4, n*5)
		if n == 20 {
			// What looks like a record of this log is not one in a body.
			batch[1].Body = appendRecord(nil, 0, &batch[2], 999)
			batch[2].Body = bytes.Repeat([]byte{0xf5, 'S', 'R', 0xc1, 0xf5}, 40)
		}
		check(t, l.Append(batch))
		for _, e := range batch {
			b.bodies[e.Seq] = sumOf(e)
		}
		if n == 32 && copies {
			once := true
			m.fail = func(op, _ string) error {
				if op == "sync" && once {
					once = false
					return errInjected
				}
				return nil
			}
			check(t, l.Sync())
		}
	}
	for seq := uint64(3); seq < 60; seq += 7 {
		l.Done(seq, seq+1)
		b.done[seq], b.done[seq+1] = true, true
	}
	check(t, l.Maintain(epoch))
	for name, data := range m.files() {
		if path.Base(name) == lockName {
			continue
		}
		b.files[name] = slices.Clone(data)
		if !isSegment(name) {
			continue
		}
		sc := scanner{src: bytes.NewReader(data), seed: l.seed, size: int64(len(data))}
		_, err := sc.start(0)
		check(t, err)
		for {
			e, ok, err := sc.next()
			check(t, err)
			if !ok {
				break
			}
			p := place{name, int(sc.off - sizeOf(&e)), int(sc.off)}
			b.places[e.Seq] = append(b.places[e.Seq], p)
		}
	}
	if len(b.places) != 60 || len(b.files) < 6 {
		t.Fatalf("%d records in %d files", len(b.places), len(b.files))
	}
	return b
}

// damage changes a file, or removes it.
func damage(rnd *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	at := rnd.IntN(len(data))
	switch rnd.IntN(7) {
	case 0:
		return nil
	case 1:
		return data[:at]
	case 2:
		clear(data[at : at+rnd.IntN(len(data)-at)])
	case 3:
		for range rnd.IntN(200) {
			data = append(data, byte(rnd.Uint32()))
		}
	case 4:
		return slices.Delete(data, at, at+rnd.IntN(min(100, len(data)-at)))
	default:
		for range 1 + rnd.IntN(4) {
			data[rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
		}
	}
	return data
}

func TestDamage(t *testing.T) {
	runs := uint64(10_000)
	if testing.Short() {
		runs = 1000
	}
	bases := []base{makeBase(t, false), makeBase(t, true)}
	for seed := range runs {
		testDamage(t, seed, bases[seed%2])
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func testDamage(t *testing.T, seed uint64, b base) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	files := maps.Clone(b.files)
	names := slices.Sorted(maps.Keys(files))
	for range 1 + rnd.IntN(3) {
		name := names[rnd.IntN(len(names))]
		if len(files[name]) > 0 {
			files[name] = damage(rnd, files[name])
		}
	}
	m := newMemFS(seed)
	m.put("/d/x/y", []byte{1})
	m.put(memPath(b.dir, lockName), []byte{})
	for name, data := range files {
		m.put(name, data)
	}

	// A record is whole if its bytes stand somewhere in a file.
	want := map[uint64]bool{}
	covered := map[string]int{} // bytes of whole records and headers
	for seq, places := range b.places {
		for _, p := range places {
			if bytes.Contains(files[p.file], b.files[p.file][p.from:p.to]) {
				want[seq] = true
				covered[p.file] += p.to - p.from
			}
		}
	}
	broken := map[string][]byte{}
	for name, data := range files {
		if !isSegment(name) {
			continue
		}
		whole := covered[name]
		if bytes.HasPrefix(data, b.files[name][:segmentHeaderSize]) {
			whole += segmentHeaderSize
		}
		if whole < len(data) {
			broken[fmt.Sprintf("/d/x/broken/%s-%s.broken", filepath.Base(b.dir), path.Base(name))] = data
		}
	}
	checkpoint := memPath(b.dir, checkpointName)
	if bytes.Equal(files[checkpoint], b.files[checkpoint]) {
		for seq := range b.done {
			delete(want, seq)
		}
	}

	o := Options{FS: m}
	logs, err := Orphans("/d/x", o)
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, errCheckpoint) {
		t.Error(err)
	}
	got := map[uint64]bool{}
	for _, l := range logs {
		r := l.Reader(0)
		out, errs := readAll(t, r, rnd.Int64N(3000))
		if len(errs) > 0 {
			t.Error(errs)
		}
		for _, e := range out {
			if got[e.Seq] || b.bodies[e.Seq] != sumOf(e) {
				t.Errorf("entry %d is wrong, or returned twice", e.Seq)
			}
			got[e.Seq] = true
			l.Done(e.Seq)
		}
		var bytes int64
		for name := range broken {
			_, name, _ = strings.Cut(path.Base(name), "-")
			name = memPath(b.dir, strings.TrimSuffix(name, ".broken"))
			whole := covered[name]
			if string(files[name][:min(len(files[name]), segmentHeaderSize)]) == string(b.files[name][:segmentHeaderSize]) {
				whole += segmentHeaderSize
			}
			bytes += int64(len(files[name]) - whole)
		}
		if _, lost := r.Lost(); lost != bytes {
			t.Errorf("%d bytes are lost, %d are damaged", lost, bytes)
		}
		if l.Live() != 0 {
			t.Errorf("%d are live", l.Live())
		}
		check(t, l.Close())
	}
	diff(t, want, got)
	left := m.files()
	delete(left, "/d/x/y")
	diff(t, broken, left)
}

// TestLost counts what is missing between whole records.
func TestLost(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SegmentBytes: 500})
	check(t, err)
	check(t, l.Append(entries(1, 20, 100))) // two to a segment
	l.Done(5)
	check(t, l.Maintain(epoch))
	m.kill()
	m.put(memPath(l.Dir(), segmentName(1)), nil)
	m.put(memPath(l.Dir(), segmentName(3)), nil)
	name := memPath(l.Dir(), segmentName(4))
	data := slices.Clone(m.files()[name])
	data[segmentHeaderSize+80]++
	m.put(name, data)
	logs, err := Orphans("/d/x", Options{FS: m})
	check(t, err)
	r := logs[0].Reader(0)
	out, errs := readAll(t, r, 1<<20)
	if len(errs) > 0 || len(out) != 15 {
		t.Errorf("%d entries, errors %v", len(out), errs)
	}
	if records, bytes := r.Lost(); records != 4 || bytes != 168 {
		t.Errorf("%d records and %d bytes are lost", records, bytes)
	}
}

// TestDamageWhileOpen finds damage that comes after a log was opened.
func TestDamageWhileOpen(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SegmentBytes: 500})
	check(t, err)
	check(t, l.Append(entries(1, 8, 100)))
	check(t, l.Sync())
	m.files()[memPath(l.Dir(), segmentName(2))][segmentHeaderSize+100]++
	m.put(memPath(l.Dir(), segmentName(3)), nil)
	r := l.Reader(0)
	out, errs := readAll(t, r, 1)
	diff(t, []uint64{1, 2, 4, 7, 8}, seqsOf(out))
	if records, bytes := r.Lost(); records != 3 || bytes != 168 || len(errs) > 0 {
		t.Errorf("%d records and %d bytes are lost, errors %v", records, bytes, errs)
	}
	if l.Live() != 5 {
		t.Errorf("%d are live", l.Live())
	}
	l.Done(seqsOf(out)...)
	check(t, l.Close())
	if files := m.files(); len(files) != 1 || files["/d/x/broken/"+filepath.Base(l.Dir())+"-"+segmentName(2)+".broken"] == nil {
		t.Errorf("left are %v", slices.Collect(maps.Keys(files)))
	}
}

// TestDamageAtGap passes over a record that is damaged before one that already was
// when the log was opened.
func TestDamageAtGap(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m})
	check(t, err)
	check(t, l.Append(entries(1, 6, 100)))
	m.kill()
	name := memPath(l.Dir(), segmentName(1))
	m.files()[name][segmentHeaderSize+2*168+100]++
	logs, err := Orphans("/d/x", Options{FS: m})
	check(t, err)
	m.files()[name][segmentHeaderSize+168+100]++
	r := logs[0].Reader(0)
	out, errs := readAll(t, r, 1<<20)
	diff(t, []uint64{1, 4, 5, 6}, seqsOf(out))
	if records, _ := r.Lost(); records != 2 || len(errs) > 0 {
		t.Errorf("%d are lost, errors %v", records, errs)
	}
}

// TestBrokenBound removes the oldest damaged files.
func TestBrokenBound(t *testing.T) {
	m := newMemFS(1)
	m.put("/d/x/y", nil)
	for i, size := range []int{30 << 20, 20 << 20, 30 << 20} {
		name := fmt.Sprintf("/d/x/broken/%d.broken", 9-i)
		m.put(name, make([]byte, size))
		_, _, node, _ := m.find(name)
		node.file.modified = int64(i)
	}
	l := newLog("/d/x", newID(), Options{FS: m}.withDefaults())
	check(t, l.pruneBroken("/d/x/broken"))
	diff(t, []string{"/d/x/broken/7.broken", "/d/x/broken/8.broken"}, slices.Sorted(maps.Keys(m.files())))
}

// TestVersion leaves a segment of a later version alone.
func TestVersion(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m})
	check(t, err)
	check(t, l.Append(entries(1, 2, 10)))
	m.kill()
	later := appendSegmentHeader(nil, l.id, 2)
	later[7] = 2
	// The sum is that of the changed header.
	later = appendSum(later[:32], l.seed)
	later = append(later, "something new"...)
	m.put(memPath(l.Dir(), segmentName(2)), later)
	logs, err := Orphans("/d/x", Options{FS: m})
	check(t, err)
	got := mustRead(t, logs[0])
	diff(t, []uint64{1, 2}, seqsOf(got))
	logs[0].Done(1, 2)
	check(t, logs[0].Maintain(time.Now()))
	check(t, logs[0].Close())
	diff(t, map[string][]byte{
		"/d/x/broken/" + filepath.Base(l.Dir()) + "-" + segmentName(2) + ".broken": later,
	}, m.files())
}

func appendSum(b []byte, seed uint32) []byte {
	sum := crcOf(b, seed)
	return append(b, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
}
