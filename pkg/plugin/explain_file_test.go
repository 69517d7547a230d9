package plugin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/program"
)

func TestExplainSaysWhatBecomesOfFiles(t *testing.T) {
	for name, test := range map[string]struct{ text, want, err string }{
		"a workload that is injected": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata:\n      annotations:\n" +
				"        podshare.dev/produce: rules\n        podshare.dev/readiness: none\n    spec: {containers: [{name: app}]}\n",
			`Deployment shop/web: its pods are injected
Shares:
  Name   Role      Path             Access      Claim           Phase      Because Of
  ----   ----      ----             ------      -----           -----      ----------
  rules  producer  /podshare/rules  read-write  podshare-rules  <unknown>  podshare.dev/produce: rules
Containers:  app
Readiness:   none (podshare.dev/readiness): nobody looks at the shares
Judged By:   podshare's defaults; --config takes the platform's
`, "",
		},
		"an annotation on the workload itself": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {podshare.dev/consume: rules}\nspec:\n  template:\n    spec: {}\n",
			`Deployment shop/web: asks for no share
✗ podshare.dev/consume stands on the Deployment web itself, where it does nothing
    move it to spec.template.metadata.annotations: mend it in standard input:7
`, "1 mistake, see above",
		},
		"mistakes of a pod": {
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  annotations:\n    podshare.io/await: x\n    podshare.dev/consume: rules\n" +
				"    podshare.dev/readiness: never\nspec: {containers: [{name: app}]}\n",
			`Pod shop/web: is refused
✗ annotation "podshare.io/await" of Pod web is not podshare's
    write podshare.dev/await
✗ metadata.annotations[podshare.dev/readiness]: Invalid value: "never": must be one of "sidecar", "container", "none"
    mend it in standard input:5
Judged By:  podshare's defaults; --config takes the platform's
`, "2 mistakes, see above",
		},
		"a namespace that podshare never looks at, and a kind that it does not know": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: kube-system, annotations: {podshare.dev/produce: rules, podshare.dev/readiness: none}}\n" +
				"spec: {containers: [{name: app}]}\n---\nkind: Rollout\nmetadata: {name: r}\nspec:\n  annotations:\n    podshare.dev/consume: rules\n",
			`Pod kube-system/web: asks for shares, and does not get them
✗ namespace kube-system is excluded: the API server does not ask podshare about its pods
    run the pod in another namespace, or ask the platform team about the namespaceSelector of MutatingWebhookConfiguration podshare
Shares:
  Name   Role      Path             Access      Claim           Phase      Because Of
  ----   ----      ----             ------      -----           -----      ----------
  rules  producer  /podshare/rules  read-write  podshare-rules  <unknown>  podshare.dev/produce: rules
Containers:  app
Readiness:   none (podshare.dev/readiness): nobody looks at the shares
Judged By:   podshare's defaults; --config takes the platform's

Rollout shop/r: is left as it is
! podshare.dev/consume is left as it is: pods that a Rollout makes with it are injected when they are created
    line 10
`, "1 mistake, see above",
		},
		"nothing that makes pods": {
			"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n", "",
			"nothing in - makes pods that podshare knows of: explain takes Pod, CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, err := run(t, test.text, "explain", "-n", "shop", "-f", "-")
			assert.Equal(t, test.want, out)
			assert.Empty(t, errOut)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.err)
			}
		})
	}
	_, _, err := run(t, "", "explain", "pod/web", "-f", "-")
	require.ErrorAs(t, err, new(program.UsageError))
	assert.EqualError(t, err, `unknown argument "pod/web"; see kubectl podshare explain --help`)
}
