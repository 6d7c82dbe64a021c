package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// imports are the packages that the Go code of the pages names without importing them.
var imports = map[string]string{
	"sessionspan": "github.com/sessionspan/sessionspan",
	"evals":       "github.com/sessionspan/sessionspan/evals",
	"exporter":    "github.com/sessionspan/sessionspan/exporter",
	"honeyhive":   "github.com/sessionspan/sessionspan/honeyhive",
	"llmhttp":     "github.com/sessionspan/sessionspan/llmhttp",
	"redact":      "github.com/sessionspan/sessionspan/redact",
	"sessiontest": "github.com/sessionspan/sessionspan/sessiontest",
	"trace":       "go.opentelemetry.io/otel/trace",
	"attribute":   "go.opentelemetry.io/otel/attribute",
	"sdktrace":    "go.opentelemetry.io/otel/sdk/trace",
	"propagation": "go.opentelemetry.io/otel/propagation",
	"otel":        "go.opentelemetry.io/otel",
	"context":     "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "iter": "iter", "json": "encoding/json",
	"log": "log", "os": "os", "slices": "slices", "slog": "log/slog", "strings": "strings", "testing": "testing", "time": "time",
}

// snippet finds the Go code of a page. A comment before it, which readers do not see,
// says what the code is given: <!-- given: ctx context.Context, question string -->
var snippet = regexp.MustCompile("(?s)(?:<!-- given: ([^>]*) -->\\s*)?```go\n(.*?)```")

// TestSnippets compiles all Go code of the pages: whole files as they are, declarations in
// a file, and statements in a function.
func TestSnippets(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "=> ../", "=> "+filepath.ToSlash(root))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err = fs.WalkDir(os.DirFS(".."), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".md") {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(".."), name)
		if err != nil {
			return err
		}
		for i, m := range snippet.FindAllStringSubmatch(string(data), -1) {
			code, err := compiled(m[1], m[2])
			if err != nil {
				t.Errorf("%s, code %d: %v\n%s", name, i+1, err, m[2])
				continue
			}
			n++
			in := filepath.Join(dir, fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", ".md", "").Replace(name), i+1))
			file := "code.go"
			if strings.Contains(m[2], "*testing.T") {
				file = "code_test.go"
			}
			if err := os.MkdirAll(in, 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(in, file), code, 0o600); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("the pages have no code")
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// compiled makes a file of code.
func compiled(given, code string) ([]byte, error) {
	if strings.Contains(code, "\npackage ") || strings.HasPrefix(code, "package ") {
		return []byte(code), nil
	}
	text := code
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code, 0); err != nil {
		body, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() error {\n"+code+"\nreturn nil\n}", parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		var used strings.Builder
		for _, name := range declared(body) {
			fmt.Fprintf(&used, "_ = %s\n", name)
		}
		end := used.String() + "return nil\n"
		if strings.HasPrefix(lastLine(code), "return") {
			end = ""
		}
		text = "func _(" + given + ") error {\n" + code + "\n" + end + "}\n"
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var needs []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && imports[x.Name] != "" && !slices.Contains(needs, x.Name) && !strings.Contains(given, x.Name+" ") {
				needs = append(needs, x.Name)
			}
		}
		return true
	})
	var b strings.Builder
	b.WriteString("package p\n\n")
	for _, name := range needs {
		fmt.Fprintf(&b, "import %s %q\n", name, imports[name])
	}
	b.WriteString(text)
	return format.Source([]byte(b.String()))
}

// declared are the variables that the statements of a function declare, outside of the
// blocks in it.
func declared(file *ast.File) (names []string) {
	for _, s := range file.Decls[0].(*ast.FuncDecl).Body.List {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, e := range a.Lhs {
				if x, ok := e.(*ast.Ident); ok && x.Name != "_" && !slices.Contains(names, x.Name) {
					names = append(names, x.Name)
				}
			}
		}
	}
	return names
}

func lastLine(code string) string {
	lines := strings.Split(strings.TrimSpace(code), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
