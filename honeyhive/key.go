package honeyhive

import (
	"errors"
	"fmt"
	"strings"
)

// A KeyKind says what a key of the API is for.
type KeyKind string

// The kinds of keys.
const (
	// ProjectKey is the classic key of a project, which serves every route.
	ProjectKey KeyKind = "project"
	// IngestionKey serves the routes under /v1 that create sessions and write
	// events, and the endpoint of OTLP, alone.
	IngestionKey KeyKind = "ingestion"
	// DataPlaneKey is for reading and for experiments; it writes no events.
	DataPlaneKey KeyKind = "data plane"
)

// Prefixes of the kinds of keys that are known by one.
const (
	ingestionPrefix = "hh_ingst_"
	dataPlanePrefix = "hh_fgdp_"
)

// Lengths of the parts of such a key.
const (
	keyIDLength     = 24
	keySecretLength = 64
)

var errKeyShape = errors.New("after it come 24 letters and digits, an underscore, and 64 letters, digits, underscores and hyphens")

// ParseKey says of which kind a key is, and which part of it is secret by itself:
// all of a project key.
//
// A key that begins with hh_ingst_ is an ingestion key, one that begins with
// hh_fgdp_ a data plane key. Both go on with an id of 24 ASCII letters and digits,
// an underscore, and a secret of 64 ASCII letters, digits, underscores and hyphens;
// one of any other shape was cut or changed on its way, and is an error, which
// does not quote it. Any other text is a project key, whose shape is not checked.
//
// The source of the format is HoneyHive's TypeScript client, versions 1.5 and 1.6,
// which checks the same.
func ParseKey(key string) (kind KeyKind, secret string, err error) {
	for kind, prefix := range map[KeyKind]string{IngestionKey: ingestionPrefix, DataPlaneKey: dataPlanePrefix} {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if len(rest) != keyIDLength+1+keySecretLength || rest[keyIDLength] != '_' ||
			strings.ContainsFunc(rest[:keyIDLength], notAlphanumeric) || strings.ContainsFunc(rest[keyIDLength+1:], notOfSecret) {
			return kind, key, fmt.Errorf("it begins with %s and is no whole %s key: %w", prefix, kind, errKeyShape)
		}
		return kind, rest[keyIDLength+1:], nil
	}
	return ProjectKey, key, nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func notOfSecret(r rune) bool { return notAlphanumeric(r) && r != '_' && r != '-' }
