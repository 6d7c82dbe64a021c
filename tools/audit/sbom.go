package main

import (
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
)

// The parts of CycloneDX 1.6 that are of use: https://cyclonedx.org/docs/1.6/json/
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl"`
		Licenses   []license  `json:"licenses,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn"`
	}
)

// sbom writes what a program says that it was built of. It says neither when nor by whom,
// so that the same program gives the same list.
func sbom(ctx context.Context, program, root string, out io.Writer) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	known, err := dependencies(ctx, root)
	if err != nil {
		return err
	}
	licenseBy := make(map[string]string)
	for _, m := range known {
		licenseBy[m.Path] = m.License
	}
	main := componentOf("application", &info.Main)
	main.Name, main.Licenses = info.Path, licensed("Apache-2.0")
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs.") || s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "CGO_ENABLED" {
			main.Properties = append(main.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	d := document{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{main}, Components: []component{componentOf("library", &debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")})}}
	d.Components[0].Licenses = licensed("BSD-3-Clause")
	for _, m := range info.Deps {
		c := componentOf("library", m)
		switch name := licenseBy[m.Path]; {
		case name != "":
			c.Licenses = licensed(name)
		case strings.HasPrefix(m.Path, own):
			c.Licenses = licensed("Apache-2.0")
		default:
			return fmt.Errorf("%s: the licence of %s is not known", program, m.Path)
		}
		d.Components = append(d.Components, c)
	}
	on := dependency{Ref: main.Ref}
	for _, c := range d.Components {
		on.On = append(on.On, c.Ref)
	}
	d.Dependencies = []dependency{on}
	to := json.NewEncoder(out)
	to.SetIndent("", "  ")
	return to.Encode(&d)
}

func licensed(id string) []license {
	l := make([]license, 1)
	l[0].License.ID = id
	return l
}

// componentOf returns a module as a component. Its sum is that of go.sum, whose hash is not
// one of the files that CycloneDX has hashes of.
func componentOf(kind string, m *debug.Module) component {
	purl := "pkg:golang/" + (&url.URL{Path: path.Clean(m.Path)}).EscapedPath()
	if m.Version != "" {
		purl += "@" + url.PathEscape(m.Version)
	}
	c := component{Type: kind, Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && m.Sum != "" {
		c.Properties = append(c.Properties, property{"go:sum:h1:sha256", hex.EncodeToString(sum)})
	}
	return c
}
