// Package errortype names kinds of errors in few words, as error.type has it.
package errortype

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
)

// Of returns the kind of an error: canceled, timeout, unexpected_eof, or else its
// type, inside of what only says where it happened. Methods of the error may panic.
func Of(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected_eof"
	}
	return fmt.Sprintf("%T", inside(err))
}

// inside returns an error without the URL of a request and without the texts that
// fmt.Errorf put around it.
func inside(err error) error {
	wrapped := fmt.Sprintf("%T", fmt.Errorf("%w", io.EOF))
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
		if _, ok := next.(*url.Error); !ok && fmt.Sprintf("%T", next) != wrapped { //nolint:errorlint // each layer is looked at by itself
			break
		}
	}
	return err
}
