package exporter

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// A SpoolOption changes the spool that [WithSpool] asks for: see [SpoolMaxBytes],
// [SpoolMinFree] and [SpoolSyncEach]. A nil one is ignored.
type SpoolOption func(*spoolConfig)

// spoolConfig is what the options of a spool say; zero numbers stand for defaults.
type spoolConfig struct {
	dir               string
	maxBytes, minFree int64
	syncEach          bool
}

// SpoolMaxBytes bounds what this process keeps in the spool of a destination, in
// bytes; 1 GiB by default. What it took over from ended processes counts too.
// When it is full, records are kept in memory alone,
// within Limits.QueueBytes.
func SpoolMaxBytes(n int64) SpoolOption { return func(c *spoolConfig) { c.maxBytes = n } }

// SpoolMinFree is how many bytes stay free on the file system; 256 MiB by
// default. Where fewer are, the spool counts as full.
func SpoolMinFree(n int64) SpoolOption { return func(c *spoolConfig) { c.minFree = n } }

// SpoolSyncEach waits for the disk (fsync) at each write. By default that is
// done once a second or megabyte, so that a crash of the machine, though not one
// of the process, can lose as much.
func SpoolSyncEach() SpoolOption { return func(c *spoolConfig) { c.syncEach = true } }

// WithSpool keeps records in files under dir until they are delivered, so that
// they survive the end of the process and long outages. A span is in the file
// within 100 ms of its end, what is known of a session within 100 ms of its
// start; a session, or a turn of one, that its process did not live to end is sent as
// incomplete by the next process with the same dir and destination. What the session came
// to by a turn is not sent out of the spool of a process that has ended, since others may
// have answered since: the event of the turn says it. [Wrap] has no spool.
//
// The files hold what users and models said, as far as redaction lets it
// through, and never a key. Directories are made with mode 0700, files with
// 0600; dir must not be empty, nor writable for others. Each destination has a directory
// of its own there, named after its kind and address and its [WithName]; two
// with the same address and different keys need names of their own.
//
// Records that the server refuses are kept in the destination's refused.jsonl,
// at most 64 MiB of them; damaged files in its folder "broken".
func WithSpool(dir string, options ...SpoolOption) Option {
	return func(c *config) {
		c.spool = &spoolConfig{dir: dir}
		for _, o := range options {
			if o != nil {
				o(c.spool)
			}
		}
	}
}

// directory returns where the spools are to be, if any, and notes what is wrong
// with that.
func (c *config) directory() string {
	if c.spool == nil {
		return ""
	}
	dir, err := c.spool.dir, error(nil)
	if dir == "" {
		err = errors.New("the directory is empty")
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil {
		dir, err = checkDir(dir)
	}
	c.check("WithSpool", err)
	if c.spool.maxBytes < 0 {
		c.check("SpoolMaxBytes", errors.New("the number is negative"))
	}
	if c.spool.minFree < 0 {
		c.check("SpoolMinFree", errors.New("the number is negative"))
	}
	return dir
}

// keep gives an engine its spool in a directory, if there is one. address tells
// apart what must not be mixed up.
func (c *config) keep(e *delivery.Engine, dir string, address ...string) error {
	if dir == "" {
		return nil
	}
	return e.Keep(filepath.Join(dir, spoolName(c.name, address)), spool.Options{
		MaxBytes: c.spool.maxBytes, MinFree: c.spool.minFree, SyncAlways: c.spool.syncEach,
	})
}

// checkDir returns where a directory really is, and an error where others could
// put files into it. It need not exist.
func checkDir(dir string) (string, error) {
	target, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	return target, spool.OS.CheckDir(target)
}

// spoolName returns the name of a destination's directory.
func spoolName(name string, address []string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{name}, address...), "\x00")))
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("%.64s-%x", readable, sum[:4])
}

var _ delivery.Durable = (*payloads)(nil)

// Store keeps the session itself rather than what the route makes of it, since
// an update may be made of it later.
func (p *payloads) Store(r *delivery.Record) []byte {
	if r.Kind != delivery.Opener {
		return nil
	}
	switch v := r.Value.(type) {
	case *sessionRecord:
		return v.request.AppendJSON(nil)
	case *turnRecord:
		return v.store()
	}
	return nil
}

// Restore makes a record of what Store returned, as far as the destination may see it: a
// process with other options may have written it.
func (p *payloads) Restore(r *delivery.Record) error {
	if r.Kind != delivery.Opener {
		return p.withhold(r)
	}
	if r.Group != r.ID {
		return p.restoreTurn(r)
	}
	s, err := p.parseSession(r.Body)
	if err != nil {
		return err
	}
	r.Body = nil
	p.encodeRoot(r, *s)
	r.Follow = nil // stored by itself
	return nil
}

func (p *payloads) parseSession(text []byte) (*honeyhive.SessionStartRequest, error) {
	s := new(honeyhive.SessionStartRequest)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read session from spool: %w", err)
	}
	return p.view.privacy.session(s), nil
}

// withhold leaves of an event or an update that was read back what the destination may
// see.
func (p *payloads) withhold(r *delivery.Record) error {
	if p.view.privacy.off() {
		return nil
	}
	if r.Kind == delivery.Update {
		var u honeyhive.Update
		if err := json.Unmarshal(r.Body, &u); err != nil {
			return errors.New("read update from spool: it is no JSON of one")
		}
		r.Body = p.view.privacy.update(&u).AppendJSON(nil)
		return nil
	}
	body, err := p.withheldEvent(r.Body)
	if err == nil {
		r.Body = body
	}
	return err
}

// withheldEvent returns the payload of an event as far as the destination may see it.
func (p *payloads) withheldEvent(body []byte) ([]byte, error) {
	if p.view.privacy.off() || body == nil {
		return body, nil
	}
	var e honeyhive.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, errors.New("read event from spool: it is no JSON of one")
	}
	return p.view.privacy.event(&e).AppendJSON(nil), nil
}

// readEvent returns what the payload of an event that was read back says of its
// session, or nil where it is none.
func readEvent(r *delivery.Record) *eventRecord {
	var e honeyhive.Event
	if r.Kind != delivery.Member || json.Unmarshal(r.Body, &e) != nil {
		return nil
	}
	session, err := honeyhive.ParseUUID(e.SessionID.Or(""))
	if err != nil {
		return nil
	}
	return &eventRecord{session: session, project: e.Project.Or(""), source: e.Source.Or("")}
}

// RestoreAnnounced reads what Store returned of an announcement.
func (p *payloads) RestoreAnnounced(text []byte) (any, error) {
	s, err := p.parseSession(text)
	if err != nil {
		return nil, err
	}
	return newAnnouncement(s), nil
}

// Incomplete makes the record of a session whose program was killed.
func (p *payloads) Incomplete(stored []byte, announced any) (*delivery.Record, error) {
	if turn, ok := p.parseTurn(stored); ok {
		return p.incompleteTurn(turn.id(), turn.post, turn.event), nil
	}
	r := new(delivery.Record)
	s, err := p.parseSession(stored)
	if err != nil {
		return nil, err
	}
	if announced == nil {
		p.encodeRoot(r, *s)
		return r, nil
	}
	s.Metadata, _ = s.Metadata.With(MetadataIncomplete, true)
	p.encodeRoot(r, *s)
	if p.Amend(r, announced) {
		r.Kind = delivery.Update
	}
	return r, nil
}

// Show returns the payload.
func (p *payloads) Show(r *delivery.Record) []byte { return r.Body }
