package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// root is the module that the others are named after.
const root = "github.com/sessionspan/sessionspan"

// modules are the folders of those that users get, each after those it needs.
var modules = []string{".", "store", "server"}

func modulePath(folder string) string {
	if folder == "." {
		return root
	}
	return root + "/" + folder
}

// writeModule adds a version of the module in a folder of a tree to a module proxy
// of files. The format is that of GOPROXY (go.dev/ref/mod#goproxy-protocol).
func writeModule(tree, folder, proxy, version string) error {
	m := module.Version{Path: modulePath(folder), Version: version}
	source := filepath.Join(tree, folder)
	path := filepath.Join(source, "go.mod")
	mod, err := released(path, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, mod, 0o600); err != nil {
		return err
	}
	if err := license(tree, source); err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(proxy, escaped, "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := os.ReadFile(filepath.Join(dir, "list")) //nolint:gosec // a file of the proxy
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, text := range map[string]string{
		"list":            string(list) + version + "\n",
		version + ".mod":  string(mod),
		version + ".info": fmt.Sprintf(`{"Version":%q,"Time":%q}`, version, time.Now().UTC().Format(time.RFC3339)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(dir, version+".zip")) //nolint:gosec // the version is the user's
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromDir(f, m, source), f.Close())
}

// license copies the licence of the repository to a module that has none, as the Go
// command does when it makes the zip of a module that is a folder of a repository.
func license(tree, source string) error {
	const name = "LICENSE"
	if _, err := os.Stat(filepath.Join(source, name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := os.ReadFile(filepath.Join(tree, name)) //nolint:gosec // a file of the tree
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(source, name), text, 0o600)
}

// released returns a go.mod as a release has it: with the version for each
// neighbour. A replacement in what users get is an error, since go install refuses
// a module that has one, and elsewhere it is ignored.
func released(path, version string) ([]byte, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse(path, data, nil)
	if err != nil {
		return nil, err
	}
	if len(mod.Replace) > 0 {
		return nil, fmt.Errorf("go.mod replaces %s", mod.Replace[0].Old.Path)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == root || strings.HasPrefix(r.Mod.Path, root+"/") {
			if err := mod.AddRequire(r.Mod.Path, version); err != nil {
				return nil, err
			}
		}
	}
	mod.Cleanup()
	return mod.Format()
}

// extract writes a commit of a repository to a folder.
func extract(ctx context.Context, repository, commit, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "archive", commit) //nolint:gosec // the user's own repository
	cmd.Dir, cmd.Stderr = repository, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(untar(out, dir), cmd.Wait())
}

func untar(r io.Reader, dir string) error {
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // what pads the archive
			return err
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		path := filepath.Join(dir, h.Name) //nolint:gosec // it is local
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
}

// removeAll removes a folder with a module cache in it, which is read-only.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700) //nolint:gosec // a folder
		}
		return err
	})
	_ = os.RemoveAll(dir)
}
