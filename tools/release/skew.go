package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// none is what a step says that compares with the version before where there is none.
const none = "there is no version before"

// skew builds programs whose modules are of two versions: who asks for a new version
// of one module keeps the old ones of the others as long as nothing needs more.
func (r *candidate) skew(ctx context.Context) (said string, err error) {
	if r.last == "" {
		return none, nil
	}
	kept, err := r.before(ctx)
	if err != nil {
		return "", err
	}
	if len(kept) == 0 || kept[0] != "." {
		return none, nil
	}
	var notes []string
	for _, folder := range kept[1:] {
		path := modulePath(folder)
		imports, err := packagesIn(filepath.Join(r.dir, "last", folder), path)
		if err != nil {
			return "", err
		}
		name := strings.ReplaceAll(folder, "/", "-")
		_, err = r.program(ctx, "old-"+name, importing(imports), path+"@"+r.last, root+"@"+r.version)
		switch {
		case err == nil:
		case semver.MajorMinor(r.version) == semver.MajorMinor(r.last):
			return "", fmt.Errorf("%s %s with %s %s: %w", path, r.last, root, r.version, err)
		default:
			notes = append(notes, fmt.Sprintf("%s %s does not build with %s %s", path, r.last, root, r.version))
		}
		dir, err := r.program(ctx, "new-"+name, importing([]string{root}), root+"@"+r.last, path+"@"+r.version)
		if err != nil {
			return "", err
		}
		// The program imports nothing of the newer module, and so does not keep it when
		// it is tidied: what counts is what go get chose.
		if _, err := output(ctx, dir, r.env, "go", "get", path+"@"+r.version); err != nil {
			return "", err
		}
		chosen, err := output(ctx, dir, r.env, "go", "list", "-m", root)
		if err != nil {
			return "", err
		}
		if chosen != root+" "+r.version {
			return "", fmt.Errorf("who gets %s %s has %s", path, r.version, chosen)
		}
	}
	return strings.Join(notes, "; "), nil
}

// before puts the modules of the version before into the proxy, and returns their
// folders.
func (r *candidate) before(ctx context.Context) (folders []string, err error) {
	tree := filepath.Join(r.dir, "last")
	for _, folder := range modules {
		t := tag(folder, r.last)
		if found, err := r.git(ctx, r.repository, "tag", "--list", t); err != nil || found == "" {
			if err != nil {
				return nil, err
			}
			continue // a module that is new
		}
		removeAll(tree)
		if err := extract(ctx, r.repository, t, tree); err != nil {
			return nil, err
		}
		if err := writeModule(tree, folder, r.proxy, r.last); err != nil {
			return nil, err
		}
		folders = append(folders, folder)
	}
	return folders, nil
}

// zip is the file of a module's version in the proxy.
func (r *candidate) zip(folder, version string) string {
	escaped, err := module.EscapePath(modulePath(folder))
	if err != nil {
		escaped = modulePath(folder)
	}
	return filepath.Join(r.proxy, escaped, "@v", version+".zip")
}

// unzip lays a module's version out in a folder, once.
func (r *candidate) unzip(folder, version string) (dir string, err error) {
	dir = filepath.Join(r.dir, "unzipped", version, folder, "module")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	return dir, zip.Unzip(dir, module.Version{Path: modulePath(folder), Version: version}, r.zip(folder, version))
}
