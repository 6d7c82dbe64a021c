package errortype

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"testing"
)

type own struct{}

func (own) Error() string { return "own" }

func TestOf(t *testing.T) {
	for want, errs := range map[string][]error{
		"canceled":            {context.Canceled, fmt.Errorf("ask: %w", context.Canceled), &url.Error{Op: "Post", URL: "https://x", Err: context.Canceled}},
		"timeout":             {context.DeadlineExceeded, os.ErrDeadlineExceeded, fmt.Errorf("ask: %w", os.ErrDeadlineExceeded)},
		"unexpected_eof":      {io.ErrUnexpectedEOF, errors.Join(io.EOF, io.ErrUnexpectedEOF)},
		"errortype.own":       {own{}, fmt.Errorf("a: %w", fmt.Errorf("b: %w", own{})), &url.Error{Op: "Post", Err: own{}}},
		"*errors.errorString": {errors.New("x"), fmt.Errorf("a: %w", io.EOF)},
		"*errors.joinError":   {errors.Join(own{}, io.EOF)},
		"*url.Error":          {&url.Error{Op: "Post"}},
	} {
		for _, err := range errs {
			if got := Of(err); got != want {
				t.Errorf("%T %v: %q, want %q", err, err, got, want)
			}
		}
	}
}
