package rag

import (
	"context"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A Document is a piece of text that can be found and cited.
type Document struct {
	ID    string // where it stands: fmt.Fprintf, or guide/start.md#3
	Title string
	Text  string
}

// LoadDocuments reads the texts of a folder, or the package documentation of the
// Go distribution where dir is empty.
func LoadDocuments(ctx context.Context, dir string) ([]Document, error) {
	if dir != "" {
		return loadFolder(ctx, dir)
	}
	root, err := goroot(ctx)
	if err != nil {
		return nil, err
	}
	return loadPackages(ctx, filepath.Join(root, "src"))
}

// goroot returns the folder of the Go distribution that runs this program.
func goroot(ctx context.Context) (string, error) {
	if root := build.Default.GOROOT; root != "" {
		return root, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the documentation of Go (name a folder with -docs instead): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// loadPackages reads the documentation of the packages below a folder: one
// document for each package and one for each exported name with a comment.
func loadPackages(ctx context.Context, src string) ([]Document, error) {
	var docs []Document
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil || !d.IsDir() {
			return errors2(err, ctx.Err())
		}
		switch d.Name() {
		case "internal", "vendor", "testdata", "cmd":
			return filepath.SkipDir
		}
		name, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		docs = append(docs, packageDocuments(path, filepath.ToSlash(name))...)
		return nil
	})
	return docs, err
}

func errors2(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// packageDocuments reads one package. What cannot be parsed is left out.
func packageDocuments(dir, path string) []Document {
	bp, err := build.Default.ImportDir(dir, build.ImportComment)
	if err != nil {
		return nil // no Go files for this machine
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range append(bp.GoFiles, bp.CgoFiles...) {
		if f, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution); err == nil {
			files = append(files, f)
		}
	}
	p, err := doc.NewFromFiles(set, files, path)
	if err != nil {
		return nil
	}
	docs := []Document{{ID: path, Title: "package " + p.Name, Text: p.Doc}}
	add := func(name, text string) {
		if text != "" {
			docs = append(docs, Document{ID: path + "." + name, Title: p.Name + "." + name, Text: text})
		}
	}
	for _, f := range p.Funcs {
		add(f.Name, f.Doc)
	}
	for _, t := range p.Types {
		add(t.Name, t.Doc)
		for _, f := range t.Funcs {
			add(f.Name, f.Doc)
		}
		for _, m := range t.Methods {
			add(t.Name+"."+m.Name, m.Doc)
		}
	}
	return docs
}

// largest is the size of the largest file that loadFolder reads.
const largest = 4 << 20

// loadFolder reads the text files below a folder, a document for each run of
// paragraphs of about a thousand characters.
func loadFolder(ctx context.Context, dir string) ([]Document, error) {
	var docs []Document
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors2(err, ctx.Err())
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && path != dir {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > largest {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // a file of the folder that the user named
		if err != nil {
			return err
		}
		if !utf8.Valid(data) {
			return nil // no text
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		docs = append(docs, chunks(filepath.ToSlash(name), string(data))...)
		return nil
	})
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("%s holds no text", dir)
	}
	return docs, err
}

func chunks(name, text string) []Document {
	const size = 1000
	var docs []Document
	var b strings.Builder
	flush := func() {
		if t := strings.TrimSpace(b.String()); t != "" {
			docs = append(docs, Document{ID: fmt.Sprintf("%s#%d", name, len(docs)+1), Title: name, Text: t})
		}
		b.Reset()
	}
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if b.Len() > 0 && b.Len()+len(paragraph) > size {
			flush()
		}
		b.WriteString(paragraph + "\n\n")
	}
	flush()
	return docs
}
