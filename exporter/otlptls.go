package exporter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// otlpTLS returns the TLS configuration that the variables of the OpenTelemetry
// specification ask for, or nil.
func otlpTLS() (*tls.Config, error) {
	var cfg *tls.Config
	if file := otlpEnv("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file) //nolint:gosec // the user names the file
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE: no certificate in the file")
		}
		cfg = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	certificate, key := otlpEnv("CLIENT_CERTIFICATE"), otlpEnv("CLIENT_KEY")
	if certificate == "" && key == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY: %w", err)
	}
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}
