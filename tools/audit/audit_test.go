package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestThreatsNameTests looks for the tests that SECURITY.md names: each row of its threats
// names some, and all of them are there.
func TestThreatsNameTests(t *testing.T) {
	there := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			if d != nil && d.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, f := range function.FindAllSubmatch(text, -1) {
			there[string(f[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, threats, _ := strings.Cut(string(text), "\n## Threats\n")
	threats, _, _ = strings.Cut(threats, "\n## ")
	rows := 0
	for line := range strings.Lines(threats) {
		if !regexp.MustCompile(`^\| \d`).MatchString(line) {
			continue
		}
		rows++
		columns := strings.Split(line, "|")
		tests := strings.Fields(columns[4])
		if len(tests) == 0 {
			t.Errorf("no test is named by %s", line)
		}
		for _, name := range tests {
			if !there[strings.Trim(name, "`")] {
				t.Errorf("there is no test %s", name)
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d threats were found", rows)
	}
}

// TestClassify tells licences by their texts, and one that it does not know from all.
func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                   "Apache-2.0",
		"Permission is hereby granted, free of charge, to any\nperson obtaining a copy of this software": "MIT",
		"Redistributions in binary form must reproduce the above":                                        "BSD-2-Clause",
		"Redistributions in binary form must reproduce the above. Neither the names of the authors nor":  "BSD-3-Clause",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                           "GPL", "GNU AFFERO GENERAL PUBLIC LICENSE": "AGPL-3.0", "Mozilla Public License Version 2.0": "MPL-2.0",
		"Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is": "ISC",
		"All rights reserved.": "unknown", "": "unknown",
	} {
		if got := classify(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestSBOM lists what the command of the server is built of: all that go version -m says.
func TestSBOM(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sessionspan")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/sessionspan")
	build.Dir = filepath.Join(root, "server")
	build.Env = append(build.Environ(), "GOWORK=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := sbom(t.Context(), program, root, out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same program gives two lists")
	}
	var d document
	if err := json.Unmarshal(first.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	refs := make(map[string]bool)
	names := make(map[string]string)
	for _, c := range d.Components {
		if refs[c.Ref] || len(c.Licenses) != 1 || c.PURL == "" {
			t.Errorf("%+v", c)
		}
		refs[c.Ref], names[c.Name] = true, c.Version
	}
	deps := 0
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" {
			deps++
			if names[f[1]] != f[2] {
				t.Errorf("%s %s is listed as %q", f[1], f[2], names[f[1]])
			}
		}
	}
	if deps < 5 || len(d.Components) != deps+1 || d.Format != "CycloneDX" || len(d.Dependencies[0].On) != deps+1 {
		t.Errorf("%d components of %d modules", len(d.Components), deps)
	}
}

// TestVulnSaysWhatItDidNot reach.
func TestVulnSaysWhatItDidNot(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	t.Setenv("GOVULNDB", s.URL)
	var out bytes.Buffer
	if err := vuln(t.Context(), root, &out); err != nil || !strings.Contains(out.String(), "NOT CHECKED") {
		t.Errorf("%s %v", &out, err)
	}
}
