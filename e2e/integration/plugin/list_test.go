package plugin_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// twoShares makes a namespace with a share that has a producer, which is ready, and a consumer, which waits; and with one that is unused.
func twoShares(t *testing.T) (namespace string) {
	t.Helper()
	namespace = newNamespace(t)
	create(t, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podshare-archive"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}},
		},
	})
	producer := create(t, newPod(namespace, "editor", map[string]string{"podshare.dev/produce": "rules"}))
	consumer := create(t, newPod(namespace, "worker", consumes))
	awaitBound(t, namespace, "archive")
	awaitBound(t, namespace, "rules")
	playKubelet(t, producer, true)
	playKubelet(t, consumer, false)
	sayUnhealthy(t, consumer, "share rules: no answer for 14s")
	return namespace
}

func TestListsShares(t *testing.T) {
	namespace := twoShares(t)
	assert.Equal(t, `SHARE  CLAIM  PHASE  CLASS  SIZE  USED  PRODUCERS  CONSUMERS  AGE  LAST-POD
archive  podshare-archive  Bound  standard  5Gi  -  0/0  0/0  1s  unused
rules  podshare-rules  Bound  standard  1Gi  -  1/1  0/1  1s  1s
`, stable(kubectl(t, "list", "-n", namespace).out))
	assert.Equal(t, `archive  podshare-archive  Bound  standard  5Gi  -  0/0  0/0  1s  unused  pvc-…  RWX  -
rules  podshare-rules  Bound  standard  1Gi  -  1/1  0/1  1s  1s  pvc-…  RWX  -
`, stable(kubectl(t, "list", "-n", namespace, "-o", "wide", "--no-headers").out))
	assert.Contains(t, stable(kubectl(t, "list", "-A").out), "NAMESPACE  SHARE  CLAIM")
	assert.Contains(t, stable(kubectl(t, "list", "-A").out), "shop  rules  podshare-rules")
	assert.Equal(t, "share.podshare.dev/archive\nshare.podshare.dev/rules\n", kubectl(t, "list", "-n", namespace, "-o", "name").out)
}

func TestListsSharesForScripts(t *testing.T) {
	namespace := twoShares(t)
	var list struct {
		Kind  string
		Items []struct {
			APIVersion, Kind string
			Metadata         struct{ Name, Namespace string }
			Status           struct {
				Claim, Phase, Size   string
				Producers, Consumers struct{ Ready, Wanted int }
				Unused               bool
				LastPod              *metav1.Time
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(kubectl(t, "list", "-n", namespace, "-o", "json").out), &list))
	assert.Equal(t, "List", list.Kind)
	require.Len(t, list.Items, 2)
	archive, rules := list.Items[0], list.Items[1]
	assert.True(t, archive.Status.Unused)
	assert.Nil(t, archive.Status.LastPod)
	assert.Equal(t, "podshare.dev/v1alpha1 Share", rules.APIVersion+" "+rules.Kind)
	assert.Equal(t, namespace+"/rules", rules.Metadata.Namespace+"/"+rules.Metadata.Name)
	assert.Equal(t, "podshare-rules Bound 1Gi", rules.Status.Claim+" "+rules.Status.Phase+" "+rules.Status.Size)
	assert.Equal(t, 1, rules.Status.Producers.Ready)
	assert.Equal(t, 0, rules.Status.Consumers.Ready)
	assert.Equal(t, 1, rules.Status.Consumers.Wanted)
	assert.Contains(t, kubectl(t, "list", "-n", namespace, "-o", "yaml").out, "    claim: podshare-rules\n")
	assert.Equal(t, "1", kubectl(t, "list", "-n", namespace, "-o", "jsonpath={.items[1].status.producers.ready}").out)

	said := kubectl(t, "list", "-o", "table")
	assert.Contains(t, said.errors, `--output "table" must be one of wide, json, yaml, `)
	assert.Equal(t, 2, said.code)
	assert.Equal(t, "No shares found in namespace kube-public.\n", kubectl(t, "list", "-n", "kube-public").errors)
}

func TestANodeThatDoesNotAnswerLeavesNoFigures(t *testing.T) {
	namespace := newNamespace(t)
	pod := newPod(namespace, "worker", consumes)
	pod.Spec.NodeName = "gone"
	create(t, pod)
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), pod, client.GracePeriodSeconds(0))) })
	awaitBound(t, namespace, "rules")
	playKubelet(t, pod, true)
	said := kubectl(t, "list", "-n", namespace, "-o", "wide")
	assert.Contains(t, stable(said.out), "rules  podshare-rules  Bound  standard  1Gi  -  0/0  1/1")
	assert.Contains(t, said.errors, "USED is not complete: asking node gone how full its volumes are: the server could not find ")
	assert.Empty(t, kubectl(t, "list", "-n", namespace).errors, "said only where more is asked for")

	grant(t, namespace, "edith", "edit")
	said = kubectl(t, "list", "-n", namespace, "-o", "wide", "--as", "edith")
	assert.Equal(t, "USED is not complete: asking node gone how full its volumes are: you may not get nodes/proxy\n", said.errors)
	assert.Contains(t, stable(kubectl(t, "describe", "rules", "-n", namespace, "--as", "edith").out),
		"Not Read:  StorageClass standard: you may not read it\n")
}

func TestDescribesAShare(t *testing.T) {
	namespace := twoShares(t)
	said := kubectl(t, "describe", "share.podshare.dev/rules", "-n", namespace)
	assert.Equal(t, `Name:  rules
Namespace:  shop
Claim:  podshare-rules (made by podshare)
Created:  Wed, 25 Nov 2026 09:00:00 UTC
Phase:  Bound
StorageClass:  standard (kubernetes.io/host-path; its claims cannot grow)
Access Modes:  RWX
Capacity:  1Gi (requested 1Gi)
Used:  <unknown>: no node reports it
Volume:  pvc-…
  Source:  HostPath, /tmp/hostpath_pv/…
  Reclaim Policy:  Delete
  Mount Options:  <none>
May Produce:  every pod of this namespace
Producers (1 ready of 1):
  Name  Ready  Age  Node  Message
  --  --  --  --  --
  editor  yes  1s  <none>
Consumers (0 ready of 1):
  Name  Ready  Age  Node  Message
  --  --  --  --  --
  worker  no  1s  <none>  share rules: no answer for 1s
`, beforeEvents(stable(said.out)))
	assert.Contains(t, stable(said.out), "Events:\n  Type  Reason  Age  From  Object  Message\n")
	assert.Contains(t, stable(said.out), "  Warning  Unhealthy  1s (x3)  kubelet  pod/worker  Readiness probe failed: share rules: no answer for 1s\n")
	assert.Contains(t, stable(said.out), "persistentvolumeclaim/podshare-rules  Successfully provisioned volume pvc-… using kubernetes.io/host-path\n")

	said = kubectl(t, "describe", "archive", "ruls", "-n", namespace)
	assert.Contains(t, stable(said.out), "Claim:  podshare-archive (made by somebody else)\n")
	assert.Contains(t, said.out, "the share is unused, and podshare keeps its data\n")
	assert.Equal(t, "no share \"ruls\" in namespace "+namespace+"; it has archive, rules\n", said.errors)
	assert.Equal(t, 1, said.code)
}

func TestCompletesNames(t *testing.T) {
	namespace := twoShares(t)
	complete := func(words ...string) string {
		return kubectl(t, append([]string{"__complete", "-n", namespace}, words...)...).out
	}
	assert.Equal(t, "archive\n:4\n", complete("describe", "rules", ""), "not those that are there already")
	assert.Equal(t, "pod/editor\npod/worker\n:4\n", complete("explain", "pod/"))
	assert.Equal(t, "editor\nworker\n:4\n", complete("explain", "po", ""))
	assert.Contains(t, complete("explain", ""), "deployment\n")
}
