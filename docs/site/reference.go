package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	exprs "go/types"
	"os"
	"path/filepath"
	"strings"
)

// described are the packages whose options the reference lists, each with the types of
// its options.
var described = []struct {
	folder, name string
	types        []string
}{
	{".", "sessionspan", []string{"Option", "FieldOption", "ExtractOption"}},
	{"exporter", "exporter", []string{"Option", "SpoolOption"}},
	{"llmhttp", "llmhttp", []string{"Option", "RecordOption"}},
	{"redact", "redact", []string{"Option"}},
	{"server/local", "local", []string{"Option"}},
}

// meaning says what the types of options are for.
var meaning = map[string]string{
	"sessionspan.Option":        "Options of a tracer, for `New`",
	"sessionspan.FieldOption":   "Fields of sessions and events, for `StartSession`, `StartEvent`, `StartTurn`, `Update`, and some for `New`",
	"sessionspan.ExtractOption": "Options of what comes from other services, for `Handler`, `Extract` and `Propagator`",
	"exporter.Option":           "Options of a destination",
	"exporter.SpoolOption":      "Options of a spool, for `WithSpool`",
	"llmhttp.Option":            "Options of `Transport` and `Middleware`",
	"llmhttp.RecordOption":      "Options of `Record` and `Replay`",
	"redact.Option":             "Options of a policy, for `redact.New`",
	"local.Option":              "Options of a server in a program, for `local.Start`",
}

// writeReference writes the pages that come from the code of a repository.
func writeReference(docs, repository string) error {
	options, err := optionsPage(repository)
	if err != nil {
		return err
	}
	attributes, err := attributesPage(repository)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"options.md": options, "attributes.md": attributes} {
		if err := os.WriteFile(filepath.Join(docs, "reference", name), text, 0o644); err != nil { //nolint:gosec // a public page
			return err
		}
	}
	return nil
}

const generated = "<!-- written by go run ./site -reference, from the code -->\n\n"

// optionsPage lists the functions that return an option, with their documentation.
func optionsPage(repository string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Options\n\n" + generated + "Everything that can be set in code, with its default.\n")
	for _, d := range described {
		p, err := packageDoc(filepath.Join(repository, d.folder))
		if err != nil {
			return nil, err
		}
		for _, name := range d.types {
			funcs := returning(p, name)
			if len(funcs) == 0 {
				return nil, fmt.Errorf("%s has no functions that return %s", d.folder, name)
			}
			fmt.Fprintf(&b, "\n## %s\n", meaning[d.name+"."+name])
			for _, f := range funcs {
				fmt.Fprintf(&b, "\n### %s.%s\n\n```\n%s\n```\n\n%s\n", d.name, f.Name, signature(f.Decl), strings.TrimSpace(string(markdownOf(p, f.Doc))))
			}
		}
	}
	return b.Bytes(), nil
}

func packageDoc(folder string) (*doc.Package, error) {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no Go files", folder)
	}
	return doc.NewFromFiles(fset, files, "example.test")
}

// returning are the functions of a package whose result is a type.
func returning(p *doc.Package, name string) []*doc.Func {
	for _, t := range p.Types {
		if t.Name == name {
			return t.Funcs
		}
	}
	return nil
}

// markdownOf turns a doc comment into Markdown whose links are plain names: the page has
// no use for the addresses of a site of packages.
func markdownOf(p *doc.Package, text string) []byte {
	pr := p.Printer()
	pr.HeadingLevel = 4
	pr.HeadingID = func(*comment.Heading) string { return "" }
	pr.DocLinkURL = func(*comment.DocLink) string { return "" }
	return pr.Markdown(p.Parser().Parse(text))
}

func signature(f *ast.FuncDecl) string {
	var b strings.Builder
	b.WriteString("func " + f.Name.Name + "(")
	for i, field := range f.Type.Params.List {
		if i > 0 {
			b.WriteString(", ")
		}
		for j, n := range field.Names {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(n.Name)
		}
		b.WriteString(" " + exprs.ExprString(field.Type))
	}
	b.WriteString(")")
	return b.String()
}

// attributesPage lists what spans say, by dialect: the tables of package convert, which
// its tests print.
func attributesPage(repository string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(repository, "convert", "testdata", "tables.txt")) //nolint:gosec // the user names the repository
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# Attributes\n\n" + generated + "What the library and the server read of spans, by dialect, and where it goes in the records of sessions and events. A name that ends in a dot stands for all that begin with it. Package `convert` says which of several names of a field counts.\n")
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			fmt.Fprintf(&b, "\n## %s\n\n| Attribute | Field |\n| --- | --- |\n", heading)
			continue
		}
		name, field, _ := strings.Cut(line, " ")
		if name != "" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(strings.TrimSpace(field), "|", `\|`))
		}
	}
	return b.Bytes(), nil
}
