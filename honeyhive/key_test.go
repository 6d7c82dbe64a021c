package honeyhive_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestParseKey(t *testing.T) {
	id, secret := strings.Repeat("a1Z", 8), strings.Repeat("_-Az09bc", 8)
	for name, c := range map[string]struct {
		key    string
		kind   honeyhive.KeyKind
		secret string
		wrong  bool
	}{
		"project":              {"hh_0123456789abcdef", honeyhive.ProjectKey, "hh_0123456789abcdef", false},
		"of any shape":         {"k", honeyhive.ProjectKey, "k", false},
		"none":                 {"", honeyhive.ProjectKey, "", false},
		"in another case":      {"HH_INGST_x", honeyhive.ProjectKey, "HH_INGST_x", false},
		"ingestion":            {"hh_ingst_" + id + "_" + secret, honeyhive.IngestionKey, secret, false},
		"data plane":           {"hh_fgdp_" + id + "_" + secret, honeyhive.DataPlaneKey, secret, false},
		"prefix alone":         {"hh_ingst_", honeyhive.IngestionKey, "hh_ingst_", true},
		"id alone":             {"hh_ingst_" + id, honeyhive.IngestionKey, "hh_ingst_" + id, true},
		"cut":                  {"hh_ingst_" + id + "_" + secret[1:], honeyhive.IngestionKey, "hh_ingst_" + id + "_" + secret[1:], true},
		"with more":            {"hh_ingst_" + id + "_" + secret + "x", honeyhive.IngestionKey, "hh_ingst_" + id + "_" + secret + "x", true},
		"without underscore":   {"hh_ingst_" + id + "x" + secret, honeyhive.IngestionKey, "hh_ingst_" + id + "x" + secret, true},
		"hyphen in the id":     {"hh_ingst_-" + id[1:] + "_" + secret, honeyhive.IngestionKey, "hh_ingst_-" + id[1:] + "_" + secret, true},
		"slash in the secret":  {"hh_ingst_" + id + "_/" + secret[1:], honeyhive.IngestionKey, "hh_ingst_" + id + "_/" + secret[1:], true},
		"letters of others":    {"hh_ingst_" + id + "_" + "é" + secret[2:], honeyhive.IngestionKey, "hh_ingst_" + id + "_" + "é" + secret[2:], true},
		"masked":               {"hh_fgdp_" + id + "_******", honeyhive.DataPlaneKey, "hh_fgdp_" + id + "_******", true},
		"with a line break":    {"hh_ingst_" + id + "_" + secret + "\n", honeyhive.IngestionKey, "hh_ingst_" + id + "_" + secret + "\n", true},
		"in quotes, a project": {`"hh_ingst_` + id + "_" + secret + `"`, honeyhive.ProjectKey, `"hh_ingst_` + id + "_" + secret + `"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			kind, part, err := honeyhive.ParseKey(c.key)
			if kind != c.kind || part != c.secret || (err != nil) != c.wrong {
				t.Errorf("%s key, secret %q, error %v", kind, part, err)
			}
			if err != nil && (strings.Contains(err.Error(), id) || strings.Contains(err.Error(), secret[8:20])) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}
