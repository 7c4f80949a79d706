// SPDX-License-Identifier: BSD-2-Clause
// leak_go.go - a Go program that keeps what it should let go, beside garbage: --rate bytes/s.
package main

import (
	"flag"
	"time"
)

var kept [][]byte
var garbage []byte

//go:noinline
func keepSession(size int) {
	session := make([]byte, size)
	for i := range session {
		session[i] = 1
	}
	kept = append(kept, session)
}

//go:noinline
func serve() {
	garbage = make([]byte, 32<<10)
	garbage[0] = 1
}

func main() {
	rate := flag.Int("rate", 1<<20, "bytes a second")
	flag.Parse()
	start, lost, size := time.Now(), 0, 16<<10
	for time.Since(start) < 30*time.Minute {
		for ; float64(lost+size) <= time.Since(start).Seconds()*float64(*rate); lost += size {
			keepSession(size)
			serve()
		}
		time.Sleep(20 * time.Millisecond)
	}
}
