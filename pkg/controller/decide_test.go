package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podshare/podshare/pkg/config"
)

var rules = types.NamespacedName{Namespace: "shop", Name: "rules"}

// told is a notice as its readers see it: on the claim or not, and on which pods.
type told struct {
	reason  string
	text    string
	onClaim bool
	pods    []string
}

func TestDecide(t *testing.T) {
	const tooSmall = `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests 1Gi and cannot grow: `
	const askFast = `podshare.dev/storage-class asks for StorageClass "fast"; claim "podshare-rules" has `
	const remedy = "podshare leaves it as it is: delete it to get one from podshare, or choose another name for the share"
	for name, test := range map[string]struct {
		users    []user
		claim    *corev1.PersistentVolumeClaim
		class    *storagev1.StorageClass
		previous types.UID
		// unwatched is a claim that the cache does not have.
		unwatched bool

		create  string // size and class of the claim to create
		grow    string
		told    []told
		recheck bool
	}{
		"no claim: it is created": {
			users:  []user{asks("a", "", "")},
			create: "1Gi, none",
		},
		"the largest size and the oldest pod's class are taken": {
			users:  []user{asks("a", "1Gi", ""), asks("b", "5Gi", "slow"), asks("c", "", "fast")},
			create: `5Gi, "slow"`,
			told: []told{
				{"StorageClassDiffers", askFast + `"slow", and a claim keeps its class`, false, []string{"c"}},
				{"SizesDiffer", `other pods ask for more of the share "rules"; the largest size, 5Gi, counts`, false, []string{"a"}},
			},
		},
		"a claim that fits is left alone": {
			users: []user{asks("a", "1Gi", "")},
			claim: existing(),
		},
		"a smaller size is nothing to talk about": {
			users: []user{asks("a", "10Mi", "")},
			claim: existing(),
		},
		"somebody else's claim is used as it is": {
			users:     []user{asks("a", "", "")},
			claim:     existing(foreign),
			unwatched: true,
			recheck:   true,
		},
		"somebody else's claim never grows": {
			users:   []user{asks("a", "", ""), asks("b", "5Gi", "")},
			claim:   existing(foreign),
			class:   class(true),
			recheck: true,
			told: []told{
				{"ClaimCannotGrow", tooSmall + `podshare did not create it, so it does not change it`, true, []string{"b"}},
			},
		},
		"not ReadWriteMany": {
			users: []user{asks("a", "2Gi", ""), asks("b", "", "fast")},
			claim: existing(foreign, func(c *corev1.PersistentVolumeClaim) {
				c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadOnlyMany}
			}),
			told: []told{{"ClaimNotReadWriteMany", `claim "podshare-rules" has the access modes [ReadWriteOnce ReadOnlyMany], ` +
				`and a share needs ReadWriteMany; ` + remedy, true, []string{"a", "b"}}},
		},
		"a block device": {
			users: []user{asks("a", "", "")},
			claim: existing(foreign, func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = new(corev1.PersistentVolumeBlock) }),
			told: []told{{"ClaimNotFilesystem", `claim "podshare-rules" has the volume mode Block, and a share needs Filesystem; ` +
				remedy, true, []string{"a"}}},
		},
		"being deleted": {
			users: []user{asks("a", "2Gi", "")},
			claim: existing(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = new(metav1.Now()) }),
			told: []told{{"ClaimTerminating", `claim "podshare-rules" is being deleted; when it is gone, which takes until no pod ` +
				`mounts it, podshare creates an empty one for the pods that still name the share`, true, []string{"a"}}},
		},
		"deleted under running pods": {
			users:    []user{asks("a", "", "")},
			previous: "before",
			create:   "1Gi, none",
			told: []told{{"ClaimReplaced", `claim "podshare-rules" was deleted while pods used it, and the data was lost with it ` +
				`(a volume with reclaim policy Retain still has it); the claim that took its place is new`, true, []string{"a"}}},
		},
		"replaced by somebody else": {
			users:    []user{asks("a", "", "")},
			previous: "before",
			claim:    existing(foreign),
			told: []told{{"ClaimReplaced", `claim "podshare-rules" was deleted while pods used it, and the data was lost with it ` +
				`(a volume with reclaim policy Retain still has it); the claim that took its place is new`, true, []string{"a"}}},
		},
		"the same claim as before": {
			users:    []user{asks("a", "", "")},
			previous: "now",
			claim:    existing(),
		},
		"another class than the claim's": {
			users: []user{asks("a", "", "fast"), asks("b", "", "standard")},
			claim: existing(),
			told:  []told{{"StorageClassDiffers", askFast + `"standard", and a claim keeps its class`, false, []string{"a"}}},
		},
		"a claim without a class": {
			users: []user{asks("a", "", "fast")},
			claim: existing(withoutClass),
			told:  []told{{"StorageClassDiffers", askFast + `none, and a claim keeps its class`, false, []string{"a"}}},
		},
		"a larger size grows it": {
			users: []user{asks("a", "1Gi", ""), asks("b", "5Gi", "")},
			claim: existing(),
			class: class(true),
			grow:  "5Gi",
			told: []told{
				{"SizesDiffer", `other pods ask for more of the share "rules"; the largest size, 5Gi, counts`, false, []string{"a"}},
				{"ClaimGrows", `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests it now, instead of 1Gi`, true,
					[]string{"b"}},
			},
		},
		"the same size in another notation is no growth": {
			users: []user{asks("a", "1024Mi", "")},
			claim: existing(),
			class: class(true),
		},
		"a claim that is not bound grows later": {
			users: []user{asks("a", "5Gi", "")},
			claim: existing(func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimPending }),
			class: class(true),
			told: []told{{"ClaimNotYetBound", `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests 1Gi ` +
				`and grows once it is bound`, true, []string{"a"}}},
		},
		"a class that does not expand": {
			users:   []user{asks("a", "5Gi", "")},
			claim:   existing(),
			class:   class(false),
			recheck: true,
			told: []told{
				{"ClaimCannotGrow", tooSmall + `StorageClass "standard" does not allow volume expansion`, true, []string{"a"}},
			},
		},
		"a class that is gone": {
			users:   []user{asks("a", "5Gi", "")},
			claim:   existing(),
			recheck: true,
			told:    []told{{"ClaimCannotGrow", tooSmall + `there is no StorageClass "standard"`, true, []string{"a"}}},
		},
		"no class to expand": {
			users:   []user{asks("a", "5Gi", "")},
			claim:   existing(withoutClass),
			recheck: true,
			told:    []told{{"ClaimCannotGrow", tooSmall + `it has no StorageClass`, true, []string{"a"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observation{
				share: rules, users: test.users, claim: test.claim, watched: !test.unwatched, class: test.class, previous: test.previous,
			}
			d := decide(o, config.Default())
			assert.Equal(t, test.create, describeClaim(d.create))
			assert.Equal(t, test.grow, describeSize(d.grow))
			assert.Equal(t, test.told, describeNotices(d.notices))
			assert.Equal(t, test.recheck, d.recheck)
		})
	}
}

func TestAClaimThatCannotBeTheShareIsNotRemembered(t *testing.T) {
	o := observation{share: rules, users: []user{asks("a", "", "")}}
	for name, test := range map[string]struct {
		claim *corev1.PersistentVolumeClaim
		want  bool
	}{
		"created":       {nil, true},
		"there":         {existing(), true},
		"being deleted": {existing(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = new(metav1.Now()) }), false},
		"a block device": {
			existing(func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = new(corev1.PersistentVolumeBlock) }), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o.claim = test.claim
			assert.Equal(t, test.want, decide(o, config.Default()).usable)
		})
	}
}

func TestUsersAmong(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pod := func(name string, age time.Duration, annotations map[string]string) metav1.PartialObjectMetadata {
		return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(begin.Add(-age)), Annotations: annotations,
		}}
	}
	rules := map[string]string{"podshare.dev/consume": "rules"}
	leaving := pod("leaving", time.Hour, rules)
	leaving.DeletionTimestamp = new(metav1.NewTime(begin))
	users := usersAmong([]metav1.PartialObjectMetadata{
		pod("young", time.Minute, map[string]string{"podshare.dev/produce": "rules", "podshare.dev/size": "2Gi"}),
		pod("b", time.Hour, rules),
		pod("a", time.Hour, rules),
		pod("mistaken", time.Hour, map[string]string{"podshare.dev/consume": "rules", "podshare.dev/size": "lots"}),
		leaving,
	}, config.Default())
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.pod.Name
	}
	assert.Equal(t, []string{"a", "b", "young"}, names)
	assert.Equal(t, "2Gi", users[2].size.String())
}

// asks makes a user. An empty size or class asks for nothing.
func asks(pod, size, class string) user {
	u := user{pod: corev1.ObjectReference{Name: pod}, class: class}
	if size != "" {
		u.size = new(resource.MustParse(size))
	}
	return u
}

// existing is a bound claim that podshare made for the share "rules": 1Gi of the class "standard".
func existing(changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := newClaim("shop", "rules", nil, "standard", config.Default())
	claim.UID = "now"
	claim.Status.Phase = corev1.ClaimBound
	for _, change := range changes {
		change(claim)
	}
	return claim
}

func foreign(claim *corev1.PersistentVolumeClaim)      { claim.Labels = nil }
func withoutClass(claim *corev1.PersistentVolumeClaim) { claim.Spec.StorageClassName = nil }

func class(expands bool) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}, AllowVolumeExpansion: &expands}
}

func describeClaim(claim *corev1.PersistentVolumeClaim) string {
	if claim == nil {
		return ""
	}
	return claim.Spec.Resources.Requests.Storage().String() + ", " + quotedOrNone(className(claim))
}

func describeSize(size *resource.Quantity) string {
	if size == nil {
		return ""
	}
	return size.String()
}

func describeNotices(notices []notice) []told {
	var all []told
	for _, n := range notices {
		one := told{reason: n.reason, text: n.text, onClaim: !n.podsOnly}
		for _, u := range n.users {
			one.pods = append(one.pods, u.pod.Name)
		}
		all = append(all, one)
	}
	return all
}

func TestDecideDoesNotChangeTheClaimItIsGiven(t *testing.T) {
	claim := existing()
	before := claim.DeepCopy()
	d := decide(observation{share: rules, users: []user{asks("a", "5Gi", "")}, claim: claim, class: class(true)},
		config.Default())
	require.NotNil(t, d.grow)
	assert.Equal(t, before, claim)
}
