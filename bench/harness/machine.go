package harness

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine says where figures come from.
type Machine struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	OS       string            `json:"os"`
	Go       string            `json:"go"`
	Load     string            `json:"load"` // when the measurement began
	Versions map[string]string `json:"versions"`
}

// versioned are the modules whose versions are told.
var versioned = []string{
	"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp",
	"github.com/DataDog/dd-trace-go/v2", "github.com/henomis/langfuse-go", "go.etcd.io/bbolt", "github.com/klauspost/compress",
}

// ThisMachine describes the machine and the modules that this program is made of.
func ThisMachine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Versions: map[string]string{}}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(load), " ")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			for _, name := range versioned {
				if dep.Path == name {
					m.Versions[name] = dep.Version
				}
			}
		}
	}
	return m
}

func (m Machine) String() string {
	text := fmt.Sprintf("%s, %d cores, %s, %s", m.CPU, m.Cores, m.OS, m.Go)
	if m.Load != "" {
		text += ", load " + m.Load
	}
	return text
}
