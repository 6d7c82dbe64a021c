package soak

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKill kills programs that record, each at a random moment, and starts the
// next one on the same spool, while the server fails now and then. What a server
// took by the end is compared with what the programs said was in the spool.
func TestKill(t *testing.T) {
	kills := 200
	if testing.Short() || raceEnabled {
		kills = 24
	}
	testKills(t, fromEnv("SESSIONSPAN_KILLS", kills), time.Hour)
}

// promised is how soon a span is in the spool.
const promised = 100 * time.Millisecond

// killsInRound bounds what is kept in memory: after so many the spool is drained
// and all is compared.
const killsInRound = 100

// testKills demands what the account of a program says was written to the spool,
// and what was recorded so long before the kill.
func testKills(t *testing.T, kills int, onDiskWithin time.Duration) {
	t.Helper()
	const lanes = 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	all := make([]*lane, lanes)
	for i := range lanes {
		l := &lane{t: t, onDiskWithin: onDiskWithin, oracle: newOracle(), dir: filepath.Join(t.TempDir(), "spool"), rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		l.server = newServer(t, l.oracle.take)
		all[i] = l
		wg.Go(func() {
			for left := kills / lanes; left > 0 && !t.Failed(); left -= killsInRound {
				l.round(min(left, killsInRound))
			}
		})
	}
	wg.Wait()
	sum := lane{oracle: newOracle()}
	for _, l := range all {
		sum.kills += l.kills
		sum.said += l.said
		sum.due += l.due
		sum.opened += l.opened
		sum.repeated += l.oracle.again
		sum.torn += l.torn
		sum.unsaid += l.unsaid
		sum.oracle.bare += l.oracle.bare
	}
	t.Logf("%d kills: %d records ended, of which %d were due; %d sessions were open and due as incomplete (%d came without inputs); %d records came more than once; %d kills tore a write",
		sum.kills, sum.said, sum.due, sum.opened, sum.oracle.bare, sum.repeated, sum.torn)
	t.Logf("%d records were not counted as spooled %v after their end", sum.unsaid, promised)
	if !t.Failed() && (sum.due == 0 || sum.opened == 0) {
		t.Error("nothing was tested")
	}
}

// lane is a server, a spool and the programs that are killed one after another.
type lane struct {
	t      testing.TB
	server *server
	oracle *oracle
	dir    string
	rand   *rand.Rand
	want   []demand

	onDiskWithin time.Duration

	kills, said, due, opened, repeated, torn int
	unsaid                                   int // records past the promise that the account did not have on disk
}

// demand is something that must have come.
type demand struct {
	what  string // as the child said it
	id    string
	extra string
	late  time.Duration // how long before the kill it was recorded
}

// round kills some children, lets a last one deliver what is left, and compares.
func (l *lane) round(kills int) {
	for range kills {
		if l.rand.IntN(4) == 0 {
			l.server.set(fault(l.rand.IntN(int(faultKind))))
		} else {
			l.server.set(healthy)
		}
		lines, killed := l.child("record", l.somewhere(), os.Kill)
		l.kills++
		l.expect(lines, killed)
		if l.t.Failed() {
			return
		}
	}
	l.server.set(healthy)
	l.drain()
	l.compare()
	l.want = nil
	l.oracle.mu.Lock()
	l.oracle.forget()
	l.oracle.mu.Unlock()
}

// tornTail is how a program reports that the one before it was killed in the
// middle of a write, which a kill can cut between two pages. The records of that
// write had not come to their 100 ms, so nothing is lost that was promised.
const tornTail = "is damaged: 0 records"

// line is what a child said.
type line struct {
	what, a, b string
	n          [2]int64 // records of HTTP, of OTLP
	at         int64
}

// when reports, at each line that a child says, whether it gets its signal now.
type when func(line) bool

// somewhere returns a random place in the life of a child that records. It is told
// by what the child said, not by a time, in which a busy machine lets a child do
// anything between nothing and much. Every other child has something in the spool,
// and a session that is open.
func (l *lane) somewhere() when {
	left, spooled, opened := l.rand.IntN(300), l.rand.IntN(2) == 0, make(map[string]bool)
	return func(s line) bool {
		left--
		switch s.what {
		case saidBegin:
			opened[s.a] = true
		case saidEnding:
			delete(opened, s.a)
		case saidSpooled:
			spooled = spooled || s.a != "0" && s.b != "0"
		}
		return left < 0 && spooled && (len(opened) > 0 || left < -300)
	}
}

// command returns a child that is not started.
func (l *lane) command(name string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		l.t.Error(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envChild+"="+name, envURL+"="+l.server.url, envDir+"="+l.dir,
		envSeed+"="+strconv.FormatUint(l.rand.Uint64(), 10))
	return cmd
}

// child runs a child and sends it a signal when it is time, or none where it is
// to end by itself. It returns what the child said, and when it got the signal.
func (l *lane) child(name string, now when, signal os.Signal) ([]line, int64) {
	cmd := l.command(name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		l.t.Error(err)
		return nil, 0
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Error(err)
		return nil, 0
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		l.t.Error(err)
		return nil, 0
	}
	var lines []line
	var at int64
	in := bufio.NewReaderSize(stdout, 1<<16)
	for {
		text, err := in.ReadString('\n')
		if err != nil && text == "" {
			break
		}
		s := l.parse(text)
		lines = append(lines, s)
		if now != nil && at == 0 && now(s) {
			at = time.Now().UnixNano()
			_ = cmd.Process.Signal(signal)
		}
	}
	if at == 0 {
		at = time.Now().UnixNano()
	}
	err = cmd.Wait()
	if signal != os.Kill && err != nil || signal == os.Kill && cmd.ProcessState.Exited() {
		l.t.Errorf("%s: %v\n%s", name, err, stderr.String())
	}
	for report := range strings.Lines(stderr.String()) {
		switch {
		case strings.Contains(report, tornTail):
			l.torn++
		case strings.Contains(report, "panic"), strings.Contains(report, "spool"):
			l.t.Errorf("%s said: %s", name, report)
		}
	}
	return lines, at
}

// parse reads a line. A write of a short line to a pipe is never torn.
func (l *lane) parse(text string) line {
	f := strings.Fields(text)
	if len(f) != 6 || !strings.HasSuffix(text, "\n") {
		l.t.Errorf("a child said %q", text)
		return line{}
	}
	return line{f[0], f[1], f[2], [2]int64{l.number(f[3]), l.number(f[4])}, l.number(f[5])}
}

func (l *lane) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		l.t.Error(err)
	}
	return n
}

// expect notes what must come of a child that was killed.
func (l *lane) expect(lines []line, killed int64) {
	var spooled [2]int64 // as the child knew
	// A child says how much is spooled every few milliseconds. Where it could not,
	// the machine was too busy to let it run, which no library makes good.
	var starved time.Duration
	last := killed
	for _, s := range slices.Backward(lines) {
		if s.what == saidSpooled && killed-s.at < int64(time.Second) {
			starved = max(starved, time.Duration(last-s.at))
			last = s.at
		}
	}
	for _, s := range lines {
		if s.what == saidSpooled {
			spooled = [2]int64{l.number(s.a), l.number(s.b)}
		}
	}
	open := make(map[string]line)
	for _, s := range lines {
		late := time.Duration(killed - s.at)
		want := func(what, id, extra string, onDisk bool) {
			l.said++
			if onDisk || late >= l.onDiskWithin+starved {
				l.due++
				l.want = append(l.want, demand{what, id, extra, late})
			}
			if !onDisk && late >= promised {
				l.unsaid++
			}
		}
		switch s.what {
		case saidBegin:
			open[s.a] = s
		case saidEnding:
			delete(open, s.a)
		case saidEvent, saidSession:
			want(s.what, s.a, "", s.n[0] <= spooled[0])
			want("span", s.b, "", s.n[1] <= spooled[1])
		case saidUpdate:
			want(s.what, s.a, s.b, s.n[0] <= spooled[0])
		}
	}
	for id, s := range open {
		// What came after the beginning is in the spool, so that is too.
		if late := time.Duration(killed - s.at); s.n[0] < spooled[0] || late >= l.onDiskWithin+starved {
			l.opened++
			l.want = append(l.want, demand{saidBegin, id, "", late})
		}
	}
}

// drain lets a last program deliver what is left in the spool.
func (l *lane) drain() {
	lines, ended := l.child("drain", nil, nil)
	if len(lines) == 0 || lines[len(lines)-1].what != saidClosed {
		l.t.Errorf("the last program did not end well: %v", lines)
	}
	// All it said must have come, a session of its own among it.
	l.expect(lines, ended+int64(time.Hour))
	for _, left := range leftovers(l.t, l.dir) {
		l.t.Errorf("the spool is drained and still has %s", left)
	}
}

// leftovers returns what a drained spool should not hold.
func leftovers(t testing.TB, dir string) []string {
	var left []string
	destinations, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, d := range destinations {
		entries, err := os.ReadDir(filepath.Join(dir, d.Name()))
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			if e.Name() == "broken" {
				continue // the rest of a torn write
			}
			left = append(left, filepath.Join(d.Name(), e.Name()))
		}
	}
	return left
}

// compare looks for what must have come.
func (l *lane) compare() {
	l.oracle.mu.Lock()
	missing := make(map[string]int)
	for _, d := range l.want {
		if wrong := l.oracle.missing(d); wrong != "" {
			if missing[wrong]++; missing[wrong] <= 3 {
				l.t.Errorf("%s: %s, recorded %s before the kill", wrong, d.id, d.late)
			}
		}
	}
	for wrong, n := range missing {
		l.t.Errorf("%d times: %s", n, wrong)
	}
	l.oracle.mu.Unlock()
	if v := l.oracle.verdict(); v != "" {
		l.t.Error(v)
	}
}

// missing says how a demand is not met, or nothing. The lock is held.
func (o *oracle) missing(d demand) string {
	switch d.what {
	case saidEvent:
		if _, ok := o.events[d.id]; !ok {
			return "an event did not come"
		}
	case "span":
		if _, ok := o.spans[d.id]; !ok {
			return "a span did not come"
		}
	case saidUpdate:
		if o.updates[d.id+" "+d.extra] == 0 {
			return "an update did not come"
		}
	case saidSession:
		switch s := o.sessions[d.id]; {
		case s == 0:
			return "a session did not come"
		case s&finished == 0:
			return fmt.Sprintf("a session that ended came otherwise (%b)", s)
		case s&incomplete != 0:
			return "a session that ended came as incomplete"
		}
	case saidBegin:
		switch s := o.sessions[d.id]; {
		case s == 0:
			return "a session that was open did not come"
		case s&incomplete == 0:
			return fmt.Sprintf("a session that was open came otherwise (%b)", s)
		}
	}
	return ""
}
