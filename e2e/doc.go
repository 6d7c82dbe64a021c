// Package e2e tests the page of the server in a browser: each view and action,
// against a server of the test's own that the library fills. It is a module of
// its own, since nobody else needs what drives a browser. It needs Chromium, and
// axe-core, which npm ci in this folder installs; make e2e runs it.
package e2e
