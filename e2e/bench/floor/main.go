// Floor is the least that any admission webhook does: TLS, read the body, find the uid, allow. With -patch it answers with the patch of
// one annotation, whatever the pod: the least that any webhook does that changes something. It is a program of its own, so that it has no
// more in memory than that needs.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	address := flag.String("address", "", "where to serve")
	certificates := flag.String("cert-dir", "", "what to serve with")
	patch := flag.Bool("patch", false, "change the pod")
	flag.Parse()
	answer := []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,`)
	if *patch {
		text := `[{"op":"add","path":"/metadata/annotations/bench","value":"true"}]`
		answer = fmt.Appendf(answer, `"patchType":"JSONPatch","patch":%q,`, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	answer = append(answer, `"uid":"`...)
	server := &http.Server{
		Addr: *address, Handler: allow(answer), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
	}
	err := server.ListenAndServeTLS(filepath.Join(*certificates, "tls.crt"), filepath.Join(*certificates, "tls.key"))
	fmt.Fprintln(os.Stderr, "floor:", err)
	os.Exit(1)
}

// allow gives an answer up to the uid, and the request's uid.
func allow(answer []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, rest, _ := bytes.Cut(body, []byte(`"uid":"`))
		uid, _, _ := bytes.Cut(rest, []byte(`"`))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(slices.Concat(answer, uid, []byte(`"}}`)))
	}
}
