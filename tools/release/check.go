package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
)

// checker is a place outside of the repository, where modules come from a proxy of
// files and go to a cache of their own, so that nothing of the clone can help.
type checker struct {
	dir, tree, proxy, version string
	env                       []string
}

// newChecker makes a place under dir for the modules of a version. The proxy is
// empty, and so is the tree.
func newChecker(ctx context.Context, dir, version string) (*checker, error) {
	c := &checker{dir: dir, tree: filepath.Join(dir, "tree"), proxy: filepath.Join(dir, "proxy"), version: version}
	return c, c.environment(ctx)
}

// A step is one thing that is found out. What it returns is said behind its name.
type step struct {
	name string
	run  func(context.Context) (said string, err error)
}

// do runs steps, says what was found, and stops at the first that fails.
func do(ctx context.Context, w io.Writer, steps []step) error {
	for _, s := range steps {
		said, err := s.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if said != "" {
			said = ": " + said
		}
		_, _ = fmt.Fprintf(w, "ok: %s%s\n", s.name, said)
	}
	return nil
}

// check lays the last commit out as a module proxy and uses it as strangers do. A
// version that has tags is theirs.
func check(ctx context.Context, w io.Writer, repository, dir, version string) error {
	c, err := newChecker(ctx, dir, version)
	if err != nil {
		return err
	}
	if err := c.lay(ctx, repository, version); err != nil {
		return err
	}
	return do(ctx, w, c.strangers())
}

// strangers are the steps of those who have nothing but the proxy.
func (c *checker) strangers() []step {
	return []step{
		{"the program of the README builds, runs, and needs what go.mod of the root lists", c.readme},
		{"each public package can be imported", c.packages},
		{"the command can be installed, takes a session and gives it back", c.command},
	}
}

// environment has modules of ours from the proxy alone. Those of others come from
// what was downloaded before, or from where the user gets them.
func (c *checker) environment(ctx context.Context) error {
	get := func(name string) string {
		value, err := output(ctx, "", nil, "go", "env", name)
		if err != nil {
			return ""
		}
		return value
	}
	others := []string{"file://" + filepath.ToSlash(filepath.Join(get("GOMODCACHE"), "cache", "download"))}
	if p := get("GOPROXY"); p != "" {
		others = append(others, p)
	}
	c.env = append(os.Environ(),
		"GOPROXY=file://"+filepath.ToSlash(c.proxy)+","+strings.Join(others, ","),
		"GONOSUMDB="+strings.Trim(get("GONOSUMDB")+","+root+","+root+"/*", ","),
		"GOMODCACHE="+filepath.Join(c.dir, "cache"),
		"GOBIN="+filepath.Join(c.dir, "bin"),
		"GOWORK=off", "GOFLAGS=-trimpath", "GOPRIVATE=", "GONOPROXY=", "GOTOOLCHAIN=local")
	return ctx.Err()
}

// readme builds the program of the README and runs it against a server that keeps
// what it is sent.
func (c *checker) readme(ctx context.Context) (said string, err error) {
	text, err := os.ReadFile(filepath.Join(c.tree, "README.md"))
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "```go\n// Quickstart")
	code, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		return "", errors.New("the README has no program")
	}
	dir, err := c.program(ctx, "readme", "// Quickstart"+code, at(c.version, root)...)
	if err != nil {
		return "", err
	}
	if err := c.onlyListed(ctx, dir); err != nil {
		return "", err
	}
	var mu sync.Mutex
	var paths, agents []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.URL.Path)
		agents = append(agents, r.UserAgent())
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	defer api.Close()
	if _, err := output(ctx, dir, append(c.env, "HH_API_URL="+api.URL, "HH_API_KEY=key"), filepath.Join(dir, "program")); err != nil {
		return "", err
	}
	mu.Lock()
	defer mu.Unlock()
	for _, path := range []string{"/session/start", "/events/batch"} {
		if !slices.Contains(paths, path) {
			return "", fmt.Errorf("%s was not called, but %v", path, paths)
		}
	}
	if agent := "sessionspan-go/" + strings.TrimPrefix(c.version, "v"); agents[0] != agent {
		return "", fmt.Errorf("the library calls itself %s, not %s", agents[0], agent)
	}
	return "", nil
}

// onlyListed compares the modules that a program needs with those that go.mod of
// the root lists.
func (c *checker) onlyListed(ctx context.Context, dir string) error {
	path := filepath.Join(c.tree, "go.mod")
	data, err := os.ReadFile(path) //nolint:gosec // a file of the tree
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(path, data, nil)
	if err != nil {
		return err
	}
	listed := []string{root, "example.test/readme"}
	for _, r := range mod.Require {
		listed = append(listed, r.Mod.Path)
	}
	needed, err := output(ctx, dir, c.env, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	if err != nil {
		return err
	}
	for m := range strings.FieldsSeq(needed) {
		if !slices.Contains(listed, m) {
			return fmt.Errorf("it needs %s", m)
		}
	}
	return nil
}

// packages builds a program that imports all that may be imported.
func (c *checker) packages(ctx context.Context) (said string, err error) {
	var paths, imports []string
	for _, folder := range modules {
		paths = append(paths, modulePath(folder))
		found, err := packagesIn(filepath.Join(c.tree, folder), modulePath(folder))
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return "", fmt.Errorf("%s has no packages", folder)
		}
		imports = append(imports, found...)
	}
	_, err = c.program(ctx, "packages", importing(imports), at(c.version, paths...)...)
	return fmt.Sprint(len(imports), " packages"), err
}

// importing returns a program that imports packages and does nothing else.
func importing(packages []string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	for _, p := range packages {
		fmt.Fprintf(&b, "\t_ %q\n", p)
	}
	b.WriteString(")\n\nfunc main() {}\n")
	return b.String()
}

// at returns the names of modules with a version, as go get has them.
func at(version string, paths ...string) []string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = p + "@" + version
	}
	return names
}

// command installs the command and lets it take a session.
func (c *checker) command(ctx context.Context) (said string, err error) {
	if _, err := output(ctx, c.dir, c.env, "go", "install", modulePath("server")+"/cmd/sessionspan@"+c.version); err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "bin", "sessionspan"), "-listen", "127.0.0.1:0", "-data", filepath.Join(c.dir, "sessions.db")) //nolint:gosec // just built
	printed, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer func() { stop(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(printed)
	url := ""
	for url == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "open "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, printed) }()
	const id = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	if _, err := ask(ctx, http.MethodPost, url+"/session/start", `{"session":{"project":"p","session_name":"released","source":"s","session_id":"`+id+`"}}`); err != nil {
		return "", err
	}
	got, err := ask(ctx, http.MethodGet, url+"/v1/sessions/"+id, "")
	if err == nil && !strings.Contains(got, `"released"`) {
		err = fmt.Errorf("the session came back as %s", got)
	}
	return "", err
}

// ask sends a request and returns the answer.
func ask(ctx context.Context, method, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !json.Valid(text)) {
		err = fmt.Errorf("%s answers %s: %s", url, res.Status, text)
	}
	return string(text), err
}

// program makes a module with one program, gets modules one after another, each by
// its name and version, and builds it.
func (c *checker) program(ctx context.Context, name, code string, needs ...string) (dir string, err error) {
	dir = filepath.Join(c.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o600); err != nil {
		return "", err
	}
	commands := [][]string{{"go", "mod", "init", "example.test/" + name}}
	for _, m := range needs {
		commands = append(commands, []string{"go", "get", m})
	}
	commands = append(commands, []string{"go", "mod", "tidy"}, []string{"go", "build", "-o", "program", "."})
	for _, args := range commands {
		if _, err := output(ctx, dir, c.env, args...); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // all commands stand in this package
	cmd.Dir, cmd.Env = dir, env
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
