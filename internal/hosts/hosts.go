// Package hosts compares the hosts that identity may be sent to with those that
// net/http dials.
package hosts

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Host is a host that is allowed: a name, an address or a domain.
type Host struct {
	name string     // as asciiName has it; of a wildcard what follows the star, with its dot
	addr netip.Addr // in place of a name
	port string     // "" for every port
	wild bool
}

// Parse reads a name or an address, each with or without a port, or "*." and a name. ok
// is false where the text is no host.
func Parse(text string) (h Host, ok bool) {
	if addr, err := netip.ParseAddr(text); err == nil { // also an IPv6 address without brackets
		return Host{addr: addr}, true
	}
	u := url.URL{Host: text}
	host := u.Hostname()
	h.port = u.Port()
	host, h.wild = strings.CutPrefix(host, "*.")
	if h.name, h.addr, ok = dialedHost(host); !ok || h.wild && h.addr.IsValid() {
		return h, false
	}
	if h.wild {
		h.name = "." + h.name
	}
	return h, true
}

// allows reports whether a request to the name or address, and port, is allowed.
// An address is itself alone, zone included: it is no name, and so in no domain.
func (h *Host) allows(name string, addr netip.Addr, port string) bool {
	switch {
	case h.port != "" && h.port != port:
		return false
	case h.addr.IsValid() || addr.IsValid():
		return h.addr == addr
	case h.wild:
		return strings.HasSuffix(name, h.name)
	}
	return h.name == name
}

// Allow reports whether net/http takes a request to u to one of the hosts.
func Allow(hosts []Host, u *url.URL) bool {
	if u == nil || strings.HasPrefix(u.Opaque, "//") { // a proxy reads the host there
		return false
	}
	name, addr, ok := dialedHost(u.Hostname())
	if !ok {
		return false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return slices.ContainsFunc(hosts, func(h Host) bool { return h.allows(name, addr, port) })
}

// dialedHost returns the name or the address that net/http dials for the host of
// a URL. net/http takes ASCII as it stands and passes anything else through IDNA,
// so that "rag.İnternal" is another domain than "rag.internal", although the one
// is the other in lower case, and "１２７.0.0.1" is an address. A host that IDNA
// spells in another way, but for the case, was written to be taken for what it is
// not, and is none.
func dialedHost(host string) (name string, addr netip.Addr, ok bool) {
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", addr, false
		}
		if spelled, err := idna.Lookup.ToUnicode(ascii); err != nil || spelled != strings.ToLower(host) {
			return "", addr, false
		}
		host = ascii
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return "", addr, true
	}
	name, ok = asciiName(host)
	return name, netip.Addr{}, ok
}

// asciiName returns a domain name in lower case and without a dot at its end. ok
// is false for what is none: an empty label, or a character that no host has.
func asciiName(host string) (name string, ok bool) {
	name = strings.ToLower(strings.TrimSuffix(host, "."))
	before := byte('.')
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
		case c == '.' && before != '.':
		default:
			return "", false
		}
		before = c
	}
	return name, before != '.'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
