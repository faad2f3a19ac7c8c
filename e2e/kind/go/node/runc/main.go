// Command runc hands over to the real runc, after taking from a container's
// configuration what this machine cannot give.
//
// Some sandboxes withhold capabilities even from root, CAP_SYS_RESOURCE above
// all; runc then refuses every privileged container. Where nothing is withheld
// this changes nothing.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const runc = "/usr/sbin/runc"

// Names of the capabilities by number, as in capabilities(7).
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

func main() {
	if err := adapt(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runc wrapper:", err)
		os.Exit(1)
	}
	err := syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
	fmt.Fprintln(os.Stderr, "runc wrapper:", runc+":", err)
	os.Exit(1)
}

// adapt edits the files that the command reads: a container's config.json
// (create, run, restore) or the process of an exec.
func adapt(arguments []string) error {
	withheld, err := withheld()
	if err != nil || len(withheld) == 0 {
		return err
	}
	bundle, process, command := parse(arguments)
	switch command {
	case "create", "run", "restore":
		return edit(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			process, _ := spec["process"].(map[string]any)
			reduce(process, withheld)
		})
	case "exec":
		if process != "" {
			return edit(process, func(process map[string]any) { reduce(process, withheld) })
		}
	}
	return nil
}

// withheld names the capabilities that are not in the bounding set.
func withheld() ([]string, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(status)) {
		value, found := strings.CutPrefix(line, "CapBnd:")
		if !found {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("CapBnd: %w", err)
		}
		var missing []string
		for number, name := range capabilities {
			if set&(1<<number) == 0 {
				missing = append(missing, name)
			}
		}
		return missing, nil
	}
	return nil, fmt.Errorf("no CapBnd in /proc/self/status")
}

// parse finds what matters in runc's command line.
func parse(arguments []string) (bundle, process, command string) {
	bundle = "."
	for i := 0; i < len(arguments); i++ {
		name, value, joined := strings.Cut(arguments[i], "=")
		if !joined && i+1 < len(arguments) {
			value = arguments[i+1]
		}
		switch strings.TrimLeft(name, "-") {
		case "b", "bundle":
			bundle = value
		case "p", "process":
			process = value
		case "create", "run", "restore", "exec":
			if command == "" {
				command = name
			}
		}
	}
	return bundle, process, command
}

// reduce takes from a process the capabilities that are withheld, and with
// CAP_SYS_RESOURCE what needs it.
func reduce(process map[string]any, withheld []string) {
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		if list, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(list, func(entry any) bool {
				capability, _ := entry.(string)
				return slices.Contains(withheld, capability)
			})
		}
	}
	if slices.Contains(withheld, "CAP_SYS_RESOURCE") {
		if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
			delete(process, "oomScoreAdj")
		}
		delete(process, "rlimits")
	}
}

// edit rewrites a JSON object in place (its reader may hold the file open by name only).
func edit(path string, change func(map[string]any)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(object)
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
