package main

import (
	"archive/zip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository is a small one of the modules that are released.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	// A release must be possible without a network, and with nobody's settings.
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.test", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.test",
	} {
		t.Setenv(name, value)
	}
	r := &repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch", "main")
	r.write("LICENSE", "anything goes")
	r.write("go.mod", "module "+root+"\n\ngo 1.26.0\n")
	r.write("a.go", "package sessionspan\n\nfunc A() int { return 1 }\n\nfunc B() int { return 2 }\n")
	r.write("store/go.mod", "module "+root+"/store\n\ngo 1.26.0\n\nrequire "+root+" v0.0.0\n")
	r.write("store/s.go", "package store\n\nimport \""+root+"\"\n\nvar S = sessionspan.A()\n")
	r.write("server/go.mod", "module "+root+"/server\n\ngo 1.26.0\n\nrequire (\n\t"+root+" v0.0.0\n\t"+root+"/store v0.0.0\n)\n")
	r.write("server/local/l.go", "package local\n\nimport (\n\t\""+root+"\"\n\t\""+root+"/store\"\n)\n\nvar L = store.S + sessionspan.B()\n")
	r.log("## [0.1.0] - 2026-11-30", "- all")
	r.commit()
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	out, err := output(r.t.Context(), r.dir, os.Environ(), append([]string{"git"}, args...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) log(heading, entry string) {
	r.t.Helper()
	r.write("CHANGELOG.md", "# Changelog\n\n"+heading+"\n\n### Added\n\n"+entry+"\n\n## [0.0.1] - 2026-01-01\n\n- before\n")
}

func (r *repository) commit() {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "-m", "a change")
}

// make runs the steps of a release that need no program of the README.
func (r *repository) make(version string, apply bool) (said string, err error) {
	r.t.Helper()
	dir := r.t.TempDir()
	r.t.Cleanup(func() { removeAll(dir) })
	c, err := newCandidate(r.t.Context(), r.dir, dir, version)
	if err != nil {
		r.t.Fatal(err)
	}
	steps := c.steps()
	kept := steps[:3:3]
	for _, s := range steps[3:] {
		if !strings.Contains(s.name, "README") && !strings.Contains(s.name, "command") {
			kept = append(kept, s)
		}
	}
	var b strings.Builder
	if err := do(r.t.Context(), &b, kept); err != nil {
		return b.String(), err
	}
	if apply {
		err = c.apply(r.t.Context())
	}
	return b.String(), err
}

// wants fails the test unless a text says something.
func wants(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("want %q in:\n%s", part, text)
	}
}

func (r *repository) refused(version, why string) {
	r.t.Helper()
	said, err := r.make(version, false)
	if err == nil {
		r.t.Fatalf("%s is no error:\n%s", why, said)
	}
	wants(r.t, err.Error(), why)
}

func TestRelease(t *testing.T) {
	r := newRepository(t)
	head := r.git("rev-parse", "HEAD")
	said, err := r.make("v0.1.0", false)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, said, "it is the first")
	if tags := r.git("tag"); tags != "" || r.git("rev-parse", "HEAD") != head || r.git("status", "--porcelain") != "" {
		t.Fatalf("a trial changed the repository: %s", tags)
	}
	if _, err := r.make("v0.1.0", true); err != nil {
		t.Fatal(err)
	}
	if tags := r.git("tag"); tags != "server/v0.1.0\nstore/v0.1.0\nv0.1.0" {
		t.Errorf("tags are %q", tags)
	}
	for tag, holds := range map[string]string{
		"v0.1.0": head, "store/v0.1.0^": head, "server/v0.1.0^^": head,
	} {
		if got := r.git("rev-parse", tag+"^{commit}"); got != holds {
			t.Errorf("%s is %s, want %s", tag, got, holds)
		}
	}
	wants(t, r.git("show", "server/v0.1.0:server/go.mod"), root+"/store v0.1.0")
	wants(t, r.git("show", "server/v0.1.0:server/go.sum"), root+"/store v0.1.0/go.mod h1:")
	r.refused("v0.1.0", "there already")
}

// TestNextRelease makes releases after one, of what may change and of what may not.
func TestNextRelease(t *testing.T) {
	r := newRepository(t)
	if _, err := r.make("v0.1.0", true); err != nil {
		t.Fatal(err)
	}
	r.log("## [Unreleased]", "- a mend")
	r.write("a.go", "package sessionspan\n\nfunc A() int { return 3 }\n\nfunc B() int { return 2 }\n")
	r.commit()
	said, err := r.make("v0.1.1", false)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, said, "the one before is v0.1.0")
	wants(t, said, "## [0.1.1] - ")
	wants(t, said, "0 things added, 0 taken away")

	r.write("b.go", "package sessionspan\n\nvar C int\n")
	r.commit()
	r.refused("v0.1.1", "C: added")

	// Server v0.1.0 needs B.
	r.write("a.go", "package sessionspan\n\nfunc A() int { return 3 }\n")
	r.write("server/local/l.go", "package local\n\nimport (\n\t\""+root+"\"\n\t\""+root+"/store\"\n)\n\nvar L = store.S + sessionspan.A()\n")
	r.commit()
	r.refused("v0.1.1", root+"/server v0.1.0 with "+root+" v0.1.1")
	said, err = r.make("v0.2.0", false)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, said, "server v0.1.0 does not build with "+root+" v0.2.0")
	wants(t, said, "B: removed")
}

func TestNoRelease(t *testing.T) {
	r := newRepository(t)
	r.refused("0.1.0", "no version")
	r.refused("v0.1", "no version")
	r.refused("v2.0.0", "no version")
	r.refused("v0.2.0", "no line is ## [Unreleased], or ## [0.2.0] - YYYY-MM-DD")
	r.write("new.txt", "")
	r.refused("v0.1.0", "new.txt")
	r.git("clean", "--quiet", "--force")
	for _, heading := range []string{"## [0.1.0] - 2026-11-30", "## [Unreleased]"} {
		r.log(heading, "nothing")
		r.commit()
		r.refused("v0.1.0", "nothing stands under the heading")
	}
	r.log("## [Unreleased]", "- all")
	r.write("store/go.mod", "module "+root+"/store\n\ngo 1.26.0\n\nrequire "+root+" v0.0.0\n\nreplace "+root+" => ../\n")
	r.commit()
	r.refused("v0.1.0", "replaces")
	r.write("store/go.mod", "module "+root+"/store\n\ngo 1.26.0\n\nrequire "+root+" v0.0.0\n")
	r.write("store/s_test.go", "package store\n\nimport \"testing\"\n\nfunc TestS(t *testing.T) { t.Errorf(\"%d\") }\n")
	r.commit()
	r.refused("v0.1.0", "%d")
	r.git("tag", "v0.3.0")
	r.refused("v0.1.0", "v0.3.0 is already there")
}

// TestCheckNeedsModules tells a check of a tree that lacks a module.
func TestCheckNeedsModules(t *testing.T) {
	r := newRepository(t)
	r.git("rm", "-r", "--quiet", "server")
	r.commit()
	dir := t.TempDir()
	t.Cleanup(func() { removeAll(dir) })
	err := check(context.Background(), io.Discard, r.dir, dir, "v0.0.0-check")
	if err == nil {
		t.Fatal("no error")
	}
	wants(t, err.Error(), "server")
}

// TestArchives writes the same bytes from the same files, whenever and wherever.
func TestArchives(t *testing.T) {
	made := time.Unix(1_800_000_000, 0).UTC()
	pack := func(write func(io.Writer, []string, map[string]string, time.Time) error) string {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte("binary"), 0o600); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := write(&b, []string{"sessionspan", "LICENSE"}, map[string]string{"sessionspan": path, "LICENSE": path}, made); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if a, b := pack(writeTar), pack(writeTar); a != b {
		t.Error("two tar files differ")
	}
	a, b := pack(writeZip), pack(writeZip)
	if a != b {
		t.Error("two zip files differ")
	}
	z, err := zip.NewReader(strings.NewReader(a), int64(len(a)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []os.FileMode{0o755, 0o644} {
		if f := z.File[i]; f.Mode() != want || !f.Modified.Equal(made) {
			t.Errorf("%s has mode %v and time %v", f.Name, f.Mode(), f.Modified)
		}
	}
}
