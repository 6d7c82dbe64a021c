package exporter

import (
	"errors"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
)

var errDataPlaneKey = errors.New("a data plane key (hh_fgdp_…) is for reading and writes no events: an ingestion key (hh_ingst_…) or a project key is needed")

// writingKey says of which kind a key is that events are to be written with, and
// which part of it is secret by itself.
func writingKey(key string) (honeyhive.KeyKind, delivery.Secret, error) {
	kind, secret, err := honeyhive.ParseKey(key)
	if kind == honeyhive.DataPlaneKey {
		err = errDataPlaneKey
	}
	if err == nil {
		err = delivery.CheckKey(delivery.Secret(key))
	}
	return kind, delivery.Secret(secret), err
}

// writingHeaders is writingKey for the credentials in headers, wherever they stand.
func writingHeaders(headers map[string]string) (secrets []delivery.Secret, err error) {
	errs := []error{delivery.CheckHeaders(headers)}
	for _, value := range headers {
		credentials := value[strings.LastIndexByte(value, ' ')+1:]
		kind, secret, err := honeyhive.ParseKey(credentials)
		switch {
		case kind == honeyhive.DataPlaneKey:
			errs = append(errs, errDataPlaneKey)
		case err != nil:
			errs = append(errs, err)
		case kind == honeyhive.IngestionKey:
			secrets = append(secrets, delivery.Secret(secret))
		}
	}
	return secrets, errors.Join(errs...)
}
