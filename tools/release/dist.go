package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are those that binaries are made for.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// sums is the file with the SHA-256 of all others, as sha256sum -c reads it.
const sums = "SHA256SUMS"

// dist writes archives of the command of a version to a folder. The version is the
// tag where the repository has it, else the last commit under its name. What is in an
// archive depends on nothing but the sources and the version of Go: who installs the
// same version with the same flags has the same binary.
func dist(ctx context.Context, w io.Writer, repository, dir, version, to string) error {
	c, err := newChecker(ctx, dir, version)
	if err != nil {
		return err
	}
	if err := c.lay(ctx, repository, version); err != nil {
		return err
	}
	made, err := c.date(ctx, repository)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // it is to be given away
		return err
	}
	var list strings.Builder
	for _, p := range platforms {
		binary, err := c.build(ctx, p, filepath.Join(dir, "first"), "")
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		name, err := c.archive(p, binary, to, made)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		parts, err := c.parts(ctx, repository, binary, to, name)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, name := range []string{name, parts} {
			sum, err := hash(filepath.Join(to, name))
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(&list, "%s  %s\n", sum, name)
			_, _ = fmt.Fprintf(w, "%s  %s\n", sum, name)
		}
	}
	if err := os.WriteFile(filepath.Join(to, sums), []byte(list.String()), 0o644); err != nil { //nolint:gosec // it is to be given away
		return err
	}
	return c.again(ctx, w, dir)
}

// parts writes what a binary is made of beside its archive, as CycloneDX.
func (c *checker) parts(ctx context.Context, repository, binary, to, archive string) (name string, err error) {
	text, err := output(ctx, filepath.Join(repository, "tools"), append(os.Environ(), "GOWORK=off"), "go", "run", "./audit", "sbom", binary)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(strings.TrimSuffix(archive, ".zip"), ".tar.gz") + ".cdx.json"
	return name, os.WriteFile(filepath.Join(to, name), []byte(text+"\n"), 0o644) //nolint:gosec // it is to be given away
}

// lay fills the proxy with the modules of a version.
func (c *checker) lay(ctx context.Context, repository, version string) error {
	for _, folder := range modules {
		commit := tag(folder, version)
		if _, err := output(ctx, repository, nil, "git", "rev-parse", "--verify", "--quiet", "refs/tags/"+commit); err != nil {
			commit = "HEAD"
		}
		removeAll(c.tree)
		if err := extract(ctx, repository, commit, c.tree); err != nil {
			return fmt.Errorf("extract %s: %w", commit, err)
		}
		if err := writeModule(c.tree, folder, c.proxy, version); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	return nil
}

// date is the time of the last commit, which the files of an archive have.
func (c *checker) date(ctx context.Context, repository string) (time.Time, error) {
	text, err := output(ctx, repository, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// build installs the command for a platform under a folder. An empty cache is that of
// the user.
func (c *checker) build(ctx context.Context, platform, under, cache string) (binary string, err error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	env := slices.Concat(c.env, []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0", "GOBIN=", "GOPATH=" + under, "GOAMD64=v1", "GOARM64=v8.0"})
	if cache != "" {
		env = append(env, "GOCACHE="+cache)
	}
	if _, err := output(ctx, c.dir, env, "go", "install", "-trimpath", "-ldflags=-s -w", modulePath("server")+"/cmd/sessionspan@"+c.version); err != nil {
		return "", err
	}
	name := "sessionspan"
	if goos == "windows" {
		name += ".exe"
	}
	// go install puts what is for another machine into a folder of its own.
	for _, dir := range []string{goos + "_" + goarch, ""} {
		binary = filepath.Join(under, "bin", dir, name)
		if _, err = os.Stat(binary); err == nil {
			return binary, nil
		}
	}
	return "", err
}

// again builds one binary anew, in another folder and with an empty cache, and
// compares.
func (c *checker) again(ctx context.Context, w io.Writer, dir string) error {
	p := platforms[0]
	var found [2]string
	for i, cache := range []string{"", filepath.Join(dir, "gocache")} {
		binary, err := c.build(ctx, p, filepath.Join(dir, "again", strconv.Itoa(i)), cache)
		if err != nil {
			return err
		}
		if found[i], err = hash(binary); err != nil {
			return err
		}
	}
	if found[0] != found[1] {
		return fmt.Errorf("the binary for %s is another one when it is built again", p)
	}
	_, err := fmt.Fprintf(w, "ok: the binary for %s is the same when it is built again with nothing cached\n", p)
	return err
}

// archive packs a binary with the licence and what the changelog says.
func (c *checker) archive(platform, binary, to string, made time.Time) (name string, err error) {
	name = "sessionspan_" + strings.TrimPrefix(c.version, "v") + "_" + strings.ReplaceAll(platform, "/", "_")
	files := map[string]string{filepath.Base(binary): binary, "LICENSE": filepath.Join(c.tree, "LICENSE"), "CHANGELOG.md": filepath.Join(c.tree, "CHANGELOG.md")}
	order := []string{filepath.Base(binary), "CHANGELOG.md", "LICENSE"}
	write := writeTar
	if strings.HasPrefix(platform, "windows") {
		name, write = name+".zip", writeZip
	} else {
		name += ".tar.gz"
	}
	f, err := os.Create(filepath.Join(to, name)) //nolint:gosec // the user names the folder
	if err != nil {
		return "", err
	}
	return name, errors.Join(write(f, order, files, made), f.Close())
}

func writeTar(w io.Writer, order []string, files map[string]string, made time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, name := range order {
		data, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: int64(mode(name)), Size: int64(len(data)), ModTime: made, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func writeZip(w io.Writer, order []string, files map[string]string, made time.Time) error {
	z := zip.NewWriter(w)
	for _, name := range order {
		data, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: made}
		h.SetMode(mode(name))
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			return err
		}
	}
	return z.Close()
}

func mode(name string) os.FileMode {
	if strings.HasPrefix(name, "sessionspan") {
		return 0o755
	}
	return 0o644
}

func hash(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // a file of this program
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}
