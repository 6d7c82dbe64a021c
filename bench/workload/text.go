// Package workload makes what is measured: calls of a model with English text in
// and out, the same for every peer.
package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// proseMost is how much text is read: more than any compressor looks back, so
// that none finds in one request what it saw in another.
const proseMost = 6 << 20

// prosePackages are packages of the standard library with long comments.
var prosePackages = []string{
	"net/http", "go/types", "reflect", "crypto/tls", "os", "time", "testing", "database/sql", "encoding/json", "text/template",
	"go/ast", "go/parser", "html/template", "encoding/xml", "math/big", "net", "strings", "bytes", "regexp", "sync", "context",
	"runtime", "cmd/go/internal/load", "cmd/go/internal/modload", "cmd/compile/internal/ssa", "cmd/compile/internal/types2",
	"cmd/link/internal/ld", "log/slog", "flag", "fmt", "io/fs", "bufio", "image", "sort", "crypto/x509", "archive/zip",
	"cmd/go/internal/work", "cmd/go/internal/modfetch", "cmd/compile/internal/noder", "cmd/internal/obj", "go/build", "go/printer",
}

// Prose returns English text: the comments of the standard library of the Go
// that is installed, which everybody has who runs this. It is the same for
// everyone with the same version of Go.
func Prose() (string, error) { return prose() }

var prose = sync.OnceValues(func() (string, error) {
	root := Root()
	if root == "" {
		return "", errors.New("read text: there is no GOROOT")
	}
	var b strings.Builder
	for _, dir := range prosePackages {
		files, err := filepath.Glob(filepath.Join(root, "src", dir, "*.go"))
		if err != nil {
			return "", fmt.Errorf("read text: %w", err)
		}
		for _, name := range files {
			source, err := os.ReadFile(name) //nolint:gosec // a file of Go itself
			if err != nil {
				return "", fmt.Errorf("read text: %w", err)
			}
			if text := string(source); !generated(text) {
				appendProse(&b, text)
			}
			if b.Len() >= proseMost {
				return b.String(), nil
			}
		}
	}
	if b.Len() < 1<<20 {
		return "", fmt.Errorf("read text: GOROOT has %d bytes of it only", b.Len())
	}
	return b.String(), nil
})

// Root returns GOROOT: that of the environment, or what the go command says.
func Root() string {
	if root := os.Getenv("GOROOT"); root != "" {
		return root
	}
	out, err := exec.CommandContext(context.Background(), "go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// generated reports whether a program wrote a file, whose comments nobody did
// then.
func generated(source string) bool {
	head, _, _ := strings.Cut(source, "\npackage ")
	return strings.Contains(head, "// Code generated ") && strings.Contains(head, "DO NOT EDIT.")
}

// appendProse appends the lines of comments that read like sentences, but for the
// copyright notice that every file starts with.
func appendProse(b *strings.Builder, source string) {
	for line := range strings.Lines(source) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "// ")
		if !ok || strings.Count(text, " ") < 5 || strings.Contains(text, "BSD-style") || strings.HasPrefix(text, "Copyright") {
			continue
		}
		b.WriteString(strings.ToValidUTF8(text, "?"))
		b.WriteByte('\n')
	}
}
