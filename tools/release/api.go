package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// changes compares what each module makes public with the version before. A patch
// release may take nothing away; below v1 a minor one may, and what it takes is said.
func (r *candidate) changes(ctx context.Context) (said string, err error) {
	if r.last == "" {
		return none, nil
	}
	var taken, added []string
	for _, folder := range modules {
		if _, err := os.Stat(r.zip(folder, r.last)); errors.Is(err, os.ErrNotExist) {
			added = append(added, modulePath(folder))
			continue
		}
		before, err := r.public(ctx, folder, r.last)
		if err != nil {
			return "", err
		}
		now, err := r.public(ctx, folder, r.version)
		if err != nil {
			return "", err
		}
		for _, c := range apidiff.ModuleChanges(before, now).Changes {
			if line := modulePath(folder) + ": " + c.Message; c.Compatible {
				added = append(added, line)
			} else {
				taken = append(taken, line)
			}
		}
	}
	minor := semver.MajorMinor(r.version) != semver.MajorMinor(r.last)
	switch {
	case len(taken) > 0 && (!minor || semver.Major(r.version) != "v0"):
		return "", fmt.Errorf("the version takes something away:\n\t%s", strings.Join(taken, "\n\t"))
	case len(added) > 0 && !minor:
		return "", fmt.Errorf("a patch adds something:\n\t%s", strings.Join(added, "\n\t"))
	}
	return fmt.Sprintf("%d things added, %d taken away or changed%s", len(added), len(taken), lines(taken)), nil
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "\n\t" + strings.Join(list, "\n\t")
}

// public reads the packages of a module that others may import.
func (r *candidate) public(ctx context.Context, folder, version string) (*apidiff.Module, error) {
	dir, err := r.unzip(folder, version)
	if err != nil {
		return nil, err
	}
	paths, err := packagesIn(dir, modulePath(folder))
	if err != nil {
		return nil, err
	}
	found, err := packages.Load(&packages.Config{
		Context: ctx, Dir: filepath.Clean(dir), Env: append(r.env, "GOFLAGS=-mod=mod"),
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile,
	}, paths...)
	if err != nil {
		return nil, err
	}
	m := &apidiff.Module{Path: modulePath(folder)}
	for _, p := range found {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		m.Packages = append(m.Packages, p.Types)
	}
	if len(m.Packages) == 0 {
		return nil, fmt.Errorf("%s %s has no packages", modulePath(folder), version)
	}
	return m, nil
}
