package spool

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// memHandle is an open file of a memFS.
type memHandle struct {
	fs     *memFS
	file   *memFile
	name   string
	closed bool
}

func (h *memHandle) begin(op string) error {
	if h.closed {
		return fs.ErrClosed
	}
	return h.fs.begin(op, h.name)
}

func (h *memHandle) Write(b []byte) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	err := h.begin("write")
	if errors.Is(err, fs.ErrClosed) {
		return 0, err
	}
	if err != nil {
		b = b[:h.fs.rnd.IntN(len(b)+1)]
		if h.fs.rnd.IntN(3) == 0 {
			b = nil
		}
	}
	f := h.file
	if len(b) > 0 {
		op := memOp{off: int64(len(f.data)), data: slices.Clone(b)}
		f.data = op.apply(f.data)
		f.ops = append(f.ops, op)
		f.modified = h.fs.clock
	}
	return len(b), err
}

func (h *memHandle) ReadAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.begin("read"); err != nil {
		return 0, err
	}
	if off > int64(len(h.file.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.file.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memHandle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	err := h.begin("close")
	h.closed = true
	return err
}

func (h *memHandle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	f := h.file
	if err := h.begin("sync"); err != nil {
		for i := range f.ops {
			f.ops[i].lost = true
		}
		return err
	}
	var lost []memOp
	for _, op := range f.ops {
		if !op.lost {
			f.durable = op.apply(f.durable)
		} else if op.data != nil {
			lost = append(lost, op)
		}
	}
	f.ops = lost
	return nil
}

func (h *memHandle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.begin("truncate"); err != nil {
		return err
	}
	op := memOp{off: size}
	h.file.data = op.apply(h.file.data)
	h.file.ops = append(h.file.ops, op)
	return nil
}

func (h *memHandle) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.begin("size"); err != nil {
		return 0, err
	}
	return int64(len(h.file.data)), nil
}
