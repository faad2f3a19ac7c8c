//go:build tools

// Package tools keeps kind's command in go.mod.
package tools

import _ "sigs.k8s.io/kind"
