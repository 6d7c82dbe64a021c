package record

import "github.com/sessionspan/sessionspan/honeyhive"

// User returns who the user of a record is, by its user_properties.
func User(properties honeyhive.Object) string { return firstText(properties, userKeys) }
