package main

import (
	"context"
	"io"
)

func exportTo(ctx context.Context, args []string, stdout, stderr io.Writer) error { return nil }

func load(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) error { return nil }
