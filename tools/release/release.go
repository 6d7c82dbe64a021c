package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// A candidate is a release in a clone of its own, with a proxy of files that has its
// modules, and those of the release before where there is one.
type candidate struct {
	*checker
	repository string
	clone      string
	last       string // the version before, or empty
}

// release makes a release in a clone, finds out whether it is one, and brings its
// commits and tags to the repository where that is asked for.
func release(ctx context.Context, w io.Writer, repository, dir, version string, apply bool) error {
	r, err := newCandidate(ctx, repository, dir, version)
	if err != nil {
		return err
	}
	if err := do(ctx, w, r.steps()); err != nil {
		return err
	}
	branch, err := r.git(ctx, repository, "rev-parse", "--abbrev-ref", "HEAD")
	if err != nil {
		return err
	}
	publish := []string{"git push origin " + branch}
	for _, folder := range modules {
		publish = append(publish, "git push origin "+tag(folder, version))
	}
	if !apply {
		_, err = fmt.Fprintf(w, "\nNothing was changed. With APPLY=1 the commits and tags come to this repository. What is pushed then, in this order:\n\n\t%s\n", strings.Join(publish, "\n\t"))
		return err
	}
	if err := r.apply(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nThe commits and tags are in this repository. To publish them:\n\n\t%s\n", strings.Join(publish, "\n\t"))
	return err
}

func newCandidate(ctx context.Context, repository, dir, version string) (*candidate, error) {
	c, err := newChecker(ctx, dir, version)
	return &candidate{checker: c, repository: repository, clone: filepath.Join(dir, "clone")}, err
}

// steps are all that a release has to pass, each after those it needs.
func (r *candidate) steps() []step {
	steps := []step{
		{"the version is new, and all is committed", r.fresh},
		{"the changelog has a heading for the version", r.changelog},
		{"each module names the others by the version, and is tagged", r.tagged},
	}
	steps = append(steps, r.strangers()...)
	return append(steps,
		step{"the zips are as small as they should be", r.sizes},
		step{"go vet finds nothing in the zips", r.vet},
		step{"the version before works beside this one, module by module", r.skew},
		step{"what is public changed as the version says", r.changes},
	)
}

// fresh finds the last version, and refuses one that is not after it, or that was
// ever given away: proxies keep what they have seen.
func (r *candidate) fresh(ctx context.Context) (said string, err error) {
	if semver.Canonical(r.version) != r.version || semver.Major(r.version) > "v1" {
		return "", fmt.Errorf("%q is no version such as v0.1.0", r.version)
	}
	changed, err := r.git(ctx, r.repository, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changed != "" {
		return "", fmt.Errorf("there are changes:\n%s", changed)
	}
	tags, err := r.git(ctx, r.repository, "tag", "--list")
	if err != nil {
		return "", err
	}
	known := strings.Fields(tags)
	for _, folder := range modules {
		if slices.Contains(known, tag(folder, r.version)) {
			return "", fmt.Errorf("the tag %s is there already", tag(folder, r.version))
		}
	}
	for _, t := range known {
		if semver.IsValid(t) && semver.Compare(t, r.last) > 0 {
			r.last = t
		}
	}
	if r.last == "" {
		return "it is the first", nil
	}
	if semver.Compare(r.version, r.last) < 0 {
		return "", fmt.Errorf("%s is already there", r.last)
	}
	return "the one before is " + r.last, nil
}

// changelog finds the heading of the version, or makes one of what is unreleased:
// with the date of today, and a new empty heading above.
func (r *candidate) changelog(ctx context.Context) (said string, err error) {
	if _, err := r.git(ctx, r.repository, "clone", "--quiet", "--no-hardlinks", r.repository, r.clone); err != nil {
		return "", err
	}
	path := filepath.Join(r.clone, "CHANGELOG.md")
	text, err := os.ReadFile(path) //nolint:gosec // a file of the clone
	if err != nil {
		return "", err
	}
	number := strings.TrimPrefix(r.version, "v")
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(number) + `\] - \d{4}-\d{2}-\d{2}$`)
	if found := heading.FindIndex(text); found != nil {
		return "", filled(text[found[1]:])
	}
	const unreleased = "\n## [Unreleased]\n"
	before, after, found := strings.Cut(string(text), unreleased)
	if !found {
		return "", fmt.Errorf("no line is ## [Unreleased], or ## [%s] - YYYY-MM-DD", number)
	}
	if err := filled([]byte(after)); err != nil {
		return "", err
	}
	made := "## [" + number + "] - " + time.Now().UTC().Format(time.DateOnly)
	if err := os.WriteFile(path, []byte(before+unreleased+"\n"+made+"\n"+after), 0o600); err != nil {
		return "", err
	}
	return made, r.commit(ctx, "changelog: "+r.version)
}

// filled is an error where nothing stands under a heading of the changelog.
func filled(below []byte) error {
	entry, _, _ := strings.Cut(string(below), "\n## ")
	if !strings.Contains(entry, "\n- ") {
		return errors.New("nothing stands under the heading")
	}
	return nil
}

// tagged commits, for each module in turn, the version of those it needs with their
// hashes, and tags the commit: a module can only name what is there before it.
func (r *candidate) tagged(ctx context.Context) (said string, err error) {
	var tags []string
	for _, folder := range modules {
		if err := r.name(ctx, folder); err != nil {
			return "", fmt.Errorf("%s: %w", folder, err)
		}
		t := tag(folder, r.version)
		if _, err := r.git(ctx, r.clone, "-c", "tag.gpgSign=false", "tag", "-m", modulePath(folder)+" "+r.version, t); err != nil {
			return "", err
		}
		tags = append(tags, t)
		removeAll(r.tree)
		if err := extract(ctx, r.clone, t, r.tree); err != nil {
			return "", err
		}
		if err := writeModule(r.tree, folder, r.proxy, r.version); err != nil {
			return "", err
		}
	}
	return strings.Join(tags, ", "), nil
}

// name has the go.mod of a module require the version of the others, and commits it
// where that is a change.
func (r *candidate) name(ctx context.Context, folder string) error {
	dir := filepath.Join(r.clone, folder)
	path := filepath.Join(dir, "go.mod")
	mod, err := released(path, r.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, mod, 0o600); err != nil {
		return err
	}
	if _, err := output(ctx, dir, r.env, "go", "mod", "tidy"); err != nil {
		return err
	}
	changed, err := r.git(ctx, r.clone, "status", "--porcelain")
	if err != nil || changed == "" {
		return err
	}
	if folder == "." {
		return fmt.Errorf("go mod tidy changes the module:\n%s", changed)
	}
	return r.commit(ctx, folder+": the version "+r.version+" of the modules that it needs")
}

// commit commits all that was changed in the clone.
func (r *candidate) commit(ctx context.Context, message string) error {
	if _, err := r.git(ctx, r.clone, "add", "--all"); err != nil {
		return err
	}
	_, err := r.git(ctx, r.clone, "commit", "--quiet", "--no-verify", "-m", message)
	return err
}

// largest is how many bytes the zip of a module may have, which every user of the
// module downloads.
var largest = map[string]int64{".": 1_600_000, "store": 500_000, "server": 700_000}

func (r *candidate) sizes(context.Context) (said string, err error) {
	var all []string
	for _, folder := range modules {
		info, err := os.Stat(r.zip(folder, r.version))
		if err != nil {
			return "", err
		}
		if info.Size() > largest[folder] {
			return "", fmt.Errorf("the zip of %s has %d bytes, more than %d", modulePath(folder), info.Size(), largest[folder])
		}
		all = append(all, fmt.Sprintf("%s %d bytes", folder, info.Size()))
	}
	return strings.Join(all, ", "), nil
}

// vet looks at the modules as users have them, tests included, which may need a file
// that is not in the zip, or a module that go.sum does not have.
func (r *candidate) vet(ctx context.Context) (said string, err error) {
	for _, folder := range modules {
		dir, err := r.unzip(folder, r.version)
		if err != nil {
			return "", err
		}
		if _, err := output(ctx, dir, r.env, "go", "vet", "-mod=readonly", "./..."); err != nil {
			return "", fmt.Errorf("%s: %w", modulePath(folder), err)
		}
	}
	return "", nil
}

// apply brings the commits and tags of the clone to the branch of the repository.
func (r *candidate) apply(ctx context.Context) error {
	if _, err := r.git(ctx, r.repository, "fetch", "--quiet", "--tags", r.clone, "HEAD"); err != nil {
		return err
	}
	_, err := r.git(ctx, r.repository, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
	return err
}

func (r *candidate) git(ctx context.Context, dir string, args ...string) (string, error) {
	return output(ctx, dir, os.Environ(), append([]string{"git"}, args...)...)
}

// tag is the name of the tag of a module's version (go.dev/ref/mod#vcs-version).
func tag(folder, version string) string {
	if folder == "." {
		return version
	}
	return folder + "/" + version
}
