module github.com/sessionspan/sessionspan/store

go 1.26.0

require github.com/sessionspan/sessionspan v0.0.0

replace github.com/sessionspan/sessionspan => ../
