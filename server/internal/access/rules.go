package access

import (
	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
)

// A Rule says who may use a route.
type Rule struct {
	// Open lets everybody in, also without a token.
	Open bool
	// Needs are the roles that the caller must have, all of them. With none, and not
	// Open, any caller with a token may.
	Needs caller.Roles
	// Whole turns down callers that are bound to a project: what the route shows or
	// does is not of one.
	Whole bool
	// Audit is the action that the audit log has of each use, "" is none.
	Audit string
}

// OTLP is the name of what takes OTLP, which is no pattern: vendors have many paths.
const OTLP = "OTLP"

// rules are those of all routes, by their patterns. A route that is missing here is
// refused to everybody.
var rules = map[string]Rule{
	"GET /healthz":  {Open: true},
	"GET /assets/":  {Open: true},
	"GET /signin":   {Open: true},
	"POST /signin":  {Open: true},
	"POST /signout": {Open: true},
	"POST /theme":   {Open: true}, // a cookie of the browser, nothing else
	"GET /":         {},           // there is no such page
	"/":             {},

	OTLP:                                  {Needs: caller.Write},
	"POST /session/start":                 {Needs: caller.Write},
	"POST /v1/sessions":                   {Needs: caller.Write},
	"POST /events":                        {Needs: caller.Write},
	"POST /v1/events":                     {Needs: caller.Write},
	"POST /events/batch":                  {Needs: caller.Write},
	"POST /v1/events/batch":               {Needs: caller.Write},
	"POST /v1/sessions/{id}/events/batch": {Needs: caller.Write},
	"POST /events/model":                  {Needs: caller.Write},
	"POST /events/model/batch":            {Needs: caller.Write},
	"PUT /events":                         {Needs: caller.Write},
	"PUT /v1/events/{id}":                 {Needs: caller.Write},
	"POST /demo":                          {Needs: caller.Write},
	"POST /feedback":                      {Needs: caller.Read | caller.Write},
	"POST /bulk":                          {Needs: caller.Read | caller.Write, Audit: audit.Read}, // names, where it asks

	"POST /events/export":          {Needs: caller.Read, Audit: audit.Export},
	"POST /v1/events/export":       {Needs: caller.Read, Audit: audit.Export},
	"GET /events":                  {Needs: caller.Read, Audit: audit.Export},
	"GET /v1/events":               {Needs: caller.Read, Audit: audit.Export},
	"GET /session/{id}":            {Needs: caller.Read, Audit: audit.Read},
	"GET /v1/sessions/{id}":        {Needs: caller.Read, Audit: audit.Export},
	"GET /v1/events/{id}":          {Needs: caller.Read, Audit: audit.Export},
	"GET /api/sessions":            {Needs: caller.Read, Audit: audit.Read},
	"GET /api/sessions/{id}":       {Needs: caller.Read, Audit: audit.Read},
	"GET /api/events/{id}":         {Needs: caller.Read, Audit: audit.Read},
	"GET /api/info":                {Needs: caller.Read},
	"GET /api/export.jsonl":        {Needs: caller.Read, Audit: audit.Export},
	"GET /api/export.csv":          {Needs: caller.Read, Audit: audit.Export},
	"GET /api/cases.jsonl":         {Needs: caller.Read, Audit: audit.Export},
	"GET /api/runs":                {Needs: caller.Read},
	"GET /api/run":                 {Needs: caller.Read, Audit: audit.Read},
	"GET /api/run/cases":           {Needs: caller.Read, Audit: audit.Read},
	"GET /api/stream":              {Needs: caller.Read},
	"GET /{$}":                     {Needs: caller.Read, Audit: audit.Read}, // questions and answers begin there
	"GET /facets":                  {Needs: caller.Read, Audit: audit.Read}, // users
	"GET /complete":                {Needs: caller.Read, Audit: audit.Read}, // values of records
	"GET /insights":                {Needs: caller.Read},
	"GET /leave":                   {Needs: caller.Read},
	"GET /compare":                 {Needs: caller.Read, Audit: audit.Read},
	"GET /queue":                   {Needs: caller.Read},
	"GET /s/{id}/next":             {Needs: caller.Read},
	"GET /s/{id}/previous":         {Needs: caller.Read},
	"GET /runs":                    {Needs: caller.Read},
	"GET /run":                     {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}":                  {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}/rows":             {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}/session.json":     {Needs: caller.Read, Audit: audit.Export},
	"GET /s/{id}/session.jsonl":    {Needs: caller.Read, Audit: audit.Export},
	"GET /s/{id}/events.json":      {Needs: caller.Read, Audit: audit.Export},
	"GET /s/{id}/case.jsonl":       {Needs: caller.Read, Audit: audit.Export},
	"GET /s/{id}/value":            {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}/e/{event}":        {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}/e/{event}/json":   {Needs: caller.Read, Audit: audit.Export},
	"GET /s/{id}/e/{event}/value":  {Needs: caller.Read, Audit: audit.Read},
	"GET /s/{id}/e/{event}/{rest}": {Needs: caller.Read},

	// Agents read, whatever the method: the tools change nothing.
	"POST /mcp":   {Needs: caller.Read, Audit: audit.Read},
	"GET /mcp":    {Needs: caller.Read},
	"DELETE /mcp": {Needs: caller.Read},

	"DELETE /v1/sessions/{id}": {Needs: caller.Admin, Audit: audit.Delete},
	"POST /bulk/delete":        {Needs: caller.Admin}, // notes each session itself
	"GET /api/backup":          {Needs: caller.Admin, Whole: true, Audit: audit.Export},
	"POST /api/erase":          {Needs: caller.Admin, Audit: audit.Erase},
	"GET /erase":               {Needs: caller.Admin},
	"POST /erase":              {Needs: caller.Admin},
	"GET /api/audit":           {Needs: caller.Admin, Whole: true, Audit: audit.Admin},
}
