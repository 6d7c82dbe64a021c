// Command site writes the documentation as a static site, and the parts of it that come
// from the code.
//
//	go run ./site -out ../dist/site      the site
//	go run ./site -reference             the pages under reference, anew
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// source is where links lead that leave the documentation.
const source = "https://github.com/sessionspan/sessionspan/blob/main/"

//go:embed page.html
var layout string

//go:embed style.css
var style []byte

func main() {
	out := flag.String("out", "", "`folder` that the site is written to")
	reference := flag.Bool("reference", false, "write the pages under reference anew")
	flag.Parse()
	var err error
	switch {
	case *reference:
		err = writeReference(".", "..")
	case *out != "":
		err = write(os.DirFS("."), *out)
	default:
		err = errors.New("say -out or -reference")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

// A page is one file of the documentation.
type page struct {
	File  string // its path under docs, with slashes
	Title string
	Body  template.HTML
}

// A group is a heading of the navigation with its pages.
type group struct {
	Name  string
	Files []string
}

// nav is the order in which pages are read. A test fails for a page that is not in it.
var nav = []group{
	{"Start", []string{"index.md", "concepts.md"}},
	{"Guides", []string{
		"guides/rag.md", "guides/agents.md", "guides/conversations.md", "guides/services.md",
		"guides/evaluations.md", "guides/privacy.md", "guides/scale.md",
	}},
	{"Coming from", []string{"guides/langfuse.md", "guides/langsmith.md", "guides/braintrust.md", "guides/datadog.md"}},
	{"In depth", []string{"server.md", "query.md", "api.md", "security.md", "privacy.md", "redaction.md", "sampling.md", "troubleshooting.md"}},
	{"Reference", []string{"reference/options.md", "reference/attributes.md", "reference/environment.md", "licenses.md"}},
}

// write renders all pages into a folder.
func write(docs fs.FS, out string) error {
	pages := map[string]*page{}
	for _, g := range nav {
		for _, file := range g.Files {
			p, err := render(docs, file)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			pages[file] = p
		}
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"title": func(file string) string { return pages[file].Title },
		"to":    func(from, file string) string { return relative(from, address(file)) },
		"way":   relative,
	}).Parse(layout)
	if err != nil {
		return err
	}
	for file, p := range pages {
		var b bytes.Buffer
		if err := t.Execute(&b, map[string]any{"Page": p, "Nav": nav}); err != nil {
			return err
		}
		if err := put(out, address(file), b.Bytes()); err != nil {
			return err
		}
	}
	if err := put(out, "style.css", style); err != nil {
		return err
	}
	return fs.WalkDir(docs, "images", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(docs, name)
		if err != nil {
			return err
		}
		return put(out, name, data)
	})
}

func put(out, name string, data []byte) error {
	file := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a public site
		return err
	}
	return os.WriteFile(file, data, 0o644) //nolint:gosec // a public site
}

// address is the path of the page that a file becomes.
func address(file string) string { return strings.TrimSuffix(file, ".md") + ".html" }

// relative is the way from one page to another, so that the site works in any folder
// and from a disk.
func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")) + to
}

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(outward{}, 100))),
	goldmark.WithRendererOptions(html.WithXHTML()),
)

// fileKey is where the parser keeps the name of the file that it reads.
var fileKey = parser.NewContextKey()

// render makes a page of a file, whose first heading is its title.
func render(docs fs.FS, file string) (*page, error) {
	data, err := fs.ReadFile(docs, file)
	if err != nil {
		return nil, err
	}
	title, _, found := strings.Cut(strings.TrimPrefix(string(data), "# "), "\n")
	if !found || !bytes.HasPrefix(data, []byte("# ")) {
		return nil, errors.New("the first line is no heading")
	}
	ctx := parser.NewContext()
	ctx.Set(fileKey, file)
	var b bytes.Buffer
	if err := markdown.Convert(data, &b, parser.WithContext(ctx)); err != nil {
		return nil, err
	}
	return &page{File: file, Title: title, Body: template.HTML(b.String())}, nil //nolint:gosec // goldmark leaves HTML out
}

// outward turns links between files into links between pages, and those to the rest of
// the repository into links to where it is kept.
type outward struct{}

func (outward) Transform(doc *ast.Document, _ text.Reader, ctx parser.Context) {
	file, _ := ctx.Get(fileKey).(string)
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && entering {
			l.Destination = []byte(target(file, string(l.Destination)))
		}
		return ast.WalkContinue, nil
	})
}

// target is where a link of a file leads on the site.
func target(file, link string) string {
	name, anchor, _ := strings.Cut(link, "#")
	if name == "" || strings.Contains(link, "://") {
		return link
	}
	name = path.Join(path.Dir(file), name)
	switch {
	case strings.HasPrefix(name, "../"):
		name = source + strings.TrimPrefix(name, "../")
	case strings.HasSuffix(name, ".md"):
		name = relative(file, address(name))
	default:
		name = relative(file, name)
	}
	if anchor != "" {
		name += "#" + anchor
	}
	return name
}
