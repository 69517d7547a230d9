package suite_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestUninstallLeavesNothingBehindButTheClaims disturbs podshare itself, so it does not run beside another test.
func TestUninstallLeavesNothingBehindButTheClaims(t *testing.T) {
	namespace := newNamespace(t)
	pod := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	create(t, pod)
	awaitReady(t, pod)
	publish(t, pod, "rules", 9)

	require.NoError(t, uninstallPodshare(t.Context()))
	claim, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)
	assert.Equal(t, corev1.ClaimBound, claim.Status.Phase)
	assert.Equal(t, "9", must(t, pod, "import os, sys; sys.path.append(os.environ['PODSHARE_RULES_DIR']); import pricing; print(pricing.PRICE)"),
		"a pod that runs keeps its share")

	t.Run("annotated pods are created without shares then", func(t *testing.T) {
		late := newPod(namespace, "late", map[string]string{"consume": "rules"})
		require.NoError(t, api.Create(t.Context(), late, client.DryRunAll))
		assert.Empty(t, late.Labels)
	})
	require.NoError(t, installPodshare(t.Context(), overlay), "and it can be installed again")
	require.NoError(t, isReady(t.Context(), pod))
}
