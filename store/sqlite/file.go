package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A store is one file and those that SQLite puts beside it. They hold prompts, and
// SQLite follows what their names say: who can write to their folder, or owns one
// of them, can read what is stored or have it written elsewhere. So the folder and
// the files are looked at before SQLite opens any. And there must be one name
// alone: the log of a file (-wal) and its lock go by its name, so that a second
// process would neither see the log nor be told that the file is in use.

// beside are the ends of the names of the files of a store. Those of the lock are
// made by SQLite for a database of its own.
var beside = [...]string{"", "-wal", "-shm", "-journal", "-lock", "-lock-journal", "-lock-wal", "-lock-shm"}

// secure makes the folder of a file where there is none, and returns the one name
// that the file has. It makes the files of the store those of their owner alone,
// and refuses what others have, or can get, their hands on.
func secure(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if path, err = resolve(path); err != nil {
		return "", err
	}
	for _, end := range beside {
		if err := secureFile(path+end, end == ""); err != nil {
			return "", err
		}
	}
	return path, nil
}

// resolve follows the links in a name, of which the last one may be the file. The
// folder of each name of the file must be in good hands.
func resolve(path string) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	if err := checkFolder(dir); err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	if mine, sure := isOwn(info); sure && !mine && !isOfSystem(info) {
		return "", fmt.Errorf("%s is a symbolic link that another user made: remove it, or name the file itself", path)
	}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is a symbolic link to a file that is not there: remove it, or name the file itself", path)
	}
	if err != nil {
		return "", err
	}
	return target, checkFolder(filepath.Dir(target))
}

// checkFolder refuses a folder that other users can put files into, or take them
// from.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	mine, sure := isOwn(info)
	if sure && !mine && !isOfSystem(info) {
		return fmt.Errorf("the folder %s belongs to another user: name a file in a folder of your own, or make that one yours (chown)", dir)
	}
	if !othersWrite(info) {
		return nil
	}
	// Nobody can write where nobody gets to.
	for up := dir; ; up = filepath.Dir(up) {
		info, err := os.Lstat(up)
		if err != nil {
			return err
		}
		if mine, _ := isOwn(info); (mine || isOfSystem(info)) && info.Mode().Perm()&0o011 == 0 {
			return nil
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	return fmt.Errorf("other users can write to the folder %s (mode %v): name a file in a folder of your own, or close it (chmod go-w)", dir, info.Mode().Perm())
}

// secureFile makes a file that is there one of its owner alone. Such a file is
// neither a link, nor somebody else's, nor, where it is the file of the sessions,
// one that has another name.
func secureFile(path string, single bool) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mine, sure := isOwn(info)
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a directory, not a file: name a file in it", path)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: remove it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no ordinary file: remove it, or name another file", path)
	case sure && !mine:
		return fmt.Errorf("%s belongs to another user: name another file, or make that one yours (chown)", path)
	}
	if single {
		n, err := countNames(path, info)
		if err != nil {
			return err
		}
		if n > 1 {
			return fmt.Errorf("%s has another name too, a hard link, by which a second process could write to it: remove that, or name a copy", path)
		}
	}
	if mode := info.Mode().Perm(); sure && mode&0o077 != 0 {
		if err := os.Chmod(path, mode&^0o077); err != nil {
			return fmt.Errorf("keep other users out: %w", err)
		}
	}
	return nil
}
