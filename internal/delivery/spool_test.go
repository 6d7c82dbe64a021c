package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// durable is a destination whose records are their own text.
type durable struct{ *destination }

func (durable) Store(*delivery.Record) []byte       { return nil }
func (durable) Restore(*delivery.Record) error      { return nil }
func (durable) StoreAnnounced(announced any) []byte { return []byte(announced.(string)) }
func (durable) RestoreAnnounced(b []byte) (any, error) {
	return string(b), nil
}

func (durable) Incomplete(abandoned []byte, announced any) (*delivery.Record, error) {
	if announced != nil {
		return &delivery.Record{Kind: delivery.Update, Body: fmt.Append(nil, "incomplete ", announced)}, nil
	}
	return &delivery.Record{Kind: delivery.Opener, Body: append([]byte("incomplete "), abandoned...)}, nil
}

func (durable) Show(r *delivery.Record) []byte { return fmt.Appendf(nil, "%q", r.Body) }

// spooled makes an engine with a spool. Ended engines can be looked at; nothing
// is closed with the test that the test has closed.
func spooled(t *testing.T, cfg delivery.Config, d *destination, dir string, o spool.Options) *delivery.Engine {
	t.Helper()
	cfg.Name = "test"
	e := delivery.New(cfg, durable{d})
	o.MinFree = -1
	if err := e.Keep(dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = e.Close(ctx)
		checkAccount(t, e)
		if s := e.Stats(); s.Waiting != 0 || s.WaitingBytes != 0 {
			t.Errorf("after Close %d records wait with %d bytes", s.Waiting, s.WaitingBytes)
		}
	})
	return e
}

// killed returns what a kill at this moment would leave of a spool: its files,
// and no locks.
func killed(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that was just removed
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func down(int, []string) delivery.Result {
	return delivery.Result{Outcome: delivery.Retry, Err: errors.New("down")}
}

// closeNow ends an engine at once.
func closeNow(e *delivery.Engine) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return e.Close(ctx)
}

func logs(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "broken" {
			n++
		}
	}
	return n
}

func TestSpoolKeepsWhatCloseLeaves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = down
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
		e.Open(group(1), "one")
		put(e, event(1, 11, "a"), session(1, "S"), event(1, 12, "b"), update(1, 1, "u"))
		e.Open(group(2), "two")
		put(e, event(2, 21, "c"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := e.Close(ctx)
		if err == nil || !strings.Contains(err.Error(), "6 records wait in the spool at "+dir) {
			t.Errorf("Close returned %v", err)
		}
		if s := e.Stats(); s.WaitingOnDisk != 6 || s.Spooled != 6 || s.Created != 6 {
			t.Errorf("%+v", s)
		}
		if err := e.Flush(t.Context()); err == nil {
			t.Error("Flush after Close says that all is well")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := spooled(t, delivery.Config{InFlight: 1}, d, dir, spool.Options{})
		time.Sleep(time.Second)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		want := []string{"S", "u", "abandon 2 live=two", "a", "b", "c"}
		got := d.sent()
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if s := e.Stats(); s.Adopted != 6 || s.Delivered != 6 || s.Created != 0 {
			t.Errorf("%+v", s)
		}
	})
	if n := logs(t, dir); n != 0 {
		t.Errorf("%d logs are left", n)
	}
}

func TestSpoolAfterAKill(t *testing.T) {
	tests := map[string]struct {
		before func(e *delivery.Engine, d *destination)
		want   []string // what the next process sends
	}{
		"nothing": {func(*delivery.Engine, *destination) {}, nil},
		"a running session": {func(e *delivery.Engine, _ *destination) {
			e.Open(group(1), "one")
		}, []string{"incomplete abandon 1 live=one"}},
		"a running session with events": {func(e *delivery.Engine, _ *destination) {
			e.Open(group(1), "one")
			put(e, event(1, 11, "a"), event(1, 12, "b"))
		}, []string{"incomplete abandon 1 live=one", "a", "b"}},
		"an announced session": {func(e *delivery.Engine, _ *destination) {
			e.Open(group(1), "one")
			put(e, event(1, 11, "a"))
			_ = e.Flush(context.Background())
			put(e, event(1, 12, "b"))
		}, []string{"incomplete announce 1 live=one held=1"}},
		"an announced session that has ended": {func(e *delivery.Engine, d *destination) {
			e.Open(group(1), "one")
			put(e, event(1, 11, "a"))
			_ = e.Flush(context.Background())
			d.fails(down)
			put(e, event(1, 12, "b"), session(1, "S"))
		}, []string{"S amends announce 1 live=one held=1", "b"}},
		"a session that was delivered": {func(e *delivery.Engine, d *destination) {
			e.Open(group(1), "one")
			put(e, session(1, "S"))
			_ = e.Flush(context.Background())
			d.fails(down)
			put(e, event(1, 12, "late"))
		}, []string{"late"}},
		"a session that was started twice": {func(e *delivery.Engine, d *destination) {
			d.fails(down)
			e.Open(group(1), "one")
			e.Open(group(1), "two")
			put(e, session(1, "S"))
		}, []string{"S"}},
		"a session that has ended and was started again": {func(e *delivery.Engine, d *destination) {
			d.fails(down)
			e.Open(group(1), "one")
			put(e, session(1, "S"), event(1, 11, "a"))
			e.Open(group(1), "two")
			put(e, event(1, 12, "b"))
		}, []string{"S", "incomplete abandon 1 live=two", "a", "b"}},
		"an update of which the last says all": {func(e *delivery.Engine, d *destination) {
			e.Open(group(1), "one")
			put(e, session(1, "S"))
			_ = e.Flush(context.Background())
			d.fails(down)
			put(e, event(1, 11, "a"), latest(1, 11, "u"))
		}, []string{"a"}},
		"events of a session elsewhere": {func(e *delivery.Engine, d *destination) {
			d.fails(down)
			put(e, item{kind: delivery.Member, group: 1, id: 11, text: "a", elsewhere: true}, update(1, 1, "u"))
		}, []string{"u", "a"}},
		"all delivered": {func(e *delivery.Engine, _ *destination) {
			put(e, session(1, "S"), event(1, 11, "a"), update(1, 1, "u"))
			_ = e.Flush(context.Background())
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "spool")
				d := newDestination()
				e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
				tt.before(e, d)
				time.Sleep(10 * time.Second) // checkpoints are written once a second
				left := killed(t, dir)
				d.fails(nil)
				if err := closeNow(e); err != nil {
					t.Log(err)
				}

				d = newDestination()
				e = spooled(t, delivery.Config{InFlight: 1}, d, left, spool.Options{})
				time.Sleep(time.Second)
				if err := e.Close(t.Context()); err != nil {
					t.Error(err)
				}
				wantSent(t, d, tt.want...)
				if n := logs(t, left); n != 0 {
					t.Errorf("%d logs are left", n)
				}
			})
		})
	}
}

// fails changes what the destination answers.
func (d *destination) fails(answer func(int, []string) delivery.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// TestSpoolIsWrittenAtOnce looks at the disk 100 ms after a record was put.
func TestSpoolIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		d := newDestination()
		d.delay = time.Hour
		e := spooled(t, delivery.Config{Timeout: 2 * time.Hour}, d, dir, spool.Options{})
		for i := range 20 {
			text := fmt.Sprintf("record %d", i)
			put(e, event(0, 0, text))
			time.Sleep(100 * time.Millisecond)
			if !onDisk(t, dir, text) {
				t.Errorf("%q is not on disk", text)
			}
		}
	})
}

func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(segments, func(name string) bool {
		b, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(b), text)
	})
}

// TestSpoolTakesWhatMemoryCannot puts a hundred times what memory may hold while
// the destination is down.
func TestSpoolTakesWhatMemoryCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, most = 5000, 64 << 10
		d := newDestination()
		d.answer = down
		e := spooled(t, delivery.Config{MaxBytes: most, MaxBatchBytes: 8 << 10}, d, filepath.Join(t.TempDir(), "spool"), spool.Options{SegmentBytes: 256 << 10})
		pad := strings.Repeat("x", 1000)
		var want []string
		for i := range records {
			g := byte(i/20%200 + 1)
			var it item
			switch i % 20 {
			case 0:
				e.Open(group(g), "live")
				it = event(g, 0, fmt.Sprint("first ", i, pad))
			case 19:
				it = session(g, fmt.Sprint("session ", i, pad))
			default:
				it = event(g, 0, fmt.Sprint("event ", i, pad))
			}
			want = append(want, it.text)
			if !e.Put(it, int64(len(it.text))+64) {
				t.Fatalf("record %d was not accepted", i)
			}
			if s := e.Stats(); s.WaitingBytes > most*11/10 {
				t.Fatalf("%d bytes are held", s.WaitingBytes)
			}
		}
		synctest.Wait()
		checkAccount(t, e)
		s := e.Stats()
		if s.Created < records || s.WaitingOnDisk < records*9/10 || s.OldestAge != time.Since(d.start) {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if s := e.Stats(); s.OldestAge != time.Since(d.start) {
			t.Errorf("the oldest record is %s old, want %s", s.OldestAge, time.Since(d.start))
		}
		d.fails(nil)
		flush(t, e)
		checkAccount(t, e)
		if s := e.Stats(); s.Waiting+s.WaitingOnDisk != 0 || s.OldestAge != 0 || s.Delivered != s.Created {
			t.Errorf("%+v", s)
		}
		// What was announced is amended at its end; everything else is as it was.
		times := make(map[string]int)
		for _, c := range d.seen() {
			for _, text := range c.text {
				text, _, _ = strings.Cut(text, " amends ")
				times[text]++
			}
		}
		for _, text := range want {
			if times[text] == 0 {
				t.Fatalf("%.20s was not sent", text)
			}
		}
	})
}

func TestSpoolIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = down
		var reports []string
		cfg := delivery.Config{MaxBytes: 64 << 10, MaxWait: -1, Handle: func(err error) { reports = append(reports, err.Error()) }}
		e := spooled(t, cfg, d, filepath.Join(t.TempDir(), "spool"), spool.Options{MaxBytes: 256 << 10})
		pad := strings.Repeat("x", 1000)
		accepted := 0
		for i := range 600 {
			if e.Put(event(0, 0, fmt.Sprint(i, pad)), 1100) {
				accepted++
			}
			synctest.Wait()
		}
		s := e.Stats()
		checkAccount(t, e)
		if accepted < 250 || accepted > 330 || s.Dropped[delivery.QueueFull] != int64(600-accepted) || s.SpoolBytes > 256<<10 {
			t.Errorf("%d accepted, %+v", accepted, s)
		}
		if n := len(slices.DeleteFunc(reports, func(s string) bool { return !strings.Contains(s, "the spool is full") })); n != 1 {
			t.Errorf("told %d times that the spool is full", n)
		}
		d.fails(nil)
		if err := e.Flush(t.Context()); err == nil {
			t.Error("Flush does not tell of the drops")
		}
		if s := e.Stats(); s.Delivered != int64(accepted) {
			t.Errorf("%+v", s)
		}
		time.Sleep(5 * time.Second) // what is delivered makes room
		if e.Put(event(0, 0, "again"), 100); e.Flush(t.Context()) != nil || e.Stats().Spooled <= s.Spooled {
			t.Errorf("the spool takes nothing although it is empty: %+v", e.Stats())
		}
	})
}

// TestSpoolCountsWhatItTookOver has a process that is killed again and again
// while its destination is down: the limit holds for all of its lives.
func TestSpoolCountsWhatItTookOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 256 << 10
		dir := filepath.Join(t.TempDir(), "spool")
		pad := strings.Repeat("x", 1000)
		for range 4 {
			d := newDestination()
			d.answer = down
			e := spooled(t, delivery.Config{MaxBytes: 64 << 10, MaxWait: -1}, d, dir, spool.Options{MaxBytes: most})
			time.Sleep(time.Second)
			for i := range 100 {
				put(e, event(0, 0, fmt.Sprint(i, pad)))
				synctest.Wait()
			}
			if s := e.Stats(); s.SpoolBytes > most {
				t.Errorf("%+v", s)
			}
			left := killed(t, dir)
			_ = closeNow(e)
			dir = left
		}
		if n := spoolBytes(t, dir); n > most || n < most/2 {
			t.Errorf("%d bytes on disk", n)
		}
	})
}

func spoolBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range segments {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

func TestRefusedRecordsAreSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		d := newDestination()
		d.answer = func(_ int, batch []string) delivery.Result {
			if slices.ContainsFunc(batch, func(s string) bool { return strings.Contains(s, "bad") }) {
				return delivery.Result{Outcome: delivery.Bad, Err: errors.New("no such thing")}
			}
			return delivery.Result{}
		}
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
		put(e, session(1, "S"), event(1, 11, "a"), event(1, 12, "bad"), event(1, 13, "c"), event(1, 14, "bad too"))
		flush(t, e)
		if s := e.Stats(); s.SetAside != 2 || s.Delivered != 3 || len(s.Dropped) != 0 {
			t.Errorf("%+v", s)
		}
		text, err := os.ReadFile(filepath.Join(dir, "refused.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		slices.SortFunc(lines, func(a, b string) int { return len(a) - len(b) })
		for i, want := range []string{"bad", "bad too"} {
			var line struct{ Time, Reason, Kind, Error, Record, Session_id, Event_id string } //nolint:revive // as on disk
			if err := json.Unmarshal([]byte(lines[i]), &line); err != nil {
				t.Fatal(err)
			}
			if line.Record != want || line.Reason != "refused" || line.Kind != "event" || line.Error != "no such thing" || line.Session_id != "01000000-0000-0000-0000-000000000000" {
				t.Errorf("%s", lines[i])
			}
		}
	})
}

// TestPartialRefusalIsNotSetAside has a server that says how many records it did
// not take, and not which.
func TestPartialRefusalIsNotSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		d := newDestination()
		d.answer = func(int, []string) delivery.Result {
			return delivery.Result{Refused: 1, Err: errors.New("one of them")}
		}
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
		put(e, event(0, 1, "a"), event(0, 2, "b"), event(0, 3, "c"))
		_ = e.Flush(t.Context())
		if s := e.Stats(); s.SetAside != 0 || s.Dropped[delivery.Refused] != 1 || s.Delivered != 2 {
			t.Errorf("%+v", s)
		}
		if _, err := os.Stat(filepath.Join(dir, "refused.jsonl")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
}

func TestSpoolCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := delivery.New(delivery.Config{Name: "test"}, durable{newDestination()})
	if err := e.Keep(file, spool.Options{}); err == nil {
		t.Error("a file was taken for a directory")
	}
	e = delivery.New(delivery.Config{Name: "test"}, newDestination())
	if err := e.Keep(t.TempDir(), spool.Options{}); err == nil {
		t.Error("a destination that stores nothing was given a spool")
	}
}

// TestSpoolThroughManyLives runs processes that are killed at random moments
// against a destination that is sometimes down, and asks of what was on disk
// that it arrives.
func TestSpoolThroughManyLives(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	lives := uint64(25)
	if testing.Short() {
		lives = 5
	}
	for life := range lives {
		random := rand.New(rand.NewPCG(seed, life))
		synctest.Test(t, func(t *testing.T) { manyLives(t, random) })
	}
}

func manyLives(t *testing.T, random *rand.Rand) {
	dir := filepath.Join(t.TempDir(), "spool")
	arrived := make(map[string]int)
	var onDisk []string
	next := 0
	for range 4 {
		d := newDestination()
		d.delay = time.Duration(random.IntN(300)) * time.Millisecond
		bad := random.IntN(3) == 0
		d.answer = func(n int, _ []string) delivery.Result {
			if bad && n%3 > 0 {
				return down(n, nil)
			}
			return delivery.Result{}
		}
		e := spooled(t, delivery.Config{MaxBytes: 16 << 10, MaxBatchBytes: 2 << 10, AnnounceAfter: 3 * time.Second}, d, dir, spool.Options{SegmentBytes: 8 << 10})
		var running []byte
		for range 150 {
			next++
			text := fmt.Sprintf("<%d>%s", next, strings.Repeat("x", random.IntN(400)))
			switch random.IntN(8) {
			case 0:
				g := byte(next%250 + 1)
				e.Open(group(g), fmt.Sprintf("<%d>", next))
				running = append(running, g)
			case 1:
				if len(running) > 0 {
					i := random.IntN(len(running))
					put(e, session(running[i], text))
					running = slices.Delete(running, i, i+1)
					onDisk = append(onDisk, text)
				}
			case 2:
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			default:
				if len(running) > 0 {
					put(e, event(running[random.IntN(len(running))], 0, text))
					onDisk = append(onDisk, text)
				}
			}
			synctest.Wait()
		}
		time.Sleep(100 * time.Millisecond)
		left := killed(t, dir)
		d.mu.Lock()
		for _, text := range d.taken {
			arrived[mark(text)]++
		}
		d.mu.Unlock()
		_ = closeNow(e)
		checkAccount(t, e)
		dir = left
	}
	d := newDestination()
	e := spooled(t, delivery.Config{MaxBytes: 16 << 10}, d, dir, spool.Options{})
	time.Sleep(time.Second)
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, text := range d.sent() {
		arrived[mark(text)]++
	}
	for _, text := range onDisk {
		if arrived[mark(text)] == 0 {
			t.Errorf("%s was on disk and did not arrive", mark(text))
		}
	}
	checkNoLogs(t, dir)
}

// checkNoLogs shows what is left in a spool that should be empty.
func checkNoLogs(t *testing.T, dir string) {
	t.Helper()
	left, err := spool.Orphans(dir, spool.Options{})
	if err != nil {
		t.Error(err)
	}
	for _, l := range left {
		entries, err := l.Reader(0).Next(1 << 20)
		t.Errorf("a log is left with %d entries (%v)", l.Live(), err)
		for _, e := range entries {
			t.Errorf("%d: type %d group %d flags %d %.60q", e.Seq, e.Type, e.Group[0], e.Flags, e.Body)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := logs(t, dir); n != 0 && len(left) == 0 {
		t.Errorf("%d logs are left", n)
	}
}

// mark returns the part of a text that names it.
func mark(text string) string {
	_, rest, _ := strings.Cut(text, "<")
	name, _, _ := strings.Cut(rest, ">")
	return name
}
