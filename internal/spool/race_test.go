package spool

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv makes the test binary do something else: a verb and a directory.
const childEnv = "SPOOL_TEST_CHILD"

// child is what the test binary does as a child of itself.
func child() bool {
	verb, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return false
	}
	var err error
	switch verb {
	case "append":
		err = childAppend(dir)
	case "adopt":
		err = childAdopt(dir)
	}
	if err != nil {
		fmt.Println("error", err)
	}
	return true
}

// childAppend prints the number of each entry that is appended, until it is
// killed.
func childAppend(dir string) error {
	l, err := Open(dir, Options{SegmentBytes: 20_000, MinFree: -1})
	if err != nil {
		return err
	}
	for n := 1; ; n += 3 {
		if err := l.Append(entries(n, 3, 500)); err != nil {
			return err
		}
		fmt.Println(n, n+1, n+2)
	}
}

// childAdopt waits for its standard input to end, and prints what it takes over.
func childAdopt(dir string) error {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	logs, err := Orphans(dir, Options{MinFree: -1})
	if err != nil {
		return err
	}
	for _, l := range logs {
		for r := l.Reader(0); ; {
			got, err := r.Next(10_000)
			if err != nil {
				return err
			}
			if len(got) == 0 {
				break
			}
			for _, e := range got {
				fmt.Println(string(e.Body))
				l.Done(e.Seq)
			}
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func command(t *testing.T, verb, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), childEnv+"="+verb+" "+dir)
	c.Stderr = os.Stderr
	return c
}

// TestKill kills a process that appends, and finds all that it reported.
func TestKill(t *testing.T) {
	dir := t.TempDir() + "/d"
	c := command(t, "append", dir)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	lines := bufio.NewScanner(out)
	last := ""
	for range 200 {
		if !lines.Scan() {
			t.Fatal("the child has ended")
		}
		last = lines.Text()
	}
	if logs, err := Orphans(dir, Options{}); err != nil || len(logs) != 0 {
		t.Errorf("%d orphans of a process that runs, error %v", len(logs), err)
	}
	check(t, c.Process.Kill())
	for lines.Scan() {
		if line := lines.Text(); strings.Count(line, " ") == 2 {
			last = line
		}
	}
	_ = c.Wait()
	logs, err := Orphans(dir, Options{})
	check(t, err)
	got := mustRead(t, logs[0])
	for i, e := range got {
		if want := entry(i+1, 500); string(e.Body) != string(want.Body) {
			t.Fatalf("entry %d is wrong", i+1)
		}
	}
	reported, err := strconv.Atoi(last[strings.LastIndex(last, " ")+1:])
	check(t, err)
	if len(got) < reported || reported < 600 {
		t.Errorf("%d entries of %d", len(got), reported)
	}
	check(t, logs[0].Close())
}

// TestAdoptRace lets processes take over the same logs at the same time. Each
// entry is delivered once.
func TestAdoptRace(t *testing.T) {
	const logs, each, children = 20, 5, 4
	dir := t.TempDir() + "/d"
	want := map[string]int{}
	for i := range logs {
		l, err := Open(dir, Options{MinFree: -1})
		check(t, err)
		batch := make([]Entry, each)
		for j := range batch {
			body := fmt.Sprintf("entry %d of log %d", j, i)
			want[body]++
			batch[j].Body = []byte(body)
		}
		check(t, l.Append(batch))
		kill(t, l)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	start := make(chan struct{})
	for range children {
		c := command(t, "adopt", dir)
		in, err := c.StdinPipe()
		check(t, err)
		out, err := c.StdoutPipe()
		check(t, err)
		check(t, c.Start())
		all.Go(func() {
			<-start
			_ = in.Close()
			for lines := bufio.NewScanner(out); lines.Scan(); {
				mu.Lock()
				got[lines.Text()]++
				mu.Unlock()
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	diff(t, want, got)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}

// TestConcurrent does all at once.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir() + "/d"
	l, err := Open(dir, Options{MinFree: -1, SegmentBytes: 30_000, SyncBytes: 20_000})
	check(t, err)
	const writers, batches, each = 4, 60, 5
	var writing, all sync.WaitGroup
	written := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for n := range batches {
				if err := l.Append(entries(w*1000+n*each, each, 300)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	loop := func(f func() error) {
		all.Go(func() {
			for {
				if err := f(); err != nil {
					t.Error(err)
				}
				select {
				case <-written:
					return
				default:
				}
			}
		})
	}
	now := epoch
	loop(l.Sync)
	loop(func() error { now = now.Add(time.Second); return l.Maintain(now) })
	loop(func() error {
		_, _, _, _ = l.SyncDue(epoch), l.MaintainDue(epoch), l.Live(), l.Bytes()
		return nil
	})
	for keep := range uint64(2) { // one reader delivers the even ones, one the odd
		all.Go(func() {
			r := l.Reader(0)
			var last uint64
			for last < writers*batches*each-1 {
				got, err := r.Next(2000)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range got {
					if e.Seq <= last {
						t.Errorf("%d after %d", e.Seq, last)
					}
					last = e.Seq
					if e.Seq%2 == keep {
						l.Done(e.Seq)
					}
				}
				if live := l.Live(); live == 0 {
					return
				}
			}
		})
	}
	writing.Wait()
	close(written)
	all.Wait()
	for _, e := range mustRead(t, l) {
		l.Done(e.Seq)
	}
	if l.Live() != 0 {
		t.Errorf("%d are live", l.Live())
	}
	check(t, l.Close())
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}
