package workload_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/decode"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/workload"
)

// parse reads a workload, given as JSON.
func parse(raw []byte) (w *workload.Workload, err error) {
	if broken := decode.Bytes(raw, func(r *decode.Reader) { w, err = workload.Read(r) }); broken != nil {
		return nil, broken
	}
	return w, err
}

func TestTheTemplateOfEachKind(t *testing.T) {
	const template = `{"metadata":{"annotations":{"podshare.dev/consume":"rules"}},"spec":{"containers":[{"name":"a","future":1}]}}`
	for kind, test := range map[string]struct{ version, path, spec string }{
		"Deployment":  {"apps/v1", "spec.template", `{"template":` + template + `}`},
		"StatefulSet": {"apps/v1", "spec.template", `{"template":` + template + `}`},
		"DaemonSet":   {"apps/v1", "spec.template", `{"template":` + template + `}`},
		"ReplicaSet":  {"apps/v1", "spec.template", `{"template":` + template + `}`},
		"Job":         {"batch/v1", "spec.template", `{"template":` + template + `}`},
		"CronJob":     {"batch/v1", "spec.jobTemplate.spec.template", `{"jobTemplate":{"spec":{"template":` + template + `}}}`},
	} {
		t.Run(kind, func(t *testing.T) {
			w, err := parse([]byte(`{"apiVersion":"` + test.version + `","kind":"` + kind + `","metadata":{"name":"web"},"spec":` + test.spec + `}`))
			require.NoError(t, err)
			assert.Equal(t, kind, w.Kind)
			assert.Equal(t, test.path, w.Path)
			assert.Equal(t, map[string]string{"podshare.dev/consume": "rules"}, w.Pod.Metadata().Annotations)
			injected, err := w.Pod.Inject("shop", config.Default())
			require.NoError(t, err)
			require.Len(t, injected.Report.Containers, 1, "the template's spec is the pod's")
			assert.Empty(t, w.Misplaced())
			assert.False(t, w.Deleted)
			assert.Contains(t, workload.Kinds(), kind)
		})
	}
	assert.Len(t, workload.Kinds(), 6)
}

func TestAnnotationsInTheWrongPlace(t *testing.T) {
	w, err := parse([]byte(`{"apiVersion":"batch/v1","kind":"CronJob",
		"metadata":{"annotations":{"podshare.dev/consume":"rules","podshare.dev/size":"1Gi","other":"x"},"deletionTimestamp":"2026-01-01T00:00:00Z"},
		"spec":{"jobTemplate":{"metadata":{"annotations":{"podshare.dev/consum":"rules","podshare.dev/size":"2Gi"}},
		"spec":{"template":{"metadata":{"annotations":{"podshare.dev/consume":"rules"}}}}}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"podshare.dev/consum", "podshare.dev/size"}, w.Misplaced(), "also one that the template has is in place")
	assert.True(t, w.Deleted)
}

func TestWhatHasNoTemplate(t *testing.T) {
	const allowed = "the object must be one of CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet, of apps/v1 or batch/v1, and not of "
	for name, test := range map[string]struct{ raw, want string }{
		"a Pod":           {`{"apiVersion":"v1","kind":"Pod"}`, allowed + `apiVersion "v1" and kind "Pod"`},
		"another version": {`{"apiVersion":"apps/v2","kind":"Deployment"}`, allowed + `apiVersion "apps/v2" and kind "Deployment"`},
		"nothing":         {`{}`, allowed + `apiVersion "" and kind ""`},
		"null":            {`null`, allowed + `apiVersion "" and kind ""`},
		"a long kind": {`{"apiVersion":"v1","kind":"` + strings.Repeat("x", 100) + `\u202e"}`,
			allowed + `apiVersion "v1" and kind "` + strings.Repeat("x", 64) + `"`},
		"a list": {`[]`, "the object is no workload: it must be an object, not a list"},
		"text":   {`pod`, "invalid character 'p' looking for beginning of value"},
		"annotations that are a list": {`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"metadata":{"annotations":[]}}}}`,
			"the object is no workload: spec.template.metadata.annotations must be an object, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(test.raw))
			require.Error(t, err)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}

func TestATemplateThatIsNotThereIsAnEmptyPod(t *testing.T) {
	for _, spec := range []string{`null`, `{}`, `{"template":null}`, `{"template":{}}`} {
		w, err := parse([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","spec":` + spec + `}`))
		require.NoError(t, err)
		injected, err := w.Pod.Inject("shop", config.Default())
		require.NoError(t, err)
		assert.Nil(t, injected.Report)
	}
}

// FuzzRead: whatever the object, a pod comes out that can be injected, or an error.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[`, `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"metadata":null,"spec":{"containers":[]}}}}`,
		`{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"annotations":{"podshare.dev/x":""}},"spec":{"jobTemplate":{"spec":{"template":7}}}}`,
		`{"apiVersion":"batch/v1","kind":"Job","spec":{"template":{"metadata":{"annotations":{"podshare.dev/consume":"a"}},"spec":"x"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := parse(raw)
		if err != nil {
			return
		}
		_, err = w.Pod.Inject("shop", config.Default())
		assert.True(t, err == nil || errors.As(err, new(*inject.RefusedError)), "%v", err)
		assert.Contains(t, workload.Kinds(), w.Kind)
		for _, key := range w.Misplaced() {
			assert.NotContains(t, w.Pod.Metadata().Annotations, key)
		}
	})
}
