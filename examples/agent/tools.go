package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sessionspan/sessionspan"
)

// A tool is what the model may call.
type tool struct {
	name, description string
	parameters        map[string]any // as JSON schema
	use               func(arguments map[string]any) (map[string]any, error)
}

var tools = []tool{
	{"temperature", "The temperature in a city, in degrees Celsius.", schema("city", "string"), temperature},
	{"subtract", "Subtracts b from a.", schema("a", "number", "b", "number"), subtract},
}

// schema returns the schema of an object with these members, all of them needed.
func schema(namesAndTypes ...string) map[string]any {
	properties := make(map[string]any)
	var names []string
	for i := 0; i < len(namesAndTypes); i += 2 {
		properties[namesAndTypes[i]] = map[string]any{"type": namesAndTypes[i+1]}
		names = append(names, namesAndTypes[i])
	}
	return map[string]any{"type": "object", "properties": properties, "required": names}
}

// degrees stand in for a weather service.
var degrees = map[string]float64{"Bern": 4.5, "Cairo": 24, "Lisbon": 16, "Oslo": -3}

func temperature(arguments map[string]any) (map[string]any, error) {
	city, _ := arguments["city"].(string)
	d, ok := degrees[city]
	if !ok {
		return nil, fmt.Errorf("nobody measures in %q", city)
	}
	return map[string]any{"city": city, "celsius": d}, nil
}

func subtract(arguments map[string]any) (map[string]any, error) {
	a, okA := arguments["a"].(float64)
	b, okB := arguments["b"].(float64)
	if !okA || !okB {
		return nil, errors.New("a and b must be numbers")
	}
	return map[string]any{"difference": a - b}, nil
}

// use calls a tool and returns what the model is told: the result, or what went
// wrong, since the model may know a way round it.
func use(ctx context.Context, name, arguments string) string {
	result, err := sessionspan.Do(ctx, sessionspan.Tool, name, json.RawMessage(arguments), func(_ context.Context, raw json.RawMessage) (map[string]any, error) {
		for _, t := range tools {
			if t.name != name {
				continue
			}
			var given map[string]any
			if err := json.Unmarshal(raw, &given); err != nil {
				return nil, fmt.Errorf("the arguments are no JSON: %w", err)
			}
			return t.use(given)
		}
		return nil, fmt.Errorf("there is no tool %q", name)
	})
	if err != nil {
		result = map[string]any{"error": err.Error()}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
