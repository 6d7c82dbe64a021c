package spool

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// memFS is a file system in memory that knows what is durable. A crash keeps
// that, and of all else any part.
type memFS struct {
	mu    sync.Mutex
	dirs  map[string]*memDir
	locks map[*memFile]bool
	free  int64
	clock int64
	rnd   *rand.Rand
	// fail is asked before each operation; an error is what the operation does.
	// A write may have written a part by then.
	fail func(op, name string) error
}

type memNode struct {
	file *memFile // nil for a directory
	dir  *memDir
}

// memDir is a directory. Changes that are not synced stand in ops.
type memDir struct {
	now, durable map[string]memNode
	ops          []map[string]memNode // of one change; a zero node removes the name
}

// memFile is a file. Changes that are not synced stand in ops.
type memFile struct {
	data, durable []byte
	ops           []memOp
	modified      int64
}

type memOp struct {
	off  int64
	data []byte // nil to truncate at off
	lost bool   // a sync failed after it: another one does not help
}

func newMemFS(seed uint64) *memFS {
	m := &memFS{free: 1 << 40, locks: map[*memFile]bool{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	m.dirs = map[string]*memDir{"/": newMemDir(), "/d": newMemDir()}
	m.dirs["/"].now["d"] = memNode{dir: m.dirs["/d"]}
	m.dirs["/"].durable["d"] = memNode{dir: m.dirs["/d"]}
	return m
}

func newMemDir() *memDir {
	return &memDir{now: map[string]memNode{}, durable: map[string]memNode{}}
}

func (op memOp) apply(b []byte) []byte {
	if op.data == nil {
		return append(b[:min(int64(len(b)), op.off)], make([]byte, max(0, op.off-int64(len(b))))...)
	}
	end := op.off + int64(len(op.data))
	if n := end - int64(len(b)); n > 0 {
		b = append(b, make([]byte, n)...)
	}
	copy(b[op.off:], op.data)
	return b
}

// crash returns the file system as it may be after the machine stopped.
func (m *memFS) crash() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMemFS(m.rnd.Uint64())
	c.clock = m.clock
	files := map[*memFile]*memFile{}
	c.dirs = map[string]*memDir{}
	m.crashDir(c, "/", m.dirs["/"], files)
	return c
}

func (m *memFS) crashDir(c *memFS, name string, d *memDir, files map[*memFile]*memFile) *memDir {
	left := maps.Clone(d.durable)
	for _, op := range d.ops {
		if m.rnd.IntN(2) == 0 {
			for name, node := range op {
				if node == (memNode{}) {
					delete(left, name)
				} else {
					left[name] = node
				}
			}
		}
	}
	out := newMemDir()
	c.dirs[name] = out
	for base, node := range left {
		if node.dir != nil {
			node.dir = m.crashDir(c, path.Join(name, base), node.dir, files)
		} else {
			if files[node.file] == nil {
				files[node.file] = m.crashFile(node.file)
			}
			node.file = files[node.file]
		}
		out.now[base], out.durable[base] = node, node
	}
	return out
}

func (m *memFS) crashFile(f *memFile) *memFile {
	b := slices.Clone(f.durable)
	for _, op := range f.ops {
		switch m.rnd.IntN(4) {
		case 0:
			continue
		case 1:
			if len(op.data) > 1 { // torn
				op.data = slices.Clone(op.data)
				from := m.rnd.IntN(len(op.data))
				if m.rnd.IntN(2) == 0 {
					op.data = op.data[:from]
				} else {
					clear(op.data[from : from+m.rnd.IntN(len(op.data)-from)])
				}
			}
		}
		b = op.apply(b)
	}
	return &memFile{data: b, durable: slices.Clone(b), modified: f.modified}
}

// kill lets go of all locks, as the end of a process does. The logs of the
// process must not be used any more.
func (m *memFS) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locks = map[*memFile]bool{}
}

// files returns the contents of all files by name.
func (m *memFS) files() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for name, d := range m.dirs {
		for base, node := range d.now {
			if node.file != nil {
				out[path.Join(name, base)] = node.file.data
			}
		}
	}
	return out
}

// memPath is the name of a file as a memFS has it, on any system.
func memPath(parts ...string) string { return filepath.ToSlash(filepath.Join(parts...)) }

// put replaces a file, durably; nil removes it.
func (m *memFS) put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.ToSlash(name)
	dir := path.Dir(name)
	if m.dirs[dir] == nil {
		m.dirs[dir] = newMemDir()
		up := m.dirs[path.Dir(dir)]
		up.now[path.Base(dir)] = memNode{dir: m.dirs[dir]}
		up.durable[path.Base(dir)] = memNode{dir: m.dirs[dir]}
	}
	d, base := m.dirs[dir], path.Base(name)
	delete(d.now, base)
	delete(d.durable, base)
	if data != nil {
		node := memNode{file: &memFile{data: slices.Clone(data), durable: slices.Clone(data)}}
		d.now[base], d.durable[base] = node, node
	}
}

// begin starts an operation.
func (m *memFS) begin(op, name string) error {
	m.clock++
	name = filepath.ToSlash(name)
	if m.fail != nil {
		if err := m.fail(op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

func (m *memFS) find(name string) (d *memDir, base string, node memNode, err error) {
	name = filepath.ToSlash(name)
	d, base = m.dirs[path.Dir(name)], path.Base(name)
	if d == nil {
		return nil, base, memNode{}, fs.ErrNotExist
	}
	return d, base, d.now[base], nil
}

func (d *memDir) change(op map[string]memNode) {
	for name, node := range op {
		if node == (memNode{}) {
			delete(d.now, name)
		} else {
			d.now[name] = node
		}
	}
	d.ops = append(d.ops, op)
}

func (m *memFS) open(op, name string, create, exclusive bool) (*memFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(op, name); err != nil {
		return nil, err
	}
	d, base, node, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case node.dir != nil:
		return nil, errors.New("is a directory")
	case node.file != nil && exclusive:
		return nil, fs.ErrExist
	case node.file == nil && !create:
		return nil, fs.ErrNotExist
	case node.file == nil:
		node.file = &memFile{modified: m.clock}
		d.change(map[string]memNode{base: node})
	}
	return node.file, nil
}

func (m *memFS) handle(f *memFile, name string, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &memHandle{fs: m, file: f, name: name}, nil
}

func (m *memFS) Create(name string) (File, error) {
	f, err := m.open("create", name, true, true)
	return m.handle(f, name, err)
}

func (m *memFS) Append(name string) (File, error) {
	f, err := m.open("append", name, true, false)
	return m.handle(f, name, err)
}

func (m *memFS) Open(name string) (File, error) {
	f, err := m.open("open", name, false, false)
	return m.handle(f, name, err)
}

type memInfo struct {
	name string
	node memNode
}

func (i memInfo) Name() string { return i.name }

func (i memInfo) Size() int64 {
	if i.node.file == nil {
		return 0
	}
	return int64(len(i.node.file.data))
}

func (i memInfo) Mode() fs.FileMode {
	if i.node.dir != nil {
		return fs.ModeDir | dirMode
	}
	return fileMode
}

func (i memInfo) ModTime() time.Time {
	if i.node.file == nil {
		return time.Time{}
	}
	return time.Unix(i.node.file.modified, 0)
}

func (i memInfo) IsDir() bool { return i.node.dir != nil }

func (i memInfo) Sys() any { return nil }

func (m *memFS) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("readdir", name); err != nil {
		return nil, err
	}
	d := m.dirs[filepath.ToSlash(name)]
	if d == nil {
		return nil, fs.ErrNotExist
	}
	var out []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(d.now)) {
		out = append(out, fs.FileInfoToDirEntry(memInfo{base, d.now[base]}))
	}
	return out, nil
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("mkdir", name); err != nil {
		return err
	}
	d, base, node, err := m.find(name)
	if err != nil {
		return err
	}
	if node != (memNode{}) {
		return fs.ErrExist
	}
	m.dirs[filepath.ToSlash(name)] = newMemDir()
	d.change(map[string]memNode{base: {dir: m.dirs[filepath.ToSlash(name)]}})
	return nil
}

func (m *memFS) CheckDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("checkdir", name); err != nil {
		return err
	}
	if m.dirs[filepath.ToSlash(name)] == nil {
		return fs.ErrNotExist
	}
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.remove(name)
}

func (m *memFS) remove(name string) error {
	if err := m.begin("remove", name); err != nil {
		return err
	}
	d, base, node, err := m.find(name)
	switch {
	case err != nil:
		return err
	case node == (memNode{}):
		return fs.ErrNotExist
	case node.dir != nil && len(node.dir.now) > 0:
		return errors.New("directory not empty")
	case node.dir != nil:
		delete(m.dirs, name)
	}
	d.change(map[string]memNode{base: {}})
	return nil
}

func (m *memFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("rename", oldName); err != nil {
		return err
	}
	d, base, node, err := m.find(oldName)
	if err != nil {
		return err
	}
	if node == (memNode{}) {
		return fs.ErrNotExist
	}
	to, toBase, _, err := m.find(newName)
	if err != nil {
		return err
	}
	if d == to {
		d.change(map[string]memNode{base: {}, toBase: node})
		return nil
	}
	// Between directories the change is still one.
	to.change(map[string]memNode{toBase: node})
	d.change(map[string]memNode{base: {}})
	return nil
}

func (m *memFS) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("syncdir", name); err != nil {
		return err
	}
	d := m.dirs[filepath.ToSlash(name)]
	if d == nil {
		return fs.ErrNotExist
	}
	d.durable, d.ops = maps.Clone(d.now), nil
	return nil
}

type memLock struct {
	fs   *memFS
	file *memFile
	name string
}

func (m *memFS) Lock(name string) (Lock, error) {
	f, err := m.open("lock", name, true, false)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, _, node, err := m.find(name); err != nil || node.file != f || m.locks[f] {
		return nil, ErrLocked
	}
	m.locks[f] = true
	return memLock{m, f, name}, nil
}

func (l memLock) Unlock() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.file)
	return nil
}

func (l memLock) Remove() error {
	l.fs.mu.Lock()
	err := l.fs.remove(l.name)
	l.fs.mu.Unlock()
	return errors.Join(err, l.Unlock())
}

func (m *memFS) Free(string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free
}

// isSegment reports whether a name is that of a segment of a log.
func isSegment(name string) bool { return strings.HasSuffix(name, segmentSuffix) }
