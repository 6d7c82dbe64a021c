package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/bench/peer"
)

const jsonName = "compare.json"

// readReport reads what write wrote.
func readReport(dir string) (*report, error) {
	data, err := os.ReadFile(filepath.Join(dir, jsonName)) //nolint:gosec // the user names it
	r := new(report)
	if err == nil {
		err = json.Unmarshal(data, r)
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return r, nil
}

// write writes all that was measured into a directory, unless it is empty.
func (r *report) write(dir string) error {
	if dir == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, jsonName), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// writeReadme replaces what is marked in a file, unless it has no name.
func (r *report) writeReadme(name string) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name) //nolint:gosec // the user names it
	if err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	filled, err := r.fill(string(text))
	if err != nil {
		return fmt.Errorf("write tables into %s: %w", name, err)
	}
	if err := os.WriteFile(name, []byte(filled), 0o600); err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	return nil
}

// fill replaces each part of a text that stands between <!-- begin NAME --> and
// <!-- end NAME -->.
func (r *report) fill(text string) (string, error) {
	for name, table := range map[string]string{"missing": missingTable(), "versions": r.versionTable(), "results": r.markdown()} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		_, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			return "", fmt.Errorf("there is no %s… %s", strings.TrimSpace(begin), end)
		}
		text = before + begin + "\n" + strings.TrimSpace(table) + "\n\n" + end + after
	}
	return text, nil
}

func missingTable() string { return table("Module", "Why", peer.Missing()) }

func (r *report) versionTable() string {
	versions := map[string]string{"Go": strings.TrimPrefix(r.Machine.Go, "go")}
	for module, version := range r.Machine.Versions {
		versions["`"+module+"`"] = version
	}
	return table("Module", "Version", versions)
}

func table(left, right string, rows map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s |\n| --- | --- |\n", left, right)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, rows[name])
	}
	return b.String()
}
