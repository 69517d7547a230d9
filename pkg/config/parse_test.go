package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

func TestAFileThatSaysEverything(t *testing.T) {
	c, err := config.Parse("config.yaml", []byte(`
apiVersion: config.podshare.dev/v1alpha1
kind: PodshareConfig
mounts:
  root: /srv/shares
  allowed: [/data, /opt/models]
defaults:
  size: 5Gi
  storageClass: nfs
  readiness: none
limits:
  sharesPerPod: 3
  maxSize: 50Gi
  storageClasses: [nfs, cephfs]
`))
	require.NoError(t, err)
	limit := resource.MustParse("50Gi")
	assert.Equal(t, &config.Config{
		Mounts:   config.Mounts{Root: "/srv/shares", Allowed: []string{"/data", "/opt/models"}},
		Defaults: config.Defaults{Size: resource.MustParse("5Gi"), StorageClass: "nfs", Readiness: api.ReadinessNone},
		Limits:   config.Limits{SharesPerPod: 3, MaxSize: &limit, StorageClasses: []string{"nfs", "cephfs"}},
	}, c)
	assert.True(t, c.AllowsPath("/srv/shares/rules"))
	assert.True(t, c.AllowsPath("/data/rules"))
	assert.False(t, c.AllowsPath("/database"))
}

func TestAFileThatSaysNothingButItsVersionIsTheDefault(t *testing.T) {
	c, err := config.Parse("config.yaml", []byte("apiVersion: config.podshare.dev/v1alpha1\n"))
	require.NoError(t, err)
	assert.Equal(t, config.Default(), c)
}

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	_, err := config.Parse("config.yaml", []byte(`apiVersion: config.podshare.dev/v2
mounts:
  root: /etc/shares
  allowed:
  - /data
  - relative
  - /a:b
  root: /podshare
defaults:
  size: 10GB
  storageclass: nfs
  readiness: shell
limits:
  sharesPerPod: many
  maxSize:
  storageClasses: nfs
policy: {}
`))
	require.Error(t, err)
	const systemDirs = "/etc, /usr, /bin, /sbin, /lib, /lib32, /lib64, /libx32, /proc, /sys, /dev, " +
		"/run/secrets/kubernetes.io/serviceaccount, /var/run/secrets/kubernetes.io/serviceaccount"
	const path = `must be an absolute path of letters, digits and . _ - + @ between slashes, such as "/data/rules"`
	assert.Equal(t, `config.yaml:1: apiVersion: "config.podshare.dev/v2" must be one of ["config.podshare.dev/v1alpha1"]
config.yaml:3: mounts.root: "/etc/shares" lies in, or over, /etc: a share is mounted outside the system's directories (`+systemDirs+`)
config.yaml:6: mounts.allowed: "relative" `+path+`
config.yaml:7: mounts.allowed: "/a:b" `+path+`
config.yaml:8: mounts.root: stands twice
config.yaml:10: defaults.size: "10GB" must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"
config.yaml:11: "defaults.storageclass": unknown field; allowed here: readiness, size, storageClass
config.yaml:12: defaults.readiness: "shell" must be one of ["sidecar" "container" "none"]
config.yaml:14: limits.sharesPerPod: "many" must be a whole number from 1 to 1000
config.yaml:15: limits.maxSize: must be a single value; leave the line out for the default
config.yaml:16: limits.storageClasses: must be a list; leave the line out for the default
config.yaml:17: "policy": unknown field; allowed here: apiVersion, defaults, kind, limits, mounts`, err.Error())
}

func TestAFileThatIsNoConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"an empty file":             {"", `c.yaml:1: the file is empty: apiVersion must be "config.podshare.dev/v1alpha1"`},
		"only comments":             {"# later\n", `c.yaml:1: the file is empty: apiVersion must be "config.podshare.dev/v1alpha1"`},
		"a list":                    {"- a\n", `c.yaml:1: must be a mapping that begins with apiVersion: config.podshare.dev/v1alpha1`},
		"no version":                {"limits: {sharesPerPod: 2}\n", `c.yaml:1: apiVersion: is missing; must be "config.podshare.dev/v1alpha1"`},
		"a section that is a value": {"apiVersion: config.podshare.dev/v1alpha1\nlimits: 3\n", `c.yaml:2: limits: must be a mapping of maxSize, sharesPerPod, storageClasses`},
		"two documents":             {"apiVersion: config.podshare.dev/v1alpha1\n---\na: b\n", `c.yaml:2: a second document: the file must be one YAML document`},
		"a default over the limit": {
			"apiVersion: config.podshare.dev/v1alpha1\nlimits:\n  maxSize: 500Mi\n",
			`c.yaml:3: defaults.size: "1Gi" must be at most limits.maxSize, "500Mi"`,
		},
		"a default class that is not allowed": {
			"apiVersion: config.podshare.dev/v1alpha1\ndefaults: {storageClass: a}\nlimits: {storageClasses: [b, c]}\n",
			`c.yaml:2: defaults.storageClass: "a" must be one of limits.storageClasses, ["b" "c"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(test.file))
			assert.EqualError(t, err, test.want)
		})
	}
	t.Run("broken YAML names its line", func(t *testing.T) {
		_, err := config.Parse("c.yaml", []byte("apiVersion: a\n\tb: c\n"))
		assert.ErrorContains(t, err, "c.yaml:1: not YAML: yaml: line 2:")
	})
}

func TestLoad(t *testing.T) {
	c, err := config.Load("")
	require.NoError(t, err, "no file is no mistake")
	assert.Equal(t, config.Default(), c)

	_, err = config.Load(filepath.Join(t.TempDir(), "absent.yaml"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "absent.yaml")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("apiVersion: config.podshare.dev/v1alpha1\nlimits: {sharesPerPod: 3, maxSize: 1e9}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if c != nil && config.CheckMountPath(c.MountPath("rules")) != nil {
			t.Fatalf("accepted root %q", c.Mounts.Root)
		}
	})
}
