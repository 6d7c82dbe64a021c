package micro

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sessionspan/sessionspan/internal/spool"
)

// A batch of the spool's cases is what a session of eight calls makes. All forget
// what they hold after eight megabytes. Those of "spool" sync after each, those of
// "append" never, so that the disk has no part in them.
const (
	batchRecords = 8
	recordSize   = 4700
	syncBytes    = 1 << 20
	forgetBytes  = 8 << 20
)

func records() [][]byte {
	list := make([][]byte, batchRecords)
	for i := range list {
		list[i] = make([]byte, recordSize)
		for j := range list[i] {
			list[i][j] = byte('a' + (i*j)%26)
		}
	}
	return list
}

// every calls sync and forget as often as their bytes ask for.
type every struct {
	synced         bool
	unsynced, kept int
	sync, forget   func()
}

func (e *every) wrote(n int) {
	e.unsynced += n
	e.kept += n
	if e.synced && e.unsynced >= syncBytes {
		e.unsynced = 0
		e.sync()
	}
	if e.kept >= forgetBytes {
		e.kept = 0
		e.forget()
	}
}

// must stops what cannot go on: a figure of something that failed is none.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func spoolCases() []Case {
	var list []Case
	for _, prefix := range []string{"spool/", "append/"} {
		for _, c := range []struct {
			name string
			open func(dir string, synced bool) (func(int), func(), error)
		}{{"sessionspan", openSpool}, {"write", openFile}, {"bbolt", openBolt}} {
			list = append(list, Case{
				Name: prefix + c.name, Per: batchRecords,
				Open: func(dir string) (func(int), func(), error) { return c.open(dir, prefix == "spool/") },
			})
		}
	}
	return list
}

// unsyncedFS is a file system that syncs nothing, as bbolt has an option for it.
type unsyncedFS struct{ spool.FS }

func (f unsyncedFS) SyncDir(string) error { return nil }

func (f unsyncedFS) Create(name string) (spool.File, error) { return unsynced(f.FS.Create(name)) }

func (f unsyncedFS) Append(name string) (spool.File, error) { return unsynced(f.FS.Append(name)) }

type unsyncedFile struct{ spool.File }

func (unsyncedFile) Sync() error { return nil }

func unsynced(f spool.File, err error) (spool.File, error) { return unsyncedFile{f}, err }

func openSpool(dir string, synced bool) (func(int), func(), error) {
	var options spool.Options
	if !synced {
		options.FS = unsyncedFS{spool.OS}
	}
	log, err := spool.Open(filepath.Join(dir, "spool"), options)
	if err != nil {
		return nil, nil, err
	}
	bodies := records()
	var seqs []uint64
	e := every{
		synced: synced,
		sync:   func() { must(log.Sync()) },
		forget: func() {
			log.Done(seqs...)
			seqs = seqs[:0]
			must(log.Maintain(time.Now()))
		},
	}
	entries := make([]spool.Entry, batchRecords)
	return func(n int) {
		for range n {
			now := time.Now()
			for i := range entries {
				entries[i] = spool.Entry{Type: 1, Time: now, Body: bodies[i]}
			}
			must(log.Append(entries))
			for i := range entries {
				seqs = append(seqs, entries[i].Seq)
			}
			e.wrote(batchRecords * recordSize)
		}
	}, func() { _ = log.Close() }, nil
}

func openFile(dir string, synced bool) (func(int), func(), error) {
	f, err := os.Create(filepath.Join(dir, "plain")) //nolint:gosec // in a directory of ours
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	for _, b := range records() {
		text = append(text, b...)
	}
	e := every{
		synced: synced,
		sync:   func() { must(f.Sync()) },
		forget: func() {
			must(f.Truncate(0))
			_, err := f.Seek(0, 0)
			must(err)
		},
	}
	return func(n int) {
		for range n {
			_, err := f.Write(text)
			must(err)
			e.wrote(len(text))
		}
	}, func() { _ = f.Close() }, nil
}

func openBolt(dir string, synced bool) (func(int), func(), error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, NoFreelistSync: true})
	if err != nil {
		return nil, nil, err
	}
	name := []byte("spans")
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(name); return err }); err != nil {
		return nil, nil, err
	}
	e := every{
		synced: synced,
		sync:   func() { must(db.Sync()) },
		forget: func() {
			must(db.Update(func(tx *bbolt.Tx) error {
				if err := tx.DeleteBucket(name); err != nil {
					return err
				}
				_, err := tx.CreateBucket(name)
				return err
			}))
		},
	}
	bodies := records()
	var seq uint64
	return func(n int) {
		for range n {
			must(db.Update(func(tx *bbolt.Tx) error {
				bucket := tx.Bucket(name)
				bucket.FillPercent = 1 // the keys come in order
				for _, b := range bodies {
					seq++
					if err := bucket.Put(binary.BigEndian.AppendUint64(nil, seq), b); err != nil {
						return err
					}
				}
				return nil
			}))
			e.wrote(batchRecords * recordSize)
		}
	}, func() { _ = db.Close() }, nil
}
