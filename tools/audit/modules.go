package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// own starts the paths of the modules of this project.
const own = "github.com/sessionspan/sessionspan"

// shipped are the modules that users get, by their folders.
var shipped = []string{".", "store", "server"}

// module is a module of others whose packages are built into one of ours.
type module struct {
	Path, Version, Dir string
	License            string
	By                 []string // the folders of those that it is built into
}

// dependencies returns the modules whose packages are built into what users get, tests left
// out.
func dependencies(ctx context.Context, root string) ([]*module, error) {
	all := make(map[string]*module)
	for _, folder := range shipped {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module,Standard", "./...")
		cmd.Dir = filepath.Join(root, folder)
		cmd.Env = append(cmd.Environ(), "GOWORK=")
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list in %s: %w: %s", folder, err, &problems)
		}
		for from := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct{ Module *module }
			if err := from.Decode(&p); errors.Is(err, io.EOF) { //nolint:musttag // the go command names its fields as these are
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list in %s: %w", folder, err)
			}
			if p.Module == nil || strings.HasPrefix(p.Module.Path, own) {
				continue
			}
			m := all[p.Module.Path]
			if m == nil {
				m = p.Module
				all[m.Path] = m
			}
			if !slices.Contains(m.By, folder) {
				m.By = append(m.By, folder)
			}
		}
	}
	var list []*module
	for _, m := range all {
		var err error
		if m.License, err = licenseOf(m.Dir); err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		isForTests := !slices.Contains(m.By, "server") && slices.Contains(forTests, m.License)
		if !slices.Contains(allowed, m.License) && !isForTests {
			return nil, fmt.Errorf("%s %s: the licence is %q, which is none of %v", m.Path, m.Version, m.License, allowed)
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	return list, nil
}

// licenses returns the list as the documentation has it.
func licenses(ctx context.Context, root string) ([]byte, error) {
	list, err := dependencies(ctx, root)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("# Licences of dependencies\n\nWhat is built into the modules that users get: the library (`.`), the store, and the server with its command. Tests need more. `make licenses` writes this list, `make audit` compares it, and fails for a licence that is none of " + strings.Join(allowed, ", ") + "; packages for tests of users, which no program holds, may have " + strings.Join(forTests, ", ") + " besides. sessionspan itself is under the Apache License 2.0 (LICENSE).\n\n| Module | Version | Licence | In |\n| --- | --- | --- | --- |\n")
	for _, m := range list {
		fmt.Fprintf(&out, "| %s | %s | %s | `%s` |\n", m.Path, m.Version, m.License, strings.Join(m.By, "`, `"))
	}
	return out.Bytes(), nil
}
