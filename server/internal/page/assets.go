package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.css assets/*.mjs assets/*.svg
var assetFiles embed.FS

// assets are the files by name, read once: an embed.FS has no times, from which
// net/http would know what a browser has already.
var assets, assetHash = readAssets()

// assetPrefix holds the hash of all assets, so that a browser keeps them for as
// long as they stay the same, and modules find each other by their names.
var assetPrefix = "/assets/" + assetHash + "/"

func readAssets() (map[string][]byte, string) {
	files := make(map[string][]byte)
	sum := sha256.New()
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(err) // they are compiled in
	}
	for _, e := range entries {
		data, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		files[e.Name()] = data
		_, _ = sum.Write(append([]byte(e.Name()+"\x00"), data...))
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:16]
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func assetHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		data, ok := assets[name]
		if !ok {
			http.Error(w, "no such file", http.StatusNotFound)
			return
		}
		h := w.Header()
		h.Set("ETag", `W/"`+assetHash+`"`) // weak: a file may be sent compressed
		h.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(r.URL.Path, assetPrefix) {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		if r.Header.Get("If-None-Match") == h.Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", assetTypes[path.Ext(name)])
		_, _ = w.Write(data)
	})
}
