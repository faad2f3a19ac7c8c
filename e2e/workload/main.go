// Command workload is what runs in the containers of the end-to-end tests. It tells over HTTP
// what it really sees of the configuration that is projected into it.
//
//	workload serve        reports at /report until it is told to end (PORT, 8080)
//	workload record NAME  writes its report to /shared/NAME.json and exits, as an init container
//	workload probe URL    gets URL over and over, each time on a connection of its own, and
//	                      tells at /probe how that went
//
// With BEHAVIOR=crash in its environment it fails at once; with BEHAVIOR=spoil too, and it leaves
// something in /shared with which it fails forever after. A POST to /crash makes it fail later.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// roots are where configuration and the records of init containers are mounted.
var roots = []string{"/config", "/shared"}

var started = time.Now()

// report is what the process has: its environment is that of its start, its files are those of
// the moment of the question.
type report struct {
	Started time.Time         `json:"started"`
	Env     map[string]string `json:"env"`
	Files   map[string]string `json:"files"`
}

func look() (report, error) {
	seen := report{Started: started, Env: map[string]string{}, Files: map[string]string{}}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		seen.Env[name] = value
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // no such mount, or replaced just now
			}
			// The kubelet keeps versions of a volume in folders of such names, behind links.
			if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), "..") {
				return fs.SkipDir
			}
			if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), "..") {
				return err
			}
			return read(path, seen.Files)
		})
		if err != nil {
			return report{}, err
		}
	}
	return seen, nil
}

// read puts a file into the report, and of a link to a folder all that is in there.
func read(path string, files map[string]string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := read(filepath.Join(path, entry.Name()), files); err != nil {
				return err
			}
		}
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	files[path] = string(content)
	return nil
}

func record(name string) error {
	seen, err := look()
	if err != nil {
		return err
	}
	content, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("/shared", name+".json"), content, 0o644)
}

// probe counts how its questions were answered.
type probe struct {
	mutex    sync.Mutex
	Answered int      `json:"answered"`
	Failed   int      `json:"failed"`
	Failures []string `json:"failures"` // the first ten
}

func (p *probe) run(url string) {
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	for {
		at := time.Now()
		err := ask(&client, url)
		p.mutex.Lock()
		if err == nil {
			p.Answered++
		} else {
			p.Failed++
			if len(p.Failures) < 10 {
				p.Failures = append(p.Failures, fmt.Sprintf("%s: %v", at.Format(time.RFC3339Nano), err))
			}
		}
		p.mutex.Unlock()
		time.Sleep(50 * time.Millisecond)
	}
}

func ask(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func answer(writer http.ResponseWriter, value any) {
	writer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(writer).Encode(value); err != nil {
		log.Print(err)
	}
}

func serve() error {
	http.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /report", func(writer http.ResponseWriter, _ *http.Request) {
		seen, err := look()
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(writer, seen)
	})
	http.HandleFunc("POST /crash", func(http.ResponseWriter, *http.Request) {
		log.Print("told to fail")
		os.Exit(1)
	})

	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(":"+port, nil) }()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		return err
	case <-ended:
		// As a good server does: it goes on answering until nobody asks it any more, which
		// takes some time after its end was announced.
		grace, err := time.ParseDuration(os.Getenv("DRAIN"))
		if err != nil {
			grace = 0
		}
		time.Sleep(grace)
		return nil
	}
}

// spoilt is what a process that was told to spoil its data leaves behind.
const spoilt = "/shared/spoilt"

// behave fails where it was told to.
func behave() error {
	switch os.Getenv("BEHAVIOR") {
	case "crash":
		return errors.New("told to fail")
	case "spoil":
		if err := os.WriteFile(spoilt, nil, 0o644); err != nil {
			return err
		}
	}
	if _, err := os.Stat(spoilt); err == nil {
		return fmt.Errorf("%s exists", spoilt)
	}
	return nil
}

func run(arguments []string) error {
	if err := behave(); err != nil {
		return err
	}
	switch {
	case len(arguments) == 1 && arguments[0] == "serve":
		return serve()
	case len(arguments) == 2 && arguments[0] == "record":
		return record(arguments[1])
	case len(arguments) == 2 && arguments[0] == "probe":
		var results probe
		go results.run(arguments[1])
		http.HandleFunc("GET /probe", func(writer http.ResponseWriter, _ *http.Request) {
			results.mutex.Lock()
			defer results.mutex.Unlock()
			answer(writer, &results)
		})
		return serve()
	default:
		return fmt.Errorf("usage: workload serve | record NAME | probe URL, not %q", arguments)
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}
