package tail

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// InShare reports whether a session is part of a share of all sessions, from 0 to 1. It
// follows from the id alone, so that all processes agree, and a larger share has all
// sessions of a smaller one. The bits of the hash are others than those by which a head
// sampler decides: of the sessions that such a sampler keeps, the share is that share.
func InShare(session honeyhive.UUID, share float64) bool {
	if share <= 0 {
		return false
	}
	sum := sha256.Sum256(session[:])
	const bits = 53 // which a float64 has
	return float64(binary.BigEndian.Uint64(sum[16:])>>(64-bits)) < share*(1<<bits)
}
