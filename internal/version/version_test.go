package version

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	released := debug.Module{Path: module, Version: "v1.2.3-rc.1"}
	forked := debug.Module{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "example.test/fork", Version: "v9.0.0"}}
	local := debug.Module{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "../sessionspan"}}
	server := debug.Module{Path: module + "/server", Version: "v7.0.0"}
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"a dependency", debug.BuildInfo{Deps: []*debug.Module{&server, &released}}, "1.2.3-rc.1"},
		{"a fork", debug.BuildInfo{Deps: []*debug.Module{&forked}}, "9.0.0"},
		{"a folder", debug.BuildInfo{Deps: []*debug.Module{&local}}, unknown},
		{"a clone", debug.BuildInfo{Main: debug.Module{Path: module, Version: "(devel)"}}, unknown},
		{"a clone with tags", debug.BuildInfo{Main: debug.Module{Path: module, Version: "v0.1.1-0.20261130101010-abcdefabcdef+dirty"}}, "0.1.1-0.20261130101010-abcdefabcdef+dirty"},
		{"another program", debug.BuildInfo{Main: server}, unknown},
		{"nothing", debug.BuildInfo{}, unknown},
	} {
		if got := of(&c.info); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := Version(); got == "" {
		t.Error("no version")
	}
}
