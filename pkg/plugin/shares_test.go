package plugin

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/printers"
)

// user is an injected pod of namespace shop, made so many minutes before noon.
func user(name, annotation, share string, minutes int, phase corev1.PodPhase, ready bool) corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{"podshare.dev/" + annotation: share},
			CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(minutes) * time.Minute))},
		Status: corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

// claimOf is a share's, made a day before noon.
func claimOf(share string, mode corev1.PersistentVolumeAccessMode, phase corev1.PersistentVolumeClaimPhase) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "podshare-" + share, CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour))},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: new("nfs"), AccessModes: []corev1.PersistentVolumeAccessMode{mode},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: phase},
	}
}

func TestTheTableOfShares(t *testing.T) {
	grown := claimOf("models", corev1.ReadWriteMany, corev1.ClaimBound)
	grown.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
	other := claimOf("x", corev1.ReadWriteMany, corev1.ClaimBound)
	other.Name = "data"
	shares := sharesOf(
		[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteMany, corev1.ClaimBound), grown, other},
		[]corev1.Pod{
			user("editor", "produce", "rules", 60, corev1.PodRunning, true),
			user("price-1", "consume", "rules", 30, corev1.PodRunning, true),
			user("price-2", "consume", "rules", 20, corev1.PodPending, false),
			user("report", "consume", "rules", 10, corev1.PodSucceeded, false),
			user("late", "consume", "prices", 5, corev1.PodPending, false),
		})
	shares[2].usage = &usage{UsedBytes: 300 << 20, CapacityBytes: 1 << 30, InodesUsed: 10, Inodes: 1000}
	var out bytes.Buffer
	printer := printers.NewTablePrinter(printers.PrintOptions{WithNamespace: true, Wide: true})
	require.NoError(t, printer.PrintObj(asTable(shares, noon), &out))
	assert.Equal(t, ""+
		"NAMESPACE   SHARE    CLAIM             PHASE     CLASS   SIZE   USED          PRODUCERS   CONSUMERS   AGE   LAST-POD   VOLUME   ACCESS   INODES\n"+
		"shop        models   podshare-models   Bound     nfs     10Gi   -             0/0         0/0         24h   unused     -        RWX      -\n"+
		"shop        prices   podshare-prices   Missing   -       -      -             0/0         0/1         -     5m         -        -        -\n"+
		"shop        rules    podshare-rules    Bound     nfs     1Gi    300Mi (29%)   1/1         1/2         24h   10m        -        RWX      1%\n", out.String())
}

func TestWhatIsWrongWithShares(t *testing.T) {
	waiting := user("late", "consume", "rules", 5, corev1.PodPending, false)
	fresh := user("new", "consume", "rules", 0, corev1.PodPending, false)
	for name, test := range map[string]struct {
		claims []corev1.PersistentVolumeClaim
		pods   []corev1.Pod
		want   string
		level  level
	}{
		"a claim that is bound":       {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteMany, corev1.ClaimBound)}, []corev1.Pod{waiting}, "", ""},
		"a claim that waits for pods": {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteMany, corev1.ClaimPending)}, nil, "", ""},
		"a claim that pods wait for": {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteMany, corev1.ClaimPending)}, []corev1.Pod{waiting},
			"claim shop/podshare-rules is Pending for 24h, and waiting for it: 1 pod", trouble},
		"a claim of another kind": {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteOnce, corev1.ClaimBound)}, nil,
			"claim shop/podshare-rules has a share's name and is RWO, and a share needs ReadWriteMany", doubt},
		"a claim of another kind that pods name": {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteOnce, corev1.ClaimBound)}, []corev1.Pod{waiting},
			"claim shop/podshare-rules has a share's name and is RWO, and a share needs ReadWriteMany", trouble},
		"a claim without its volume": {[]corev1.PersistentVolumeClaim{claimOf("rules", corev1.ReadWriteMany, corev1.ClaimLost)}, nil,
			"claim shop/podshare-rules has lost its volume", trouble},
		"no claim":         {nil, []corev1.Pod{waiting}, "share shop/rules has no claim, and waiting for it: 1 pod", trouble},
		"no claim so soon": {nil, []corev1.Pod{fresh}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			shares := sharesOf(test.claims, test.pods)
			require.Len(t, shares, 1)
			f := shares[0].judge(noon)
			if test.want == "" {
				assert.Nil(t, f)
				return
			}
			require.NotNil(t, f)
			assert.Equal(t, test.want, f.Message)
			assert.Equal(t, test.level, f.Level)
			assert.NotEmpty(t, f.Remedy)
		})
	}
}

// summary is a part of what a kubelet 1.37 answers.
const summary = `{"node":{"nodeName":"worker"},"pods":[{"podRef":{"name":"web-645fb7bfb6-ljbk4","namespace":"shop"},"volume":[
{"time":"2026-11-25T19:54:48Z","availableBytes":216491286528,"capacityBytes":270594838528,"usedBytes":54103552000,"inodesFree":15888172,
 "inodes":16777216,"inodesUsed":889044,"name":"podshare-prices","pvcRef":{"name":"podshare-prices","namespace":"shop"}},
{"time":"2026-11-25T19:54:48Z","availableBytes":25171656704,"capacityBytes":25171656704,"usedBytes":0,"inodesFree":3085509,"inodes":3085512,
 "inodesUsed":3,"name":"podshare--no-token"}]},{"podRef":{"name":"website","namespace":"shop"}}]}`

func TestReadsAKubeletsSummary(t *testing.T) {
	found, err := readSummary([]byte(summary), "worker")
	require.NoError(t, err)
	assert.Equal(t, map[types.NamespacedName]*usage{
		{Namespace: "shop", Name: "podshare-prices"}: {54103552000, 270594838528, 889044, 16777216, "worker"},
	}, found)
	_, err = readSummary([]byte("no"), "worker")
	assert.EqualError(t, err, "node worker answers what is no summary: invalid character 'o' in literal null (expecting 'u')")
}

func TestAmountsAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1023: "1023", 1024: "1Ki", 1536: "1.5Ki", 300 << 20: "300Mi", 50 << 30: "50Gi", 3 << 40: "3Ti"} {
		assert.Equal(t, want, shortBytes(n))
	}
}

func TestNodesThatDoNotAnswerAreToldOnce(t *testing.T) {
	assert.NoError(t, oneOf([]error{nil, nil}))
	assert.EqualError(t, oneOf([]error{nil, errors.New("node a is away")}), "node a is away")
	assert.EqualError(t, oneOf([]error{errors.New("node a is away"), nil, errors.New("node b is away")}), "node a is away (and 1 other nodes)")
}
