package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// allowed are the licences that dependencies may have, by their names of SPDX: whoever
// gives a program of ours on needs to pass on their texts, and no more.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// forTests are those that packages for tests of users may have besides, such as
// store/storetest, which no program holds.
var forTests = []string{"MPL-2.0"}

// texts are sentences that a licence has and others of the list do not; the first one
// that fits is it.
var texts = []struct{ name, part string }{
	{"Apache-2.0", "apache license version 2.0, january 2004"},
	{"MPL-2.0", "mozilla public license"},
	{"AGPL-3.0", "gnu affero general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"GPL", "gnu general public license"},
	{"BSD-3-Clause", "neither the name"},
	{"BSD-3-Clause", "the names of its contributors may not be used"},
	{"BSD-2-Clause", "redistributions in binary form must reproduce"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
}

var (
	licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying)(\.md|\.txt)?$`)
	spaces      = regexp.MustCompile(`\s+`)
)

// licenseOf returns the licence of a module by the file in its folder.
func licenseOf(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f.IsDir() || !licenseName.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name())) //nolint:gosec // of the module cache
		if err != nil {
			return "", err
		}
		return classify(string(text)), nil
	}
	return "", errors.New("it has no file with its licence")
}

// classify returns the name of a licence, or "unknown".
func classify(text string) string {
	plain := spaces.ReplaceAllString(strings.ToLower(text), " ")
	for _, t := range texts {
		if strings.Contains(plain, t.part) {
			return t.name
		}
	}
	return "unknown"
}
