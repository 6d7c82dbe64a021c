// Package audit keeps a record of who read content, exported it, or erased it, in a file
// of JSON lines to which lines are only added. It holds no content: neither texts of
// sessions nor what was searched for.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

// Suffix is what the name of the file has behind that of the file of the sessions.
const Suffix = "-audit"

// Actions of entries.
const (
	Read   = "read"   // content was shown
	Export = "export" // content was sent as a file, or in bulk
	Delete = "delete" // a session was deleted
	Erase  = "erase"  // what is known of a user or of a session was erased
	Admin  = "admin"  // something that only administrators see, such as this file
	SignIn = "signin" // somebody signed in with a token
)

// An Entry is a line of the file.
type Entry struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`
	// Caller is the id of the token, Name what it is called, Project the one that it is
	// bound to.
	Caller  string `json:"caller"`
	Name    string `json:"name,omitempty"`
	Project string `json:"project,omitempty"`
	// Route is the pattern of the address that was asked for, Session and Event the ids
	// in it, which are UUIDs.
	Route   string `json:"route,omitempty"`
	Session string `json:"session,omitempty"`
	Event   string `json:"event,omitempty"`
	// Subject is the hash of what was erased, Salt what it is made with: see [Subject].
	Kind    string `json:"kind,omitempty"` // user or session
	Subject string `json:"subject,omitempty"`
	Salt    string `json:"salt,omitempty"`
	// Counts is what was erased.
	Counts map[string]int64 `json:"counts,omitempty"`
	Error  string           `json:"error,omitempty"`
}

// Bounds of the files: with the one that is written, as many older ones.
const (
	maxBytes = 16 << 20
	maxOlder = 4
)

// Log writes entries. Its methods may be called from many goroutines at once.
type Log struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens the log in a file, which it makes where there is none, for its owner alone.
func Open(path string) (*Log, error) {
	l := &Log{path: path, max: maxBytes}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(l.path + " is no ordinary file")
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(info.Mode().Perm() &^ 0o077)
	}
	if err == nil && info.Size() > 0 && !endsLine(l.path, info.Size()) {
		_, err = f.Write([]byte{'\n'}) // the process was killed in the midst of a line
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// endsLine reports whether a file of so many bytes ends with a line break.
func endsLine(path string, size int64) bool {
	f, err := os.Open(path) //nolint:gosec // it is beside the file of the sessions
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return err == nil && last[0] == '\n'
}

// Add adds an entry, of the present time where it has none. An entry about something
// that cannot be undone is on disk when Add returns.
func (l *Log) Add(e *Entry) error {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.add(append(line, '\n')); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	if e.Action == Erase || e.Action == Delete {
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("write the audit log: %w", err)
		}
	}
	return nil
}

func (l *Log) add(line []byte) error {
	if l.file == nil {
		return fs.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(line)) > l.max {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return err
}

// older is the name of a file that was written before; the greater n the older.
func (l *Log) older(n int) string { return l.path + "." + strconv.Itoa(n) }

// rotate begins a new file. The oldest one goes.
func (l *Log) rotate() error {
	for n := maxOlder; n > 0; n-- {
		from := l.path
		if n > 1 {
			from = l.older(n - 1)
		}
		if err := os.Rename(from, l.older(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	old := l.file
	if err := l.open(); err != nil { // the old one goes on
		return err
	}
	return old.Close()
}

// WriteTo writes the entries as lines, the oldest first. It writes what was there when it
// was called.
func (l *Log) WriteTo(w io.Writer) (total int64, err error) {
	files, err := l.parts()
	for _, f := range files {
		if err == nil {
			var n int64
			n, err = io.Copy(w, io.LimitReader(f.from, f.size))
			total += n
		}
		err = errors.Join(err, f.from.Close())
	}
	if err != nil {
		return total, fmt.Errorf("read the audit log: %w", err)
	}
	return total, nil
}

// part is a file of the log, as long as it was.
type part struct {
	from io.ReadCloser
	size int64
}

// parts opens the files, so that none is missed which is renamed while they are read.
func (l *Log) parts() (list []part, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := maxOlder; n >= 0; n-- {
		name := l.path
		if n > 0 {
			name = l.older(n)
		}
		f, err := os.Open(name) //nolint:gosec // it is beside the file of the sessions
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return list, err
		}
		info, err := f.Stat()
		if err != nil {
			return list, errors.Join(err, f.Close())
		}
		list = append(list, part{f, info.Size()})
	}
	return list, nil
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
