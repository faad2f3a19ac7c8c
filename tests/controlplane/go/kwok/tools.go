//go:build tools

// Package tools keeps the command that the control plane runs in go.mod.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
