package main

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReference fails where the code says something else than the pages that come from
// it.
func TestReference(t *testing.T) {
	options, err := optionsPage("../..")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := attributesPage("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"options.md": options, "attributes.md": attributes} {
		if got, err := os.ReadFile(filepath.Join("../reference", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("reference/%s is not what the code says (%v): run go run ./site -reference in docs", name, err)
		}
	}
}

// TestNavigation finds each page in the navigation, once.
func TestNavigation(t *testing.T) {
	var listed, found []string
	for _, g := range nav {
		listed = append(listed, g.Files...)
	}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	slices.Sort(found)
	if !slices.Equal(listed, found) {
		t.Errorf("the navigation has %q, the folder %q", listed, found)
	}
}

var (
	links   = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	anchors = regexp.MustCompile(`id="([^"]*)"`)
)

// TestSite writes the site and follows each link of it.
func TestSite(t *testing.T) {
	out := t.TempDir()
	if err := write(os.DirFS(".."), out); err != nil {
		t.Fatal(err)
	}
	site := os.DirFS(out)
	pages := map[string][]string{} // the anchors of each
	text := map[string]string{}
	err := fs.WalkDir(site, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(site, name)
		pages[name] = nil
		if strings.HasSuffix(name, ".html") {
			text[name] = string(data)
			for _, m := range anchors.FindAllStringSubmatch(string(data), -1) {
				pages[name] = append(pages[name], m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, html := range text {
		for _, m := range links.FindAllStringSubmatch(html, -1) {
			link := m[1]
			if rest, ok := strings.CutPrefix(link, source); ok {
				file, _, _ := strings.Cut(rest, "#")
				if _, err := os.Stat(filepath.Join("../..", file)); err != nil {
					t.Errorf("%s leads to %s, which is not there", name, link)
				}
				continue
			}
			if strings.Contains(link, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			found, ok := pages[to]
			if !ok || anchor != "" && !slices.Contains(found, anchor) {
				t.Errorf("%s leads to %s, which is not there", name, link)
			}
		}
	}
}
