package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// record is what the model knows of an entry.
type record struct {
	sum     [32]byte
	log     *Log // that has it; nil between two processes
	seq     uint64
	failed  bool // Append returned an error
	durable bool // appended before a Sync that succeeded
	done    bool
	settled bool // a checkpoint with done succeeded
}

// machine drives logs and compares them with a model.
type machine struct {
	t       testing.TB
	fs      *memFS
	options Options
	own     *Log
	orphans []*Log
	records map[int]*record
	count   int
	now     time.Time
	faults  *rand.Rand // nil for none
	rate    float64
	crashed bool // all that is found is durable
}

func newMachine(t testing.TB, seed uint64, always bool) *machine {
	m := &machine{
		t: t, fs: newMemFS(seed), records: map[int]*record{}, now: epoch,
		options: Options{SegmentBytes: 1500, SyncBytes: 4000, MaxBytes: 1 << 20, SyncAlways: always},
	}
	m.start()
	return m
}

var errInjected = errors.New("injected")

// inject makes operations fail at a rate.
func (m *machine) inject() {
	if m.faults == nil {
		return
	}
	m.fs.fail = func(string, string) error {
		if m.faults.Float64() >= m.rate {
			return nil
		}
		if m.faults.IntN(2) == 0 {
			return errNoSpace
		}
		return errInjected
	}
}

func (m *machine) heal() { m.fs.fail = nil }

// ok fails the test on errors that nobody injected.
func (m *machine) ok(err error) {
	m.t.Helper()
	if err != nil && m.faults == nil {
		m.t.Fatal(err)
	}
}

// start is what a process does first.
func (m *machine) start() {
	m.t.Helper()
	m.options.FS = m.fs
	var err error
	if m.own, err = Open("/d/x", m.options); err != nil {
		m.t.Fatal(err)
	}
	m.adopt()
}

func (m *machine) adopt() {
	m.t.Helper()
	logs, err := Orphans("/d/x", m.options)
	if err != nil && !errors.Is(err, ErrDamaged) {
		m.t.Fatal(err)
	}
	m.orphans = append(m.orphans, logs...)
	for _, l := range logs {
		m.verify(l)
	}
	for n, r := range m.records {
		if r.log == nil && !r.failed && !r.done {
			m.t.Fatalf("entry %d (seq %d, durable %v) is lost", n, r.seq, r.durable)
		}
	}
}

// verify reads a log to its end and compares it with the model.
func (m *machine) verify(l *Log) {
	m.t.Helper()
	got, errs := readAll(m.t, l.Reader(0), 700)
	if len(errs) > 0 {
		m.t.Fatal(errs)
	}
	var last uint64
	seen := map[int]bool{}
	for _, e := range got {
		n := int(binary.LittleEndian.Uint64(e.ID[:]))
		r := m.records[n]
		switch {
		case r == nil || r.sum != sumOf(e):
			m.t.Fatalf("entry %d is wrong", n)
		case e.Seq <= last:
			m.t.Fatalf("number %d after %d", e.Seq, last)
		case r.log != nil && (r.log != l || r.failed || r.done):
			m.t.Fatalf("entry %d is returned: other log %v, failed %v, done %v", n, r.log != l, r.failed, r.done)
		case r.settled:
			m.t.Fatalf("entry %d is returned after a checkpoint", n)
		}
		if r.log == nil {
			r.log, r.seq = l, e.Seq
			r.failed, r.done = false, false // it is to be delivered again
			r.durable = r.durable || m.crashed
		}
		last = e.Seq
		seen[n] = true
	}
	for n, r := range m.records {
		if r.log == l && !r.failed && !r.done && !seen[n] {
			m.t.Fatalf("entry %d with number %d is not returned", n, r.seq)
		}
	}
	if l.Live() != int64(len(seen)) {
		m.t.Fatalf("%d live, %d returned", l.Live(), len(seen))
	}
}

func sumOf(e Entry) [32]byte { return sha256.Sum256(appendRecord(nil, 0, &e, 0)) }

func (m *machine) append(sizes ...int) {
	batch := make([]Entry, len(sizes))
	for i, size := range sizes {
		m.count++
		batch[i] = entry(m.count, size)
		binary.LittleEndian.PutUint64(batch[i].ID[:], uint64(m.count))
	}
	m.inject()
	err := m.own.Append(batch)
	m.heal()
	m.ok(err)
	for i, e := range batch {
		n := m.count - len(batch) + 1 + i
		m.records[n] = &record{
			sum: sumOf(e), log: m.own, seq: e.Seq, failed: err != nil,
			durable: err == nil && m.options.SyncAlways,
		}
	}
}

func (m *machine) logs() []*Log { return append([]*Log{m.own}, m.orphans...) }

func (m *machine) done(pick func(n int) bool) {
	for n := 1; n <= m.count; n++ {
		if r := m.records[n]; r.log != nil && !r.failed && !r.done && pick(n) {
			r.log.Done(r.seq)
			r.done = true
		}
	}
}

func (m *machine) sync() {
	m.inject()
	err := m.own.Sync()
	m.heal()
	m.ok(err)
	for _, r := range m.records {
		if err == nil && r.log == m.own && !r.failed {
			r.durable = true
		}
	}
}

func (m *machine) maintain() {
	m.now = m.now.Add(time.Minute)
	for _, l := range m.logs() {
		m.inject()
		err := l.Maintain(m.now)
		m.heal()
		m.ok(err)
		if err == nil && l.saved == l.generation {
			m.settle(l)
		}
	}
}

func (m *machine) settle(l *Log) {
	for _, r := range m.records {
		if r.log == l && r.done {
			r.settled = true
		}
	}
}

// close ends the process in order.
func (m *machine) close() {
	for _, l := range m.logs() {
		m.inject()
		err := l.Close()
		m.heal()
		m.ok(err)
		if err != nil {
			continue
		}
		m.settle(l)
		for _, r := range m.records {
			if r.log == l && l == m.own && !r.failed {
				r.durable = true
			}
		}
	}
	m.fs.kill()
	m.restart()
}

// kill ends the process, and all that the system knows stays.
func (m *machine) kill() {
	m.fs.kill()
	m.restart()
}

// crash ends the machine.
func (m *machine) crash() {
	m.fs = m.fs.crash()
	for _, r := range m.records {
		if !r.durable {
			r.failed = true // it may be there or not
		}
	}
	m.crashed = true
	m.restart()
	m.crashed = false
}

func (m *machine) restart() {
	for _, r := range m.records {
		r.log = nil
	}
	m.own, m.orphans = nil, nil
	m.start()
}

// step does something.
func (m *machine) step(rnd *rand.Rand) {
	switch k := rnd.IntN(100); {
	case k < 45:
		sizes := make([]int, 1+rnd.IntN(8))
		for i := range sizes {
			sizes[i] = rnd.IntN(400)
			if rnd.IntN(50) == 0 {
				sizes[i] = 3000
			}
		}
		m.append(sizes...)
	case k < 60:
		low := rnd.IntN(m.count + 1)
		m.done(func(n int) bool { return n < low && rnd.IntN(3) > 0 })
	case k < 63:
		m.done(func(int) bool { return true })
	case k < 75:
		m.sync()
	case k < 87:
		m.maintain()
	case k < 93:
		for _, l := range m.logs() {
			m.verify(l)
		}
	case k < 95:
		m.close()
	case k < 97:
		m.kill()
	default:
		m.crash()
	}
}

// TestCrashes runs processes on machines that stop at any time, with and without
// operations that fail.
func TestCrashes(t *testing.T) {
	runs := uint64(1000)
	if testing.Short() {
		runs = 100
	}
	for seed := range runs {
		ok := t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			m := newMachine(t, seed, seed%5 == 4)
			if seed%2 == 1 {
				m.faults, m.rate = rnd, []float64{0.003, 0.03, 0.2}[seed/2%3]
			}
			for range 60 {
				m.step(rnd)
			}
			m.kill()
			m.done(func(int) bool { return true })
			m.faults = nil
			m.maintain()
			m.close()
		})
		if !ok {
			return
		}
	}
}

// TestStates is the same as TestCrashes without faults, where rapid finds the
// shortest way to a failure.
func TestStates(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		m := newMachine(t, seed, false)
		m.t = tb{t, rt}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				m.append(rapid.SliceOfN(rapid.IntRange(0, 1600), 1, 6).Draw(rt, "sizes")...)
			},
			"done": func(rt *rapid.T) {
				from, every := rapid.IntRange(0, m.count).Draw(rt, "from"), rapid.IntRange(1, 3).Draw(rt, "every")
				m.done(func(n int) bool { return n >= from && n%every == 0 })
			},
			"sync":     func(*rapid.T) { m.sync() },
			"maintain": func(*rapid.T) { m.maintain() },
			"close":    func(*rapid.T) { m.close() },
			"kill":     func(*rapid.T) { m.kill() },
			"crash":    func(*rapid.T) { m.crash() },
			"": func(*rapid.T) {
				for _, l := range m.logs() {
					m.verify(l)
				}
			},
		})
	})
}

// tb is a testing.TB whose failures go to rapid.
type tb struct {
	testing.TB
	rt *rapid.T
}

func (t tb) Fatal(args ...any) { t.rt.Fatal(args...) }

func (t tb) Fatalf(format string, args ...any) { t.rt.Fatalf(format, args...) }
