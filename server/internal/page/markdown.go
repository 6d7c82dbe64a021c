package page

import (
	"bytes"
	"html/template"
	"net/url"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// markdown writes what a model wrote as HTML. Raw HTML in it is shown as text.
var markdown = goldmark.New(
	goldmark.WithExtensions(
		// The policy of the page takes no style from an attribute.
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough,
	),
	goldmark.WithRendererOptions(
		html.WithHardWraps(),
		renderer.WithNodeRenderers(util.Prioritized(inert{}, 1)),
	),
)

// renderMarkdown returns the HTML of markdown. Where it cannot be made, it is the text.
func renderMarkdown(text string) template.HTML {
	text = visible(text)
	var b bytes.Buffer
	if err := markdown.Convert([]byte(text), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(text)) //nolint:gosec // it is escaped
	}
	// A head without text is none.
	text = emptyHead.ReplaceAllString(b.String(), "<td$1></td>")
	return template.HTML(text) //nolint:gosec // goldmark escapes text, and inert leaves no foreign address in it
}

var emptyHead = regexp.MustCompile(`<th( align="[a-z]+")?></th>`)

// inert renders what could fetch or run something: links and images as their
// targets, raw HTML as text.
type inert struct{}

// RegisterFuncs is part of goldmark's interface.
func (inert) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindLink, func(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			writeTarget(w, string(node.(*ast.Link).Destination))
		}
		return ast.WalkContinue, nil
	})
	r.Register(ast.KindAutoLink, func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			writeTarget(w, string(node.(*ast.AutoLink).URL(source)))
		}
		return ast.WalkContinue, nil
	})
	r.Register(ast.KindImage, func(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.WriteString(`<span class="image">image: `)
			return ast.WalkContinue, nil
		}
		writeTarget(w, string(node.(*ast.Image).Destination))
		_, _ = w.WriteString(`</span>`)
		return ast.WalkContinue, nil
	})
	r.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.Write(util.EscapeHTML(node.(*ast.RawHTML).Segments.Value(source)))
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		n := node.(*ast.HTMLBlock)
		_, _ = w.WriteString("<pre>")
		_, _ = w.Write(util.EscapeHTML(n.Lines().Value(source)))
		if n.HasClosure() {
			_, _ = w.Write(util.EscapeHTML(n.ClosureLine.Value(source)))
		}
		_, _ = w.WriteString("</pre>\n")
		return ast.WalkContinue, nil
	})
}

// writeTarget shows where a link leads. What a browser would open as a page is
// a link to the page that asks first.
func writeTarget(w util.BufWriter, target string) {
	shown := template.HTMLEscapeString(" ⟨" + line(target, 120) + "⟩")
	if !leadsOut(target) {
		_, _ = w.WriteString(`<span class="target">` + shown + `</span>`)
		return
	}
	to := template.HTMLEscapeString("/leave?to=" + url.QueryEscape(target))
	_, _ = w.WriteString(`<a class="target" rel="noreferrer noopener" target="_blank" href="` + to + `">` + shown + `</a>`)
}

// leadsOut reports whether a target is an address of the web.
func leadsOut(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && visible(target) == target && !strings.ContainsAny(target, "\n\t")
}
