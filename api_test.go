package sessionspan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPublicTypes looks at the exported types of every public package of this
// module: one that is made of a type of an internal package shows its users neither
// fields nor values.
func TestPublicTypes(t *testing.T) {
	types := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch base := d.Name(); {
			case name == ".":
			case base == "internal", base == "testdata", base == "store", base == "server", base == "bench", base == "e2e", base == "tools", base == "examples", strings.HasPrefix(base, "."):
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		internal := make(map[string]bool)
		for _, i := range file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if strings.Contains(path, "/internal/") {
				internal[path[strings.LastIndexByte(path, '/')+1:]] = true
			}
		}
		for _, decl := range file.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				s := spec.(*ast.TypeSpec)
				if !s.Name.IsExported() {
					continue
				}
				types++
				ast.Inspect(s.Type, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.Field:
						return len(n.Names) == 0 || n.Names[0].IsExported()
					case *ast.SelectorExpr:
						if x, ok := n.X.(*ast.Ident); ok && internal[x.Name] {
							t.Errorf("%s: %s is made of %s.%s", name, s.Name.Name, x.Name, n.Sel.Name)
						}
					}
					return true
				})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if types < 30 {
		t.Errorf("only %d types were found", types)
	}
}
