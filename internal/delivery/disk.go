package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/internal/spool"
)

// A Durable destination can keep its records in a spool. Like those of
// Destination, its methods are called one at a time by the worker.
type Durable interface {
	Destination
	// Store returns the text to keep of a record; nil stands for its Body.
	Store(r *Record) []byte
	// Restore makes a record from what Store returned, which is in r.Body. Kind,
	// Group, ID and Elsewhere are set. The records that followed it are stored
	// by themselves.
	Restore(r *Record) error
	// RestoreAnnounced makes what Amend needs of what Store returned for the
	// record of Announce.
	RestoreAnnounced(text []byte) (any, error)
	// Incomplete makes the record that ends a group whose program was killed, from
	// what Store returned: for the record of Announce where announced is what
	// RestoreAnnounced made of that, for the record of Abandon where it is nil.
	Incomplete(stored []byte, announced any) (*Record, error)
	// Show returns a record as JSON, for people to read.
	Show(r *Record) []byte
}

// spooling is the spool of an engine.
type spooling struct {
	dir     string
	options spool.Options
	dest    Durable
	log     *spool.Log
	aside   *spool.Aside
	others  atomic.Int64 // bytes of the logs that were taken over
}

// kept says where the spool has a record. The zero value is nowhere.
type kept struct {
	log *spool.Log
	seq uint64
}

// done lets the spool forget the record.
func (k kept) done() {
	if k.log != nil {
		k.log.Done(k.seq)
	}
}

// Types of entries in a spool beside the kinds of records.
const (
	entryBegun     = 'B' // what to send if the program is killed before the group ends
	entryAnnounced = 'A' // what was delivered of a group that has not ended
	entryDecided   = 'D' // which drafts of a group are void
)

// Flags of entries.
const (
	flagElsewhere = 1 // the record has Elsewhere set
	flagLatest    = 2 // its Value is a *Latest: of use to its own process alone
	flagDraft     = 4 // whether to deliver it was not decided when it was written
)

// brokenDir is where a spool keeps damaged files.
const brokenDir = "broken"

// Keep makes the engine keep its records in a spool. Keep must be called before
// anything is put. Records that ended processes left there are taken over at
// once; those of processes that end later, within a minute.
func (e *Engine) Keep(dir string, options spool.Options) error {
	dest, ok := e.dest.(Durable)
	if !ok {
		return fmt.Errorf("%s: its records cannot be kept on disk", e.cfg.Name)
	}
	log, err := spool.Open(dir, options)
	if err != nil {
		return fmt.Errorf("%s: %w", e.cfg.Name, err)
	}
	e.spool = &spooling{dir: dir, options: options, dest: dest, log: log, aside: spool.OpenAside(dir, options)}
	if hasOrphans(dir, log) {
		e.mu.Lock()
		e.start()
		e.mu.Unlock()
	}
	return nil
}

// hasOrphans reports whether there may be logs of ended processes.
func hasOrphans(dir string, own *spool.Log) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return true // who looks will find out
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.IsDir() && e.Name() != filepath.Base(own.Dir()) && e.Name() != brokenDir
	})
}

// closeSpool closes the spool of an engine that never ran.
func (e *Engine) closeSpool() {
	if e.spool != nil {
		if err := e.spool.log.Close(); err != nil {
			e.Report("spool", e.ofSpool(err))
		}
	}
}

// ofSpool names the destination in an error of its spool.
func (e *Engine) ofSpool(err error) error { return fmt.Errorf("%s: %w", e.cfg.Name, err) }

// keep writes records and beginnings of groups to the spool, in one write. What
// it does not take stays in memory alone.
func (w *worker) keep(steps []any) {
	if w.spool == nil {
		return
	}
	entries := make([]spool.Entry, 0, len(steps))
	places := make([]*kept, 0, len(steps))
	for _, step := range steps {
		switch s := step.(type) {
		case *Record:
			entries = append(entries, w.entry(s))
			places = append(places, &s.kept)
		case *Draft:
			if s.begin != nil {
				if s.isVoid() {
					continue
				}
				if body := w.begun(s.begin); body != nil {
					entries = append(entries, spool.Entry{Type: entryBegun, Time: time.Now(), Group: s.begin.group, ID: s.begin.group, Body: body})
					places = append(places, &s.begin.kept)
				}
			} else if len(s.Body) > 0 {
				e := w.entry(&s.Record)
				e.Flags |= flagDraft
				entries = append(entries, e)
				places = append(places, &s.kept)
			}
		case *decided:
			if body := s.body(); body != nil {
				entries = append(entries, spool.Entry{Type: entryDecided, Time: time.Now(), Group: s.group, Body: body})
				places = append(places, &s.kept)
			}
		case *open:
			if s.draft != nil && s.draft.kept.log != nil {
				s.kept = s.draft.kept
			} else if body := w.begun(s); body != nil {
				entries = append(entries, spool.Entry{Type: entryBegun, Time: time.Now(), Group: s.group, ID: s.group, Body: body})
				places = append(places, &s.kept)
			}
		}
	}
	if len(entries) == 0 {
		return
	}
	if err := w.spool.log.Append(entries); err != nil {
		w.spoolFailed(fmt.Errorf("records are kept in memory alone: %w", err))
		return
	}
	records := 0
	for i, place := range places {
		*place = kept{w.spool.log, entries[i].Seq}
		if int(entries[i].Type) < len(kindNames) && entries[i].Flags&flagDraft == 0 {
			records++
		}
	}
	w.account.spooled(records)
}

func (w *worker) entry(r *Record) spool.Entry {
	e := spool.Entry{Type: byte(r.Kind), Time: r.created, Group: r.Group, ID: r.ID, Body: w.stored(r)}
	if r.Kind == Single {
		e.Group = r.session // which discarding goes by
	}
	if r.Elsewhere {
		e.Flags |= flagElsewhere
	}
	if isLatest(r) {
		e.Flags |= flagLatest
	}
	return e
}

// stored returns the text to keep of a record.
func (w *worker) stored(r *Record) []byte {
	if text := w.spool.dest.Store(r); text != nil {
		return text
	}
	return r.Body
}

// begun returns what to send of a group if the program is killed.
func (w *worker) begun(o *open) []byte {
	body, err := guarded(&w.calls, func() ([]byte, error) {
		if r := w.dest.Abandon(o.group, o.live, nil); r != nil {
			return w.stored(r), nil
		}
		return nil, nil
	})
	if err != nil && !errors.Is(err, errStuck) {
		w.report("announce", fmt.Errorf("%s: begin session: %w", w.cfg.Name, err))
	}
	return body
}

// rootKept lets the spool forget that a root of a group began, where it has its
// end.
func (w *worker) rootKept(r *Record) {
	g := w.groups.get(r.Group)
	if g == nil || r.kept.log == nil {
		return
	}
	g.stored = true
	if len(g.begun) > 0 {
		g.begun[0].done()
		g.begun = g.begun[1:]
	}
}

// keepAnnouncement replaces on disk the beginning of a group that runs on by
// what was delivered of it.
func (w *worker) keepAnnouncement(g *group, opener *Record) {
	if w.spool == nil || g.announced == nil || g.roots == 0 || g.announcement.log != nil {
		return
	}
	text, err := guarded(&w.calls, func() ([]byte, error) { return w.stored(opener), nil })
	entries := []spool.Entry{{Type: entryAnnounced, Time: time.Now(), Group: g.id, ID: g.id, Body: text}}
	if err == nil {
		err = w.spool.log.Append(entries)
	}
	if err != nil {
		w.spoolFailed(fmt.Errorf("announcement of a session: %w", err))
		return
	}
	g.announcement = kept{w.spool.log, entries[0].Seq}
	for _, k := range g.begun {
		k.done()
	}
	g.begun = nil
}

// setAside writes down a record that the server refused, and reports whether it
// did. Of a batch of which only the number of refused records is known none is.
func (w *worker) setAside(r *Record, why Reason) bool {
	if w.spool == nil || r.refusal == nil {
		return false
	}
	line := map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339Nano), "reason": string(why),
		"kind": r.Kind.String(), "session_id": formatID(r.Group), "event_id": formatID(r.ID), "error": r.refusal.Error(),
	}
	err := w.guarded(func() error {
		if body := w.spool.dest.Show(r); json.Valid(body) {
			var of struct {
				Session string `json:"session_id"`
			}
			if json.Unmarshal(body, &of) == nil && of.Session != "" { // the group may be a turn
				line["session_id"] = of.Session
			}
			line["record"] = json.RawMessage(body)
		} else {
			line["record"] = string(body)
		}
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		return w.spool.aside.Write(text)
	})
	if err != nil {
		w.spoolFailed(fmt.Errorf("set a record aside: %w", err))
	}
	return err == nil
}

func formatID(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// disk is the part of the worker that deals with the spool.
type disk struct {
	own     *source        // what of our own log is on disk alone
	others  []*source      // logs of ended processes
	turn    int            // of them
	busy    bool           // upkeep runs
	seeking bool           // orphans are being looked for
	seekAt  time.Time      // when to look for them next
	kept    chan error     // the outcome of upkeep
	found   chan found     // the outcome of seek
	tasks   sync.WaitGroup // goroutines of upkeep and seek
	stop    chan struct{}  // closed when the worker has ended
}

// seekEvery is how often logs of ended processes are looked for.
const seekEvery = time.Minute

// tendDisk reads back what memory has room for, and starts what the disk needs.
func (w *worker) tendDisk(now time.Time) {
	if w.spool == nil {
		return
	}
	w.refill()
	if !w.disk.busy && w.upkeepDue(now, now) {
		w.disk.busy = true
		logs := w.logs()
		w.disk.tasks.Go(func() { w.disk.kept <- upkeep(logs, now) })
	}
	if !w.disk.seeking && (!w.ending || w.disk.seekAt.IsZero()) && !now.Before(w.disk.seekAt) {
		w.disk.seeking, w.disk.seekAt = true, now.Add(seekEvery)
		w.disk.tasks.Go(w.seek)
	}
}

func (w *worker) logs() []*spool.Log {
	logs := []*spool.Log{w.spool.log}
	for _, s := range w.disk.others {
		logs = append(logs, s.log)
	}
	return logs
}

// countOthers makes the logs of ended processes count against the limit.
func (w *worker) countOthers() {
	var bytes int64
	for _, s := range w.disk.others {
		bytes += s.log.Bytes()
	}
	w.spool.others.Store(bytes)
	w.spool.log.CountBesides(bytes)
}

// upkeepDue reports whether a log needs a sync or a checkpoint by a time.
func (w *worker) upkeepDue(now, by time.Time) bool {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(by) }
	for _, l := range w.logs() {
		if due(l.SyncDue(now)) || due(l.MaintainDue(now)) {
			return true
		}
	}
	return false
}

// upkeep syncs what is due, writes checkpoints and removes what is done.
func upkeep(logs []*spool.Log, now time.Time) error {
	var errs []error
	for _, l := range logs {
		if t := l.SyncDue(now); !t.IsZero() && !t.After(now) {
			errs = append(errs, l.Sync())
		}
		errs = append(errs, l.Maintain(now))
	}
	return errors.Join(errs...)
}

// diskDue returns when tendDisk has something to do.
func (w *worker) diskDue(now time.Time) (time.Time, bool) {
	if w.spool == nil {
		return time.Time{}, false
	}
	if w.canRefill() {
		return now, true
	}
	due, ok := time.Time{}, false
	earlier := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(due)) {
			due, ok = t, true
		}
	}
	if !w.disk.busy {
		for _, l := range w.logs() {
			earlier(l.SyncDue(now))
			earlier(l.MaintainDue(now))
		}
	}
	if !w.disk.seeking && !w.ending {
		earlier(w.disk.seekAt)
	}
	return due, ok
}

// leaveDisk closes the logs. A slow disk has as long as Close waits, since what it
// has not written yet may be lost or sent again; then a disk that does not answer is
// left after diskGrace.
func (w *worker) leaveDisk() {
	if w.spool == nil {
		return
	}
	close(w.disk.stop)
	closed := make(chan error, 1)
	logs := w.logs()
	go func() {
		w.disk.tasks.Wait()
		var errs []error
		for _, l := range logs {
			errs = append(errs, l.Close())
		}
		closed <- errors.Join(errs...)
	}()
	select {
	case err := <-closed:
		w.spoolFailed(err)
		return
	case <-w.abort:
	}
	deadline := time.NewTimer(diskGrace)
	defer deadline.Stop()
	select {
	case err := <-closed:
		w.spoolFailed(err)
	case <-deadline.C:
		w.hung = true
	}
}
